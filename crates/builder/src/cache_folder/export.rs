//! Writes a cache: blobs first, then the documents, and the index last, by a rename. What is there already is not
//! written again, so that a build in which nothing changed leaves the folder as it is.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use image::archive::{LayerBlob, LayoutLock, MediaTypes, SaveError};
use oci::{Descriptor, DiffId, Digest, ImageManifest, media_type};
use serde_json::{Map, json};
use store::StoreError;

use super::document::{CacheDocument, CachedImage, CachedLayer, CachedStep, MEDIA_TYPE};
use super::target::{Target, ignore_or_fail};
use super::{Caches, UsedStep};
use crate::StepOutcome;
use crate::build::{BuildError, BuildTools};
use crate::failure::causes;
use crate::report::{Reporter, Step};

/// Annotation with a cache's tag (image-spec, annotations.md).
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Writes all caches, one after the other.
///
/// # Errors
/// When one cannot be written, and that matters.
pub(crate) fn export(caches: &Caches, tools: &BuildTools<'_>, reporter: &Reporter<'_>) -> Result<(), BuildError> {
    for target in &caches.targets.0 {
        let step = reporter.start("exporting cache to client directory");
        let written = Writer { target, caches, tools, reporter, step }.write();
        step.finish(match &written {
            Ok(()) => StepOutcome::Done,
            Err(Failed::Cancelled) => StepOutcome::Canceled,
            Err(Failed::Save(error)) => StepOutcome::Failed(error.to_string()),
        });
        match written {
            Ok(()) => {}
            Err(Failed::Cancelled) => return Err(BuildError::Cancelled),
            // The plan may be run again.
            Err(Failed::Save(SaveError::Store(error @ StoreError::LayerMissing(_)))) => return Err(error.into()),
            Err(Failed::Save(error)) => ignore_or_fail(&target.request, &error, reporter)?,
        }
    }
    Ok(())
}

/// Why a cache is not there.
enum Failed {
    Save(SaveError),
    Cancelled,
}

impl<E: Into<SaveError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Save(error.into())
    }
}

struct Writer<'a> {
    target: &'a Target,
    caches: &'a Caches,
    tools: &'a BuildTools<'a>,
    reporter: &'a Reporter<'a>,
    step: Step<'a, 'a>,
}

impl Writer<'_> {
    fn write(&self) -> Result<(), Failed> {
        let layout = &self.target.layout;
        self.step.status("preparing build cache for export");
        let _alone = self.wait_for_others()?;
        layout.sweep()?;
        let used: Vec<UsedStep> = self.caches.used.steps();
        let damaged = self.caches.imports.refused_blobs();
        let mut layers = BTreeMap::new();
        for step in used.iter().filter(|step| self.target.takes(step.is_of_image)) {
            if self.tools.is_cancelled() {
                return Err(Failed::Cancelled);
            }
            if let Entry::Vacant(place) = layers.entry(step.layer) {
                place.insert(self.layer(step.layer, &damaged)?);
            }
        }
        let document = document(&used, layers, self.caches.used.images());
        let manifest = self.documents(&document)?;
        layout.list(&[manifest])?;
        if self.target.request.resets {
            // The cache itself is written.
            match layout.remove_unlisted() {
                Ok(removed) => self.step.status(format!("removed {removed} unused blobs")),
                Err(error) => {
                    let chain: Vec<String> = std::iter::once(error.to_string()).chain(causes(&error)).collect();
                    let message = format!("unused blobs of the cache are not removed: {}", chain.join(": "));
                    self.reporter.warning(message, None);
                }
            }
        }
        Ok(())
    }

    /// Two builds must not write to one folder at the same time.
    fn wait_for_others(&self) -> Result<LayoutLock<'_>, Failed> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(lock) = self.target.layout.try_lock()? {
                return Ok(lock);
            }
            if self.tools.is_cancelled() {
                return Err(Failed::Cancelled);
            }
            if pause == Duration::from_millis(1) {
                self.step.status("waiting for another build that writes to the folder");
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Sees to it that a layer's blob is in the folder.
    fn layer(&self, layer: DiffId, damaged: &HashSet<Digest>) -> Result<CachedLayer, SaveError> {
        let layout = &self.target.layout;
        let known = self.target.known(layer).filter(|known| !damaged.contains(&known.blob.digest));
        let cached = match known {
            Some(known) => known.clone(),
            None => {
                let request = &self.target.request;
                let threads = std::thread::available_parallelism().map_or(1, usize::from);
                let store = self.tools.store;
                let blob = LayerBlob::make(store, layer, request.encoding, request.media_types, threads)?;
                let Descriptor { digest, size, .. } = blob.descriptor;
                if damaged.contains(&digest) || !layout.has_blob(digest, size) {
                    layout.replace_blob(digest, &mut blob.open(store, layer)?)?;
                }
                CachedLayer { diff_id: layer, size: blob.tar_size, blob: blob.descriptor }
            }
        };
        self.step.status(format!("writing layer {}", cached.blob.digest));
        Ok(cached)
    }

    /// Adds the two documents; gives what the index is to say.
    fn documents(&self, document: &CacheDocument) -> Result<Descriptor, SaveError> {
        let layout = &self.target.layout;
        let config = document.to_bytes();
        let descriptor = Descriptor::of(MEDIA_TYPE, &config);
        layout.add_blob(descriptor.digest, descriptor.size, &mut config.as_slice())?;
        self.step.status(format!("writing config {}", descriptor.digest));
        let own = match self.target.request.media_types {
            MediaTypes::Oci => media_type::OCI_MANIFEST,
            MediaTypes::Docker => media_type::DOCKER_MANIFEST,
        };
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(own.to_owned()),
            config: descriptor,
            layers: document.layers.iter().map(|layer| layer.blob.clone()).collect(),
            extra: Map::new(),
        };
        let manifest = serde_json::to_vec(&manifest).expect("a manifest has text keys only, so it is always JSON");
        let mut descriptor = Descriptor::of(own, &manifest);
        layout.add_blob(descriptor.digest, descriptor.size, &mut manifest.as_slice())?;
        self.step.status(format!("writing cache image manifest {}", descriptor.digest));
        descriptor.annotations.insert(REF_NAME.to_owned(), json!(self.target.request.tag));
        Ok(descriptor)
    }
}

/// All steps, also those whose layers are left out: a build that is found whole needs no more than their keys. In an order that does not depend on which stage was faster.
fn document(
    used: &[UsedStep],
    layers: BTreeMap<DiffId, CachedLayer>,
    images: BTreeMap<Digest, String>,
) -> CacheDocument {
    let mut steps = BTreeMap::new();
    for step in used {
        let UsedStep { key, content, layer, created, .. } = step;
        steps.insert(*key, CachedStep { key: *key, layer: *layer, created: created.clone(), content: *content });
        // The files themselves may be the same where the layers they are taken from are not.
        if let Some(content) = content {
            let by_content = CachedStep { key: *content, layer: *layer, created: created.clone(), content: None };
            steps.entry(*content).or_insert(by_content);
        }
    }
    CacheDocument {
        layers: layers.into_values().collect(),
        steps: steps.into_values().collect(),
        images: images.into_iter().map(|(key, created)| CachedImage { key, created }).collect(),
    }
}
