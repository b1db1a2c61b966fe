//! Reads a regular file through its extents: from the tar, from the index, or zeros.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use crate::index::{Extent, Source};

use super::Layer;

/// Reads a regular file of a [`Tree`](super::Tree).
#[derive(Debug)]
pub struct FileReader {
    layer: Layer,
    extents: Vec<Extent>,
    /// Number of the extent at hand, and how far it is read.
    at: usize,
    within: u64,
    size: u64,
}

impl FileReader {
    pub(super) fn new(layer: Layer, extents: Vec<Extent>) -> Self {
        let size = extents.iter().map(|extent| extent.length).sum();
        Self { layer, extents, at: 0, within: 0, size }
    }

    /// Length of the file.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(extent) = self.extents.get(self.at) else { return Ok(0) };
        let left = extent.length - self.within;
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = match extent.source {
            Source::Hole => {
                buffer[..most].fill(0);
                most
            }
            Source::Tar(begin) => self.layer.tar.read_at(&mut buffer[..most], begin + self.within)?,
            Source::Index(begin) => {
                let bytes = self.layer.index.read(begin + self.within, most as u64).map_err(io::Error::other)?;
                buffer[..most].copy_from_slice(&bytes);
                most
            }
        };
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.within += read as u64;
        if self.within == extent.length {
            self.at += 1;
            self.within = 0;
        }
        Ok(read)
    }
}
