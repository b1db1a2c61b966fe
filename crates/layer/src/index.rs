//! The index of one layer, read straight from its bytes: pages are fetched when they are first touched, nothing is
//! parsed ahead.
//!
//! The file is an EROFS image (see `erofs`) with 64 bytes of our own behind it, all numbers little-endian:
//!
//! ```text
//! 0  `onggiidx`   8 version   12 flags (1: holds something of the layers below)   16 content size   24 tar size
//! 32 number of inodes   40 length of the image   48 zeros   60 CRC-32C of the bytes before
//! ```
//!
//! Indexes are always made here. Still every number is checked: a damaged disk must not crash us.

mod content;
mod inode;
mod pages;
mod trailer;

use std::borrow::Cow;
use std::fs::File;
use std::io;

use crate::entry::Xattr;
use crate::erofs::{self, directory, xattrs};

pub(crate) use content::{Extent, Source};
pub(crate) use inode::Inode;
use pages::Pages;
pub(crate) use trailer::Trailer;

pub(crate) use trailer::{append as append_trailer, needs_base};

/// Why an index cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file could not be read.
    #[error("cannot read layer index")]
    Read {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It is not an index of ours, or was damaged.
    #[error("layer index is damaged: {reason}")]
    Damaged {
        /// What does not fit.
        reason: &'static str,
    },
}

pub(crate) fn damaged(reason: &'static str) -> IndexError {
    IndexError::Damaged { reason }
}

/// The index of one layer.
#[derive(Debug)]
pub struct Index {
    pages: Pages,
    trailer: Trailer,
}

impl Index {
    /// Opens an index file.
    ///
    /// # Errors
    /// When it cannot be read, or is not an index of ours.
    pub fn open(file: File) -> Result<Self, IndexError> {
        Self::new(Pages::open(file)?)
    }

    /// Takes an index held in memory.
    ///
    /// # Errors
    /// When it is not an index of ours.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, IndexError> {
        Self::new(Pages::memory(bytes))
    }

    fn new(pages: Pages) -> Result<Self, IndexError> {
        let trailer = Trailer::read(&pages)?;
        Ok(Self { pages, trailer })
    }

    /// Sum of the sizes of regular files, hard links once: what Docker calls the layer's size.
    pub fn content_size(&self) -> u64 {
        self.trailer.content_size
    }

    /// Length of the tar that the index points into.
    pub fn tar_size(&self) -> u64 {
        self.trailer.tar_size
    }

    /// Number of files, folders and whiteouts.
    pub fn inodes(&self) -> u64 {
        self.trailer.inodes
    }

    /// Whether the index holds something taken from the layers below (metadata of folders that the tar implies, or
    /// content that a hard link names), so that it fits only above them.
    pub fn needs_base(&self) -> bool {
        self.trailer.needs_base
    }

    /// Whether the layer says what the root folder is like; otherwise it is as in the layers below.
    pub fn lists_root(&self) -> bool {
        self.trailer.lists_root
    }

    /// Bytes of the image.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Cow<'_, [u8]>, IndexError> {
        let end = offset.checked_add(length).filter(|end| *end <= self.trailer.image_size);
        end.ok_or(damaged("points behind its own end"))?;
        self.pages.read(offset, length)
    }

    /// Finds a name in a folder.
    pub(crate) fn find(&self, folder: &Inode, name: &[u8]) -> Result<Option<u64>, IndexError> {
        let bad = || damaged("folder is malformed");
        let (mut low, mut high) = (0, folder.size.div_ceil(erofs::BLOCK));
        // The block before the first one that begins with a greater name.
        while low < high {
            let middle = low + (high - low) / 2;
            let block = self.block(folder, middle)?;
            let count = directory::count(&block).ok_or_else(bad)?;
            if directory::entry(&block, 0, count).ok_or_else(bad)?.name <= name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == 0 {
            return Ok(None);
        }
        let block = self.block(folder, low - 1)?;
        let count = directory::count(&block).ok_or_else(bad)?;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = directory::entry(&block, middle, count).ok_or_else(bad)?;
            match entry.name.cmp(name) {
                std::cmp::Ordering::Equal => return Ok(Some(entry.inode)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// Names in a folder with their inodes, sorted, without `.` and `..`.
    pub(crate) fn entries(&self, folder: &Inode) -> Result<Vec<(Vec<u8>, u64)>, IndexError> {
        let mut entries = Vec::new();
        for number in 0..folder.size.div_ceil(erofs::BLOCK) {
            let block = self.block(folder, number)?;
            let count = directory::count(&block).ok_or(damaged("folder is malformed"))?;
            for number in 0..count {
                let entry = directory::entry(&block, number, count).ok_or(damaged("folder is malformed"))?;
                if !matches!(entry.name, b"." | b"..") {
                    entries.push((entry.name.to_vec(), entry.inode));
                }
            }
        }
        Ok(entries)
    }

    /// Attributes of an inode; those made for overlayfs are left out.
    pub(crate) fn xattrs(&self, inode: &Inode) -> Result<Vec<Xattr>, IndexError> {
        let mut xattrs = self.all_xattrs(inode)?;
        xattrs.retain(|xattr| !xattrs::is_overlay(&xattr.name));
        Ok(xattrs)
    }

    /// Whether a folder hides what the layers below have in it.
    pub(crate) fn is_opaque(&self, inode: &Inode) -> Result<bool, IndexError> {
        Ok(self.all_xattrs(inode)?.iter().any(|xattr| xattr.name == xattrs::OPAQUE.0))
    }

    fn all_xattrs(&self, inode: &Inode) -> Result<Vec<Xattr>, IndexError> {
        if inode.xattr_count == 0 {
            return Ok(Vec::new());
        }
        let body = self.read(inode.body, xattrs::size_of_count(inode.xattr_count))?;
        xattrs::decode(&body).ok_or(damaged("extended attributes are malformed"))
    }
}

#[cfg(test)]
mod tests;
