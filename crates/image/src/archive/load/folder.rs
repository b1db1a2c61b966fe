//! One image of an OCI layout that is a folder, brought into the store without a name: the base of a build.
//!
//! The documents that lead to the image are read and verified each time; its layers only if the store has not got them.

use std::path::{Path, PathBuf};

use oci::{ChainId, Descriptor, Digest, ImageConfig, ImageId, ImageIndex, ImageManifest, media_type};
use store::Store;

use super::super::catalog::{Catalog, Content, named_digest, parse};
use super::super::documents::{IMAGE_NAME, REF_NAME, Unknown, annotation};
use super::super::error::LoadError;
use super::super::layout::LayoutReader;
use super::super::plan::{blob, choose, is_attestation, plan};
use super::super::take::take;
use super::super::{limits, names};
use super::{HashSet, Loader};
use crate::Stack;

/// Which image of a layout is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayoutImage {
    /// The one called `latest`, or else the only one.
    Default,
    /// The one with this tag.
    Tag(String),
    /// The one whose manifest has this digest.
    Digest(Digest),
}

/// An image whose layers are in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct LayoutContent {
    /// Digest of its config.
    pub id: ImageId,
    /// Its config.
    pub config: ImageConfig,
    /// Digest of its manifest.
    pub manifest: Digest,
}

/// Why there is no such image.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The folder is none, or no layout.
    #[error("{} is not an OCI layout", path.display())]
    NotALayout {
        /// The folder.
        path: PathBuf,
        /// What cannot be read of it.
        source: std::io::Error,
    },
    /// It has no image of that name, or several and none was named.
    #[error("the OCI layout {} has no image {wanted}", path.display())]
    NoImage {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
        /// Tags and digests that there are.
        known: Vec<String>,
    },
    /// It is damaged, or the store failed.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl From<store::StoreError> for LayoutError {
    fn from(error: store::StoreError) -> Self {
        Self::Load(error.into())
    }
}

/// Brings the layers of an image into the store.
///
/// # Errors
/// When the layout has no such image, or is damaged; nothing is listed in the store in any case.
pub fn load_layout(store: &Store, path: &Path, wanted: &LayoutImage) -> Result<LayoutContent, LayoutError> {
    let folder = Folder::open(path)?;
    let mut catalog = Catalog::default();
    let layout = folder.reader.document(names::OCI_LAYOUT).map_err(|source| folder.none(source))?;
    catalog.add(names::OCI_LAYOUT.to_owned(), Content::Document(layout))?;
    let index = folder.reader.document(names::OCI_INDEX).map_err(|source| folder.none(source))?;
    let index: ImageIndex = parse(names::OCI_INDEX, &index)?;
    let mut chosen = find(&index, wanted).ok_or_else(|| folder.no_image(&index, wanted))?.clone();
    // Its names there are nobody's business here.
    chosen.annotations.clear();
    let alone = ImageIndex { manifests: vec![chosen.clone()], ..index };
    let alone = serde_json::to_vec(&alone).expect("an index has text keys only, so it is always JSON");
    catalog.add(names::OCI_INDEX.to_owned(), Content::Document(alone))?;
    let (manifest_digest, manifest) = folder.manifest(&mut catalog, chosen)?;
    let config = folder.blob(&mut catalog, &manifest.config)?;
    let config: ImageConfig = parse(&blob(manifest.config.digest), &config)?;
    let content = LayoutContent { id: ImageId(manifest.config.digest), config, manifest: manifest_digest };
    if !has_all(store, &content.config)? {
        folder.bring(store, catalog, &manifest)?;
    }
    Ok(content)
}

/// Whether the store has all layers, whole.
fn has_all(store: &Store, config: &ImageConfig) -> Result<bool, LayoutError> {
    let mut below: Option<ChainId> = None;
    for layer in &config.rootfs.diff_ids {
        if !store.has_layer(*layer, below)? || !store.survived(*layer)? {
            return Ok(false);
        }
        below = Some(below.map_or(ChainId(layer.0), |below| below.then(*layer)));
    }
    Ok(true)
}

/// An opened layout.
struct Folder<'p> {
    path: &'p Path,
    reader: LayoutReader,
}

impl<'p> Folder<'p> {
    fn open(path: &'p Path) -> Result<Self, LayoutError> {
        let none = |source| LayoutError::NotALayout { path: path.to_owned(), source };
        Ok(Self { path, reader: LayoutReader::open(path).map_err(none)? })
    }

