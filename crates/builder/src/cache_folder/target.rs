//! Folders that a cache is written to: opened before the build, so that one that cannot be is told at once.

use std::collections::HashMap;

use image::archive::{Layout, SaveError, layer_media_type};
use oci::DiffId;

use super::CacheExport;
use super::document::{CacheDocument, CachedLayer};
use crate::build::BuildError;
use crate::failure::causes;
use crate::report::Reporter;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Targets(pub(super) Vec<Target>);

/// One of them.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) request: CacheExport,
    pub(super) layout: Layout,
    /// Layers that caches of the folder have.
    known: HashMap<DiffId, CachedLayer>,
}

impl Targets {
    /// Makes the folders that are missing.
    pub(super) fn open(requests: &[CacheExport], reporter: &Reporter<'_>) -> Result<Self, BuildError> {
        let mut targets = Vec::new();
        for request in requests {
            match Layout::open(&request.folder) {
                Ok(layout) => targets.push(Target::new(request.clone(), layout)),
                Err(error) => ignore_or_fail(request, &error, reporter)?,
            }
        }
        Ok(Self(targets))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some folder needs this layer out of the store.
    pub(crate) fn need(&self, layer: DiffId, is_of_image: bool) -> bool {
        self.0.iter().any(|target| target.takes(is_of_image) && target.known(layer).is_none())
    }
}

impl Target {
    fn new(request: CacheExport, layout: Layout) -> Self {
        let mut known = HashMap::new();
        let reader = layout.reader();
        // What cannot be read is written again.
        for manifest in reader.index().unwrap_or_default() {
            let document = CacheDocument::read(reader, manifest.digest, Some(manifest.size));
            let layers = document.map_or_else(|_| Vec::new(), |(document, _)| document.layers);
            known.extend(layers.into_iter().map(|layer| (layer.diff_id, layer)));
        }
        Self { request, layout, known }
    }

    /// Whether steps are wanted whose layers the image has not.
    pub(super) fn takes(&self, is_of_image: bool) -> bool {
        is_of_image || self.request.mode == super::CacheMode::Max
    }

    /// A layer as it is in the folder, if it can stay so.
    pub(super) fn known(&self, layer: DiffId) -> Option<&CachedLayer> {
        let CacheExport { encoding, media_types, forces_compression, .. } = self.request;
        let is_wanted = |known: &&CachedLayer| {
            known.blob.media_type == layer_media_type(media_types, encoding)
                && self.layout.has_blob(known.blob.digest, known.blob.size)
        };
        self.known.get(&layer).filter(|_| !forces_compression).filter(is_wanted)
    }
}

/// A cache that cannot be written.
pub(super) fn ignore_or_fail(
    request: &CacheExport,
    error: &SaveError,
    reporter: &Reporter<'_>,
) -> Result<(), BuildError> {
    let message = format!("cannot write the cache to {}", request.folder.display());
    let chain: Vec<String> = std::iter::once(error.to_string()).chain(causes(error)).collect();
    if request.ignores_errors {
        reporter.warning(format!("{message}: {}", chain.join(": ")), None);
        return Ok(());
    }
    let hint = match error {
        SaveError::NotALayout { .. } => "give a folder that is empty, or not there: `dest=DIR`",
        _ => "name another folder, or add `ignore-error=true` to build without it",
    };
    Err(BuildError::Output { message, causes: chain, hint: Some(hint.to_owned()) })
}
