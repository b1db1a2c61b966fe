//! One inode of an index.

use crate::entry::Timestamp;
use crate::erofs::{FIRST_INODE, SLOT, layout, mode};

use super::{Index, IndexError, damaged};

/// What an index says about a file, a folder or a whiteout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inode {
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    pub(crate) mtime: Timestamp,
    pub(crate) links: u32,
    pub(crate) layout: u16,
    /// Block, device numbers or chunk format.
    pub(crate) specific: u32,
    /// Where its extended attributes begin, or what is behind them.
    pub(crate) body: u64,
    pub(crate) xattr_count: u16,
}

impl Inode {
    pub(crate) fn format(&self) -> u16 {
        self.mode & mode::FORMAT
    }

    /// As overlayfs has them: a character device with the numbers 0 and 0.
    pub(crate) fn is_whiteout(&self) -> bool {
        self.format() == mode::CHAR && self.specific == 0
    }

    /// Major and minor number (`new_decode_dev`).
    pub(crate) fn device(&self) -> (u32, u32) {
        let numbers = self.specific;
        ((numbers >> 8) & 0xfff, (numbers & 0xff) | (numbers >> 12 & 0xfff00))
    }
}

impl Index {
    /// Reads an inode.
    pub(crate) fn inode(&self, number: u64) -> Result<Inode, IndexError> {
        let offset = number.checked_mul(SLOT).filter(|offset| *offset >= FIRST_INODE);
        let offset = offset.ok_or(damaged("inode number is out of range"))?;
        let format = short(&self.read(offset, 2)?, 0);
        let is_extended = format & layout::EXTENDED != 0;
        let head = self.read(offset, if is_extended { 64 } else { 32 })?;
        let mut inode = Inode {
            mode: short(&head, 4),
            uid: 0,
            gid: 0,
            size: 0,
            mtime: Timestamp::default(),
            links: 0,
            layout: format >> 1,
            specific: long(&head, 16),
            body: offset + head.len() as u64,
            xattr_count: short(&head, 2),
        };
        if is_extended {
            inode.size = longest(&head, 8);
            inode.uid = long(&head, 24);
            inode.gid = long(&head, 28);
            inode.mtime = Timestamp { secs: longest(&head, 32).cast_signed(), nanos: long(&head, 40) };
            inode.links = long(&head, 44);
        } else {
            let time = self.read(1024 + 24, 12)?;
            inode.links = u32::from(short(&head, 6));
            inode.size = u64::from(long(&head, 8));
            inode.uid = u32::from(short(&head, 24));
            inode.gid = u32::from(short(&head, 26));
            inode.mtime = Timestamp { secs: longest(&time, 0).cast_signed(), nanos: long(&time, 8) };
        }
        Ok(inode)
    }
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from(short(bytes, at)) | u32::from(short(bytes, at + 2)) << 16
}

pub(super) fn longest(bytes: &[u8], at: usize) -> u64 {
    u64::from(long(bytes, at)) | u64::from(long(bytes, at + 4)) << 32
}
