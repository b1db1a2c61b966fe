//! Takes the content of one member out of a stream: a document into memory, a layer into the store's hands.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};

use layer::{Compression, Decoder, FinishedLayer, IngestError, is_tar};
use oci::{DiffId, Digest, Hasher};
use store::{LayerSink, Lease, Store};

use super::catalog::Content;
use super::error::{LoadError, MemberError};
use super::limits;
use super::member::BLOCK;
use crate::Stack;

/// A layer out of a stream. Its name in the store is not known to be wanted yet, so it has none.
#[derive(Debug)]
pub(super) struct Taken {
    /// The uncompressed tar.
    pub(super) sink: LayerSink,
    /// Digest of the bytes in the archive; `None` for those of `sink` that were not hashed.
    pub(super) digest: Option<Digest>,
    /// Length in the archive.
    pub(super) size: u64,
    /// With the index for a bottom layer; `None` where the tar makes sense only above others.
    pub(super) finished: Option<FinishedLayer>,
}

/// Takes one member's content. `named` is the digest that its name promises.
pub(super) fn take(
    store: &Store,
    lease: &Lease<'_>,
    member: &str,
    size: u64,
    named: Option<Digest>,
    mut data: impl Read,
) -> Result<Content, LoadError> {
    let first = first_block(&mut data).map_err(|source| unreadable(member, source))?;
    let mut raw = Cursor::new(&first[..]).chain(data);
    match sniff(&first) {
        Sniffed::Tar => {
            if let Some(layer) = named.map(DiffId) {
                lease.hold(layer.0)?;
                if store.layer_tar(layer)?.is_some() && store.survived(layer)? {
                    let found = digest(&mut raw).map_err(|source| unreadable(member, source))?;
                    return check(member, layer.0, found).map(|()| Content::Known { layer, digest: found, size });
                }
            }
            let (sink, finished) = keep(store, member, raw)?;
            let digest = finished.as_ref().map(|finished| finished.diff_id.0);
            if let (Some(expected), Some(found)) = (named, digest) {
                check(member, expected, found)?;
            }
            Ok(Content::Taken(Taken { sink, digest, size, finished }))
        }
        Sniffed::Compressed => compressed(store, member, size, named, raw),
        Sniffed::Other if size <= limits::DOCUMENT => {
            let mut bytes = Vec::with_capacity(size as usize);
            raw.read_to_end(&mut bytes).map_err(|source| unreadable(member, source))?;
            Ok(Content::Document(bytes))
        }
        Sniffed::Other => Ok(Content::Other),
    }
}

fn compressed(
    store: &Store,
    member: &str,
    size: u64,
    named: Option<Digest>,
    raw: impl Read,
) -> Result<Content, LoadError> {
    let failed = |source| unreadable(member, source);
    let mut hashing = Hashing { inner: raw, hasher: Hasher::new() };
    let mut decoder = Decoder::new(&mut hashing).map_err(failed)?;
    let first = match first_block(&mut decoder) {
        Ok(first) => first,
        // Bytes that only look compressed: whoever names this member as a layer gets an error.
        Err(_) => return Ok(Content::Other),
    };
    if !matches!(sniff(&first), Sniffed::Tar) {
        return Ok(Content::Other);
    }
    let (sink, finished) = keep(store, member, Cursor::new(&first[..]).chain(decoder))?;
    // What is behind the last compressed byte belongs to the blob all the same.
    io::copy(&mut hashing, &mut io::sink()).map_err(failed)?;
    let found = hashing.hasher.finish();
    if let Some(expected) = named {
        check(member, expected, found)?;
    }
    Ok(Content::Taken(Taken { sink, digest: Some(found), size, finished }))
}

