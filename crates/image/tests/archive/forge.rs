//! Images and archives made by hand, so that tests know every byte of what they read.

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use image::archive::{self, LoadError, Loaded};
use oci::{Digest, ImageId, Reference};
use serde_json::{Value, json};
use store::Store;
use tempfile::TempDir;
use testkit::TarWriter;

/// An image in memory.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
}

impl Image {
    /// An image of these layers, whose config differs by `remark`.
    pub(crate) fn new(remark: &str, layers: Vec<Vec<u8>>) -> Self {
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let rows = (0..layers.len()).map(|number| json!({ "created_by": format!("layer {number}") }));
        let config = json!({
            "architecture": "amd64",
            "config": { "Cmd": ["/bin/sh"], "Labels": { "remark": remark } },
            "created": "2026-01-02T03:04:05Z",
            "history": rows.collect::<Vec<_>>(),
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        Self { config: config.to_string().into_bytes(), layers }
    }

    pub(crate) fn id(&self) -> ImageId {
        ImageId(Digest::of(&self.config))
    }
}

/// A small image of two layers, the upper one implying a folder of the lower one.
pub(crate) fn sample() -> Image {
    Image::new("sample", vec![lower(), upper()])
}

pub(crate) fn lower() -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.folder("etc", 0o700).file("etc/name", 0o644, b"lower\n").file("large", 0o644, &[7; 40_000]);
    tar.finish()
}

pub(crate) fn upper() -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.file("etc/other", 0o600, b"upper\n");
    tar.finish()
}

/// A layer that makes sense only above [`lower`]: it holds another name of one of its files.
pub(crate) fn linked() -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.hard_link("again", "large").file("after", 0o644, &[9; 3000]);
    tar.finish()
}

/// A store in a folder of its own.
pub(crate) fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    (folder, store)
}

/// Loads as a stream.
pub(crate) fn load(store: &Store, bytes: &[u8]) -> Result<Vec<Loaded>, LoadError> {
    archive::load(store, bytes, None)
}

/// Loads as a file.
pub(crate) fn load_file(store: &Store, bytes: &[u8]) -> Result<Vec<Loaded>, LoadError> {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    archive::load_file(store, file, None)
}

/// Puts an image into a store.
pub(crate) fn put(store: &Store, image: &Image, tags: &[&str]) -> ImageId {
    let loaded = load(store, &oci_layout(image, tags)).unwrap();
    assert_eq!(loaded[0].id, image.id());
    image.id()
}

pub(crate) fn references(tags: &[&str]) -> Vec<Reference> {
    tags.iter().map(|tag| tag.parse::<Reference>().unwrap().with_default_tag()).collect()
}

