//! Images of the store by name, and the manifest that each would be shipped with.

use oci::{Descriptor, Digest, ImageConfig, ImageId, ImageManifest, Reference, media_type};
use store::{ImageLookup, Store, StoreError};

/// An image as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredImage {
    /// Its ID.
    pub id: ImageId,
    /// Its config.
    pub config: ImageConfig,
    /// The config's bytes.
    pub config_bytes: Vec<u8>,
    /// The manifest that names the config and the uncompressed layers.
    pub manifest: ImageManifest,
    /// The manifest's bytes.
    pub manifest_bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
}

/// Why an image cannot be found or described.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The digits fit several images.
    #[error("the image ID `{0}` is ambiguous: several images begin with it")]
    Ambiguous(String),
    /// A layer's file cannot be looked at.
    #[error("cannot read the size of layer {layer}")]
    Layer {
        /// Which layer.
        layer: oci::DiffId,
        /// Why not.
        source: std::io::Error,
    },
}

/// Finds an image by name (`hello`, `hello:v2`, `hello@sha256:…`) or by the first digits of its ID (S009).
///
/// # Errors
/// When the store fails, or the digits fit several images.
pub fn find(store: &Store, text: &str) -> Result<Option<ImageId>, ManifestError> {
    if let Ok(reference) = text.parse::<Reference>()
        && let Some(id) = find_reference(store, &reference)?
    {
        return Ok(Some(id));
    }
    match store.find_image(text)? {
        ImageLookup::Found(id) => Ok(Some(id)),
        ImageLookup::NotFound => Ok(None),
        ImageLookup::Ambiguous => Err(ManifestError::Ambiguous(text.to_owned())),
    }
}

/// A digest wins over a tag: the image must be one of that repository and have that manifest (S004).
fn find_reference(store: &Store, reference: &Reference) -> Result<Option<ImageId>, ManifestError> {
    let Some(digest) = reference.digest() else {
        return Ok(store.reference(&reference.clone().with_default_tag())?);
    };
    // As a registry knows it.
    if let Some(id) = store.reference(&reference.clone().with_only_digest(digest))? {
        return Ok(Some(id));
    }
    for (known, id) in store.references()? {
        let same = known.registry() == reference.registry() && known.repository() == reference.repository();
        if same && manifest(store, id)?.digest == digest {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The digest by which the repository of a name knows an image, if it was pulled from there or pushed to it.
///
/// # Errors
/// When the store cannot be read.
pub fn repository_digest(store: &Store, reference: &Reference, id: ImageId) -> Result<Option<Digest>, StoreError> {
    let all = store.repository_digests(reference)?;
    Ok(all.into_iter().find(|(_, named)| *named == id).map(|(digest, _)| digest))
}

/// Describes an image: its manifest names the config and the layers as they stand in the store, uncompressed.
///
/// # Errors
/// When the image or one of its layers is not in the store.
pub fn manifest(store: &Store, id: ImageId) -> Result<StoredImage, ManifestError> {
    let (config, config_bytes) = store.image_with_bytes(id)?;
    let mut layers = Vec::new();
    for layer in &config.rootfs.diff_ids {
        let tar = store.layer_tar(*layer)?.ok_or(StoreError::LayerMissing(*layer))?;
        let size = tar.metadata().map_err(|source| ManifestError::Layer { layer: *layer, source })?.len();
        layers.push(Descriptor::new(media_type::OCI_LAYER, layer.0, size));
    }
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_MANIFEST.to_owned()),
        config: Descriptor::new(media_type::OCI_CONFIG, id.0, config_bytes.len() as u64),
        layers,
        extra: serde_json::Map::new(),
    };
    let manifest_bytes = serde_json::to_vec(&manifest).expect("a manifest has text keys only, so it is always JSON");
    let digest = Digest::of(&manifest_bytes);
    Ok(StoredImage { id, config, config_bytes, manifest, manifest_bytes, digest })
}
