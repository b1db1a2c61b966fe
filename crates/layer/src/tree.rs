//! A stack of layers as one tree of names, as overlayfs would show it, read from the indexes alone.
//!
//! No mount and no privilege is needed, and no path is ever resolved on the host. A look-up costs a binary search in
//! each layer for each component; nothing is parsed ahead and nothing is cached but the pages of the indexes.

mod reader;
mod resolve;
mod walk;

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fs::File;
use std::sync::Arc;

use crate::entry::{Entry, EntryKind, Metadata, PathError, Shown, normalize};
use crate::erofs::{ROOT, mode};
use crate::index::{Index, IndexError, Inode};

pub use reader::FileReader;
pub use resolve::Resolved;
pub use walk::{Visit, Walk};

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
        layer: u32,
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
    /// Something on the way is not a folder.
    #[error("`{path}` is not a folder")]
    NotDirectory {
        /// What is no folder.
        path: String,
    },
    /// Content was asked of something that has none.
    #[error("inode {inode} of layer {layer} is not a {wanted}")]
    Type {
        /// Number of the layer, 0 at the bottom.
        layer: u32,
        /// Number of the inode.
        inode: u64,
        /// What it should be.
        wanted: &'static str,
    },
    /// The path is too long, has a zero byte or a `..` where none may be.
    #[error("cannot look up `{path}`")]
    Path {
        /// The path asked for.
        path: String,
        /// What is wrong with it.
        #[source]
        source: PathError,
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

/// Type of a [`Node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeType {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device or a named pipe.
    Special,
}

/// Something found in a [`Tree`]; of use only with the tree that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    top: Identity,
    node_type: NodeType,
    /// Folders of lower layers that are merged into this one, topmost first.
    below: Vec<Identity>,
}

impl Node {
    /// Which file it is, for finding hard links.
    pub fn identity(&self) -> Identity {
        self.top
    }

    /// What it is.
    pub fn node_type(&self) -> NodeType {
        self.node_type
    }

    /// Whether it is a folder.
    pub fn is_directory(&self) -> bool {
        self.node_type == NodeType::Directory
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.node_type == NodeType::File
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.node_type == NodeType::Symlink
    }
}

/// What one layer has at a name.
enum Part {
    Whiteout,
    /// A folder, and whether what is below is hidden.
    Directory {
        is_opaque: bool,
    },
    Other(NodeType),
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

