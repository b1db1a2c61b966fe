//! The content of folders: blocks of sorted entries, each block with its entries first and their names behind them.

use super::{BLOCK, mode, put16, put64};

/// Size of an entry without its name.
pub(crate) const ENTRY: usize = 12;

/// Adds up the size of a folder whose entries come in sorted order.
#[derive(Debug, Default)]
pub(crate) struct Size {
    full: u64,
    used: u64,
}

impl Size {
    /// Adds an entry.
    pub(crate) fn add(&mut self, name: &[u8]) {
        let wanted = (ENTRY + name.len()) as u64;
        if self.used + wanted > BLOCK {
            self.full += 1;
            self.used = 0;
        }
        self.used += wanted;
    }

    /// Length of the folder's content.
    pub(crate) fn total(&self) -> u64 {
        self.full * BLOCK + self.used
    }
}

/// Writes a folder's content; the last block is not filled up.
#[derive(Debug, Default)]
pub(crate) struct Writer<'a> {
    out: Vec<u8>,
    pending: Vec<(&'a [u8], u64, u8)>,
    used: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn add(&mut self, name: &'a [u8], inode: u64, file_type: u8) {
        if self.used + ENTRY + name.len() > BLOCK as usize {
            self.flush();
            self.out.resize(self.out.len().next_multiple_of(BLOCK as usize), 0);
        }
        self.used += ENTRY + name.len();
        self.pending.push((name, inode, file_type));
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.out
    }

    fn flush(&mut self) {
        let mut name_offset = self.pending.len() * ENTRY;
        for (name, inode, file_type) in &self.pending {
            let mut entry = [0; ENTRY];
            put64(&mut entry, 0, *inode);
            put16(&mut entry, 8, name_offset as u16);
            entry[10] = *file_type;
            self.out.extend_from_slice(&entry);
            name_offset += name.len();
        }
        for (name, ..) in self.pending.drain(..) {
            self.out.extend_from_slice(name);
        }
        self.used = 0;
    }
}

/// The type of an entry by the mode of its inode (`EROFS_FT_…`).
pub(crate) fn file_type(mode: u16) -> u8 {
    match mode & mode::FORMAT {
        mode::FILE => 1,
        mode::DIRECTORY => 2,
        mode::CHAR => 3,
        mode::BLOCK => 4,
        mode::FIFO => 5,
        _ => 7,
    }
}

/// One entry of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) inode: u64,
}

/// Number of entries in a block; `None` if it is damaged.
pub(crate) fn count(block: &[u8]) -> Option<usize> {
    let first = usize::from(u16::from_le_bytes([*block.get(8)?, *block.get(9)?]));
    (first >= ENTRY && first <= block.len() && first % ENTRY == 0).then_some(first / ENTRY)
}

/// Entry of that number in a block with so many entries.
pub(crate) fn entry(block: &[u8], number: usize, count: usize) -> Option<Found<'_>> {
    let head = block.get(number * ENTRY..(number + 1) * ENTRY)?;
    let start = usize::from(u16::from_le_bytes([head[8], head[9]]));
    let name = if number + 1 < count {
        let next = (number + 1) * ENTRY + 8;
        block.get(start..usize::from(u16::from_le_bytes([*block.get(next)?, *block.get(next + 1)?])))?
    } else {
        let rest = block.get(start..)?;
        &rest[..rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len())]
    };
    let inode = u64::from_le_bytes(head[..8].try_into().ok()?);
    Some(Found { name, inode })
}
