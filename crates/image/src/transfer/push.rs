//! Pushes one image: which manifest it has, the layers that are missing there, its config, the manifest last.
//!
//! An image that came with a manifest keeps it, as long as its blobs can still be had: it has the same digest everywhere.
//! One that was made here gets a manifest of Docker's types, which every registry takes, or of OCI's when a layer is
//! compressed with zstd. A layer is compressed once; its blob is kept, and what it is known as.

mod manifest;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use layer::Encoding;
use oci::{Descriptor, DiffId, Digest, ImageConfig, ImageId, Reference, TagOrDigest};
use store::Store;

use self::manifest::Written;
use super::documents::{remote, shown};
use super::known::{self, KnownBlob};
use super::{Content, Destination, TransferError, Upload};
use crate::archive::{LayerBlob, MediaTypes, SaveError};

/// How many layers are sent at a time, as Docker does.
const AT_A_TIME: usize = 5;

/// What was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// Digest of the manifest.
    pub digest: Digest,
    /// Its length.
    pub size: u64,
}

/// What happens while an image is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushEvent {
    /// These are the layers, bottom first.
    Layers(Vec<DiffId>),
    /// Something became of one of them.
    Layer {
        /// Which, from 0.
        number: usize,
        /// What.
        state: SentState,
    },
}

/// Where a layer is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentState {
    /// It is looked at, and compressed where that was never done.
    Preparing,
    /// It will be sent when others are.
    Waiting,
    /// Bytes go out.
    Pushing {
        /// Bytes that have gone.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// It has been sent.
    Pushed,
    /// It was there.
    AlreadyExists,
    /// The registry took it from this repository.
    MountedFrom(String),
}

/// Pushes an image under a tag. One that is there already, unchanged, costs one question.
///
/// # Errors
/// When the image is not whole, or the other side does not take it.
pub fn push(
    store: &Store,
    destination: &dyn Destination,
    id: ImageId,
    reference: &Reference,
    events: &(dyn Fn(PushEvent) + Sync),
) -> Result<Pushed, TransferError> {
    let (config, config_bytes) = store.image_with_bytes(id)?;
    let repository = known::repository(reference);
    let lease = store.lease()?;
    for layer in &config.rootfs.diff_ids {
        lease.hold(layer.0)?;
    }
    let failed = AtomicBool::new(false);
    let pushing = Pushing { store, destination, id, config, config_bytes, reference, repository, events, failed };
    events(PushEvent::Layers(pushing.config.rootfs.diff_ids.clone()));
    pushing.push()
}

struct Pushing<'a> {
    store: &'a Store,
    destination: &'a dyn Destination,
    id: ImageId,
    config: ImageConfig,
    config_bytes: Vec<u8>,
    reference: &'a Reference,
    repository: String,
    events: &'a (dyn Fn(PushEvent) + Sync),
    failed: AtomicBool,
}