pub(crate) fn save(store: &Store, images: &[(ImageId, Vec<Reference>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive::save(store, images, &mut bytes).unwrap();
    bytes
}

/// All files of an image's root, with modes and content.
pub(crate) fn files(store: &Store, id: ImageId) -> Vec<(String, u32, Vec<u8>)> {
    let config = store.image(id).unwrap();
    let tree = image::Stack::open(store, &config.rootfs.diff_ids).unwrap().tree();
    let mut found = Vec::new();
    let mut waiting = vec![Vec::new()];
    while let Some(folder) = waiting.pop() {
        let node = tree.lookup(&folder).unwrap().unwrap();
        for (name, node) in tree.read_dir(&node).unwrap() {
            let path = [&folder[..], if folder.is_empty() { b"" } else { b"/" }, &name].concat();
            let entry = tree.entry(&node, &path).unwrap();
            let mut content = Vec::new();
            if node.is_file() {
                tree.open(&node).unwrap().read_to_end(&mut content).unwrap();
            }
            found.push((String::from_utf8(path.clone()).unwrap(), entry.metadata.mode, content));
            if node.is_directory() {
                waiting.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `docker save` from 1.10 to 24: a folder a layer named by an ID of its own, the config beside them.
pub(crate) fn docker_classic(image: &Image, tags: &[&str]) -> Vec<u8> {
    let mut tar = TarWriter::default();
    let hex = image.id().0.hex();
    tar.file(&format!("{hex}.json"), 0o644, &image.config);
    let mut layers = Vec::new();
    let mut seen: Vec<(&[u8], String)> = Vec::new();
    for (number, layer) in image.layers.iter().enumerate() {
        let folder = Digest::of(format!("v1 {number} {hex}").as_bytes()).hex();
        tar.folder(&folder, 0o755);
        tar.file(&format!("{folder}/VERSION"), 0o644, b"1.0");
        tar.file(&format!("{folder}/json"), 0o644, format!(r#"{{"id":"{folder}","os":"linux"}}"#).as_bytes());
        let name = format!("{folder}/layer.tar");
        match seen.iter().find(|(known, _)| known == layer) {
            // A layer that is there already: Docker links to it.
            Some((_, other)) => tar.symlink(&name, &format!("../{other}/layer.tar")),
            None => tar.file(&name, 0o644, layer),
        };
        seen.push((layer, folder.clone()));
        layers.push(format!("{folder}/layer.tar"));
    }
    tar.file("manifest.json", 0o644, &manifest(&[(format!("{hex}.json"), tags, layers)]));
    let top = seen.last().map(|(_, folder)| folder.clone()).unwrap_or_default();
    tar.file("repositories", 0o644, json!({ "sample": { "latest": top } }).to_string().as_bytes());
    tar.finish()
}

/// `podman save` and skopeo: layers named by their DiffIDs, with the old folders as links to them.
pub(crate) fn podman(image: &Image, tags: &[&str]) -> Vec<u8> {
    let mut tar = TarWriter::default();
    let hex = image.id().0.hex();
    let mut layers = Vec::new();
    for (number, layer) in image.layers.iter().enumerate() {
        let name = format!("{}.tar", Digest::of(layer).hex());
        if !layers.contains(&name) {
            tar.file(&name, 0o444, layer);
        }
        let folder = Digest::of(format!("v1 {number} {hex}").as_bytes()).hex();
        tar.symlink(&format!("{folder}/layer.tar"), &format!("../{name}"));
        tar.file(&format!("{folder}/VERSION"), 0o444, b"1.0");
        tar.file(&format!("{folder}/json"), 0o444, b"{}");
        layers.push(name);
    }
    tar.file(&format!("{hex}.json"), 0o444, &image.config);
    tar.file("repositories", 0o444, b"{}");
    tar.file("manifest.json", 0o444, &manifest(&[(format!("{hex}.json"), tags, layers)]));
    tar.finish()
}

/// `manifest.json` of images: config, names, layers.
pub(crate) fn manifest(images: &[(String, &[&str], Vec<String>)]) -> Vec<u8> {
    let images = images.iter().map(|(config, tags, layers)| {
        let tags = if tags.is_empty() { Value::Null } else { json!(tags) };
        json!({ "Config": config, "RepoTags": tags, "Layers": layers })
    });
    Value::Array(images.collect()).to_string().into_bytes()
}

pub(crate) fn blob(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", Digest::of(bytes).hex())
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() })
}

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// The manifest of an image whose layers are stored as `stored`.
pub(crate) fn oci_manifest(image: &Image, stored: &[Vec<u8>]) -> Vec<u8> {
    let layers = stored.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer));
    json!({
        "schemaVersion": 2,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &image.config),
        "layers": layers.collect::<Vec<_>>(),
    })
    .to_string()
    .into_bytes()
}

/// An OCI layout with its documents last, as most writers leave them.
pub(crate) fn oci_layout(image: &Image, tags: &[&str]) -> Vec<u8> {
    oci_layout_stored(image, tags, image.layers.clone())
}

/// The same with layers that are stored differently, for example compressed.
pub(crate) fn oci_layout_stored(image: &Image, tags: &[&str], stored: Vec<Vec<u8>>) -> Vec<u8> {
    let manifest = oci_manifest(image, &stored);
    let mut entries = Vec::new();
    for tag in tags {
        let mut entry = descriptor(MANIFEST_TYPE, &manifest);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        entries.push(entry);
    }
    if entries.is_empty() {
        entries.push(descriptor(MANIFEST_TYPE, &manifest));
    }
    let index = json!({ "schemaVersion": 2, "manifests": entries });
    // The upper layers first: a stream must not depend on their order.
    let mut blobs: Vec<Vec<u8>> = Vec::new();
    for layer in stored.into_iter().rev() {
        if !blobs.contains(&layer) {
            blobs.push(layer);
        }
    }
    blobs.extend([image.config.clone(), manifest]);
    oci_archive(&blobs, index.to_string().as_bytes())
}

/// Blobs and an index as a tar.
pub(crate) fn oci_archive(blobs: &[Vec<u8>], index: &[u8]) -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.folder("blobs", 0o755).folder("blobs/sha256", 0o755);
    for content in blobs {
        tar.file(&blob(content), 0o644, content);
    }
    tar.file("index.json", 0o644, index);
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
    tar.finish()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Names of files below a folder of the store, sorted.
pub(crate) fn stored(folder: &Path, kind: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("store").join(kind)).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
