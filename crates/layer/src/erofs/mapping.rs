//! Where the bytes of a file are: chunks that point into the tar, into the index itself, or nowhere (zeros).
//!
//! A plain file is one chunk. A sparse file gets chunks of the largest power of two that fits its segments; a chunk
//! that the tar does not hold in one aligned piece is copied into the index ("spilled").

use crate::tar::Segment;

use super::{BLOCK, BLOCK_BITS};

/// Where a chunk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    /// All zeros.
    Hole,
    /// That block of the tar.
    Tar(u32),
    /// That block of the spilled content.
    Spill(u32),
}

/// How a file's bytes are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// No bytes.
    Empty,
    /// All in one piece.
    One(Address),
    /// In chunks of `512 << bits` bytes.
    Chunks { bits: u8, chunks: Vec<Address> },
}

/// Most chunks of one sparse file: 1 MiB of indexes.
const MOST_CHUNKS: u64 = 1 << 17;
/// Exponent of the largest chunk, in blocks.
const LARGEST: u8 = 31;

/// Exponent of the one chunk that holds a file, in blocks.
pub(crate) fn bits_of_one(size: u64) -> u8 {
    let bits = (u64::BITS - size.saturating_sub(1).leading_zeros()) as u8;
    bits.saturating_sub(BLOCK_BITS).min(LARGEST)
}

/// Exponent of the chunks of a sparse file: as large as the segments' boundaries allow, but so large that there are
/// not too many.
pub(crate) fn bits_of_sparse(segments: &[Segment], size: u64) -> u8 {
    let mut boundaries = size.checked_next_power_of_two().unwrap_or(1 << 63);
    for segment in segments {
        boundaries |= segment.offset;
        let end = segment.offset + segment.length;
        if end < size {
            boundaries |= end;
        }
    }
    let aligned = (boundaries.trailing_zeros() as u8).saturating_sub(BLOCK_BITS);
    let fewest = bits_of_one(size.div_ceil(MOST_CHUNKS) + 1);
    aligned.max(fewest).min(LARGEST)
}

/// Whether some chunks cannot be pointed to in the tar, so that the stored bytes are needed.
pub(crate) fn needs_content(segments: &[Segment], data: u64, size: u64) -> bool {
    let mut is_spilling = false;
    chunks(segments, data, size, bits_of_sparse(segments, size), |piece| {
        is_spilling |= matches!(piece, Piece::Mixed { .. });
    });
    is_spilling
}

/// What a chunk of a sparse file is made of.
pub(crate) enum Piece {
    Hole,
    /// One piece of the tar, at that block.
    Tar(u32),
    /// Anything else: the chunk has to be put together.
    Mixed {
        begin: u64,
        length: u64,
    },
}

/// Walks the chunks of a sparse file in order. `data` is where its stored bytes begin in the tar.
pub(crate) fn chunks(segments: &[Segment], data: u64, size: u64, bits: u8, mut found: impl FnMut(Piece)) {
    let chunk = BLOCK << bits;
    let mut segments = segments.iter().filter(|segment| segment.length > 0).peekable();
    let mut stored = data;
    let mut begin = 0;
    while begin < size {
        let end = size.min(begin.saturating_add(chunk));
        while let Some(segment) = segments.next_if(|segment| segment.offset + segment.length <= begin) {
            stored += segment.length;
        }
        found(match segments.peek() {
            Some(segment) if segment.offset < end => {
                let is_whole = segment.offset <= begin && segment.offset + segment.length >= end;
                let at = stored.wrapping_add(begin).wrapping_sub(segment.offset);
                match u32::try_from(at / BLOCK) {
                    Ok(block) if is_whole && at % BLOCK == 0 => Piece::Tar(block),
                    _ => Piece::Mixed { begin, length: end - begin },
                }
            }
            _ => Piece::Hole,
        });
        begin = end;
    }
}

/// Puts chunks of a sparse file together from its stored bytes, each filled up to whole blocks. Both the segments and
/// the chunks (begin and length) are in order, and are walked once.
pub(crate) fn assemble(segments: &[Segment], stored: &[u8], chunks: &[(u64, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut first = 0;
    let mut first_stored = 0;
    for (begin, length) in chunks {
        let start = out.len();
        out.resize(start + length.next_multiple_of(BLOCK) as usize, 0);
        let end = begin + length;
        while let Some(segment) = segments.get(first).filter(|segment| segment.offset + segment.length <= *begin) {
            first_stored += segment.length;
            first += 1;
        }
        let mut at = first_stored;
        for segment in segments[first..].iter().take_while(|segment| segment.offset < end) {
            let from = segment.offset.max(*begin);
            let to = (segment.offset + segment.length).min(end);
            let source = (at + from - segment.offset) as usize;
            let target = start + (from - begin) as usize;
            let length = to.saturating_sub(from) as usize;
            out[target..target + length].copy_from_slice(&stored[source..source + length]);
            at += segment.length;
        }
    }
    out
}

#[cfg(test)]
mod tests;