/// Puts a layer that was taken into the store, on top of others. One that was indexed without them, and may need them, is
/// indexed again.
pub(crate) fn place(
    store: &Store,
    member: &str,
    layer: DiffId,
    (sink, finished): (LayerSink, Option<FinishedLayer>),
    stack: &Stack,
) -> Result<(), LoadError> {
    let below = stack.chain_id();
    if let Some(finished) = finished.as_ref().filter(|finished| below.is_none() || !finished.implies_folders) {
        check(member, layer.0, finished.diff_id.0)?;
        return Ok(store.add_layer(layer, sink, &finished.index, None)?);
    }
    let failed = |source| unreadable(member, source);
    let mut tar = sink.file().map_err(failed)?;
    tar.rewind().map_err(failed)?;
    let finished = layer::ingest(tar, nowhere(member)?, Some(&stack.tree()))
        .map_err(|source| LoadError::Layer { member: member.to_owned(), source })?;
    check(member, layer.0, finished.diff_id.0)?;
    let below = below.filter(|_| finished.needs_base());
    Ok(store.add_layer(layer, sink, &finished.index, below)?)
}

/// Writes an uncompressed tar to a nameless file of the store, and indexes it as a bottom layer if it can be one.
pub(crate) fn keep(
    store: &Store,
    member: &str,
    tar: impl Read,
) -> Result<(LayerSink, Option<FinishedLayer>), LoadError> {
    let sink = store.layer_sink()?;
    let file = sink.file().map_err(|source| unreadable(member, source))?;
    let mut tee = Tee { inner: tar, file };
    match layer::ingest(&mut tee, nowhere(member)?, None) {
        Ok(finished) => Ok((sink, Some(finished))),
        // A hard link to a layer below, perhaps: which layers those are stands in a document that is still to come.
        Err(IngestError::Index { .. }) => {
            io::copy(&mut tee, &mut io::sink()).map_err(|source| unreadable(member, source))?;
            Ok((sink, None))
        }
        Err(source) => Err(LoadError::Layer { member: member.to_owned(), source }),
    }
}

/// Takes what is written to it and keeps nothing.
pub(super) fn nowhere(member: &str) -> Result<File, LoadError> {
    File::options().write(true).open("/dev/null").map_err(|source| unreadable(member, source))
}

/// What the first block of some content says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sniffed {
    Tar,
    Compressed,
    Other,
}

/// Judges by the first block of content; a layer of nothing is zeros only.
pub(super) fn sniff(first: &[u8]) -> Sniffed {
    let is_empty_tar = first.len() == BLOCK && first.iter().all(|byte| *byte == 0);
    if is_empty_tar || is_tar(first) {
        Sniffed::Tar
    } else if Compression::sniff(first) == Compression::None {
        Sniffed::Other
    } else {
        Sniffed::Compressed
    }
}

/// The first block, or all where there is less.
pub(super) fn first_block(data: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(BLOCK);
    data.take(BLOCK as u64).read_to_end(&mut first)?;
    Ok(first)
}

pub(crate) fn check(member: &str, expected: Digest, found: Digest) -> Result<(), LoadError> {
    if expected == found {
        return Ok(());
    }
    Err(LoadError::Digest { member: member.to_owned(), expected, found })
}

/// A failed read within a member; a tar that ends there says so itself.
pub(crate) fn unreadable(member: &str, source: io::Error) -> LoadError {
    match source.downcast::<MemberError>() {
        Ok(error) => LoadError::Member(error),
        Err(source) => LoadError::Content { member: member.to_owned(), source },
    }
}

fn digest(data: &mut impl Read) -> io::Result<Digest> {
    let mut hashing = Hashing { inner: data, hasher: Hasher::new() };
    let mut buffer = vec![0; 256 << 10];
    loop {
        match hashing.read(&mut buffer) {
            Ok(0) => return Ok(hashing.hasher.finish()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Hashes what is read.
#[derive(Debug)]
pub(crate) struct Hashing<R> {
    pub(crate) inner: R,
    pub(crate) hasher: Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// Writes what is read to a file, so that nothing is lost when its reader gives up.
struct Tee<R> {
    inner: R,
    file: File,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.file.write_all(&buffer[..count])?;
        Ok(count)
    }
}
