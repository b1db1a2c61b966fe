//! The index of one layer: a small EROFS image, read straight from its bytes.

use std::fs::File;

/// Why an index cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file could not be read.
    #[error("cannot read layer index")]
    Read {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// It is not an index of ours, or was damaged.
    #[error("layer index is damaged: {reason}")]
    Damaged {
        /// What does not fit.
        reason: &'static str,
    },
}

/// The parsed index of one layer.
#[derive(Debug)]
pub struct Index {
    bytes: Vec<u8>,
}

impl Index {
    /// Opens an index file.
    ///
    /// # Errors
    /// When it cannot be read, or is not an index of ours.
    pub fn open(mut file: File) -> Result<Self, IndexError> {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).map_err(|source| IndexError::Read { source })?;
        Self::from_bytes(bytes)
    }

    /// Takes an index held in memory.
    ///
    /// # Errors
    /// When it is not an index of ours.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, IndexError> {
        if bytes.len() < 64 {
            return Err(IndexError::Damaged { reason: "no trailer" });
        }
        Ok(Self { bytes })
    }

    /// Sum of the sizes of regular files, hard links once: what Docker calls the layer's size.
    pub fn content_size(&self) -> u64 {
        self.number(8)
    }

    /// Length of the tar that the index points into.
    pub fn tar_size(&self) -> u64 {
        self.number(16)
    }

    /// Whether the index holds something taken from the layers below, so that it fits only above them.
    pub fn needs_base(&self) -> bool {
        self.number(24) & 1 != 0
    }

    fn number(&self, at: usize) -> u64 {
        let start = self.bytes.len() - 64 + at;
        self.bytes[start..start + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}
