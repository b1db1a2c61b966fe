//! Writes images as one tar.
//!
//! The bytes depend on the images and their names alone: no times, owners or users. Documents come first and layers
//! bottom first, so that a reader of a stream knows what each layer is for.

use std::collections::HashSet;
use std::io::{self, Write};

use oci::{Descriptor, Digest, ImageId, ImageIndex, Reference, media_type};
use serde_json::{Map, Value, json};
use store::Store;

use super::documents::{DockerImage, IMAGE_NAME, OciLayout, REF_NAME};
use super::error::SaveError;
use super::member::BLOCK;
use super::members::padding;
use super::names;
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
    let layout = OciLayout { image_layout_version: "1.0.0".to_owned() };
    let mut tar = Tar { out, waiting: Vec::new() };
    tar.document(names::OCI_LAYOUT, &bytes(&layout))?;
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

fn blob(digest: Digest) -> String {
    format!("{}{}", names::BLOBS, digest.hex())
}

fn bytes(document: &impl serde::Serialize) -> Vec<u8> {
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
    ImageIndex { schema_version: 2, media_type: Some(media_type::OCI_INDEX.to_owned()), manifests, extra: Map::new() }
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

/// The tar being written. Headers and documents wait, so that they go out with one system call up to the next layer.
struct Tar<'a, W> {
    out: &'a mut W,
    waiting: Vec<u8>,
}

impl<W: Write> Tar<'_, W> {
    fn folder(&mut self, path: &str) -> Result<(), SaveError> {
        self.header(path, 0o755, 0, b'5');
        self.flush_when_large()
    }

    fn document(&mut self, path: &str, content: &[u8]) -> Result<(), SaveError> {
        self.header(path, 0o644, content.len() as u64, b'0');
        self.waiting.extend_from_slice(content);
        self.pad(content.len() as u64);
        self.flush_when_large()
    }

    fn layer(&mut self, store: &Store, descriptor: &Descriptor) -> Result<(), SaveError> {
        let layer = descriptor.digest;
        let missing = || store::StoreError::LayerMissing(oci::DiffId(layer));
        let mut file = store.layer_tar(oci::DiffId(layer))?.ok_or_else(missing)?;
        self.header(&blob(layer), 0o644, descriptor.size, b'0');
        self.flush()?;
        // Between two files, `io::copy` lets the kernel do it: copy_file_range, sendfile or splice.
        let found = io::copy(&mut file, self.out).map_err(|source| SaveError::Write { source })?;
        if found != descriptor.size {
            return Err(SaveError::Layer { layer, expected: descriptor.size, found });
        }
        self.pad(descriptor.size);
        Ok(())
    }

    fn finish(mut self) -> Result<(), SaveError> {
        self.waiting.resize(self.waiting.len() + 2 * BLOCK, 0);
        self.flush()?;
        self.out.flush().map_err(|source| SaveError::Write { source })
    }

    fn pad(&mut self, size: u64) {
        self.waiting.resize(self.waiting.len() + padding(size) as usize, 0);
    }

    fn flush_when_large(&mut self) -> Result<(), SaveError> {
        if self.waiting.len() < 1 << 20 { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), SaveError> {
        self.out.write_all(&self.waiting).map_err(|source| SaveError::Write { source })?;
        self.waiting.clear();
        Ok(())
    }

    /// Our names are short and ASCII; only a layer's size may need more than ustar has (POSIX, pax, "size").
    fn header(&mut self, path: &str, mode: u64, size: u64, flag: u8) {
        const MOST: u64 = 0o77_777_777_777;
        if size > MOST {
            let record = |length: usize| format!("{length} size={size}\n");
            let length = (0..).find(|length| record(*length).len() == *length).unwrap_or_default();
            let record = record(length);
            self.block("PaxHeaders.0", 0o644, record.len() as u64, b'x');
            self.waiting.extend_from_slice(record.as_bytes());
            self.pad(record.len() as u64);
        }
        self.block(path, mode, if size > MOST { 0 } else { size }, flag);
    }

    fn block(&mut self, path: &str, mode: u64, size: u64, flag: u8) {
        let mut block = [0; BLOCK];
        block[..path.len()].copy_from_slice(path.as_bytes());
        octal(&mut block[100..107], mode);
        octal(&mut block[108..115], 0);
        octal(&mut block[116..123], 0);
        octal(&mut block[124..135], size);
        octal(&mut block[136..147], 0);
        block[148..156].fill(b' ');
        block[156] = flag;
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum = block.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut block[148..154], sum);
        block[154] = 0;
        self.waiting.extend_from_slice(&block);
    }
}

fn octal(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (number & 7) as u8;
        number >>= 3;
    }
}