impl Pushing<'_> {
    fn push(&self) -> Result<Pushed, TransferError> {
        let tag = self.reference.tag_or_digest();
        let kept = self.kept()?;
        if let Some(written) = &kept {
            let digest = Digest::of(&written.document.bytes);
            let there = self.destination.resolve(&tag);
            let there = there.map_err(|source| remote(format!("find the manifest {}", shown(&tag)), source))?;
            if there == Some(digest) {
                self.all_exist();
                return self.remember(written);
            }
        }
        let trusting = self.attempt(kept.as_ref(), &tag, true);
        match trusting {
            // What was known to be there may be gone.
            Err((_, true)) => self.again(kept.as_ref(), &tag),
            Err((TransferError::Gone { .. }, _)) if kept.is_some() => self.again(None, &tag),
            other => other.map_err(|(error, _)| error),
        }
    }

    /// Believes nothing; a manifest whose blobs cannot be had after all is given up.
    fn again(&self, kept: Option<&Written>, tag: &TagOrDigest) -> Result<Pushed, TransferError> {
        self.failed.store(false, Ordering::Relaxed);
        match self.attempt(kept, tag, false) {
            Err((TransferError::Gone { .. }, _)) if kept.is_some() => self.again(None, tag),
            other => other.map_err(|(error, _)| error),
        }
    }

    /// Sends what is missing. An error comes with whether it may be due to something that was only believed.
    fn attempt(
        &self,
        kept: Option<&Written>,
        tag: &TagOrDigest,
        is_trusting: bool,
    ) -> Result<Pushed, (TransferError, bool)> {
        let sure = |error| (error, false);
        let is_known = match kept {
            Some(written) if is_trusting => self.is_published(written).map_err(sure)?,
            _ => false,
        };
        let mut has_trusted = is_known;
        let written = match kept {
            Some(written) if is_known => {
                self.all_exist();
                written.clone()
            }
            _ => {
                let (layers, trusted) = self.layers(kept, is_trusting).map_err(sure)?;
                has_trusted |= trusted;
                let written = kept.cloned().unwrap_or_else(|| self.write(layers));
                self.upload_config(&written.manifest.config).map_err(sure)?;
                written
            }
        };
        let put = self.destination.put_manifest(tag, &written.document);
        put.map_err(|source| (remote(format!("write the manifest {}", shown(tag)), source), has_trusted))?;
        self.remember(&written).map_err(sure)
    }

    /// Sees to it that all layers are there, several at a time. Gives them as they are there, and whether one of them was
    /// only believed to be.
    fn layers(&self, kept: Option<&Written>, is_trusting: bool) -> Result<(Vec<Descriptor>, bool), TransferError> {
        let layers = &self.config.rootfs.diff_ids;
        let lanes: Vec<Mutex<Option<Descriptor>>> = layers.iter().map(|_| Mutex::default()).collect();
        let first_error = Mutex::new(None);
        let has_trusted = AtomicBool::new(false);
        // Each once; the uppermost first, as it is shown.
        let mut order: Vec<usize> = Vec::new();
        for number in (0..layers.len()).rev() {
            self.report(number, SentState::Preparing);
            if !order.iter().any(|other| layers[*other] == layers[number]) {
                order.push(number);
            }
        }
        order.iter().skip(AT_A_TIME).for_each(|number| self.report(*number, SentState::Waiting));
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..AT_A_TIME.min(order.len()) {
                scope.spawn(|| {
                    while let Some(number) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.failed.load(Ordering::Relaxed) {
                            return;
                        }
                        let blob = kept.and_then(|written| written.manifest.layers.get(*number));
                        match self.layer(*number, blob, is_trusting, &has_trusted) {
                            Ok(sent) => *lock(&lanes[*number]) = Some(sent),
                            Err(error) => {
                                self.failed.store(true, Ordering::Relaxed);
                                lock(&first_error).get_or_insert(error);
                            }
                        }
                    }
                });
            }
        });
        if let Some(error) = lock(&first_error).take() {
            return Err(error);
        }
        let find = |layer: &DiffId| {
            let number = layers.iter().rposition(|other| other == layer)?;
            lock(&lanes[number]).clone()
        };
        let sent: Option<Vec<Descriptor>> = layers.iter().map(find).collect();
        Ok((sent.ok_or(TransferError::Stopped)?, has_trusted.into_inner()))
    }

    /// Sees to it that one layer is there.
    fn layer(
        &self,
        number: usize,
        blob: Option<&Descriptor>,
        is_trusting: bool,
        has_trusted: &AtomicBool,
    ) -> Result<Descriptor, TransferError> {
        let layer = self.config.rootfs.diff_ids[number];
        let known = known::blobs(self.store, layer)?;
        let is_wanted = |one: &&KnownBlob| blob.is_none_or(|blob| blob.digest == one.digest);
        if let Some(there) = known.iter().filter(is_wanted).find(|one| one.is_in(&self.repository)) {
            if is_trusting {
                has_trusted.store(true, Ordering::Relaxed);
                self.report_all(layer, &SentState::AlreadyExists);
                return Ok(there.descriptor());
            }
            known::forget(self.store, layer, there.digest, &self.repository)?;
        }
        let found = match blob {
            Some(blob) => Some(blob.clone()),
            None => self.find(&known)?,
        };
        if let Some(found) = found {
            let source = known.iter().filter(|one| one.digest == found.digest).find_map(|one| self.neighbour(one));
            match self.send(layer, &found, source.as_deref()) {
                // It can be made again where no manifest asks for just this one.
                Err(TransferError::Gone { .. }) if blob.is_none() => {}
                sent => return sent.map(|()| found),
            }
        }
        let made = self.compress(layer)?;
        self.send(layer, &made, None)?;
        Ok(made)
    }

    /// A blob of a layer that is kept, the newest, or else one that the registry has elsewhere.
    fn find(&self, known: &[KnownBlob]) -> Result<Option<Descriptor>, TransferError> {
        for blob in known.iter().rev() {
            if self.store.has_blob(blob.digest, blob.size)? {
                return Ok(Some(blob.descriptor()));
            }
        }
        Ok(known.iter().rev().find(|one| self.neighbour(one).is_some()).map(KnownBlob::descriptor))
    }

    /// Another repository of the same registry that has a blob.
    fn neighbour(&self, blob: &KnownBlob) -> Option<String> {
        let host = format!("{}/", self.reference.registry());
        let others = blob.repositories.iter().rev().filter(|name| **name != self.repository);
        others.filter_map(|name| name.strip_prefix(&host)).next().map(str::to_owned)
    }

    /// Compresses a layer, and keeps what comes of it.
    fn compress(&self, layer: DiffId) -> Result<Descriptor, TransferError> {
        let encoding = Encoding::Gzip { level: Encoding::GZIP_PUSH_LEVEL };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let made = LayerBlob::make(self.store, layer, encoding, MediaTypes::Docker, threads).map_err(unsaved)?;
        if let Some(sink) = made.sink() {
            self.store.add_blob(made.descriptor.digest, sink)?;
        }
        known::note(self.store, layer, &made.descriptor, None)?;
        Ok(made.descriptor)
    }

    fn send(&self, layer: DiffId, blob: &Descriptor, mount_from: Option<&str>) -> Result<(), TransferError> {
        let file = match self.store.blob(blob.digest)? {
            Some(file) => Some(file),
            None if blob.digest == layer.0 => self.store.layer_tar(layer)?,
            None => None,
        };
        let gone = TransferError::Gone { digest: blob.digest };
        let content = match &file {
            Some(file) => Content::File(file),
            None if mount_from.is_some() => Content::Absent,
            None => return Err(gone),
        };
        let sent = |done| self.report_all(layer, &SentState::Pushing { done, total: blob.size });
        let uploaded = match self.destination.upload(blob, content, mount_from, &sent) {
            Ok(uploaded) => uploaded,
            Err(_) if file.is_none() => return Err(gone),
            // Torn by an end of the host: the registry sees it by its digest.
            Err(_) if self.is_torn(blob)? => {
                self.store.remove_blob(blob.digest)?;
                return Err(gone);
            }
            Err(source) => return Err(remote(format!("send layer {}", blob.digest), source)),
        };
        known::note(self.store, layer, blob, Some(&self.repository))?;
        self.report_all(
            layer,
            &match (uploaded, mount_from) {
                (Upload::Mounted, Some(source)) => SentState::MountedFrom(source.to_owned()),
                (Upload::Existed, _) => SentState::AlreadyExists,
                (Upload::Sent | Upload::Mounted, _) => SentState::Pushed,
            },
        );
        Ok(())
    }

    /// Whether a blob that is kept is another one than its name says.
    fn is_torn(&self, blob: &Descriptor) -> Result<bool, TransferError> {
        let Some(file) = self.store.blob(blob.digest)? else { return Ok(false) };
        let failed = |source| TransferError::Keep { digest: blob.digest, source };
        Ok(layer::digest_of(file).map_err(failed)?.digest != blob.digest)
    }

    fn upload_config(&self, descriptor: &Descriptor) -> Result<(), TransferError> {
        let uploaded = self.destination.upload(descriptor, Content::Bytes(&self.config_bytes), None, &|_| {});
        uploaded.map(drop).map_err(|source| remote(format!("send the config {}", descriptor.digest), source))
    }

    /// Keeps the manifest, and what the repository knows the image by.
    fn remember(&self, written: &Written) -> Result<Pushed, TransferError> {
        let digest = self.store.put_document(&written.document.bytes)?;
        for (blob, layer) in written.manifest.layers.iter().zip(&self.config.rootfs.diff_ids) {
            known::note(self.store, *layer, blob, Some(&self.repository))?;
        }
        self.store.set_reference(&self.reference.clone().with_only_digest(digest), self.id)?;
        Ok(Pushed { digest, size: written.document.bytes.len() as u64 })
    }

    fn all_exist(&self) {
        for state in [SentState::Preparing, SentState::AlreadyExists] {
            (0..self.config.rootfs.diff_ids.len()).rev().for_each(|number| self.report(number, state.clone()));
        }
    }

    fn report(&self, number: usize, state: SentState) {
        (self.events)(PushEvent::Layer { number, state });
    }

    /// The same layer can be there more than once.
    fn report_all(&self, layer: DiffId, state: &SentState) {
        let same = self.config.rootfs.diff_ids.iter().enumerate().filter(|(_, other)| **other == layer);
        same.for_each(|(number, _)| self.report(number, state.clone()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unsaved(error: SaveError) -> TransferError {
    match error {
        SaveError::Store(error) => error.into(),
        error => TransferError::Compress(Box::new(error)),
    }
}
