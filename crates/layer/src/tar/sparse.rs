//! Maps of sparse files: which parts of a file have data in the tar. The rest is zeros.

use super::BLOCK;
use super::header::number;
use super::pax::decimal;

/// A part of a sparse file that has data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// How long it is.
    pub(crate) length: u64,
}

/// Most segments that one file may have.
pub(super) const MOST_SEGMENTS: usize = 1 << 17;

/// Checks that segments are in order, do not overlap, lie inside the file and account for all stored bytes.
pub(super) fn check(segments: &[Segment], size: u64, stored: u64) -> Result<(), &'static str> {
    let mut end = 0u64;
    let mut sum = 0u64;
    for segment in segments {
        if segment.offset < end {
            return Err("segments overlap or are out of order");
        }
        end = segment.offset.checked_add(segment.length).ok_or("segment is longer than a file can be")?;
        sum = sum.checked_add(segment.length).ok_or("segments are longer than a file can be")?;
    }
    if end > size {
        return Err("segment lies behind the end of the file");
    }
    if sum != stored {
        return Err("segments and stored bytes differ in length");
    }
    Ok(())
}

/// Reads descriptors of 12 + 12 bytes, up to the first empty one, behind those that are known.
pub(super) fn gnu_segments(descriptors: &[u8], segments: &mut Option<Vec<Segment>>) -> Option<usize> {
    let segments = segments.get_or_insert_default();
    let mut count = 0;
    for descriptor in descriptors.chunks_exact(24) {
        if descriptor[0] == 0 {
            break;
        }
        let offset = u64::try_from(number(&descriptor[..12])?).ok()?;
        let length = u64::try_from(number(&descriptor[12..])?).ok()?;
        segments.push(Segment { offset, length });
        count += 1;
    }
    (segments.len() <= MOST_SEGMENTS).then_some(count)
}

/// Reads a block that continues a map: 21 descriptors, and whether one more block follows.
pub(super) fn gnu_continuation(block: &[u8; BLOCK], segments: &mut Option<Vec<Segment>>) -> Option<(usize, bool)> {
    let count = gnu_segments(&block[..504], segments)?;
    Some((count, block[504] != 0))
}

/// Reads the map of a PAX 1.0 sparse file: decimal numbers, one a line, first their count in pairs.
#[derive(Debug, Default)]
pub(super) struct MapReader {
    digits: Vec<u8>,
    count: Option<u64>,
    offset: Option<u64>,
    segments: Vec<Segment>,
}

impl MapReader {
    /// Takes the next block; the map when it is complete.
    pub(super) fn read(&mut self, block: &[u8; BLOCK]) -> Result<Option<Vec<Segment>>, &'static str> {
        for byte in block {
            if *byte != b'\n' {
                self.digits.push(*byte);
                if self.digits.len() > 20 {
                    return Err("map has a number of more than 20 digits");
                }
                continue;
            }
            let number = decimal(&self.digits).ok_or("map has a line that is no number")?;
            self.digits.clear();
            match (self.count, self.offset.take()) {
                (None, _) if number > MOST_SEGMENTS as u64 => return Err("too many segments"),
                (None, _) => self.count = Some(number),
                (Some(_), None) => self.offset = Some(number),
                (Some(_), Some(offset)) => self.segments.push(Segment { offset, length: number }),
            }
            if self.offset.is_none() && self.count == Some(self.segments.len() as u64) {
                return Ok(Some(std::mem::take(&mut self.segments)));
            }
        }
        Ok(None)
    }
}
