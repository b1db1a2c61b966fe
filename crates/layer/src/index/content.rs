//! Where the content of an inode is.

use std::borrow::Cow;

use crate::erofs::{BLOCK, BLOCK_BITS, layout, xattrs};

use super::inode::{Inode, long};
use super::{Index, IndexError, damaged};

/// Where an extent's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nowhere: zeros.
    Hole,
    /// In the tar, from that byte.
    Tar(u64),
    /// In the index, from that byte.
    Index(u64),
}

/// A part of a file that is in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) source: Source,
    pub(crate) length: u64,
}

impl Index {
    /// One block of a folder or of a link's target; the last one may be shorter.
    pub(super) fn block(&self, inode: &Inode, number: u64) -> Result<Cow<'_, [u8]>, IndexError> {
        let bad = || damaged("content is out of range");
        let begin = number.checked_mul(BLOCK).filter(|begin| *begin < inode.size).ok_or_else(bad)?;
        let length = BLOCK.min(inode.size - begin);
        let inline = inode.body + xattrs::size_of_count(inode.xattr_count);
        match inode.layout {
            layout::FLAT_INLINE if length < BLOCK => self.read(inline, length),
            layout::FLAT_INLINE | layout::FLAT_PLAIN => {
                let block = u64::from(inode.specific).checked_add(number).ok_or_else(bad)?;
                self.read(block.checked_mul(BLOCK).ok_or_else(bad)?, length)
            }
            _ => Err(damaged("folder or link has an unknown layout")),
        }
    }

    /// Where a symbolic link points to.
    pub(crate) fn target(&self, inode: &Inode) -> Result<Vec<u8>, IndexError> {
        if inode.size >= crate::entry::LONGEST_PATH as u64 {
            return Err(damaged("link target is too long"));
        }
        let mut target = Vec::with_capacity(inode.size as usize);
        for number in 0..inode.size.div_ceil(BLOCK) {
            target.extend_from_slice(&self.block(inode, number)?);
        }
        Ok(target)
    }

    /// Where a regular file's bytes are, in order; extents that touch are one.
    pub(crate) fn extents(&self, inode: &Inode) -> Result<Vec<Extent>, IndexError> {
        let mut extents: Vec<Extent> = Vec::new();
        if inode.size == 0 {
            return Ok(extents);
        }
        if inode.layout == layout::FLAT_PLAIN {
            let source = self.source(inode.specific);
            self.check(source, inode.size)?;
            return Ok(vec![Extent { source, length: inode.size }]);
        }
        let format = inode.specific as u16;
        if inode.layout != layout::CHUNKED || format & !0x1f != layout::CHUNK_INDEXES {
            return Err(damaged("file has an unknown layout"));
        }
        let bits = u32::from(BLOCK_BITS) + u32::from(format & 0x1f);
        let count = ((inode.size - 1) >> bits) + 1;
        let body = inode.body + xattrs::size_of_count(inode.xattr_count);
        let length = count.checked_mul(8).ok_or(damaged("file has too many chunks"))?;
        let indexes = self.read(body.next_multiple_of(8), length)?;
        for (number, index) in indexes.chunks_exact(8).enumerate() {
            let source = self.source(long(index, 4));
            let length = (inode.size - ((number as u64) << bits)).min(1 << bits);
            self.check(source, length)?;
            let continues = match (extents.last().map(|last| (last.source, last.length)), source) {
                (Some((Source::Hole, _)), Source::Hole) => true,
                (Some((Source::Tar(at), length)), Source::Tar(next))
                | (Some((Source::Index(at), length)), Source::Index(next)) => at + length == next,
                _ => false,
            };
            match extents.last_mut() {
                Some(last) if continues => last.length += length,
                _ => extents.push(Extent { source, length }),
            }
        }
        Ok(extents)
    }

    /// What an address means: the image's blocks come first, then the tar's.
    fn source(&self, block: u32) -> Source {
        let at = u64::from(block) * BLOCK;
        match at.checked_sub(self.trailer.image_size) {
            _ if block == layout::HOLE => Source::Hole,
            Some(at) => Source::Tar(at),
            None => Source::Index(at),
        }
    }

    fn check(&self, source: Source, length: u64) -> Result<(), IndexError> {
        let fits = match source {
            Source::Hole => true,
            Source::Tar(at) => at.checked_add(length).is_some_and(|end| end <= self.tar_size()),
            Source::Index(at) => at.checked_add(length).is_some_and(|end| end <= self.trailer.image_size),
        };
        if fits { Ok(()) } else { Err(damaged("file lies behind the end of the layer")) }
    }
}
