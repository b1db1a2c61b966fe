//! The document of a cache, as it is written and read.

use std::collections::HashSet;
use std::io;

use image::archive::LayoutReader;
use oci::{Descriptor, DiffId, Digest, ImageManifest, media_type};
use serde::{Deserialize, Serialize};

/// Its media type; readers refuse every other one.
pub(super) const MEDIA_TYPE: &str = "application/vnd.onggi.cache.v1+json";

/// That of BuildKit's, for saying so.
const BUILDKIT: &str = "application/vnd.buildkit.cacheconfig.v0";

/// Bytes of a document.
const LARGEST: u64 = 32 << 20;
/// Bytes of a manifest.
const LARGEST_MANIFEST: u64 = 4 << 20;
/// Characters of a time.
const LONGEST_TIME: usize = 40;

/// All that a cache says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CacheDocument {
    /// The layers, each once.
    pub(super) layers: Vec<CachedLayer>,
    /// The steps, by key.
    pub(super) steps: Vec<CachedStep>,
    /// When images were made, by key.
    pub(super) images: Vec<CachedImage>,
}

/// A layer of a cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CachedLayer {
    /// Digest of its tar.
    pub(super) diff_id: DiffId,
    /// Length of its tar.
    pub(super) size: u64,
    /// Where it is.
    pub(super) blob: Descriptor,
}

/// A step of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CachedStep {
    /// Digest of its key.
    pub(super) key: Digest,
    /// What it gave; not among the layers where only the keys of what follows depend on it.
    pub(super) layer: DiffId,
    /// When, RFC 3339.
    pub(super) created: String,
    /// Where the key only says which layers it was copied from: digest of the key by content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Digest>,
}

/// When an image was first made: the same build gives the same image ID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CachedImage {
    /// Digest of its config without times.
    pub(super) key: Digest,
    /// When, RFC 3339.
    pub(super) created: String,
}

impl CacheDocument {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a cache's document has text keys only, so it is always JSON")
    }

    /// Reads a cache by its manifest, which is named by a digest; both documents are verified. Gives the manifest's media
    /// type as well.
    pub(super) fn read(reader: &LayoutReader, manifest: Digest, size: Option<u64>) -> io::Result<(Self, String)> {
        let damaged = |what: &str, error: &dyn std::fmt::Display| io::Error::other(format!("{what}: {error}"));
        let bytes = reader.document_blob(manifest, size, LARGEST_MANIFEST)?;
        let manifest: ImageManifest =
            serde_json::from_slice(&bytes).map_err(|error| damaged("its manifest is none", &error))?;
        let of_manifest = manifest.media_type.as_deref().unwrap_or(media_type::OCI_MANIFEST);
        if !matches!(of_manifest, media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST) {
            return Err(foreign(of_manifest));
        }
        if manifest.config.media_type != MEDIA_TYPE {
            return Err(foreign(&manifest.config.media_type));
        }
        let config = &manifest.config;
        let bytes = reader.document_blob(config.digest, Some(config.size), LARGEST)?;
        let document: Self = serde_json::from_slice(&bytes).map_err(|error| damaged("its document is none", &error))?;
        document.check().map_err(|wrong| damaged("its document is damaged", &wrong))?;
        Ok((document, of_manifest.to_owned()))
    }

    /// Times go into images, and a name must not stand for two things.
    fn check(&self) -> Result<(), String> {
        let times = self.steps.iter().map(|step| &step.created).chain(self.images.iter().map(|image| &image.created));
        for time in times {
            if time.len() > LONGEST_TIME || time.parse::<jiff::Timestamp>().is_err() {
                return Err(format!("{:?} is not a time", time.chars().take(LONGEST_TIME).collect::<String>()));
            }
        }
        let layers: HashSet<DiffId> = self.layers.iter().map(|layer| layer.diff_id).collect();
        if layers.len() != self.layers.len() {
            return Err("a layer is in it twice".to_owned());
        }
        // Compressing adds next to nothing: what is longer is only there to be read.
        let longest = |layer: &CachedLayer| layer.size.saturating_add(layer.size / 8).saturating_add(1 << 20);
        if let Some(layer) = self.layers.iter().find(|layer| layer.blob.size > longest(layer)) {
            return Err(format!("the blob {} is longer than its tar", layer.blob.digest));
        }
        let mut steps = HashSet::new();
        match self.steps.iter().find(|step| !steps.insert(step.key)) {
            Some(step) => Err(format!("the step {} is in it twice", step.key)),
            None => Ok(()),
        }
    }
}

fn foreign(media_type: &str) -> io::Error {
    if media_type == BUILDKIT {
        return io::Error::other("BuildKit wrote it, which names steps in another way");
    }
    let media_type: String = media_type.chars().filter(|letter| !letter.is_control()).take(120).collect();
    io::Error::other(format!("`{media_type}` is no cache of this program"))
}
