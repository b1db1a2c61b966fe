//! One layer as a blob: made out of the store, or brought into it.

use std::fs::File;
use std::io::{self, Read, Write};

use layer::{Decoder, EncodedBlob, Encoding};
use oci::{Descriptor, DiffId, Hasher, media_type};
use store::{LayerSink, Lease, Store, StoreError};

use super::error::{LoadError, SaveError};
use super::ship::MediaTypes;
use super::take::{Hashing, check, unreadable};
use crate::{ManifestError, Stack};

/// A layer's blob, with the file that holds it unless that is the tar itself.
#[derive(Debug)]
pub struct LayerBlob {
    /// What manifests say of it.
    pub descriptor: Descriptor,
    /// Length of the tar.
    pub tar_size: u64,
    sink: Option<LayerSink>,
}

/// The media type of layers that are compressed this way.
pub fn layer_media_type(media_types: MediaTypes, encoding: Encoding) -> &'static str {
    match (media_types, encoding) {
        (MediaTypes::Oci, Encoding::Uncompressed) => media_type::OCI_LAYER,
        (MediaTypes::Oci, Encoding::Gzip { .. }) => media_type::OCI_LAYER_GZIP,
        (MediaTypes::Oci, Encoding::Zstd { .. }) => media_type::OCI_LAYER_ZSTD,
        (MediaTypes::Docker, Encoding::Uncompressed) => media_type::DOCKER_LAYER,
        (MediaTypes::Docker, Encoding::Gzip { .. }) => media_type::DOCKER_LAYER_GZIP,
        (MediaTypes::Docker, Encoding::Zstd { .. }) => media_type::DOCKER_LAYER_ZSTD,
    }
}

impl LayerBlob {
    /// Compresses a layer of the store into a file without a name.
    ///
    /// # Errors
    /// When the layer is not there, or cannot be compressed.
    pub fn make(
        store: &Store,
        layer: DiffId,
        encoding: Encoding,
        media_types: MediaTypes,
        threads: usize,
    ) -> Result<Self, SaveError> {
        let tar = store.layer_tar(layer)?.ok_or(StoreError::LayerMissing(layer))?;
        let tar_size = tar.metadata().map_err(|source| ManifestError::Layer { layer, source })?.len();
        let media_type = layer_media_type(media_types, encoding);
        if encoding == Encoding::Uncompressed {
            return Ok(Self { descriptor: Descriptor::new(media_type, layer.0, tar_size), tar_size, sink: None });
        }
        let failed = |source| SaveError::Encode { layer: layer.0, source };
        let sink = store.layer_sink()?;
        let file = sink.file().map_err(|source| failed(layer::EncodeError::Write(source)))?;
        let mut out = io::BufWriter::with_capacity(1 << 20, file);
        let blob = layer::encode(&tar, tar_size, encoding, threads, &mut out);
        let EncodedBlob { digest, size } = blob.map_err(failed)?;
        out.flush().map_err(|source| failed(layer::EncodeError::Write(source)))?;
        Ok(Self { descriptor: Descriptor::new(media_type, digest, size), tar_size, sink: Some(sink) })
    }

    /// The file that holds it, if that is not the layer's tar.
    pub(crate) fn sink(&self) -> Option<&LayerSink> {
        self.sink.as_ref()
    }

    /// Opens the blob at its beginning.
    ///
    /// # Errors
    /// When the layer is gone, or no descriptor can be had.
    pub fn open(&self, store: &Store, layer: DiffId) -> Result<File, SaveError> {
        match &self.sink {
            None => Ok(store.layer_tar(layer)?.ok_or(StoreError::LayerMissing(layer))?),
            Some(sink) => {
                let rewound = sink.file().and_then(|mut file| io::Seek::rewind(&mut file).map(|()| file));
                Ok(rewound.map_err(|source| ManifestError::Layer { layer, source })?)
            }
        }
    }
}

/// What is said of a layer that is to be brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnnouncedLayer<'a> {
    /// Its blob.
    pub blob: &'a Descriptor,
    /// Its name in the store.
    pub diff_id: DiffId,
    /// Length of its tar.
    pub tar_size: u64,
}

/// Brings a layer into the store on top of others, whose index it may need. It appears only when both of its digests are
/// right; no more is read, and no more is written, than was announced.
///
/// # Errors
/// When the blob is something else than what was announced, or cannot be a layer, or the store cannot take it.
pub fn bring_layer(
    store: &Store,
    lease: &Lease<'_>,
    announced: AnnouncedLayer<'_>,
    blob: impl Read,
    below: &Stack,
) -> Result<(), LoadError> {
    let name = super::plan::blob(announced.blob.digest);
    let failed = |source| unreadable(&name, source);
    lease.hold(announced.diff_id.0)?;
    check_room(store, announced.tar_size).map_err(failed)?;
    let mut hashing = Hashing { inner: blob.take(announced.blob.size), hasher: Hasher::new() };
    let tar = Decoder::new(&mut hashing).map_err(failed)?.take(announced.tar_size);
    let chain = below.chain_id();
    let sink = store.layer_sink()?;
    let file = sink.file().map_err(failed)?;
    let base = chain.map(|_| below.tree());
    let finished =
        layer::ingest(tar, file, base.as_ref()).map_err(|source| LoadError::Layer { member: name.clone(), source })?;
    check(&name, announced.diff_id.0, finished.diff_id.0)?;
    // What is behind the last compressed byte belongs to the blob all the same.
    io::copy(&mut hashing, &mut io::sink()).map_err(failed)?;
    check(&name, announced.blob.digest, hashing.hasher.finish())?;
    let chain = chain.filter(|_| finished.needs_base());
    Ok(store.add_layer(announced.diff_id, sink, &finished.index, chain)?)
}

/// A small blob can announce a tar larger than all that is free.
pub(crate) fn check_room(store: &Store, size: u64) -> io::Result<()> {
    let room = rustix::fs::fstatvfs(store.as_folder())?;
    if size > room.f_bavail.saturating_mul(room.f_frsize) {
        return Err(io::Error::new(io::ErrorKind::StorageFull, format!("its tar of {size} bytes has no room here")));
    }
    Ok(())
}
