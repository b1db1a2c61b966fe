//! Writes the images of a build as an archive of Docker's or OCI's kind, or as the folder of an OCI layout.
//!
//! Unlike `save` it takes images that need not be in the store, one or one for each platform, and compresses
//! layers. The bytes depend on images, names and options alone.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use layer::Encoding;
use oci::{
    Descriptor, DiffId, Digest, ImageConfig, ImageId, ImageIndex, ImageManifest, Platform, Reference, media_type,
};
use serde_json::{Map, Value, json};
use store::Store;

use super::annotations::{AnnotationTarget, Annotations};
use super::documents::{DockerImage, IMAGE_NAME, OciLayout, REF_NAME};
use super::error::SaveError;
use super::layer_blob::LayerBlob;
use super::layout::Layout;
use super::save::bytes;
use super::tar_out::{Tar, blob};
use super::{documents, names};

/// An image to write: its layers are in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct ShippedImage {
    /// The config.
    pub config: ImageConfig,
    /// The config's bytes.
    pub config_bytes: Vec<u8>,
    /// What it was built for.
    pub platform: Platform,
}

/// Whose names manifests and layers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaTypes {
    /// Those of image-spec.
    Oci,
    /// Those of Docker's schema 2.
    Docker,
}

/// How to write images.
#[derive(Debug, Clone, PartialEq)]
pub struct ShipOptions {
    /// The images' names.
    pub names: Vec<Reference>,
    /// How layers are compressed.
    pub encoding: Encoding,
    /// Threads for that.
    pub threads: usize,
    /// Whose names manifests and layers have.
    pub media_types: MediaTypes,
    /// Annotations of the documents.
    pub annotations: Annotations,
    /// The images become one index, even if there is only one.
    pub is_index: bool,
    /// `manifest.json` is written as well, for `docker load`.
    pub for_docker: bool,
}

