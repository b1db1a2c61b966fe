//! A stack of layers as one tree of names, read from the indexes alone.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::entry::Entry;
use crate::index::{Index, IndexError};

/// One layer of a stack.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its index.
    pub index: Arc<Index>,
    /// Its tar, open for reading.
    pub tar: Arc<File>,
}

/// Why a tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A layer's index is damaged or unreadable.
    #[error("cannot read index of layer {layer}")]
    Index {
        /// Number of the layer, 0 at the bottom.
        layer: usize,
        /// What is wrong with it.
        #[source]
        source: IndexError,
    },
    /// More than 40 symbolic links on the way.
    #[error("too many symbolic links in `{path}`")]
    TooManyLinks {
        /// The path asked for.
        path: String,
    },
    /// A component before the last is not a folder.
    #[error("`{path}` is not a folder")]
    NotDirectory {
        /// The component.
        path: String,
    },
    /// What was asked for is of another type.
    #[error("`{path}` is not a regular file")]
    NotFile {
        /// The path or a description of the node.
        path: String,
    },
    /// The path is too long or has a zero byte.
    #[error("cannot look up `{path}`")]
    Path {
        /// The path asked for.
        path: String,
        /// What is wrong with it.
        #[source]
        source: crate::entry::PathError,
    },
}

/// Which file a name belongs to: two names with the same identity are hard links of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Number of the layer, 0 at the bottom.
    pub layer: u32,
    /// Number of the inode within the layer's index.
    pub inode: u64,
}

/// Something found in a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it is, topmost first; more than one only for merged folders.
    places: Vec<Identity>,
}

impl Node {
    /// Which file it is, for finding hard links.
    pub fn identity(&self) -> Identity {
        self.places[0]
    }
}

/// Where a path leads when symbolic links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The path without symbolic links, in normal form.
    pub path: Vec<u8>,
    /// What is there.
    pub node: Option<Node>,
}

/// Merged read-only view of a stack of layers, as overlayfs would show it.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    layers: Arc<[Layer]>,
}

impl Tree {
    /// Stacks layers, the bottom one first.
    pub fn new(layers: Vec<Layer>) -> Self {
        Self { layers: layers.into() }
    }

    /// What is at a path; no symbolic link is followed, neither on the way nor at its end.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn lookup(&self, _path: &[u8]) -> Result<Option<Node>, TreeError> {
        Err(self.unread())
    }

    /// Where a path leads, with symbolic links followed inside the root as `RESOLVE_IN_ROOT` does.
    ///
    /// # Errors
    /// When an index is damaged, or the path passes more than 40 links or something that is no folder.
    pub fn resolve(&self, _path: &[u8], _follow_last: bool) -> Result<Resolved, TreeError> {
        Err(self.unread())
    }

    /// Names in a folder, sorted, without `.` and `..`.
    ///
    /// # Errors
    /// When an index is damaged or the node is not a folder.
    pub fn read_dir(&self, _node: &Node) -> Result<Vec<(Vec<u8>, Node)>, TreeError> {
        Err(self.unread())
    }

    /// The node as an entry of that name; never `HardLink`, `Whiteout` or `Opaque`.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn entry(&self, _node: &Node, _path: &[u8]) -> Result<Entry, TreeError> {
        Err(self.unread())
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// When an index is damaged or the node is not a regular file.
    pub fn open(&self, _node: &Node) -> Result<FileReader, TreeError> {
        Err(self.unread())
    }

    fn unread(&self) -> TreeError {
        TreeError::Index { layer: self.layers.len(), source: IndexError::Damaged { reason: "not read yet" } }
    }
}

/// Reads a regular file of a [`Tree`].
#[derive(Debug)]
pub struct FileReader {
    size: u64,
}

impl FileReader {
    /// Length of the file.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl io::Read for FileReader {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
