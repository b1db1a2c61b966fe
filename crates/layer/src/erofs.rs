//! The part of the EROFS on-disk format that an index uses (Linux, fs/erofs/erofs_fs.h).
//!
//! ```text
//! 0      zeros, for boot sectors
//! 1024   superblock, 128 bytes; one slot of the device table behind it (the tar, device 1)
//! 1536   inodes, each followed by its extended attributes and its chunk indexes or inline data
//! …      blocks of large folders, long link targets and content that cannot be pointed to in the tar
//! end    64 bytes of our own (see `index`)
//! ```
//!
//! Blocks have 512 bytes, so that any member of a tar begins at one. An inode's number is its offset divided by 32.
//! The tar's blocks have addresses behind those of the image ("unified addresses", Linux 5.16 and later), so that the
//! inode of a plain file holds the address of its data itself and needs no chunk index: 64 bytes instead of 96.

mod descent;
pub(crate) mod directory;
pub(crate) mod image;
pub(crate) mod inodes;
pub(crate) mod mapping;
pub(crate) mod xattrs;

use oci::Digest;

/// Size of a block, as in tar.
pub(crate) const BLOCK: u64 = 512;
/// Its exponent.
pub(crate) const BLOCK_BITS: u8 = 9;
/// Unit of inode numbers.
pub(crate) const SLOT: u64 = 32;
/// Where the superblock begins.
const SUPERBLOCK: usize = 1024;
/// Where the first inode begins: the root folder.
pub(crate) const FIRST_INODE: u64 = 1536;
/// Number of the root folder's inode.
pub(crate) const ROOT: u64 = FIRST_INODE / SLOT;

const MAGIC: u32 = 0xE0F5_E1E2;
const COMPAT_CHECKSUM: u32 = 1;
const COMPAT_MTIME: u32 = 2;
const INCOMPAT_CHUNKED: u32 = 4;
const INCOMPAT_DEVICES: u32 = 8;

/// Type bits of a mode (inode(7)).
pub(crate) mod mode {
    pub(crate) const FORMAT: u16 = 0o170_000;
    pub(crate) const FIFO: u16 = 0o010_000;
    pub(crate) const CHAR: u16 = 0o020_000;
    pub(crate) const DIRECTORY: u16 = 0o040_000;
    pub(crate) const BLOCK: u16 = 0o060_000;
    pub(crate) const FILE: u16 = 0o100_000;
    pub(crate) const SYMLINK: u16 = 0o120_000;
}

/// How an inode's data is found: bits 1 to 3 of `i_format`; bit 0 says that the inode has 64 bytes.
pub(crate) mod layout {
    pub(crate) const FLAT_PLAIN: u16 = 0;
    pub(crate) const FLAT_INLINE: u16 = 2;
    pub(crate) const CHUNKED: u16 = 4;
    pub(crate) const EXTENDED: u16 = 1;
    /// Flag of a chunk format: indexes of 8 bytes that name a device.
    pub(crate) const CHUNK_INDEXES: u16 = 0x20;
    /// Address of a chunk that is all zeros.
    pub(crate) const HOLE: u32 = u32::MAX;
}

/// What the superblock says about the image.
pub(crate) struct Superblock<'a> {
    /// Length of the image in blocks.
    pub(crate) blocks: u32,
    /// Length of the tar in blocks.
    pub(crate) tar_blocks: u32,
    pub(crate) inodes: u64,
    /// Time of all inodes of the short form.
    pub(crate) time: crate::Timestamp,
    pub(crate) digest: &'a Digest,
}

impl Superblock<'_> {
    /// Fills the image's third block.
    pub(crate) fn write(&self, image: &mut [u8]) {
        let block = &mut image[SUPERBLOCK..SUPERBLOCK + BLOCK as usize];
        put32(block, 0, MAGIC);
        put32(block, 8, COMPAT_CHECKSUM | COMPAT_MTIME);
        block[12] = BLOCK_BITS;
        put16(block, 14, ROOT as u16);
        put64(block, 16, self.inodes);
        put64(block, 24, self.time.secs.cast_unsigned());
        put32(block, 32, self.time.nanos);
        put32(block, 36, self.blocks);
        block[48..64].copy_from_slice(&self.digest.as_bytes()[..16]);
        put32(block, 80, INCOMPAT_CHUNKED | INCOMPAT_DEVICES);
        put16(block, 86, 1);
        // The slot of device 1, in units of its own size of 128 bytes; its tag is the tar's digest.
        put16(block, 88, (SUPERBLOCK / 128 + 1) as u16);
        block[128..192].copy_from_slice(self.digest.hex().as_bytes());
        put32(block, 192, self.tar_blocks);
        put32(block, 196, self.blocks);
        let checksum = crc32c(block);
        put32(block, 4, checksum);
    }
}

pub(crate) fn put16(bytes: &mut [u8], at: usize, number: u16) {
    bytes[at..at + 2].copy_from_slice(&number.to_le_bytes());
}

pub(crate) fn put32(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

pub(crate) fn put64(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// CRC-32C as the kernel computes it here: begun with all ones, not inverted at the end. Only for short inputs.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 })
    })
}

#[cfg(test)]
mod tests;