    fn none(&self, source: std::io::Error) -> LayoutError {
        LayoutError::NotALayout { path: self.path.to_owned(), source }
    }

    /// A document by its descriptor, verified.
    fn blob(&self, catalog: &mut Catalog, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let name = blob(descriptor.digest);
        let bytes =
            self.reader.document(&name).map_err(|source| LoadError::Content { member: name.clone(), source })?;
        if !catalog.has(&name) {
            catalog.add(name, Content::Document(bytes.clone()))?;
        }
        Ok(bytes)
    }

    /// Follows indexes to the manifest for this machine.
    fn manifest(
        &self,
        catalog: &mut Catalog,
        mut descriptor: Descriptor,
    ) -> Result<(Digest, ImageManifest), LayoutError> {
        for _ in 0..=limits::DEPTH {
            let bytes = self.blob(catalog, &descriptor)?;
            let name = blob(descriptor.digest);
            let unknown: Unknown = parse(&name, &bytes)?;
            let kind = unknown.media_type.as_deref().unwrap_or(&descriptor.media_type);
            if !matches!(kind, media_type::OCI_INDEX | media_type::DOCKER_MANIFEST_LIST) {
                return Ok((descriptor.digest, parse(&name, &bytes)?));
            }
            let index: ImageIndex = parse(&name, &bytes)?;
            descriptor = choose(&index, descriptor.digest)?.clone();
        }
        Err(LoadError::MediaType { media_type: media_type::OCI_INDEX.to_owned() }.into())
    }

    fn bring(&self, store: &Store, mut catalog: Catalog, manifest: &ImageManifest) -> Result<(), LayoutError> {
        let lease = store.lease()?;
        for layer in &manifest.layers {
            let name = blob(layer.digest);
            if catalog.has(&name) {
                continue;
            }
            let (file, size) =
                self.reader.file(&name).map_err(|source| LoadError::Content { member: name.clone(), source })?;
            let content = take(store, &lease, &name, size, named_digest(&name), file)?;
            catalog.add(name, content)?;
        }
        let images = plan(&catalog, None)?;
        let mut loader = Loader { store, lease, catalog, file: None, whole: HashSet::new() };
        for image in &images {
            let mut stack = Stack::default();
            for layer in &image.layers {
                loader.ensure(layer, &mut stack)?;
            }
        }
        Ok(())
    }

    fn no_image(&self, index: &ImageIndex, wanted: &LayoutImage) -> LayoutError {
        let known = images(index).map(|descriptor| match tag(descriptor) {
            Some(tag) => tag.to_owned(),
            None => descriptor.digest.to_string(),
        });
        let wanted = match wanted {
            LayoutImage::Default => "that is the only one, or called `latest`".to_owned(),
            LayoutImage::Tag(tag) => format!("`{tag}`"),
            LayoutImage::Digest(digest) => format!("`{digest}`"),
        };
        LayoutError::NoImage { path: self.path.to_owned(), wanted, known: known.collect() }
    }
}

fn images(index: &ImageIndex) -> impl Iterator<Item = &Descriptor> {
    index.manifests.iter().filter(|descriptor| !is_attestation(descriptor))
}

/// What stands behind the last colon of its name, or its name where that is a tag alone.
fn tag(descriptor: &Descriptor) -> Option<&str> {
    let name = annotation(descriptor, IMAGE_NAME).or_else(|| annotation(descriptor, REF_NAME))?;
    let last = name.rsplit('/').next().unwrap_or(name);
    Some(last.rsplit_once(':').map_or(last, |(_, tag)| tag))
}

fn find<'i>(index: &'i ImageIndex, wanted: &LayoutImage) -> Option<&'i Descriptor> {
    let with_tag = |wanted: &str| {
        images(index).find(|descriptor| {
            let is_whole = [IMAGE_NAME, REF_NAME].into_iter().any(|key| annotation(descriptor, key) == Some(wanted));
            is_whole || tag(descriptor) == Some(wanted)
        })
    };
    match wanted {
        LayoutImage::Digest(digest) => images(index).find(|descriptor| descriptor.digest == *digest),
        LayoutImage::Tag(wanted) => with_tag(wanted),
        LayoutImage::Default => {
            with_tag("latest").or_else(|| images(index).next().filter(|_| images(index).count() == 1))
        }
    }
}
