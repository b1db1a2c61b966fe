//! From a name to one image's manifest and config: which documents are asked for, and what is refused of them.

use oci::{Descriptor, Digest, ImageConfig, ImageId, ImageIndex, ImageManifest, Platform, TagOrDigest, media_type};
use serde::Deserialize;

use super::error::{RemoteError, TransferError};
use super::{Document, Source};
use crate::archive::LoadError;
use crate::archive::catalog::parse;
use crate::archive::documents::Unknown;
use crate::archive::limits;
use crate::archive::plan::{choose_for, image_config, only};
use crate::archive::take::check;
use store::Store;

/// What leads from a name to an image.
#[derive(Debug)]
pub(super) struct Found {
    /// Of the document that the name stands for: what a registry knows the image by.
    pub(super) digest: Digest,
    /// The documents on the way, the image's own manifest last.
    pub(super) documents: Vec<Document>,
    pub(super) manifest: ImageManifest,
    pub(super) id: ImageId,
    pub(super) config: ImageConfig,
    pub(super) config_bytes: Vec<u8>,
}

/// Asks for all documents of an image. A config that is in the store is not asked for.
pub(super) fn find(
    store: &Store,
    source: &dyn Source,
    name: &TagOrDigest,
    wanted: Option<&Platform>,
) -> Result<Found, TransferError> {
    let expected = match name {
        TagOrDigest::Digest(digest) => Some(*digest),
        TagOrDigest::Tag(_) => None,
    };
    let mut document = fetch(store, source, name, expected)?;
    let digest = Digest::of(&document.bytes);
    let mut documents = Vec::new();
    let manifest = loop {
        match read(&document)? {
            Read::Manifest(manifest) => break *manifest,
            Read::Index(_) if documents.len() == limits::DEPTH => return Err(TransferError::Depth),
            Read::Index(index) => {
                let chosen = choose(&index, wanted)?;
                let next = fetch(store, source, &TagOrDigest::Digest(chosen.digest), Some(chosen.digest))?;
                documents.push(std::mem::replace(&mut document, next));
            }
        }
    };
    documents.push(document);
    check_layers(&manifest)?;
    let config_bytes = config(store, source, &manifest.config)?;
    let config = image_config(&manifest.config.digest.to_string(), &config_bytes, manifest.layers.len())?;
    Ok(Found { digest, documents, id: ImageId(manifest.config.digest), manifest, config, config_bytes })
}

/// A document out of the store, where it is known by its digest, or from the source.
fn fetch(
    store: &Store,
    source: &dyn Source,
    name: &TagOrDigest,
    expected: Option<Digest>,
) -> Result<Document, TransferError> {
    if let Some(digest) = expected
        && let Some(bytes) = store.document(digest)?
    {
        return Ok(Document { media_type: String::new(), bytes });
    }
    let document =
        source.manifest(name).map_err(|source| remote(format!("fetch the manifest {}", shown(name)), source))?;
    let found = Digest::of(&document.bytes);
    match expected.filter(|expected| *expected != found) {
        Some(expected) => Err(TransferError::Digest { expected, found }),
        None => Ok(document),
    }
}

pub(super) fn shown(name: &TagOrDigest) -> String {
    match name {
        TagOrDigest::Tag(tag) => format!("of tag `{tag}`"),
        TagOrDigest::Digest(digest) => digest.to_string(),
    }
}

pub(super) fn remote(action: String, source: RemoteError) -> TransferError {
    TransferError::Remote { action, source }
}

/// A document of an image, read.
pub(super) enum Read {
    Manifest(Box<ImageManifest>),
    Index(ImageIndex),
}

/// The version that comes before anything else is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    #[serde(default)]
    schema_version: u32,
}