/// Where to write images.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A tar, written to a file, a pipe or a socket.
    Tar(&'a File),
    /// The folder of an OCI layout. Other images in it stay.
    Folder(&'a Path),
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Shipped {
    /// The manifest, or the index of several.
    pub descriptor: Descriptor,
    /// The manifests, in the order of the images.
    pub manifests: Vec<Descriptor>,
}

/// Writes images.
///
/// # Errors
/// When a layer is not in the store, or the target cannot be written.
pub fn ship(
    store: &Store,
    images: &[ShippedImage],
    options: &ShipOptions,
    target: Target<'_>,
) -> Result<Shipped, SaveError> {
    let mut layers = Layers { store, options, known: HashMap::new() };
    let mut documents: Vec<(Digest, Vec<u8>)> = Vec::new();
    let mut manifests = Vec::new();
    for image in images {
        let manifest = manifest(image, &mut layers, options)?;
        let content = bytes(&manifest);
        let media_type = manifest.media_type.as_deref().unwrap_or(media_type::OCI_MANIFEST);
        let mut descriptor = Descriptor::of(media_type, &content);
        descriptor.annotations = options.annotations.of(AnnotationTarget::ManifestDescriptor, Some(&image.platform));
        documents.push((descriptor.digest, content));
        documents.push((manifest.config.digest, image.config_bytes.clone()));
        manifests.push(Descriptor { platform: options.is_index.then(|| image.platform.clone()), ..descriptor });
    }
    let descriptor = match (manifests.as_slice(), options.is_index) {
        ([one], false) => one.clone(),
        _ => {
            let index = index(&manifests, options);
            let content = bytes(&index);
            let mut descriptor = Descriptor::of(index.media_type.as_deref().unwrap_or_default(), &content);
            descriptor.annotations = options.annotations.of(AnnotationTarget::IndexDescriptor, None);
            documents.insert(0, (descriptor.digest, content));
            descriptor
        }
    };
    let docker = options.for_docker.then(|| docker_manifest(images, &layers, options));
    let named = named(&descriptor, &options.names);
    let written = Written { documents, named, docker };
    match target {
        Target::Tar(out) => write_tar(out, &written, images, &layers)?,
        Target::Folder(path) => write_folder(path, &written, images, &layers)?,
    }
    Ok(Shipped { descriptor, manifests })
}

/// What goes into the archive besides layers.
struct Written {
    /// Blobs in memory, each once.
    documents: Vec<(Digest, Vec<u8>)>,
    /// Entries of `index.json`.
    named: Vec<Descriptor>,
    docker: Option<Vec<DockerImage>>,
}

fn manifest(image: &ShippedImage, layers: &mut Layers<'_>, options: &ShipOptions) -> Result<ImageManifest, SaveError> {
    let (own, config) = match options.media_types {
        MediaTypes::Oci => (media_type::OCI_MANIFEST, media_type::OCI_CONFIG),
        MediaTypes::Docker => (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG),
    };
    let mut descriptors = Vec::new();
    for layer in &image.config.rootfs.diff_ids {
        descriptors.push(layers.descriptor(*layer)?);
    }
    let annotations = options.annotations.of(AnnotationTarget::Manifest, Some(&image.platform));
    Ok(ImageManifest {
        schema_version: 2,
        media_type: Some(own.to_owned()),
        config: Descriptor::of(config, &image.config_bytes),
        layers: descriptors,
        extra: documents::annotations(annotations),
    })
}

fn index(manifests: &[Descriptor], options: &ShipOptions) -> ImageIndex {
    let own = match options.media_types {
        MediaTypes::Oci => media_type::OCI_INDEX,
        MediaTypes::Docker => media_type::DOCKER_MANIFEST_LIST,
    };
    ImageIndex {
        schema_version: 2,
        media_type: Some(own.to_owned()),
        manifests: manifests.to_vec(),
        extra: documents::annotations(options.annotations.of(AnnotationTarget::Index, None)),
    }
}

/// One entry a name, as containerd wants it; one without a name for images that have none.
fn named(plain: &Descriptor, references: &[Reference]) -> Vec<Descriptor> {
    let plain = Descriptor { platform: None, ..plain.clone() };
    let name = |reference: &Reference| {
        let mut annotations = Map::new();
        annotations.insert(IMAGE_NAME.to_owned(), json!(reference.to_string()));
        annotations.insert(REF_NAME.to_owned(), json!(reference.tag_or_latest()));
        annotations.extend(plain.annotations.clone());
        Descriptor { annotations, ..plain.clone() }
    };
    if references.is_empty() { vec![plain.clone()] } else { references.iter().map(name).collect() }
}

fn docker_manifest(images: &[ShippedImage], layers: &Layers<'_>, options: &ShipOptions) -> Vec<DockerImage> {
    let list = |image: &ShippedImage| {
        let own =
            image.config.rootfs.diff_ids.iter().filter_map(|layer| Some((layer, &layers.known.get(layer)?.descriptor)));
        let sources = own.clone().map(|(layer, descriptor)| (layer.to_string(), json!(descriptor)));
        DockerImage {
            config: blob(ImageId(Digest::of(&image.config_bytes)).0),
            repo_tags: (!options.names.is_empty()).then(|| options.names.iter().map(Reference::familiar).collect()),
            layers: own.clone().map(|(_, descriptor)| blob(descriptor.digest)).collect(),
            parent: None,
            layer_sources: Some(sources.collect::<Map<String, Value>>()),
        }
    };
    images.iter().map(list).collect()
}

/// Layers as blobs, each made once.
struct Layers<'a> {
    store: &'a Store,
    options: &'a ShipOptions,
    known: HashMap<DiffId, LayerBlob>,
}

impl Layers<'_> {
    fn descriptor(&mut self, layer: DiffId) -> Result<Descriptor, SaveError> {
        if let Some(blob) = self.known.get(&layer) {
            return Ok(blob.descriptor.clone());
        }
        let options = self.options;
        let blob = LayerBlob::make(self.store, layer, options.encoding, options.media_types, options.threads)?;
        let descriptor = blob.descriptor.clone();
        self.known.insert(layer, blob);
        Ok(descriptor)
    }

    /// Hands each blob of some images on once, bottom first.
    fn each(
        &self,
        images: &[ShippedImage],
        mut write: impl FnMut(File, &Descriptor) -> Result<(), SaveError>,
    ) -> Result<(), SaveError> {
        let mut written = std::collections::HashSet::new();
        for layer in images.iter().flat_map(|image| &image.config.rootfs.diff_ids) {
            let Some(blob) = self.known.get(layer) else { continue };
            if written.insert(blob.descriptor.digest) {
                write(blob.open(self.store, *layer)?, &blob.descriptor)?;
            }
        }
        Ok(())
    }
}

fn write_tar(mut out: &File, written: &Written, images: &[ShippedImage], layers: &Layers<'_>) -> Result<(), SaveError> {
    let mut tar = Tar::new(&mut out);
    tar.document(names::OCI_LAYOUT, &bytes(&OciLayout::default()))?;
    tar.document(names::OCI_INDEX, &bytes(&documents::oci_index(written.named.clone())))?;
    if let Some(docker) = &written.docker {
        tar.document(names::DOCKER_MANIFEST, &bytes(docker))?;
    }
    tar.folder("blobs/")?;
    tar.folder(names::BLOBS)?;
    let mut known = std::collections::HashSet::new();
    for (digest, content) in &written.documents {
        if known.insert(*digest) {
            tar.document(&blob(*digest), content)?;
        }
    }
    layers.each(images, |file, descriptor| tar.file(file, descriptor))?;
    tar.finish()
}

fn write_folder(path: &Path, written: &Written, images: &[ShippedImage], layers: &Layers<'_>) -> Result<(), SaveError> {
    let layout = Layout::open(path)?;
    let _alone = layout.lock()?;
    layers.each(images, |mut file, descriptor| layout.add_blob(descriptor.digest, descriptor.size, &mut file))?;
    for (digest, content) in &written.documents {
        layout.add_blob(*digest, content.len() as u64, &mut content.as_slice())?;
    }
    layout.list(&written.named)
}
