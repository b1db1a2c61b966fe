//! The last 64 bytes of an index file: what is worth knowing of a layer without reading its image.

use crate::erofs::{BLOCK, FIRST_INODE, crc32c, put32, put64};
use crate::index::pages::Pages;
use crate::index::{IndexError, damaged};

const MAGIC: &[u8; 8] = b"onggiidx";
const VERSION: u32 = 1;
const NEEDS_BASE: u32 = 1;
const LISTS_ROOT: u32 = 2;
pub(super) const SIZE: usize = 64;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Trailer {
    pub(crate) content_size: u64,
    pub(crate) tar_size: u64,
    pub(crate) inodes: u64,
    pub(crate) needs_base: bool,
    /// The tar has an entry for the root; otherwise the root is the one of the layers below.
    pub(crate) lists_root: bool,
    pub(crate) image_size: u64,
}

/// Makes an index file of a sealed image.
pub(crate) fn append(image: &mut Vec<u8>, trailer: &Trailer) {
    let mut bytes = [0; SIZE];
    bytes[..8].copy_from_slice(MAGIC);
    put32(&mut bytes, 8, VERSION);
    let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
    put32(&mut bytes, 12, flag(trailer.needs_base, NEEDS_BASE) | flag(trailer.lists_root, LISTS_ROOT));
    put64(&mut bytes, 16, trailer.content_size);
    put64(&mut bytes, 24, trailer.tar_size);
    put64(&mut bytes, 32, trailer.inodes);
    put64(&mut bytes, 40, trailer.image_size);
    let checksum = crc32c(&bytes[..60]);
    put32(&mut bytes, 60, checksum);
    image.extend_from_slice(&bytes);
}

/// Whether an index file made here needs the layers below.
pub(crate) fn needs_base(index: &[u8]) -> bool {
    let flags = index.len().checked_sub(SIZE - 12).and_then(|at| index.get(at));
    flags.is_some_and(|flags| u32::from(*flags) & NEEDS_BASE != 0)
}

impl Trailer {
    pub(super) fn read(pages: &Pages) -> Result<Self, IndexError> {
        let image_size = pages.length().checked_sub(SIZE as u64).ok_or(damaged("shorter than its trailer"))?;
        let bytes = pages.read(image_size, SIZE as u64)?;
        let number = |at: usize| bytes[at..at + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let short = |at: usize| number(at) as u32;
        if &bytes[..8] != MAGIC {
            return Err(damaged("not a layer index"));
        }
        if bytes[60..] != crc32c(&bytes[..60]).to_le_bytes() {
            return Err(damaged("checksum of the trailer is wrong"));
        }
        if short(8) != VERSION {
            return Err(damaged("made by another version"));
        }
        if number(40) != image_size || image_size % BLOCK != 0 || image_size <= FIRST_INODE {
            return Err(damaged("length differs from the trailer's"));
        }
        Ok(Self {
            content_size: number(16),
            tar_size: number(24),
            inodes: number(32),
            needs_base: short(12) & NEEDS_BASE != 0,
            lists_root: short(12) & LISTS_ROOT != 0,
            image_size,
        })
    }
}
