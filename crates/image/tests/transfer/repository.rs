//! A repository in memory, which can be told to misbehave, and images to put into it.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

use image::transfer::{
    Content, Destination, Document, PullEvent, PullRequest, Pulled, PushEvent, Pushed, RemoteError, Source,
    TransferError, Upload, pull, push,
};
use oci::{Descriptor, Digest, ImageId, Reference, TagOrDigest, media_type};
use serde_json::{Value, json};
use store::Store;
use tempfile::TempDir;
use testkit::TarWriter;

/// How bytes of a blob come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection breaks after so many bytes of an answer.
    Cut(usize),
    /// The answer ends after so many bytes as if that were all.
    Short(usize),
    /// So many bytes more than there should be.
    Long(usize),
    /// The byte at this place is another one.
    Flip(usize),
}

/// What is there, and what has been asked for.
#[derive(Default)]
pub(crate) struct Repository {
    pub(crate) blobs: Mutex<HashMap<Digest, Vec<u8>>>,
    pub(crate) manifests: Mutex<HashMap<Digest, Document>>,
    pub(crate) tags: Mutex<HashMap<String, Digest>>,
    pub(crate) faults: Mutex<HashMap<Digest, Vec<Fault>>>,
    pub(crate) requests: Mutex<Vec<String>>,
    /// Bytes of blobs that were sent.
    pub(crate) sent: Mutex<u64>,
    /// Blobs of other repositories of the registry, for mounting.
    pub(crate) others: Mutex<HashMap<String, HashMap<Digest, Vec<u8>>>>,
    /// Takes no manifest.
    pub(crate) is_closed: Mutex<bool>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Repository {
    pub(crate) fn put_blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        lock(&self.blobs).insert(digest, bytes.to_vec());
        digest
    }

    pub(crate) fn put_document(&self, tag: Option<&str>, media_type: &str, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        lock(&self.manifests).insert(digest, Document { media_type: media_type.to_owned(), bytes });
        if let Some(tag) = tag {
            lock(&self.tags).insert(tag.to_owned(), digest);
        }
        digest
    }

    /// An image whose layers are sent as these blobs.
    pub(crate) fn put_image(&self, tag: Option<&str>, image: &Image) -> Digest {
        self.put_blob(&image.config);
        for (bytes, _) in &image.blobs {
            self.put_blob(bytes);
        }
        self.put_document(tag, media_type::OCI_MANIFEST, image.manifest())
    }

    /// Misbehaves with the next answers for a blob, once for each fault.
    pub(crate) fn misbehave(&self, blob: Digest, faults: &[Fault]) {
        lock(&self.faults).insert(blob, faults.to_vec());
    }

    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.requests))
    }

    fn note(&self, text: String) {
        lock(&self.requests).push(text);
    }

    fn digest(&self, name: &TagOrDigest) -> Option<Digest> {
        match name {
            TagOrDigest::Digest(digest) => Some(*digest),
            TagOrDigest::Tag(tag) => lock(&self.tags).get(tag).copied(),
        }
    }
}

pub(crate) fn shown(name: &TagOrDigest) -> String {
    match name {
        TagOrDigest::Digest(digest) => digest.to_string(),
        TagOrDigest::Tag(tag) => tag.clone(),
    }
}

impl Source for Repository {
    fn resolve(&self, name: &TagOrDigest) -> Result<Option<Digest>, RemoteError> {
        self.note(format!("HEAD {}", shown(name)));
        Ok(self.digest(name))
    }

    fn manifest(&self, name: &TagOrDigest) -> Result<Document, RemoteError> {
        self.note(format!("GET {}", shown(name)));
        let found = self.digest(name).and_then(|digest| lock(&self.manifests).get(&digest).cloned());
        found.ok_or_else(|| "manifest unknown".into())
    }

