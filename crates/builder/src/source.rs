//! Files that a step copies, wherever they come from: the context, another stage, an image, an archive.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use layer::{EntryKind, Metadata, Node};
use oci::Digest;

use crate::stat_index::Stamp;

/// One file of a selection.
#[derive(Debug, Clone)]
pub(crate) struct SourceEntry {
    /// Path below the selected folder; empty for the folder itself, or for a selected file.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryKind,
    pub(crate) metadata: Metadata,
    /// Of a regular file's content, when it is known.
    pub(crate) digest: Option<Digest>,
    /// Set where the file may have further names in the same selection.
    pub(crate) identity: Option<(u64, u64)>,
    /// Set for regular files of the context.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) content: Content,
}

/// Where a regular file's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// It is no regular file.
    None,
    /// In the context, at this path.
    Context(Vec<u8>),
    /// In the layers of a stage or image.
    Tree(Node),
    /// In an archive, from this offset.
    Archive { file: Arc<File>, offset: u64, size: u64 },
}

/// What one source word of COPY or ADD stands for.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    /// Last component of the source's path, which a file keeps when it is copied into a folder.
    pub(crate) name: Vec<u8>,
    /// Sorted; the selected folder or file itself comes first.
    pub(crate) entries: Vec<SourceEntry>,
}

impl Selection {
    pub(crate) fn is_folder(&self) -> bool {
        self.entries.first().is_some_and(|entry| entry.kind == EntryKind::Directory)
    }
}

/// Reads a range of a file without moving anybody's position.
#[derive(Debug)]
pub(crate) struct RangeReader {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    pub(crate) left: u64,
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = std::os::unix::fs::FileExt::read_at(&*self.file, &mut buffer[..wanted], self.offset)?;
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
