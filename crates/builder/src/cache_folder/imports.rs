//! Caches that a build looks at: their documents are read at once, their layers when something needs them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use image::Stack;
use image::archive::{AnnouncedLayer, LayoutReader, bring_layer};
use oci::{DiffId, Digest};
use store::{Lease, StoreError};

use super::CacheImport;
use super::document::{CacheDocument, CachedLayer, CachedStep};
use crate::StepOutcome;
use crate::build::{BuildError, BuildTools};
use crate::failure::causes;
use crate::report::Reporter;
use crate::solve::lock;

/// All of them, in the order in which they are asked.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    folders: Vec<Folder>,
    /// Layers that a folder, by its number, has not got as it says.
    refused: Mutex<HashSet<(usize, DiffId)>>,
    refusals: AtomicUsize,
    /// Layers that steps were found with.
    found: Mutex<HashSet<(usize, DiffId)>>,
    /// Steps count also where a cache has not got their layers.
    counts_keys: AtomicBool,
    /// Two stages may need the same layer.
    bringing: Mutex<()>,
}

/// One of them.
#[derive(Debug)]
struct Folder {
    reader: LayoutReader,
    manifest: Digest,
    layers: HashMap<DiffId, CachedLayer>,
    steps: HashMap<Digest, CachedStep>,
    images: HashMap<Digest, String>,
}

/// What a cache says of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundStep {
    /// The cache's manifest.
    pub(crate) manifest: Digest,
    pub(crate) layer: DiffId,
    pub(crate) created: String,
    pub(crate) content: Option<Digest>,
}

