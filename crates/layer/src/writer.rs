//! Writes a layer: a deterministic tar, its digest and its index in one pass.
//!
//! Entries come in the caller's order (sorted, depth first) and each name once; this file makes bytes of them and never
//! looks at the file system that they come from.

pub(crate) mod output;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use oci::DiffId;

use crate::entry::{Entry, EntryKind, PathError, Shown, Timestamp, normalize, split};
use crate::erofs::image::Image;
use crate::erofs::inodes::{Content, Inodes};
use crate::erofs::xattrs::is_overlay;
use crate::index::append_trailer;
use crate::tar::{self, encode, padding};
use crate::tree::Tree;

pub use crate::erofs::inodes::IndexingError;
use output::{BUFFER, Output};

/// What is known of a layer once its tar is written.
#[derive(Clone, PartialEq, Eq)]
pub struct FinishedLayer {
    /// Digest of the tar.
    pub diff_id: DiffId,
    /// Length of the tar.
    pub tar_size: u64,
    /// Sum of the sizes of regular files, hard links once: what Docker calls the layer's size.
    pub content_size: u64,
    /// The bytes of the index file.
    pub index: Vec<u8>,
    /// Whether the tar puts things into folders that it does not list: above other layers, those take their metadata from
    /// below. An index that was made without these layers is right above them unless this is so.
    pub implies_folders: bool,
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
    /// A file has less content than its entry says.
    #[error("`{path}` became shorter while it was read: {found} of {announced} bytes")]
    Shorter {
        /// The entry's path.
        path: String,
        /// Bytes by the entry.
        announced: u64,
        /// Bytes that there were.
        found: u64,
    },
    /// A file has more content than its entry says.
    #[error("`{path}` became longer while it was read: more than {announced} bytes")]
    Longer {
        /// The entry's path.
        path: String,
        /// Bytes by the entry.
        announced: u64,
    },
    /// An entry's path is not in normal form.
    #[error("`{path}` cannot be the path of an entry")]
    Path {
        /// The entry's path.
        path: String,
        /// What is wrong with it, if it cannot be brought to normal form.
        #[source]
        source: Option<PathError>,
    },
    /// A name that layers use for whiteouts cannot be that of a file.
    #[error("`{path}` has a name that means a whiteout in a layer")]
    Reserved {
        /// The entry's path.
        path: String,
    },
    /// The entry does not fit into an index.
    #[error("cannot index layer")]
    Index {
        /// What does not fit.
        #[source]
        source: IndexingError,
    },
    /// The layer is longer than 2 TiB.
    #[error("layer is longer than 2 TiB")]
    TooLarge,
    /// An entry failed before, so that the tar is incomplete.
    #[error("layer is incomplete because an entry failed")]
    Incomplete,
}

/// Writes entries, in the caller's order, as a deterministic tar.
#[derive(Debug)]
pub struct LayerWriter {
    output: Output,
    buffer: Vec<u8>,
    filled: usize,
    inodes: Inodes,
    /// No entry is later.
    ceiling: Option<Timestamp>,
    scratch: Vec<u8>,
    is_incomplete: bool,
}

impl LayerWriter {
    /// Begins a layer in an empty file.
    pub fn new(tar: File) -> Self {
        Self {
            output: Output::new(tar),
            buffer: Output::buffer(),
            filled: 0,
            inodes: Inodes::new(),
            ceiling: None,
            scratch: Vec::new(),
            is_incomplete: false,
        }
    }

    /// Later times become this one (`SOURCE_DATE_EPOCH`).
    #[must_use]
    pub fn with_ceiling(self, ceiling: Option<Timestamp>) -> Self {
        Self { ceiling, ..self }
    }

    /// Adds an entry; `data` is read to its end for regular files and ignored for all others. Times are cut to whole
    /// seconds; extended attributes that overlayfs obeys are left out.
    ///
    /// # Errors
    /// When the tar cannot be written, the path is not in normal form or the content is not of the announced size.
    /// After an error the layer cannot be finished.
    pub fn append(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<(), WriteError> {
        self.add(entry, |writer, size| {
            writer.copy(entry, data, size, size)?;
            // Only an end-of-file tells that there is no more.
            loop {
                return match data.read(&mut [0]) {
                    Ok(0) => Ok(()),
                    Ok(_) => Err(WriteError::Longer { path: Shown(&entry.path).to_string(), announced: size }),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(source) => Err(WriteError::Read { path: Shown(&entry.path).to_string(), source }),
                };
            }
        })
    }

    /// Adds an entry whose content comes from a regular file, read from its current position straight into the buffer
    /// that goes to the tar: one read for a small file.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_file(&mut self, entry: &Entry, file: &File) -> Result<(), WriteError> {
        // One byte more is asked for than should be there, so that the same read shows that the file has not grown.
        self.add(entry, |writer, size| writer.copy(entry, &mut &*file, size, size + 1))
    }

    /// Ends the tar and makes its index.
    ///
    /// # Errors
    /// When the tar cannot be written, or an entry failed before.
    pub fn finish(self) -> Result<FinishedLayer, WriteError> {
        self.finish_over(None)
    }

