//! Compresses a layer's tar: the same bytes give the same blob on every machine, with any number of threads.
//!
//! The tar is cut into pieces of a fixed length and each is compressed by itself: a member of gzip (RFC 1952, 2.2), a
//! frame of zstd (RFC 8878, 3). Readers of both formats take them one after the other. Whether a blob is worth its
//! time is the caller's question.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use oci::{Digest, Hasher};

/// What to make of a tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// The tar itself.
    #[default]
    Uncompressed,
    /// RFC 1952, at a level from 0 to 9.
    Gzip {
        /// 0 stores, 9 tries hardest.
        level: u32,
    },
    /// RFC 8878, at a level from 1 to 22.
    Zstd {
        /// 1 is fastest, 22 tries hardest.
        level: i32,
    },
}

/// A blob that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedBlob {
    /// Digest of its bytes.
    pub digest: Digest,
    /// How many there are.
    pub size: u64,
}

/// Why a blob could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The tar cannot be read.
    #[error("cannot read the layer's tar")]
    Read(#[source] io::Error),
    /// The library refuses the level, or has no memory.
    #[error("cannot compress the layer")]
    Compress(#[source] io::Error),
    /// The blob cannot be written.
    #[error("cannot write the compressed layer")]
    Write(#[source] io::Error),
}

impl Encoding {
    /// What gzip and docker take when nothing is said.
    pub const GZIP_LEVEL: u32 = 6;
    /// For layers that somebody waits for to be pushed (decision 0021): an eighth of the time for a twentieth more bytes.
    pub const GZIP_PUSH_LEVEL: u32 = 1;
    /// What zstd takes when nothing is said.
    pub const ZSTD_LEVEL: i32 = 3;

    /// Length of the pieces: long enough that cutting costs next to nothing, short enough that threads share the work.
    fn piece(self) -> usize {
        match self {
            Self::Uncompressed => 1 << 20,
            Self::Gzip { .. } => 4 << 20,
            Self::Zstd { .. } => 8 << 20,
        }
    }

    fn encode(self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Uncompressed => Ok(piece.to_vec()),
            Self::Gzip { level } => gzip(piece, level),
            Self::Zstd { level } => {
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                compressor.include_checksum(true)?;
                compressor.compress(piece)
            }
        }
    }
}

/// One member. libdeflate wants all of it at once, and has no header fields of its own: no name and no time.
fn gzip(piece: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let level = i32::try_from(level).ok().and_then(|level| libdeflater::CompressionLvl::new(level).ok());
    let level = level.ok_or(io::ErrorKind::InvalidInput)?;
    let mut compressor = libdeflater::Compressor::new(level);
    let mut member = vec![0; compressor.gzip_compress_bound(piece.len())];
    let length = compressor.gzip_compress(piece, &mut member).map_err(io::Error::other)?;
    member.truncate(length);
    Ok(member)
}

/// Writes a tar of this length as a blob, with at most `threads` threads beside this one.
///
/// # Errors
/// When the tar cannot be read, the level is none of the format's, or the blob cannot be written.
pub fn encode(
    tar: &File,
    length: u64,
    encoding: Encoding,
    threads: usize,
    out: &mut dyn Write,
) -> Result<EncodedBlob, EncodeError> {
    let piece = encoding.piece() as u64;
    // An empty tar is one empty member or frame: a blob of no bytes would be neither format.
    let pieces = length.div_ceil(piece).max(1);
    let read = |number: u64| {
        let begin = number * piece;
        let mut bytes = vec![0; usize::try_from(piece.min(length - begin)).unwrap_or(usize::MAX)];
        tar.read_exact_at(&mut bytes, begin).map_err(EncodeError::Read)?;
        encoding.encode(&bytes).map_err(EncodeError::Compress)
    };
    let mut blob = Blob { out, hasher: Hasher::new(), size: 0 };
    let workers = if encoding == Encoding::Uncompressed { 1 } else { threads.clamp(1, 64) as u64 };
    if workers == 1 || pieces == 1 {
        (0..pieces).try_for_each(|number| blob.push(&read(number)?))?;
        return Ok(blob.finish());
    }
    std::thread::scope(|scope| {
        let lanes: Vec<Receiver<_>> = (0..workers.min(pieces))
            .map(|first| {
                let (sender, receiver): (SyncSender<Result<Vec<u8>, EncodeError>>, _) = sync_channel(1);
                let numbers = (first..pieces).step_by(usize::try_from(workers).unwrap_or(1));
                let read = &read;
                // Whoever no longer takes the pieces has failed, and nobody needs the rest.
                scope.spawn(move || numbers.map(read).try_for_each(|piece| sender.send(piece)).ok());
                receiver
            })
            .collect();
        for number in 0..pieces {
            let lane = &lanes[usize::try_from(number % workers).unwrap_or(0)];
            let piece = lane.recv().map_err(|_| EncodeError::Compress(io::ErrorKind::BrokenPipe.into()))?;
            blob.push(&piece?)?;
        }
        Ok(blob.finish())
    })
}

/// Hashes what it writes.
struct Blob<'a> {
    out: &'a mut dyn Write,
    hasher: Hasher,
    size: u64,
}

impl Blob<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.out.write_all(bytes).map_err(EncodeError::Write)
    }

    fn finish(self) -> EncodedBlob {
        EncodedBlob { digest: self.hasher.finish(), size: self.size }
    }
}

/// Hashes a blob that is there already.
///
/// # Errors
/// When it cannot be read.
pub fn digest_of(mut blob: impl Read) -> io::Result<EncodedBlob> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 17];
    let mut size = 0;
    loop {
        match blob.read(&mut buffer) {
            Ok(0) => return Ok(EncodedBlob { digest: hasher.finish(), size }),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
