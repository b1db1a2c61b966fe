//! Takes a foreign tar as a layer: copies it verbatim while hashing and indexing it, in one pass.

use std::fs::File;
use std::io::{self, Read};

use oci::DiffId;

use crate::entry::{EntryKind, Shown};
use crate::erofs::inodes::{Content, IndexingError, Inodes};
use crate::erofs::mapping::{self, Address, Mapping, Piece};
use crate::tar::{Event, Member, Reader, Segment, TarError};
use crate::tree::Tree;
use crate::writer::FinishedLayer;
use crate::writer::output::{BUFFER, Output};

/// Largest sparse file: 2^17 chunks of 2^40 bytes.
const LARGEST_SPARSE: u64 = 1 << 57;

/// Why a tar cannot be a layer.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The stream could not be read.
    #[error("cannot read tar stream at byte {offset}")]
    Read {
        /// Where in the stream.
        offset: u64,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// The copy could not be written.
    #[error("cannot write layer tar")]
    Write {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The stream is not a well-formed tar.
    #[error("not a valid layer")]
    Tar {
        /// What is wrong.
        #[source]
        source: TarError,
    },
    /// An entry cannot be mounted.
    #[error("cannot index layer")]
    Index {
        /// What does not fit.
        #[source]
        source: IndexingError,
    },
    /// The tar is longer than 2 TiB.
    #[error("layer is longer than 2 TiB")]
    TooLarge,
}

/// Copies a tar stream verbatim to `tar` while hashing and indexing it. `base` is the merged view of the layers
/// below, for folders that the tar implies and hard links that point downwards.
///
/// # Errors
/// When the stream ends early or is not a well-formed tar, or the copy cannot be written.
pub fn ingest(mut stream: impl Read, tar: File, base: Option<&Tree>) -> Result<FinishedLayer, IngestError> {
    let mut output = Output::new(tar);
    let mut buffer = Output::buffer();
    let mut indexer = Indexer { reader: Reader::new(), inodes: Inodes::new(), waiting: None, base };
    loop {
        let filled = fill(&mut stream, &mut buffer, output.written())?;
        indexer.take(&buffer[..filled])?;
        if filled == BUFFER {
            buffer = output.write(buffer, filled).map_err(|source| IngestError::Write { source })?;
            continue;
        }
        indexer.reader.finish().map_err(|source| IngestError::Tar { source })?;
        let tar_size = indexer.reader.position();
        let inodes = indexer.inodes;
        let finished = output.finish(buffer, filled, || inodes.build(base));
        let (digest, image) = finished.map_err(|source| IngestError::Write { source })?;
        let image = image.map_err(|source| IngestError::Index { source })?;
        return FinishedLayer::new(DiffId(digest), tar_size, image).ok_or(IngestError::TooLarge);
    }
}

/// Fills the buffer unless the stream ends.
fn fill(stream: &mut impl Read, buffer: &mut [u8], offset: u64) -> Result<usize, IngestError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(found) => filled += found,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(IngestError::Read { offset: offset + filled as u64, source }),
        }
    }
    Ok(filled)
}

struct Indexer<'a> {
    reader: Reader,
    inodes: Inodes,
    /// A sparse file whose stored bytes are on their way.
    waiting: Option<Box<Member>>,
    base: Option<&'a Tree>,
}

impl Indexer<'_> {
    fn take(&mut self, mut input: &[u8]) -> Result<(), IngestError> {
        while let Some(event) = self.reader.next(&mut input).map_err(|source| IngestError::Tar { source })? {
            let added = match event {
                Event::Member(member) => self.member(member),
                Event::Captured(stored) => self.captured(&stored),
            };
            added.map_err(|source| IngestError::Index { source })?;
        }
        Ok(())
    }

    fn member(&mut self, member: Box<Member>) -> Result<(), IndexingError> {
        let (EntryKind::File { size }, Some(segments)) = (&member.entry.kind, &member.segments) else {
            return self.inodes.add(&member.entry, Content::Tar(member.data), self.base);
        };
        let path = || Shown(&member.entry.path).to_string();
        if *size > LARGEST_SPARSE {
            return Err(IndexingError::Range { path: path(), what: "size" });
        }
        let chunk = crate::erofs::BLOCK << mapping::bits_of_sparse(segments, *size);
        self.inodes.reserve_chunks(size.div_ceil(chunk), &member.entry.path)?;
        if mapping::needs_content(segments, member.data, *size) {
            if !self.inodes.can_spill(member.stored) {
                return Err(IndexingError::Spill { path: path() });
            }
            self.reader.capture();
            self.waiting = Some(member);
            return Ok(());
        }
        self.sparse(&member, segments, *size, &[])
    }

    fn captured(&mut self, stored: &[u8]) -> Result<(), IndexingError> {
        let Some(member) = self.waiting.take() else { return Ok(()) };
        match (&member.entry.kind, &member.segments) {
            (EntryKind::File { size }, Some(segments)) => self.sparse(&member, segments, *size, stored),
            _ => Ok(()),
        }
    }

    /// Adds a sparse file: chunks that the tar holds in one piece are pointed to, mixed ones are copied.
    fn sparse(&mut self, member: &Member, segments: &[Segment], size: u64, stored: &[u8]) -> Result<(), IndexingError> {
        let bits = mapping::bits_of_sparse(segments, size);
        let mut mixed = Vec::new();
        let mut total = 0;
        mapping::chunks(segments, member.data, size, bits, |piece| {
            if let Piece::Mixed { begin, length } = piece {
                mixed.push((begin, length));
                total += length;
            }
        });
        if !self.inodes.can_spill(total) {
            return Err(IndexingError::Spill { path: Shown(&member.entry.path).to_string() });
        }
        let content = mapping::assemble(segments, stored, &mixed);
        let mut next = self.inodes.spill(&content, &member.entry.path)?;
        let mut chunks = Vec::new();
        mapping::chunks(segments, member.data, size, bits, |piece| {
            chunks.push(match piece {
                Piece::Hole => Address::Hole,
                Piece::Tar(block) => Address::Tar(block),
                Piece::Mixed { length, .. } => {
                    let address = Address::Spill(next);
                    next += length.div_ceil(crate::erofs::BLOCK) as u32;
                    address
                }
            });
        });
        self.inodes.add(&member.entry, Content::Mapped(Mapping::Chunks { bits, chunks }), self.base)
    }
}

#[cfg(test)]
mod tests;
