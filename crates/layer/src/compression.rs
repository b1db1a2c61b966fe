//! Tells how a stream is compressed by its first bytes, and decompresses it with bounded memory.
//!
//! Names and media types are not asked: ADD, load and import have to judge by content, as Docker does. A small stream
//! can become a large one; whoever stores it sets the limit. Compressing is [`mod@crate::compress`].

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use crate::tar;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all, or in a way unknown here.
    None,
    /// RFC 1952, one or more members.
    Gzip,
    /// One or more streams.
    Bzip2,
    /// One or more streams.
    Xz,
    /// RFC 8878, one or more frames.
    Zstd,
}

impl Compression {
    /// How many bytes [`sniff`](Self::sniff) looks at.
    pub const SNIFFED: usize = 6;

    /// Judges by the first bytes; fewer than [`Self::SNIFFED`] are enough if there are no more.
    pub fn sniff(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A frame to be skipped (RFC 8878, 3.1.2): some writers put their table of contents in front.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Its name as in `Content-Encoding` and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// Whether a stream is a tar, by its first block after decompression: the header's checksum must be right. This is how
/// ADD tells archives from files; an empty archive is a file.
pub fn is_tar(first_block: &[u8]) -> bool {
    first_block.first_chunk::<{ tar::BLOCK }>().is_some_and(tar::is_header)
}

/// Why a stream cannot be decompressed. Comes inside the [`io::Error`] of a [`Decoder`]'s reads; errors of the stream
/// underneath come as they are.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    /// The compressed bytes are damaged.
    #[error("{} stream is damaged", .compression.name())]
    Damaged {
        /// How the stream is compressed.
        compression: Compression,
        /// What the decompressor said.
        #[source]
        source: io::Error,
    },
    /// The stream ended early.
    #[error("{} stream ends early", .compression.name())]
    Truncated {
        /// How the stream is compressed.
        compression: Compression,
    },
    /// Its writer asks for more memory than a reader should give.
    #[error("{} stream needs more than {} MiB of memory", .compression.name(), .limit >> 20)]
    Memory {
        /// How the stream is compressed.
        compression: Compression,
        /// The most that is given, in bytes.
        limit: u64,
    },
    /// The decompressor could not be started.
    #[error("cannot start to read {} stream", .compression.name())]
    Start {
        /// How the stream is compressed.
        compression: Compression,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Decompresses a stream, whatever it is compressed with.
#[derive(Debug)]
pub struct Decoder<R: Read> {
    compression: Compression,
    format: Format<Input<R>>,
}

/// The stream with its first bytes put back, in pieces large enough for any decompressor.
type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, Watched<R>>>;

enum Format<R: BufRead> {
    None(R),
    Gzip(Box<flate2::bufread::MultiGzDecoder<R>>),
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<R>>),
    Xz(Box<liblzma::bufread::XzDecoder<R>>),
    Zstd(Box<zstd::Decoder<'static, R>>),
}

impl<R: BufRead> std::fmt::Debug for Format<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Format").finish_non_exhaustive()
    }
}

/// The window that `zstd --ultra` and `--long` use; more must be asked for there as well.
const ZSTD_WINDOW_BITS: u32 = 27;
/// `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 128 << 20;

impl<R: Read> Decoder<R> {
    /// Reads the first bytes of a stream to see how it is compressed.
    ///
    /// # Errors
    /// When the stream cannot be read or the decompressor not be started.
    pub fn new(mut stream: R) -> io::Result<Self> {
        const BUFFER: usize = 128 * 1024;
        let mut first = Vec::with_capacity(Compression::SNIFFED);
        (&mut stream).take(Compression::SNIFFED as u64).read_to_end(&mut first)?;
        let compression = Compression::sniff(&first);
        let watched = Watched { stream, has_failed: false };
        let input = BufReader::with_capacity(BUFFER, Cursor::new(first).chain(watched));
        let start = |source| io::Error::other(CompressionError::Start { compression, source });
        let format = match compression {
            Compression::None => Format::None(input),
            Compression::Gzip => Format::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(input))),
            Compression::Bzip2 => Format::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(input))),
            Compression::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED);
                let stream = stream.map_err(|error| start(error.into()))?;
                Format::Xz(Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream)))
            }
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(input).map_err(start)?;
                decoder.window_log_max(ZSTD_WINDOW_BITS).map_err(start)?;
                Format::Zstd(Box::new(decoder))
            }
        };
        Ok(Self { compression, format })
    }

    /// How the stream is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    fn input(&self) -> &Input<R> {
        match &self.format {
            Format::None(input) => input,
            Format::Gzip(decoder) => decoder.get_ref(),
            Format::Bzip2(decoder) => decoder.get_ref(),
            Format::Xz(decoder) => decoder.get_ref(),
            Format::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn explain(&self, source: io::Error) -> io::Error {
        let compression = self.compression;
        let is_ours = compression != Compression::None && !self.input().get_ref().get_ref().1.has_failed;
        if !is_ours || source.kind() == io::ErrorKind::Interrupted {
            return source;
        }
        let kind = source.kind();
        let error = match kind {
            io::ErrorKind::UnexpectedEof => CompressionError::Truncated { compression },
            _ => match memory_limit(compression, &source) {
                Some(limit) => CompressionError::Memory { compression, limit },
                None => CompressionError::Damaged { compression, source },
            },
        };
        let kind = if kind == io::ErrorKind::UnexpectedEof { kind } else { io::ErrorKind::InvalidData };
        io::Error::new(kind, error)
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.format {
            Format::None(input) => input.read(buffer),
            Format::Gzip(decoder) => decoder.read(buffer),
            Format::Bzip2(decoder) => decoder.read(buffer),
            Format::Xz(decoder) => decoder.read(buffer),
            Format::Zstd(decoder) => decoder.read(buffer),
        };
        read.map_err(|error| self.explain(error))
    }
}

/// The limit that a decompressor ran into, if that is its complaint.
fn memory_limit(compression: Compression, error: &io::Error) -> Option<u64> {
    match compression {
        Compression::Xz => {
            let cause = error.get_ref()?.downcast_ref::<liblzma::stream::Error>()?;
            matches!(cause, liblzma::stream::Error::MemLimit).then_some(XZ_MEMORY)
        }
        // The binding passes on nothing but the library's text for ZSTD_error_frameParameter_windowTooLarge.
        Compression::Zstd => error.to_string().contains("too much memory").then_some(1 << ZSTD_WINDOW_BITS),
        _ => None,
    }
}

/// Remembers that the stream itself failed, to tell its errors from the decompressor's.
#[derive(Debug)]
struct Watched<R> {
    stream: R,
    has_failed: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer);
        self.has_failed |= read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

#[cfg(test)]
mod tests;
