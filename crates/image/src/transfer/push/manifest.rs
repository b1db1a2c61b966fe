//! Which manifest a pushed image has: the one that it came with or was pushed with, as long as its blobs can be had, or a new one.

use oci::{Descriptor, Digest, ImageManifest, Reference, media_type};

use super::Pushing;
use crate::transfer::known;
use crate::transfer::{Document, TransferError, documents};

/// A manifest with its bytes.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) manifest: ImageManifest,
    pub(super) document: Document,
}

impl Pushing<'_> {
    /// The manifest that the image came with or was pushed with, if all its layers can be had: from a repository of this
    /// name first.
    pub(super) fn kept(&self) -> Result<Option<Written>, TransferError> {
        let names = self.store.references()?;
        let mut names: Vec<&Reference> = names.iter().filter(|(_, id)| *id == self.id).map(|(name, _)| name).collect();
        names.sort_by_key(|name| known::repository(name) != self.repository);
        for digest in names.iter().filter_map(|name| name.digest()) {
            if let Some(written) = self.manifest_below(digest)?
                && self.can_be_had(&written.manifest)?
            {
                return Ok(Some(written));
            }
        }
        Ok(None)
    }

    /// The manifest of this image that a document is or leads to, among those that are kept.
    fn manifest_below(&self, digest: Digest) -> Result<Option<Written>, TransferError> {
        let mut waiting = vec![(digest, String::new())];
        let mut left = crate::archive::limits::IMAGES;
        while let Some((digest, media_type)) = waiting.pop().filter(|_| left > 0) {
            left -= 1;
            let Some(bytes) = self.store.document(digest)? else { continue };
            let document = Document { media_type, bytes };
            // What cannot be read was read by another version; it is made anew.
            match documents::read(&document) {
                Ok(documents::Read::Index(index)) => {
                    waiting.extend(index.manifests.into_iter().map(|below| (below.digest, below.media_type)));
                }
                Ok(documents::Read::Manifest(manifest)) if manifest.config.digest == self.id.0 => {
                    let own = manifest.media_type.clone();
                    let is_named = |name: &String| !name.is_empty();
                    let sent_as = own.or(Some(document.media_type.clone()).filter(is_named));
                    let media_type = sent_as.unwrap_or_else(|| media_type::OCI_MANIFEST.to_owned());
                    let document = Document { media_type, ..document };
                    return Ok(Some(Written { manifest: *manifest, document }));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn can_be_had(&self, manifest: &ImageManifest) -> Result<bool, TransferError> {
        if manifest.layers.len() != self.config.rootfs.diff_ids.len() {
            return Ok(false);
        }
        for (blob, layer) in manifest.layers.iter().zip(&self.config.rootfs.diff_ids) {
            let known = known::blobs(self.store, *layer)?;
            let is_there = known.iter().any(|one| one.digest == blob.digest && one.is_in(&self.repository));
            let is_near = known.iter().any(|one| one.digest == blob.digest && self.neighbour(one).is_some());
            let is_here = blob.digest == layer.0 || self.store.has_blob(blob.digest, blob.size)?;
            if !is_there && !is_here && !is_near {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the repository has had just this manifest.
    pub(super) fn is_published(&self, written: &Written) -> Result<bool, TransferError> {
        let name = self.reference.clone().with_only_digest(Digest::of(&written.document.bytes));
        Ok(self.store.reference(&name)? == Some(self.id))
    }

    /// Writes a manifest for layers as they are there.
    pub(super) fn write(&self, mut layers: Vec<Descriptor>) -> Written {
        let is_oci = layers.iter().any(|layer| layer.media_type.ends_with("zstd"));
        for layer in &mut layers {
            layer.media_type = translated(&layer.media_type, is_oci).to_owned();
        }
        let (own, config) = match is_oci {
            true => (media_type::OCI_MANIFEST, media_type::OCI_CONFIG),
            false => (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG),
        };
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(own.to_owned()),
            config: Descriptor::of(config, &self.config_bytes),
            layers,
            extra: serde_json::Map::new(),
        };
        let bytes = serde_json::to_vec(&manifest).expect("a manifest has text keys only, so it is always JSON");
        Written { manifest, document: Document { media_type: own.to_owned(), bytes } }
    }
}

/// The same kind of layer in the words of OCI, or of Docker.
fn translated(media_type: &str, to_oci: bool) -> &str {
    match (media_type, to_oci) {
        (media_type::DOCKER_LAYER, true) => media_type::OCI_LAYER,
        (media_type::DOCKER_LAYER_GZIP, true) => media_type::OCI_LAYER_GZIP,
        (media_type::DOCKER_LAYER_ZSTD, true) => media_type::OCI_LAYER_ZSTD,
        (media_type::OCI_LAYER, false) => media_type::DOCKER_LAYER,
        (media_type::OCI_LAYER_GZIP, false) => media_type::DOCKER_LAYER_GZIP,
        (other, _) => other,
    }
}
