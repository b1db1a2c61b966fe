//! An image of the store, with its names. Writes nothing when all is there already.

use oci::{Platform, Reference};

use super::{Export, Exported, Made, put};
use crate::InstructionEvent;
use crate::build::BuildError;
use crate::output::ImageOutput;
use crate::report::Step;

impl Export<'_> {
    pub(super) fn image(&self, output: &ImageOutput, step: Step<'_, '_>) -> Result<Exported, BuildError> {
        step.status("exporting layers");
        let made = of_this_machine(self.images);
        let store = self.tools.store;
        put(store, &made.bytes, made.parent)?;
        step.status(format!("writing image {}", made.id));
        let is_classic = self.request.classic.is_some();
        if is_classic {
            self.reporter.instruction(InstructionEvent::Built(made.id));
        }
        for name in self.all_names(output, made)? {
            store.set_reference(&name, made.id)?;
            step.status(format!("naming to {name}"));
            if is_classic {
                self.reporter.instruction(InstructionEvent::Tagged(name.familiar()));
            }
        }
        Ok(Exported { descriptor: None, is_stored: true })
    }

    /// With those that a digest makes.
    fn all_names(&self, output: &ImageOutput, made: &Made) -> Result<Vec<Reference>, BuildError> {
        let mut names = self.names(&output.names);
        let dangling = output.dangling_prefix.as_ref().filter(|_| names.is_empty());
        if dangling.is_none() && !output.is_canonical {
            return Ok(names);
        }
        let digest = image::manifest(self.tools.store, made.id)?.digest;
        let with_digest = |name: &Reference| name.clone().with_only_digest(digest);
        let digests: Vec<Reference> = match dangling {
            Some(prefix) => vec![with_digest(prefix)],
            None => names.iter().map(with_digest).collect(),
        };
        names.extend(digests);
        Ok(names)
    }
}

/// Of several platforms the store keeps the image of this machine's, or else the first.
pub(crate) fn of_this_machine(images: &[Made]) -> &Made {
    let host = Platform::host();
    images.iter().find(|made| made.platform.is_like(&host)).unwrap_or(&images[0])
}