    fn blob(&self, blob: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>, RemoteError> {
        self.note(format!("BLOB {} {from}", blob.digest));
        let mut bytes = lock(&self.blobs).get(&blob.digest).cloned().ok_or("blob unknown")?;
        let mut fault = None;
        if let Some(faults) = lock(&self.faults).get_mut(&blob.digest).filter(|faults| !faults.is_empty()) {
            fault = Some(faults.remove(0));
        }
        match fault {
            Some(Fault::Flip(place)) => bytes[place] ^= 1,
            Some(Fault::Long(more)) => bytes.resize(bytes.len() + more, 0),
            _ => {}
        }
        let mut bytes = bytes.split_off(usize::try_from(from).unwrap());
        let mut is_cut = false;
        if let Some(Fault::Cut(length) | Fault::Short(length)) = fault {
            is_cut = matches!(fault, Some(Fault::Cut(_)));
            bytes.truncate(length);
        }
        Ok(Box::new(Body { bytes: io::Cursor::new(bytes), is_cut, sent: &self.sent }))
    }
}

impl Destination for Repository {
    fn resolve(&self, name: &TagOrDigest) -> Result<Option<Digest>, RemoteError> {
        Source::resolve(self, name)
    }

    fn upload(
        &self,
        blob: &Descriptor,
        content: Content<'_>,
        mount_from: Option<&str>,
        sent: &dyn Fn(u64),
    ) -> Result<Upload, RemoteError> {
        if lock(&self.blobs).contains_key(&blob.digest) {
            self.note(format!("EXISTS {}", blob.digest));
            return Ok(Upload::Existed);
        }
        if let Some(bytes) = mount_from.and_then(|name| lock(&self.others).get(name)?.get(&blob.digest).cloned()) {
            self.note(format!("MOUNT {} {}", blob.digest, mount_from.unwrap_or_default()));
            lock(&self.blobs).insert(blob.digest, bytes);
            return Ok(Upload::Mounted);
        }
        self.note(format!("UPLOAD {}", blob.digest));
        let mut bytes = vec![0; usize::try_from(blob.size)?];
        let mut place = 0;
        while place < bytes.len() {
            let end = bytes.len().min(place + 10_000);
            match content.read_at(&mut bytes[place..end], place as u64)? {
                0 => return Err("the content is too short".into()),
                count => place += count,
            }
            sent(place as u64);
        }
        if Digest::of(&bytes) != blob.digest {
            return Err("the digest is wrong".into());
        }
        *lock(&self.sent) += blob.size;
        lock(&self.blobs).insert(blob.digest, bytes);
        Ok(Upload::Sent)
    }

    fn put_manifest(&self, name: &TagOrDigest, document: &Document) -> Result<(), RemoteError> {
        self.note(format!("PUT {}", shown(name)));
        if *lock(&self.is_closed) {
            return Err("denied".into());
        }
        let manifest: oci::ImageManifest = serde_json::from_slice(&document.bytes)?;
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            let blobs = lock(&self.blobs);
            let bytes = blobs.get(&blob.digest).ok_or("manifest blob unknown")?;
            assert_eq!(bytes.len() as u64, blob.size);
        }
        let tag = match name {
            TagOrDigest::Tag(tag) => Some(tag.as_str()),
            TagOrDigest::Digest(_) => None,
        };
        self.put_document(tag, &document.media_type, document.bytes.clone());
        Ok(())
    }
}

struct Body<'a> {
    bytes: io::Cursor<Vec<u8>>,
    is_cut: bool,
    sent: &'a Mutex<u64>,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Pieces of an odd length, as networks have them.
        let most = buffer.len().min(1447);
        let count = self.bytes.read(&mut buffer[..most])?;
        *lock(self.sent) += count as u64;
        if count == 0 && self.is_cut {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(count)
    }
}

/// An image with its layers as they are sent.
pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) blobs: Vec<(Vec<u8>, &'static str)>,
}

impl Image {
    /// Of these tars, each compressed in one of the ways in turn.
    pub(crate) fn new(remark: &str, tars: &[Vec<u8>]) -> Self {
        let blobs = tars.iter().enumerate().map(|(number, tar)| match number % 3 {
            0 => (gzip(tar), media_type::OCI_LAYER_GZIP),
            1 => (zstd::encode_all(&tar[..], 3).unwrap(), media_type::OCI_LAYER_ZSTD),
            _ => (tar.clone(), media_type::OCI_LAYER),
        });
        Self { config: config(remark, tars, "amd64"), blobs: blobs.collect() }
    }

