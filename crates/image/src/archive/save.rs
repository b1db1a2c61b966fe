//! Writes images as one tar.
//!
//! The bytes depend on the images and their names alone: no times, owners or users. Documents come first and layers
//! bottom first, so that a reader of a stream knows what each layer is for.

use std::collections::HashSet;
use std::io::Write;

use oci::{Descriptor, ImageId, ImageIndex, Reference, media_type};
use serde_json::{Map, Value, json};
use store::Store;

use super::documents::{DockerImage, IMAGE_NAME, OciLayout, REF_NAME, oci_index};
use super::error::SaveError;
use super::names;
use super::tar_out::{Tar, blob};
use crate::{StoredImage, manifest};

/// Writes images with the names given for each. A layer that several of them share is written once.
///
/// Layers are copied by the kernel when `out` is a file, a pipe or a socket.
///
/// # Errors
/// When an image is not there or not complete, or the output cannot be written.
pub fn save(store: &Store, images: &[(ImageId, Vec<Reference>)], out: &mut impl Write) -> Result<(), SaveError> {
    let mut described = Vec::new();
    for (id, _) in images {
        // The clock of the tar is the epoch, and names are all that differs: one description of each image is enough.
        described.push(manifest(store, *id)?);
    }
    let index = index(images, &described);
    let docker = docker_manifest(store, images, &described)?;
    let mut tar = Tar::new(out);
    tar.document(names::OCI_LAYOUT, &bytes(&OciLayout::default()))?;
    tar.document(names::OCI_INDEX, &bytes(&index))?;
    tar.document(names::DOCKER_MANIFEST, &bytes(&docker))?;
    tar.folder("blobs/")?;
    tar.folder(names::BLOBS)?;
    let mut written = HashSet::new();
    for image in &described {
        for (digest, content) in [(image.digest, &image.manifest_bytes), (image.id.0, &image.config_bytes)] {
            if written.insert(digest) {
                tar.document(&blob(digest), content)?;
            }
        }
    }
    for image in &described {
        for descriptor in &image.manifest.layers {
            if written.insert(descriptor.digest) {
                tar.layer(store, descriptor)?;
            }
        }
    }
    tar.finish()
}

pub(super) fn bytes(document: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("our documents have text keys only, so they are always JSON")
}

/// One descriptor a name, as containerd wants it; one without a name for an image that has none.
fn index(images: &[(ImageId, Vec<Reference>)], described: &[StoredImage]) -> ImageIndex {
    let mut manifests = Vec::new();
    for ((_, references), image) in images.iter().zip(described) {
        let plain = Descriptor::of(media_type::OCI_MANIFEST, &image.manifest_bytes);
        if references.is_empty() {
            manifests.push(plain.clone());
        }
        for reference in references {
            let mut annotations = Map::new();
            annotations.insert(IMAGE_NAME.to_owned(), json!(reference.to_string()));
            annotations.insert(REF_NAME.to_owned(), json!(reference.tag_or_latest()));
            manifests.push(Descriptor { annotations, ..plain.clone() });
        }
    }
    oci_index(manifests)
}

fn docker_manifest(
    store: &Store,
    images: &[(ImageId, Vec<Reference>)],
    described: &[StoredImage],
) -> Result<Vec<DockerImage>, SaveError> {
    let mut list = Vec::new();
    for ((id, references), image) in images.iter().zip(described) {
        let sources = image.manifest.layers.iter().map(|layer| (layer.digest.to_string(), json!(layer)));
        let parent = store.parent(*id)?.filter(|parent| images.iter().any(|(other, _)| other == parent));
        list.push(DockerImage {
            config: blob(id.0),
            repo_tags: (!references.is_empty()).then(|| references.iter().map(Reference::familiar).collect()),
            layers: image.manifest.layers.iter().map(|layer| blob(layer.digest)).collect(),
            parent,
            layer_sources: Some(sources.collect::<Map<String, Value>>()),
        });
    }
    Ok(list)
}
