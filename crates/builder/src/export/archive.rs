//! Archives of Docker's and OCI's kind.

use image::archive::{self, SaveError, ShipOptions, Shipped, ShippedImage, Target};
use oci::Reference;

use super::{Export, Exported, possible, unwritten};
use crate::build::BuildError;
use crate::output::{ArchiveDestination, ArchiveOutput};
use crate::report::Step;

impl Export<'_> {
    pub(super) fn archive(&self, output: &ArchiveOutput, step: Step<'_, '_>) -> Result<Exported, BuildError> {
        let names: Vec<Reference> = self.names(&output.names);
        let options = ShipOptions {
            names: names.clone(),
            encoding: output.encoding,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            media_types: output.media_types,
            annotations: output.annotations.clone(),
            is_index: possible::is_index(self.request),
            for_docker: output.is_docker,
        };
        let images: Vec<ShippedImage> = self
            .images
            .iter()
            .map(|made| ShippedImage {
                config: made.config.clone(),
                config_bytes: made.bytes.clone(),
                platform: made.platform.clone(),
            })
            .collect();
        let _held = self.hold_layers()?;
        step.status("exporting layers");
        let ship = |target: Target<'_>| archive::ship(self.tools.store, &images, &options, target).map_err(unshipped);
        let Shipped { descriptor, manifests } = match &output.destination {
            ArchiveDestination::Layout(path) => ship(Target::Folder(path))?,
            ArchiveDestination::Tar(destination) => destination.write(|file| ship(Target::Tar(file)))?,
        };
        for (manifest, made) in manifests.iter().zip(self.images) {
            step.status(format!("exporting manifest {}", manifest.digest));
            step.status(format!("exporting config {}", made.id));
        }
        if options.is_index {
            step.status(format!("exporting manifest list {}", descriptor.digest));
        }
        for name in &names {
            step.status(format!("naming to {name}"));
        }
        if matches!(output.destination, ArchiveDestination::Tar(_)) {
            step.status("sending tarball");
        }
        Ok(Exported { descriptor: Some(descriptor), is_stored: false })
    }
}

/// A layer that is gone is told apart: the plan may be run again.
fn unshipped(error: SaveError) -> BuildError {
    match error {
        SaveError::Store(error) => error.into(),
        error @ SaveError::NotALayout { .. } => {
            unwritten(&error, Some("give a folder that is empty, or not there: `tar=false,dest=DIR`".to_owned()))
        }
        error => unwritten(&error, None),
    }
}