    pub(crate) fn id(&self) -> ImageId {
        ImageId(Digest::of(&self.config))
    }

    pub(crate) fn blob(&self, number: usize) -> Digest {
        Digest::of(&self.blobs[number].0)
    }

    pub(crate) fn layers(&self) -> Vec<Value> {
        self.blobs.iter().map(|(bytes, media_type)| json!(Descriptor::of(media_type, bytes))).collect()
    }

    pub(crate) fn manifest(&self) -> Vec<u8> {
        manifest(&Descriptor::of(media_type::OCI_CONFIG, &self.config), &self.layers())
    }
}

pub(crate) fn manifest(config: &Descriptor, layers: &[Value]) -> Vec<u8> {
    json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers })
        .to_string()
        .into_bytes()
}

pub(crate) fn config(remark: &str, tars: &[Vec<u8>], architecture: &str) -> Vec<u8> {
    let diff_ids: Vec<Digest> = tars.iter().map(|tar| Digest::of(tar)).collect();
    json!({
        "architecture": architecture,
        "config": { "Labels": { "remark": remark } },
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
    .to_string()
    .into_bytes()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A layer with one folder and a file that does not compress well.
pub(crate) fn layer(name: &str, length: usize) -> Vec<u8> {
    let mut tar = TarWriter::default();
    let mut seed = Digest::of(name.as_bytes());
    let mut content = Vec::new();
    while content.len() < length {
        content.extend_from_slice(seed.hex().as_bytes());
        seed = Digest::of(seed.hex().as_bytes());
    }
    content.truncate(length);
    tar.folder("data", 0o755).file(&format!("data/{name}"), 0o644, &content);
    tar.finish()
}

/// A store that is checked when the test is over.
pub(crate) struct Checked {
    folder: TempDir,
    pub(crate) store: Store,
}

impl Checked {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn pull(&self, repository: &Repository, name: &str) -> Result<Pulled, TransferError> {
        self.pull_with(repository, name, &|_| {})
    }

    pub(crate) fn pull_with(
        &self,
        repository: &Repository,
        name: &str,
        events: &(dyn Fn(PullEvent) + Sync),
    ) -> Result<Pulled, TransferError> {
        let request = PullRequest { reference: reference(name), platform: None };
        pull(&self.store, repository, &request, events)
    }

    /// Puts an image into the store without a registry, as `load` does.
    pub(crate) fn load(&self, image: &Image, tars: &[Vec<u8>], name: &str) -> ImageId {
        for tar in tars {
            let sink = self.store.layer_sink().unwrap();
            let finished = layer::ingest(&tar[..], sink.file().unwrap(), None).unwrap();
            self.store.add_layer(finished.diff_id, sink, &finished.index, None).unwrap();
        }
        let id = self.store.publish_image(&image.config, None).unwrap();
        self.store.set_reference(&reference(name).with_default_tag(), id).unwrap();
        id
    }

    pub(crate) fn push(&self, repository: &Repository, name: &str) -> Result<Pushed, TransferError> {
        self.push_with(repository, name, &|_| {})
    }

    pub(crate) fn push_with(
        &self,
        repository: &Repository,
        name: &str,
        events: &(dyn Fn(PushEvent) + Sync),
    ) -> Result<Pushed, TransferError> {
        let name = reference(name).with_default_tag();
        let id = self.store.reference(&name).unwrap().unwrap();
        push(&self.store, repository, id, &name, events)
    }

    /// Nothing has a name, no image and no blob is there.
    pub(crate) fn expect_nothing(&self) {
        assert_eq!(self.store.references().unwrap(), []);
        assert_eq!(self.store.image_ids().unwrap(), []);
        assert_eq!(self.store.blobs().unwrap(), []);
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            testkit::checker::check_store(&self.path()).unwrap();
        }
    }
}

pub(crate) fn reference(name: &str) -> Reference {
    name.parse().unwrap()
}

/// An error with its causes.
pub(crate) fn text(error: &TransferError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