    /// As [`finish`](Self::finish), for a layer that does not list all folders on the way to its entries: those take
    /// their metadata from the layers below.
    ///
    /// # Errors
    /// As [`finish`](Self::finish), and when the layers below cannot be read.
    pub fn finish_over(mut self, base: Option<&Tree>) -> Result<FinishedLayer, WriteError> {
        if self.is_incomplete {
            return Err(WriteError::Incomplete);
        }
        self.pad(2 * tar::BLOCK)?;
        let failed = |source| WriteError::Write { source };
        let tar_size = self.output.written() + self.filled as u64;
        let inodes = self.inodes;
        let (digest, image) = self.output.finish(self.buffer, self.filled, || inodes.build(base)).map_err(failed)?;
        let image = image.map_err(|source| WriteError::Index { source })?;
        FinishedLayer::new(DiffId(digest), tar_size, image).ok_or(WriteError::TooLarge)
    }

    fn add(
        &mut self,
        entry: &Entry,
        data: impl FnOnce(&mut Self, u64) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        check_path(entry)?;
        let was_incomplete = std::mem::replace(&mut self.is_incomplete, true);
        let stored = stored_form(entry, self.ceiling);
        let mut header = std::mem::take(&mut self.scratch);
        header.clear();
        encode::header(&stored, &mut header);
        self.push(&header)?;
        self.scratch = header;
        let offset = self.output.written() + self.filled as u64;
        if let EntryKind::File { size } = entry.kind {
            data(self, size)?;
            self.pad(padding(size) as usize)?;
        }
        let added = self.inodes.add(&stored, Content::Tar(offset), None);
        added.map_err(|source| WriteError::Index { source })?;
        self.is_incomplete = was_incomplete;
        Ok(())
    }

    /// Copies exactly `size` bytes, reading up to `most` to see whether there are more.
    fn copy(&mut self, entry: &Entry, data: &mut dyn Read, size: u64, most: u64) -> Result<(), WriteError> {
        let path = || Shown(&entry.path).to_string();
        let mut copied = 0;
        while copied < most {
            if self.filled == BUFFER {
                self.flush()?;
            }
            let room = usize::try_from(most - copied).unwrap_or(BUFFER).min(BUFFER - self.filled);
            let found = match data.read(&mut self.buffer[self.filled..self.filled + room]) {
                Ok(found) => found as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(WriteError::Read { path: path(), source }),
            };
            if copied + found > size {
                return Err(WriteError::Longer { path: path(), announced: size });
            }
            copied += found;
            self.filled += found as usize;
            // A regular file gives less than was asked for only at its end.
            if found == 0 || (most > size && copied == size && found < room as u64) {
                break;
            }
        }
        if copied < size {
            return Err(WriteError::Shorter { path: path(), announced: size, found: copied });
        }
        Ok(())
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            if self.filled == BUFFER {
                self.flush()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER - self.filled));
            self.buffer[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }

    fn pad(&mut self, length: usize) -> Result<(), WriteError> {
        const ZEROS: [u8; 2 * tar::BLOCK] = [0; 2 * tar::BLOCK];
        self.push(&ZEROS[..length])
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let buffer = std::mem::take(&mut self.buffer);
        self.buffer = self.output.write(buffer, self.filled).map_err(|source| WriteError::Write { source })?;
        self.filled = 0;
        Ok(())
    }
}

impl fmt::Debug for FinishedLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { diff_id, tar_size, content_size, index, .. } = self;
        let index = index.len();
        write!(f, "layer {diff_id}, {tar_size} bytes of tar, {content_size} of content, {index} of index")
    }
}

impl FinishedLayer {
    /// Seals an image with the tar's digest; `None` if the tar is too long to be mounted.
    pub(crate) fn new(diff_id: DiffId, tar_size: u64, image: Image) -> Option<Self> {
        let (content_size, inodes) = (image.content_size, image.inodes());
        let (needs_base, lists_root) = (image.needs_base, image.lists_root);
        let implies_folders = image.implies_folders;
        let mut index = image.seal(&diff_id.0, tar_size)?;
        let image_size = index.len() as u64;
        let trailer = crate::index::Trailer { content_size, tar_size, inodes, needs_base, lists_root, image_size };
        append_trailer(&mut index, &trailer);
        Some(Self { diff_id, tar_size, content_size, index, implies_folders })
    }

    /// Whether the index holds something taken from the layers below, so that it fits only above them (as
    /// [`Index::needs_base`](crate::Index::needs_base)).
    pub fn needs_base(&self) -> bool {
        crate::index::needs_base(&self.index)
    }
}

fn check_path(entry: &Entry) -> Result<(), WriteError> {
    let path = || Shown(&entry.path).to_string();
    let check = |name: &[u8]| match normalize(name) {
        Ok(normal) if normal == name => Ok(()),
        Ok(_) => Err(WriteError::Path { path: path(), source: None }),
        Err(source) => Err(WriteError::Path { path: path(), source: Some(source) }),
    };
    check(&entry.path)?;
    let has_marker = split(&entry.path).1.starts_with(tar::WHITEOUT);
    if has_marker || entry.path.split(|byte| *byte == b'/').any(|name| name.starts_with(tar::AUFS)) {
        return Err(WriteError::Reserved { path: path() });
    }
    if let EntryKind::HardLink { target } = &entry.kind {
        check(target)?;
    }
    Ok(())
}

/// The entry as a reader of the tar will see it.
fn stored_form(entry: &Entry, ceiling: Option<Timestamp>) -> Entry {
    let mut stored = entry.clone();
    if let Some(ceiling) = ceiling {
        stored.metadata.mtime = stored.metadata.mtime.min(ceiling);
    }
    stored.metadata.mtime.nanos = 0;
    stored.metadata.xattrs.retain(|xattr| !is_overlay(&xattr.name));
    stored.metadata.xattrs.sort_unstable();
    stored
}

#[cfg(test)]
mod tests;
