//! Pulls one image: its documents, the layers that the store has not got, then its names.

use oci::{Digest, ImageId, Platform, Reference, TagOrDigest};
use store::{Store, StoreError};

use super::documents::{Found, find, remote, shown};
use super::layers::Layers;
use super::{Source, TransferError, known};

/// What to pull.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// With a tag or a digest; a digest wins.
    pub reference: Reference,
    /// Another platform than that of this machine.
    pub platform: Option<Platform>,
}

/// What was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The image.
    pub id: ImageId,
    /// What the registry knows it by: the manifest or the index that the name stands for.
    pub digest: Digest,
    /// The name did not stand for it before.
    pub is_new: bool,
    /// The image is for this platform, and another one was asked for: the name stands for one image, whatever is wanted.
    pub other_platform: Option<Platform>,
}

/// What happens while an image is pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullEvent {
    /// The name was found.
    Found,
    /// These are the layers, bottom first, by the digests of their blobs.
    Layers(Vec<Digest>),
    /// Something became of one of them.
    Layer {
        /// Which, from 0.
        number: usize,
        /// What.
        state: LayerState,
    },
}

/// Where a layer is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerState {
    /// It is in the store already.
    AlreadyExists,
    /// It will be fetched.
    Queued,
    /// It will be fetched when others are done.
    Waiting,
    /// Another process fetches it.
    Elsewhere,
    /// Bytes arrive.
    Downloading {
        /// Bytes that are there.
        done: u64,
        /// Bytes that there will be.
        total: u64,
    },
    /// All bytes are there and are looked at.
    Verifying,
    /// They are right.
    Downloaded,
    /// They are decompressed and indexed.
    Extracting {
        /// Compressed bytes that this is done for.
        done: u64,
        /// Compressed bytes in all.
        total: u64,
    },
    /// It is in the store.
    Complete,
}

/// Pulls an image. Of one that has not changed since it was pulled under this name, only the digest is asked for.
///
/// # Errors
/// When the source does not have it, or sends something else than it says; nothing is listed then, and what came of
/// layers is kept for the next attempt.
pub fn pull(
    store: &Store,
    source: &dyn Source,
    request: &PullRequest,
    events: &(dyn Fn(PullEvent) + Sync),
) -> Result<Pulled, TransferError> {
    let reference = named(request.reference.clone());
    let before = store.reference(&reference)?;
    if let Some(id) = before
        && let Some(digest) = unchanged(store, source, request, id)?
    {
        events(PullEvent::Found);
        return Ok(Pulled { id, digest, is_new: false, other_platform: None });
    }
    let found = find(store, source, &reference.tag_or_digest(), request.platform.as_ref())?;
    events(PullEvent::Found);
    let layers: Vec<_> = found.manifest.layers.iter().cloned().zip(found.config.rootfs.diff_ids.clone()).collect();
    let lease = store.lease()?;
    lease.hold(found.id.0)?;
    if !store.has_image(found.id)? {
        events(PullEvent::Layers(layers.iter().map(|(blob, _)| blob.digest).collect()));
        let report = |number, state| events(PullEvent::Layer { number, state });
        Layers::new(store, source, &lease, &layers, &report).bring()?;
        store.publish_image(&found.config_bytes, None)?;
    }
    name(store, &reference, &found)?;
    let repository = known::repository(&reference);
    for (blob, layer) in &layers {
        known::note(store, *layer, blob, Some(&repository))?;
    }
    let platform = found.config.platform();
    let other_platform = request.platform.as_ref().filter(|wanted| !platform.is_like(wanted)).map(|_| platform.clone());
    Ok(Pulled { id: found.id, digest: found.digest, is_new: before != Some(found.id), other_platform })
}

/// What a pulled image is called: its tag, or its digest alone.
fn named(reference: Reference) -> Reference {
    match reference.digest() {
        Some(digest) => reference.with_only_digest(digest),
        None => reference.with_default_tag(),
    }
}

/// The digest that a name stands for at its source, if that is what was pulled under it for this platform.
fn unchanged(
    store: &Store,
    source: &dyn Source,
    request: &PullRequest,
    id: ImageId,
) -> Result<Option<Digest>, TransferError> {
    let config = match store.image(id) {
        Ok(config) => config,
        Err(StoreError::ImageMissing(_) | StoreError::Corrupt { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let wanted = request.platform.clone().unwrap_or_else(Platform::host);
    let is_exact = request.platform.is_none() || config.platform() == wanted;
    if !config.platform().is_like(&wanted) || !is_exact {
        return Ok(None);
    }
    let name = request.reference.tag_or_digest();
    let digest = match &name {
        // What a digest stands for cannot change.
        TagOrDigest::Digest(digest) => Some(*digest),
        TagOrDigest::Tag(_) => {
            source.resolve(&name).map_err(|source| remote(format!("find the manifest {}", shown(&name)), source))?
        }
    };
    let Some(digest) = digest else { return Ok(None) };
    let known = store.reference(&request.reference.clone().with_only_digest(digest))?;
    Ok(Some(digest).filter(|_| known == Some(id)))
}

/// Keeps the documents, and lets the names stand for the image.
fn name(store: &Store, reference: &Reference, found: &Found) -> Result<(), TransferError> {
    for document in &found.documents {
        store.put_document(&document.bytes)?;
    }
    store.set_reference(&reference.clone().with_only_digest(found.digest), found.id)?;
    store.set_reference(reference, found.id)?;
    Ok(())
}
