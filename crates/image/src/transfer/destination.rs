//! Where images are pushed to, as far as it is known here: somebody who takes blobs and manifests.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use oci::{Descriptor, Digest, TagOrDigest};

use super::{Document, RemoteError};

/// Content of a blob that is to be sent.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// A file from its beginning.
    File(&'a File),
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// Nothing that could be sent: the blob can only be mounted.
    Absent,
}

impl Content<'_> {
    /// Reads some bytes at an offset; 0 at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read_at(buffer, offset),
            Self::Bytes(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            Self::Absent => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// How a blob came to be where it was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// It was there.
    Existed,
    /// The registry took it from another repository of its own.
    Mounted,
    /// It was sent.
    Sent,
}

/// One repository that images are written to. Used by several threads at once.
pub trait Destination: Sync {
    /// What a tag stands for; `None` where there is no such thing.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn resolve(&self, name: &TagOrDigest) -> Result<Option<Digest>, RemoteError>;

    /// Puts a blob there, unless it is; `mount_from` is another repository of the same registry that should have it. `sent`
    /// is told how many of its bytes have been sent.
    ///
    /// # Errors
    /// When it is not taken.
    fn upload(
        &self,
        blob: &Descriptor,
        content: Content<'_>,
        mount_from: Option<&str>,
        sent: &dyn Fn(u64),
    ) -> Result<Upload, RemoteError>;

    /// Publishes a manifest whose blobs are there.
    ///
    /// # Errors
    /// When it is not taken, as when a blob is missing.
    fn put_manifest(&self, name: &TagOrDigest, document: &Document) -> Result<(), RemoteError>;
}
