//! Files that a step copies, wherever they come from: the context, another stage, an image, an archive, the Dockerfile.

use std::sync::Arc;

use layer::{EntryKind, Metadata, Node, Tree};
use oci::Digest;

use crate::context::Context;
use crate::path::join;
use crate::plan::Document;
use crate::stat_index::Stamp;

/// One file of a selection.
#[derive(Debug)]
pub(crate) struct SourceEntry {
    /// Path below the selected folder; empty for the folder itself, or for a selected file.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryKind,
    pub(crate) metadata: Metadata,
    /// Of a regular file's content, when it is known.
    pub(crate) digest: Option<Digest>,
    /// Set where the file may have further names in the same selection.
    pub(crate) identity: Option<(u64, u64)>,
    pub(crate) content: Content,
    /// A folder that is here only for what is below it: one that the image has keeps all but its mode.
    pub(crate) is_way: bool,
}

/// Where a regular file's bytes are.
#[derive(Debug)]
pub(crate) enum Content {
    /// It is no regular file.
    None,
    /// In the selection's context, at the selection's path and the entry's; as it was when it was looked at.
    Context(Stamp),
    /// In the layers of a stage or image, or in an archive.
    Tree { tree: Tree, node: Node },
    /// A here-document; it has no time of its own.
    Text(Vec<u8>),
}

/// What one source word of COPY or ADD stands for.
#[derive(Debug)]
pub(crate) struct Selection {
    /// Where files with [`Content::Context`] are read.
    pub(crate) context: Option<Arc<Context>>,
    /// Last component of the source's path, which a file keeps when it is copied into a folder.
    pub(crate) name: Vec<u8>,
    /// Where it is in the context, links resolved.
    pub(crate) root: Vec<u8>,
    /// It is the content of an archive, which replaces what is in its way.
    pub(crate) is_unpacked: bool,
    /// Sorted; the selected folder or file itself comes first.
    pub(crate) entries: Vec<SourceEntry>,
}

impl Selection {
    /// A here-document: a file that everybody may read (D122).
    pub(crate) fn of_document(document: &Document) -> Self {
        let text = document.text.as_bytes();
        let metadata = Metadata { mode: 0o644, ..Metadata::default() };
        let entry = SourceEntry {
            path: Vec::new(),
            kind: EntryKind::File { size: text.len() as u64 },
            metadata,
            digest: Some(Digest::of(text)),
            identity: None,
            content: Content::Text(text.to_vec()),
            is_way: false,
        };
        let name = document.name.clone().into_bytes();
        Self { context: None, name, root: Vec::new(), is_unpacked: false, entries: vec![entry] }
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.entries.first().is_some_and(|entry| entry.kind == EntryKind::Directory)
    }

    /// An entry's path in the context.
    pub(crate) fn path_of(&self, entry: &SourceEntry) -> Vec<u8> {
        join(&self.root, &entry.path)
    }
}