    /// The layers, the bottom one first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The root folder; `None` if there are no layers.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn root(&self) -> Result<Option<Node>, TreeError> {
        self.merge(self.layers.iter().enumerate().rev().map(|(number, _)| Ok((number as u32, Some(ROOT)))))
    }

    /// What is at a path; no symbolic link is followed, neither on the way nor at its end.
    ///
    /// # Errors
    /// When an index is damaged, or the path has a `..` component.
    pub fn lookup(&self, path: &[u8]) -> Result<Option<Node>, TreeError> {
        let path = normalize(path).map_err(|source| TreeError::Path { path: Shown(path).to_string(), source })?;
        let mut node = self.root()?;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            node = match node {
                Some(folder) if folder.is_directory() => self.child(&folder, name)?,
                _ => return Ok(None),
            };
        }
        Ok(node)
    }

    /// What has that name in a folder; `None` also if the node is not a folder.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn child(&self, folder: &Node, name: &[u8]) -> Result<Option<Node>, TreeError> {
        if !folder.is_directory() {
            return Ok(None);
        }
        self.merge(std::iter::once(&folder.top).chain(&folder.below).map(|place| {
            let index = self.index(*place)?;
            let inode = index.inode(place.inode).map_err(at(*place))?;
            Ok((place.layer, index.find(&inode, name).map_err(at(*place))?))
        }))
    }

    /// Names in a folder, sorted, without `.` and `..`.
    ///
    /// # Errors
    /// When an index is damaged or the node is not a folder.
    pub fn read_dir(&self, folder: &Node) -> Result<Vec<(Vec<u8>, Node)>, TreeError> {
        if !folder.is_directory() {
            return Err(wrong_type(folder.top, "folder"));
        }
        // `None` says that the name is hidden; `true` that layers further below may still add to a folder.
        let mut names: BTreeMap<Vec<u8>, (Option<Node>, bool)> = BTreeMap::new();
        for place in std::iter::once(&folder.top).chain(&folder.below) {
            let index = self.index(*place)?;
            let inode = index.inode(place.inode).map_err(at(*place))?;
            for (name, inode) in index.entries(&inode).map_err(at(*place))? {
                let slot = names.entry(name);
                if matches!(&slot, btree_map::Entry::Occupied(known) if !known.get().1) {
                    continue;
                }
                let (node, is_open) = slot.or_insert((None, true));
                *is_open = self.add(node, Identity { layer: place.layer, inode })?;
            }
        }
        Ok(names.into_iter().filter_map(|(name, (node, _))| Some((name, node?))).collect())
    }

    /// The node as an entry of that name; never `HardLink`, `Whiteout` or `Opaque`.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn entry(&self, node: &Node, path: &[u8]) -> Result<Entry, TreeError> {
        let place = self.described_by(node)?;
        let index = self.index(place)?;
        let inode = index.inode(place.inode).map_err(at(place))?;
        let kind = kind(index, &inode).map_err(at(place))?;
        let metadata = Metadata {
            mode: u32::from(inode.mode) & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            mtime: inode.mtime,
            xattrs: index.xattrs(&inode).map_err(at(place))?,
        };
        Ok(Entry { path: path.to_vec(), kind, metadata })
    }

    /// Where a node's metadata is: of the root, in the topmost layer that lists it, since most do not.
    fn described_by(&self, node: &Node) -> Result<Identity, TreeError> {
        if node.top.inode == ROOT {
            for place in std::iter::once(&node.top).chain(&node.below) {
                if self.index(*place)?.lists_root() {
                    return Ok(*place);
                }
            }
        }
        Ok(node.top)
    }

    /// How many names the node has in its layer.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn links(&self, node: &Node) -> Result<u32, TreeError> {
        Ok(self.index(node.top)?.inode(node.top.inode).map_err(at(node.top))?.links)
    }

    /// Where a symbolic link points to.
    ///
    /// # Errors
    /// When an index is damaged or the node is not a symbolic link.
    pub fn read_link(&self, node: &Node) -> Result<Vec<u8>, TreeError> {
        if !node.is_symlink() {
            return Err(wrong_type(node.top, "symbolic link"));
        }
        let index = self.index(node.top)?;
        let inode = index.inode(node.top.inode).map_err(at(node.top))?;
        index.target(&inode).map_err(at(node.top))
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// When an index is damaged or the node is not a regular file.
    pub fn open(&self, node: &Node) -> Result<FileReader, TreeError> {
        if !node.is_file() {
            return Err(wrong_type(node.top, "regular file"));
        }
        let index = self.index(node.top)?;
        let inode = index.inode(node.top.inode).map_err(at(node.top))?;
        let extents = index.extents(&inode).map_err(at(node.top))?;
        Ok(FileReader::new(self.layers[node.top.layer as usize].clone(), extents))
    }

    /// Merges what the layers have at one name, topmost first.
    fn merge(
        &self,
        found: impl Iterator<Item = Result<(u32, Option<u64>), TreeError>>,
    ) -> Result<Option<Node>, TreeError> {
        let mut node = None;
        for place in found {
            let (layer, Some(inode)) = place? else { continue };
            if !self.add(&mut node, Identity { layer, inode })? {
                break;
            }
        }
        Ok(node)
    }

    /// Adds what a layer has below what is known; whether layers further below still count.
    fn add(&self, node: &mut Option<Node>, place: Identity) -> Result<bool, TreeError> {
        Ok(match (node, self.part(place)?) {
            (node @ None, Part::Directory { is_opaque }) => {
                *node = Some(Node { top: place, node_type: NodeType::Directory, below: Vec::new() });
                !is_opaque
            }
            (Some(node), Part::Directory { is_opaque }) => {
                node.below.push(place);
                !is_opaque
            }
            (node @ None, Part::Other(node_type)) => {
                *node = Some(Node { top: place, node_type, below: Vec::new() });
                false
            }
            (_, Part::Whiteout) | (Some(_), Part::Other(_)) => false,
        })
    }

    fn part(&self, place: Identity) -> Result<Part, TreeError> {
        let index = self.index(place)?;
        let inode = index.inode(place.inode).map_err(at(place))?;
        Ok(match inode.format() {
            mode::DIRECTORY => Part::Directory { is_opaque: index.is_opaque(&inode).map_err(at(place))? },
            mode::FILE => Part::Other(NodeType::File),
            mode::SYMLINK => Part::Other(NodeType::Symlink),
            _ if inode.is_whiteout() => Part::Whiteout,
            _ => Part::Other(NodeType::Special),
        })
    }

    fn index(&self, place: Identity) -> Result<&Index, TreeError> {
        let layer = self.layers.get(place.layer as usize);
        let missing = || wrong_type(place, "node of this tree");
        layer.map(|layer| &*layer.index).ok_or_else(missing)
    }
}

fn kind(index: &Index, inode: &Inode) -> Result<EntryKind, IndexError> {
    let (major, minor) = inode.device();
    Ok(match inode.format() {
        mode::DIRECTORY => EntryKind::Directory,
        mode::FILE => EntryKind::File { size: inode.size },
        mode::SYMLINK => EntryKind::Symlink { target: index.target(inode)? },
        mode::CHAR => EntryKind::CharDevice { major, minor },
        mode::BLOCK => EntryKind::BlockDevice { major, minor },
        mode::FIFO => EntryKind::Fifo,
        _ => return Err(crate::index::damaged("inode has an unknown type")),
    })
}

fn at(place: Identity) -> impl FnOnce(IndexError) -> TreeError {
    move |source| TreeError::Index { layer: place.layer, source }
}

fn wrong_type(place: Identity, wanted: &'static str) -> TreeError {
    TreeError::Type { layer: place.layer, inode: place.inode, wanted }
}

#[cfg(test)]
pub(crate) mod tests;