impl Imports {
    /// Reads their documents. A folder that is not there, or not a cache, is worth a warning.
    pub(super) fn open(requests: &[CacheImport], reporter: &Reporter<'_>) -> Self {
        let folders = requests.iter().filter_map(|request| Folder::open(request, reporter)).collect();
        Self { folders, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// How often a layer was not what it was said to be.
    pub(crate) fn refusals(&self) -> usize {
        self.refusals.load(Ordering::Relaxed)
    }

    /// What the first cache says that knows a step and can give its layer; `is_there` says whether that is needed.
    pub(crate) fn find<E>(
        &self,
        key: Digest,
        is_there: impl Fn(DiffId) -> Result<bool, E>,
        reporter: &Reporter<'_>,
    ) -> Result<Option<FoundStep>, E> {
        let counts_keys = self.counts_keys.load(Ordering::Relaxed);
        let mut known = None;
        for (number, folder) in self.folders.iter().enumerate() {
            let Some(step) = folder.steps.get(&key) else { continue };
            let found = || FoundStep {
                manifest: folder.manifest,
                layer: step.layer,
                created: step.created.clone(),
                content: step.content,
            };
            if is_there(step.layer)? || self.can_give(number, step.layer, reporter) {
                return Ok(Some(found()));
            }
            if counts_keys && !folder.layers.contains_key(&step.layer) {
                known = known.or_else(|| Some(found()));
            }
        }
        Ok(known)
    }

    /// Whether some steps are known without their layers, as those of other stages are with `mode=min`.
    pub(crate) fn have_keys_alone(&self) -> bool {
        let alone = |folder: &Folder| folder.steps.values().any(|step| !folder.layers.contains_key(&step.layer));
        self.folders.iter().any(alone)
    }

    /// Lets such steps count, or not. A build may only do so that needs none of those layers.
    pub(crate) fn count_keys(&self, counts: bool) {
        self.counts_keys.store(counts, Ordering::Relaxed);
    }

    /// When an image was first made, as a cache says.
    pub(crate) fn image(&self, key: Digest) -> Option<&str> {
        self.folders.iter().find_map(|folder| folder.images.get(&key)).map(String::as_str)
    }

    /// Whether a folder has a layer's blob, as far as that can be seen from outside.
    fn can_give(&self, number: usize, layer: DiffId, reporter: &Reporter<'_>) -> bool {
        if lock(&self.refused).contains(&(number, layer)) {
            return false;
        }
        let folder = &self.folders[number];
        let Some(cached) = folder.layers.get(&layer) else { return false };
        match folder.reader.blob(cached.blob.digest, cached.blob.size) {
            Ok(_) => {
                lock(&self.found).insert((number, layer));
                true
            }
            Err(error) => {
                self.refuse(number, layer, &error.to_string(), reporter);
                false
            }
        }
    }

    /// Brings a layer into the store on top of others.
    ///
    /// # Errors
    /// When no cache has it; those that say so are not believed from then on.
    pub(crate) fn bring(
        &self,
        layer: DiffId,
        below: &Stack,
        lease: &Lease<'_>,
        tools: &BuildTools<'_>,
    ) -> Result<(), BuildError> {
        let BuildTools { store, progress: reporter, .. } = *tools;
        let _alone = lock(&self.bringing);
        if store.has_layer(layer, below.chain_id())? {
            return Ok(());
        }
        for (number, folder) in self.folders.iter().enumerate() {
            let Some(cached) = folder.layers.get(&layer) else { continue };
            if lock(&self.refused).contains(&(number, layer)) {
                continue;
            }
            let announced = AnnouncedLayer { blob: &cached.blob, diff_id: layer, tar_size: cached.size };
            let brought = match folder.reader.blob(cached.blob.digest, cached.blob.size) {
                Ok(blob) => {
                    let blob = Cancellable { blob, cancelled: tools.cancelled };
                    bring_layer(store, lease, announced, blob, below).map_err(|error| {
                        let chain = std::iter::once(error.to_string()).chain(causes(&error));
                        chain.collect::<Vec<_>>().join(": ")
                    })
                }
                Err(error) => Err(error.to_string()),
            };
            match brought {
                Ok(()) => return Ok(()),
                Err(_) if tools.is_cancelled() => return Err(BuildError::Cancelled),
                Err(reason) => {
                    self.refuse(number, layer, &reason, reporter);
                    self.look_at_others(number, reporter);
                }
            }
        }
        Err(StoreError::LayerMissing(layer).into())
    }

    /// Where one layer is damaged others may be: what was found is looked at all at once, or else the plan would be run
    /// again for each.
    fn look_at_others(&self, number: usize, reporter: &Reporter<'_>) {
        let folder = &self.folders[number];
        let found: Vec<DiffId> =
            lock(&self.found).iter().filter(|(of, _)| *of == number).map(|(_, layer)| *layer).collect();
        for layer in found {
            let is_refused = lock(&self.refused).contains(&(number, layer));
            let Some(cached) = folder.layers.get(&layer).filter(|_| !is_refused) else { continue };
            if let Err(error) = folder.reader.verify_blob(cached.blob.digest, cached.blob.size) {
                self.refuse(number, layer, &error.to_string(), reporter);
            }
        }
    }

    fn refuse(&self, number: usize, layer: DiffId, reason: &str, reporter: &Reporter<'_>) {
        if lock(&self.refused).insert((number, layer)) {
            self.refusals.fetch_add(1, Ordering::Relaxed);
            let folder = self.folders[number].reader.path().display();
            let message = format!("the cache at {folder} cannot give a layer, whose step runs instead: {reason}");
            reporter.warning(message, None);
        }
    }

    /// Digests of blobs that are not what they are called.
    pub(super) fn refused_blobs(&self) -> HashSet<Digest> {
        let refused = lock(&self.refused);
        let blob = |(number, layer): &(usize, DiffId)| Some(self.folders[*number].layers.get(layer)?.blob.digest);
        refused.iter().filter_map(blob).collect()
    }
}

impl Folder {
    fn open(request: &CacheImport, reporter: &Reporter<'_>) -> Option<Self> {
        let shown = request.folder.display();
        let skipped = |reason: &str| {
            reporter.warning(format!("the cache at {shown} is not used: {reason}"), None);
        };
        let found = LayoutReader::open(&request.folder).and_then(|reader| {
            let descriptor = match request.digest {
                Some(digest) => Some((digest, None)),
                None => reader.tagged(&request.tag)?.map(|found| (found.digest, Some(found.size))),
            };
            Ok((reader, descriptor))
        });
        let (reader, manifest, size) = match found {
            Ok((reader, Some((manifest, size)))) => (reader, manifest, size),
            Ok((_, None)) => {
                skipped(&format!("there is no cache called `{}` in it", request.tag));
                return None;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                skipped("there is no such folder");
                return None;
            }
            Err(error) => {
                skipped(&error.to_string());
                return None;
            }
        };
        let step = reporter.start(format!("importing cache manifest from local:{}", number(request, manifest)));
        match CacheDocument::read(&reader, manifest, size) {
            Ok((CacheDocument { layers, steps, images }, media_type)) => {
                step.status(format!("inferred cache manifest type: {media_type}"));
                step.finish(StepOutcome::Done);
                Some(Self {
                    reader,
                    manifest,
                    layers: layers.into_iter().map(|layer| (layer.diff_id, layer)).collect(),
                    steps: steps.into_iter().map(|step| (step.key, step)).collect(),
                    images: images.into_iter().map(|image| (image.key, image.created)).collect(),
                })
            }
            Err(error) => {
                step.finish(StepOutcome::Failed(error.to_string()));
                skipped(&error.to_string());
                None
            }
        }
    }
}

/// A large layer takes its time, and the build may be over meanwhile.
struct Cancellable<'a> {
    blob: File,
    cancelled: &'a AtomicBool,
}

impl Read for Cancellable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.cancelled.load(Ordering::Relaxed) {
            true => Err(io::Error::other("the build was cancelled")),
            false => self.blob.read(buffer),
        }
    }
}

/// What BuildKit shows in the place of a name: a number that stands for the whole request.
fn number(request: &CacheImport, manifest: Digest) -> u64 {
    let text = format!("{} {} {manifest}", request.folder.display(), request.tag);
    let digest = Digest::of(text.as_bytes());
    digest.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