/// Reads a document by what it says of itself, or else by what its sender says.
pub(super) fn read(document: &Document) -> Result<Read, TransferError> {
    let name = Digest::of(&document.bytes).to_string();
    if document.bytes.len() as u64 > limits::DOCUMENT {
        return Err(LoadError::NotADocument { member: name }.into());
    }
    let unknown: Unknown = parse(&name, &document.bytes)?;
    let version: Version = parse(&name, &document.bytes)?;
    if version.schema_version == 1 {
        return Err(TransferError::SchemaOne);
    }
    let announced = document.media_type.split(';').next().unwrap_or_default().trim();
    let kind = unknown.media_type.as_deref().unwrap_or(announced);
    match kind {
        media_type::OCI_INDEX | media_type::DOCKER_MANIFEST_LIST => Ok(Read::Index(parse(&name, &document.bytes)?)),
        media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST if unknown.manifests.is_none() => {
            Ok(Read::Manifest(Box::new(parse(&name, &document.bytes)?)))
        }
        // Documents of OCI need not say what they are, and ours in the store come without a sender.
        "" if unknown.manifests.is_some() => Ok(Read::Index(parse(&name, &document.bytes)?)),
        "" => Ok(Read::Manifest(Box::new(parse(&name, &document.bytes)?))),
        other => Err(not_an_image("the manifest", other)),
    }
}

fn not_an_image(what: &'static str, media_type: &str) -> TransferError {
    TransferError::NotAnImage { what, media_type: media_type.chars().take(120).collect() }
}

/// The image of an index that is wanted: that for this machine, unless another is asked for.
pub(super) fn choose<'a>(index: &'a ImageIndex, wanted: Option<&Platform>) -> Result<&'a Descriptor, TransferError> {
    let host = Platform::host();
    let wanted = wanted.unwrap_or(&host);
    let unnamed = || only(index).filter(|descriptor| descriptor.platform.is_none());
    choose_for(index, wanted).or_else(unnamed).ok_or_else(|| {
        let mut there: Vec<String> = Vec::new();
        for platform in index.manifests.iter().filter_map(|one| one.platform.as_ref()).map(ToString::to_string) {
            if there.len() < 32 && !there.contains(&platform) {
                there.push(platform);
            }
        }
        TransferError::NoPlatform { wanted: wanted.clone(), there }
    })
}

/// Layers are tars, here and not elsewhere.
fn check_layers(manifest: &ImageManifest) -> Result<(), TransferError> {
    // Some registries of Docker's early days sent configs as bytes of no kind.
    const BYTES: &str = "application/octet-stream";
    let config = manifest.config.media_type.as_str();
    if !matches!(config, media_type::OCI_CONFIG | media_type::DOCKER_CONFIG | BYTES) {
        return Err(not_an_image("its config", config));
    }
    for layer in &manifest.layers {
        let media_type = layer.media_type.as_str();
        if media_type.contains(".foreign.") || media_type.contains(".nondistributable.") {
            let media_type = media_type.chars().take(120).collect();
            return Err(TransferError::Foreign { digest: layer.digest, media_type });
        }
        if !is_layer(media_type) {
            return Err(not_an_image("a layer", media_type));
        }
    }
    Ok(())
}

fn is_layer(media_type: &str) -> bool {
    matches!(
        media_type,
        media_type::OCI_LAYER
            | media_type::OCI_LAYER_GZIP
            | media_type::OCI_LAYER_ZSTD
            | media_type::DOCKER_LAYER
            | media_type::DOCKER_LAYER_GZIP
            | media_type::DOCKER_LAYER_ZSTD
    )
}

fn config(store: &Store, source: &dyn Source, descriptor: &Descriptor) -> Result<Vec<u8>, TransferError> {
    let name = descriptor.digest.to_string();
    if descriptor.size > limits::DOCUMENT {
        return Err(LoadError::NotADocument { member: name }.into());
    }
    let is_it = |bytes: &Vec<u8>| Digest::of(bytes) == descriptor.digest && bytes.len() as u64 == descriptor.size;
    if let Some(bytes) = store.image_bytes(ImageId(descriptor.digest))?.filter(is_it) {
        return Ok(bytes);
    }
    let cut = |source, found| TransferError::Cut { digest: descriptor.digest, size: descriptor.size, found, source };
    let blob = source.blob(descriptor, 0).map_err(|source| cut(Some(std::io::Error::other(source)), 0))?;
    let mut bytes = Vec::with_capacity(usize::try_from(descriptor.size).unwrap_or_default());
    let read = std::io::Read::read_to_end(&mut std::io::Read::take(blob, descriptor.size + 1), &mut bytes);
    let found = bytes.len() as u64;
    read.map_err(|error| cut(Some(error), found))?;
    if found < descriptor.size {
        return Err(cut(None, found));
    }
    if found > descriptor.size {
        return Err(TransferError::Longer { digest: descriptor.digest, size: descriptor.size });
    }
    check(&name, descriptor.digest, Digest::of(&bytes))?;
    Ok(bytes)
}
