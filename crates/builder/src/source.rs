//! Files that a step copies, wherever they come from: the context, another stage, an image, an archive.

use layer::{EntryKind, Metadata, Node, Tree};
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
    /// In the layers of a stage or image, or in an archive.
    Tree { tree: Tree, node: Node },
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
