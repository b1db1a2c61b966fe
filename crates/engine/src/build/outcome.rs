//! What a finished build gave, for those who want to know more than the image's ID.

use builder::{BuildRequest, Built, Output};
use oci::{Descriptor, ImageId, Reference};

use super::BuildOptions;
use crate::{Engine, Error};

/// What a finished build gave.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildOutcome {
    /// The image: digest of its config.
    pub image: ImageId,
    /// Its manifest, or the index of several platforms; `None` where none was made.
    pub descriptor: Option<Descriptor>,
    /// All its names.
    pub names: Vec<Reference>,
    /// ID of the build whose log is kept; none is kept of a build that found everything.
    pub log: Option<String>,
}

impl BuildOutcome {
    pub(super) fn new(
        engine: &Engine,
        options: &BuildOptions,
        request: &BuildRequest,
        built: Built,
        log: Option<String>,
    ) -> Result<Self, Error> {
        let descriptor = match built.descriptor {
            None if options.describes && built.is_stored => Some(describe(engine, built.image)?),
            descriptor => descriptor,
        };
        Ok(Self { image: built.image, descriptor, names: names(request), log })
    }
}

/// The manifest that a stored image would be shipped with.
fn describe(engine: &Engine, id: ImageId) -> Result<Descriptor, Error> {
    let found = image::manifest(engine.store(), id)?;
    Ok(Descriptor::of(oci::media_type::OCI_MANIFEST, &found.manifest_bytes))
}

/// Names of the images and archives that were asked for.
fn names(request: &BuildRequest) -> Vec<Reference> {
    let has_names = |output: &Output| matches!(output, Output::Image(_) | Output::Archive(_));
    if !request.outputs.is_empty() && !request.outputs.iter().any(has_names) {
        return Vec::new();
    }
    let own = request.outputs.iter().flat_map(|output| match output {
        Output::Image(image) => image.names.clone(),
        Output::Archive(archive) => archive.names.clone(),
        _ => Vec::new(),
    });
    let names: Vec<Reference> = if request.tags.is_empty() { own.collect() } else { request.tags.clone() };
    names.into_iter().map(Reference::with_default_tag).collect()
}
