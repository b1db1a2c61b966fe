//! The tree of a layer under construction: entries go in, in the order of the tar.
//!
//! As when a tar is unpacked, the last entry of a name wins: a folder over a folder keeps what is in it, anything else
//! replaces. A name below a symbolic link goes where the link leads, inside the layer. Whiteouts concern the layers below only, whatever their place in the tar (image-spec, layer.md).

use std::collections::{BTreeMap, HashMap};

use crate::entry::{Entry, EntryKind, Metadata, Shown, Timestamp, split};
use crate::tree::{Node, Tree, TreeError};

use super::descent::Descent;
use super::image::{self, Image};
use super::mapping::{Address, Mapping};
use super::xattrs::{self, XattrError};
use super::{BLOCK, mode};

/// Most bytes that an index copies from elsewhere, for sparse files and for links to layers below.
const MOST_SPILLED: u64 = 256 << 20;

/// Most inodes of one layer: half a gigabyte of memory.
const MOST_INODES: usize = 1 << 22;
/// Most chunks of all sparse files of a layer: 32 MiB of indexes.
const MOST_CHUNKS: u64 = 1 << 22;

/// Why entries cannot be put into an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexingError {
    /// A hard link to something that neither this layer nor those below have.
    #[error("target `{target}` of hard link `{path}` does not exist")]
    LinkTarget {
        /// The link.
        path: String,
        /// What it points to.
        target: String,
    },
    /// A hard link to a folder.
    #[error("target `{target}` of hard link `{path}` is a folder")]
    LinkToDirectory {
        /// The link.
        path: String,
        /// What it points to.
        target: String,
    },
    /// The root is not a folder.
    #[error("the root of a layer must be a folder")]
    Root,
    /// The extended attributes do not fit.
    #[error("cannot keep extended attributes of `{path}`")]
    Xattrs {
        /// The entry.
        path: String,
        /// What does not fit.
        #[source]
        source: XattrError,
    },
    /// A number or length is beyond what the kernel can mount.
    #[error("`{path}` has a {what} beyond what can be mounted")]
    Range {
        /// The entry.
        path: String,
        /// What is too large.
        what: &'static str,
    },
    /// Too much content would have to be copied into the index.
    #[error("`{path}` would copy more than 256 MiB into the layer's index")]
    Spill {
        /// The entry.
        path: String,
    },
    /// The layer has more files than are kept in memory.
    #[error("`{path}` is one too many: a layer may have 4194304 files and folders")]
    TooMany {
        /// The entry.
        path: String,
    },
    /// Symbolic links on the way to a folder lead in circles.
    #[error("too many symbolic links on the way to `{path}`")]
    TooManyLinks {
        /// The folder.
        path: String,
    },
    /// A layer below cannot be read.
    #[error("cannot look up `{path}` in the layers below")]
    Base {
        /// What was looked up.
        path: String,
        /// What is wrong.
        #[source]
        source: TreeError,
    },
    /// A file of a layer below cannot be read.
    #[error("cannot read `{path}` in the layers below")]
    BaseContent {
        /// The file.
        path: String,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// Where a regular file's bytes are.
#[derive(Debug)]
pub(crate) enum Content {
    /// In the tar, from that byte.
    Tar(u64),
    /// As worked out before.
    Mapped(Mapping),
}

pub(super) type Id = u32;

/// What a folder's entry points to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Indexed {
    Child(Id),
    Own,
    Parent,
}

pub(super) const ROOT: Id = 0;

#[derive(Debug)]
pub(super) struct Inode {
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Timestamp,
    /// Encoded entries.
    pub(super) xattrs: Vec<u8>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Directory(Directory),
    File {
        size: u64,
        mapping: Mapping,
    },
    Symlink(Vec<u8>),
    /// Numbers in the kernel's encoding.
    Device(u32),
    Fifo,
    Whiteout,
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) children: BTreeMap<Box<[u8]>, Id>,
    pub(super) is_opaque: bool,
    /// Has its own entry in the tar.
    is_listed: bool,
}

/// The tree under construction.
#[derive(Debug)]
pub(crate) struct Inodes {
    pub(super) all: Vec<Inode>,
    /// Content that is copied into the index, in whole blocks.
    pub(super) spilled: Vec<u8>,
    pub(super) needs_base: bool,
    /// There are folders that the tar does not list, besides the root.
    pub(super) implies_folders: bool,
    /// Chunks of sparse files so far.
    chunks: u64,
    /// The folder of the entry before: most often also of the next.
    recent: (Vec<u8>, Id),
    /// Inodes of layers below that have names here.
    adopted: HashMap<crate::tree::Identity, Id>,
}

impl Inodes {
    pub(crate) fn new() -> Self {
        Self {
            all: vec![Inode::implied()],
            spilled: Vec::new(),
            needs_base: false,
            implies_folders: false,
            chunks: 0,
            recent: (Vec::new(), ROOT),
            adopted: HashMap::new(),
        }
    }

    /// Adds an entry. Only the content of regular files is looked at.
    pub(crate) fn add(&mut self, entry: &Entry, content: Content, base: Option<&Tree>) -> Result<(), IndexingError> {
        let path = &entry.path[..];
        if self.all.len() + path.len() / 2 + 1 > MOST_INODES {
            return Err(IndexingError::TooMany { path: Shown(path).to_string() });
        }
        match &entry.kind {
            EntryKind::Opaque => {
                let id = self.directory(path)?;
                if let Kind::Directory(directory) = &mut self.all[id as usize].kind {
                    directory.is_opaque = true;
                }
                return Ok(());
            }
            EntryKind::Directory if path.is_empty() => return self.list(ROOT, entry),
            EntryKind::Whiteout if path.is_empty() => return Err(IndexingError::Root),
            _ if path.is_empty() => return Err(IndexingError::Root),
            _ => {}
        }
        let (folder, name) = split(path);
        if let EntryKind::HardLink { target } = &entry.kind {
            let id = self.link(path, target, base)?;
            let parent = self.directory(folder)?;
            self.put(parent, name, id);
            return Ok(());
        }
        let parent = self.directory(folder)?;
        let old = self.child(parent, name);
        match &entry.kind {
            EntryKind::Directory => {
                let id = match old.map(|id| (id, &self.all[id as usize].kind)) {
                    Some((id, Kind::Directory(_))) => id,
                    other => {
                        let hides = other.is_some();
                        self.attach(parent, name, hides)
                    }
                };
                self.list(id, entry)
            }
            EntryKind::Whiteout => match old.map(|id| &mut self.all[id as usize].kind) {
                Some(Kind::Directory(directory)) => {
                    directory.is_opaque = true;
                    Ok(())
                }
                Some(_) => Ok(()),
                None => {
                    let id = self.push(Inode::new(mode::CHAR, &Metadata::default(), Kind::Whiteout, path)?);
                    self.put(parent, name, id);
                    Ok(())
                }
            },
            _ => {
                let (format, kind) = self.leaf(entry, content)?;
                let id = self.push(Inode::new(format, &entry.metadata, kind, path)?);
                self.put(parent, name, id);
                Ok(())
            }
        }
    }

    /// Copies content into the index; the first of its blocks.
    pub(crate) fn spill(&mut self, bytes: &[u8], path: &[u8]) -> Result<u32, IndexingError> {
        let first = self.spilled.len() as u64 / BLOCK;
        if (self.spilled.len() + bytes.len()) as u64 > MOST_SPILLED {
            return Err(IndexingError::Spill { path: Shown(path).to_string() });
        }
        self.spilled.extend_from_slice(bytes);
        self.spilled.resize(self.spilled.len().next_multiple_of(BLOCK as usize), 0);
        Ok(first as u32)
    }

    /// Takes so many chunks out of what a layer may have: a few bytes of tar can ask for a large map.
    pub(crate) fn reserve_chunks(&mut self, count: u64, path: &[u8]) -> Result<(), IndexingError> {
        self.chunks = self.chunks.saturating_add(count);
        if self.chunks > MOST_CHUNKS {
            return Err(IndexingError::Range { path: Shown(path).to_string(), what: "number of sparse chunks" });
        }
        Ok(())
    }

    /// Whether so much content can still be copied.
    pub(crate) fn can_spill(&self, size: u64) -> bool {
        size <= MOST_SPILLED - self.spilled.len() as u64
    }

    /// Gives folders that the tar implies but does not list the metadata that they have below, and lays the image out.
    pub(crate) fn build(mut self, base: Option<&Tree>) -> Result<Image, IndexingError> {
        let implied = self.implied_folders();
        self.implies_folders = !implied.is_empty();
        if let Some(base) = base {
            self.inherit(implied, base)?;
        }
        image::build(&self)
    }

    fn leaf(&mut self, entry: &Entry, content: Content) -> Result<(u16, Kind), IndexingError> {
        let range = |what| IndexingError::Range { path: Shown(&entry.path).to_string(), what };
        Ok(match &entry.kind {
            EntryKind::File { size } => {
                let mapping = match content {
                    _ if *size == 0 => Mapping::Empty,
                    Content::Mapped(mapping) => mapping,
                    Content::Tar(offset) => {
                        let block = u32::try_from(offset / BLOCK).map_err(|_| range("place in the tar"))?;
                        // No tar that can be mounted is longer; to be told so now saves reading it.
                        if *size > u64::from(u32::MAX) * BLOCK {
                            return Err(range("size"));
                        }
                        Mapping::One(Address::Tar(block))
                    }
                };
                (mode::FILE, Kind::File { size: *size, mapping })
            }
            EntryKind::Symlink { target } if target.is_empty() || target.len() >= 4096 => return Err(range("target")),
            EntryKind::Symlink { target } => (mode::SYMLINK, Kind::Symlink(target.clone())),
            EntryKind::CharDevice { major, minor } => {
                (mode::CHAR, Kind::Device(device(*major, *minor).ok_or_else(|| range("device number"))?))
            }
            EntryKind::BlockDevice { major, minor } => {
                (mode::BLOCK, Kind::Device(device(*major, *minor).ok_or_else(|| range("device number"))?))
            }
            _ => (mode::FIFO, Kind::Fifo),
        })
    }

    /// Gives a folder the metadata of its entry.
    fn list(&mut self, id: Id, entry: &Entry) -> Result<(), IndexingError> {
        let new = Inode::new(mode::DIRECTORY, &entry.metadata, Kind::Fifo, &entry.path)?;
        let inode = &mut self.all[id as usize];
        if let Kind::Directory(directory) = &mut inode.kind {
            directory.is_listed = true;
        }
        let kind = std::mem::replace(&mut inode.kind, Kind::Fifo);
        *inode = Inode { kind, ..new };
        Ok(())
    }

    /// The folder at a path; folders that are missing on the way are made.
    fn directory(&mut self, path: &[u8]) -> Result<Id, IndexingError> {
        if self.recent.0 == path {
            return Ok(self.recent.1);
        }
        let Descent { folders, missing } = self.descend(path)?;
        let mut id = folders.last().copied().unwrap_or(ROOT);
        for name in missing {
            let hides = self.child(id, &name).is_some();
            id = self.attach(id, &name, hides);
        }
        self.recent = (path.to_vec(), id);
        Ok(id)
    }

    fn attach(&mut self, parent: Id, name: &[u8], hides: bool) -> Id {
        let id = self.all.len() as Id;
        let mut inode = Inode::implied();
        if let Kind::Directory(directory) = &mut inode.kind {
            directory.is_opaque = hides;
        }
        self.all.push(inode);
        if let Kind::Directory(directory) = &mut self.all[parent as usize].kind {
            directory.children.insert(name.into(), id);
        }
        // The name may have been that of a symbolic link on the way to the recent folder.
        if hides {
            self.recent = (Vec::new(), ROOT);
        }
        id
    }

    pub(super) fn child(&self, parent: Id, name: &[u8]) -> Option<Id> {
        match &self.all[parent as usize].kind {
            Kind::Directory(directory) => directory.children.get(name).copied(),
            _ => None,
        }
    }

    fn push(&mut self, inode: Inode) -> Id {
        self.all.push(inode);
        (self.all.len() - 1) as Id
    }

    /// Names an inode; what had the name before loses it.
    fn put(&mut self, parent: Id, name: &[u8], id: Id) {
        let mut replaced = None;
        if let Kind::Directory(directory) = &mut self.all[parent as usize].kind {
            replaced = directory.children.insert(name.into(), id);
        }
        let leads_on = |old: Id| matches!(self.all[old as usize].kind, Kind::Directory(_) | Kind::Symlink(_));
        if replaced.is_some_and(leads_on) {
            self.recent = (Vec::new(), ROOT);
        }
    }

    /// The inode that a hard link names: of this layer, or else one made after a file of the layers below.
    fn link(&mut self, path: &[u8], target: &[u8], base: Option<&Tree>) -> Result<Id, IndexingError> {
        let (folder, name) = split(target);
        let Descent { folders, missing: nowhere } = self.descend(folder)?;
        let is_opaque = |id: &Id| matches!(&self.all[*id as usize].kind, Kind::Directory(folder) if folder.is_opaque);
        let is_hidden = folders.iter().any(is_opaque);
        let id = folders.last().filter(|_| nowhere.is_empty()).and_then(|folder| self.child(*folder, name));
        match id.map(|id| (id, &self.all[id as usize].kind)) {
            Some((_, Kind::Directory(_))) => {
                Err(IndexingError::LinkToDirectory { path: Shown(path).to_string(), target: Shown(target).to_string() })
            }
            Some((id, kind)) if !matches!(kind, Kind::Whiteout) => Ok(id),
            // A whiteout hides the target only once the layer is complete, and links come from the state before.
            _ => match base.filter(|_| !is_hidden) {
                Some(base) => self.adopt(path, target, base),
                None => Err(missing(path, target)),
            },
        }
    }

    fn adopt(&mut self, path: &[u8], target: &[u8], base: &Tree) -> Result<Id, IndexingError> {
        let failed = |source| IndexingError::Base { path: Shown(target).to_string(), source };
        let node = base.lookup(target).map_err(failed)?.ok_or_else(|| missing(path, target))?;
        if let Some(id) = self.adopted.get(&node.identity()) {
            return Ok(*id);
        }
        let entry = base.entry(&node, target).map_err(failed)?;
        let content = match entry.kind {
            EntryKind::Directory => {
                let (path, target) = (Shown(path).to_string(), Shown(target).to_string());
                return Err(IndexingError::LinkToDirectory { path, target });
            }
            EntryKind::File { size } if size > 0 => self.copy(target, &node, size, base)?,
            _ => Content::Mapped(Mapping::Empty),
        };
        let (format, kind) = self.leaf(&entry, content)?;
        let id = self.push(Inode::new(format, &entry.metadata, kind, path)?);
        self.needs_base = true;
        self.adopted.insert(node.identity(), id);
        Ok(id)
    }

    fn copy(&mut self, path: &[u8], node: &Node, size: u64, base: &Tree) -> Result<Content, IndexingError> {
        if !self.can_spill(size) {
            return Err(IndexingError::Spill { path: Shown(path).to_string() });
        }
        let mut bytes = Vec::with_capacity(size as usize);
        let mut reader =
            base.open(node).map_err(|source| IndexingError::Base { path: Shown(path).to_string(), source })?;
        std::io::Read::read_to_end(&mut reader, &mut bytes)
            .map_err(|source| IndexingError::BaseContent { path: Shown(path).to_string(), source })?;
        Ok(Content::Mapped(Mapping::One(Address::Spill(self.spill(&bytes, path)?))))
    }

    /// Whether the root has an entry of its own.
    pub(super) fn lists_root(&self) -> bool {
        matches!(&self.all[ROOT as usize].kind, Kind::Directory(directory) if directory.is_listed)
    }

    /// The folders without an entry of their own that the layers below may know.
    fn implied_folders(&self) -> Vec<(Id, Vec<u8>)> {
        let mut implied = Vec::new();
        let mut waiting = vec![(ROOT, Vec::new())];
        while let Some((id, path)) = waiting.pop() {
            let Kind::Directory(directory) = &self.all[id as usize].kind else { continue };
            let folders = directory.children.iter().filter(|(_, child)| {
                !directory.is_opaque && matches!(self.all[**child as usize].kind, Kind::Directory(_))
            });
            for (name, child) in folders {
                let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
                waiting.push((*child, [&path, separator, name].concat()));
            }
            // A root that is not listed is looked for in the layers below when it is asked for, so that nearly no
            // index depends on its base.
            if !directory.is_listed && id != ROOT {
                implied.push((id, path));
            }
        }
        implied
    }

    /// Gives implied folders the metadata that they have below.
    fn inherit(&mut self, implied: Vec<(Id, Vec<u8>)>, base: &Tree) -> Result<(), IndexingError> {
        for (id, path) in implied {
            let failed = |source| IndexingError::Base { path: Shown(&path).to_string(), source };
            let Some(node) = base.lookup(&path).map_err(failed)? else { continue };
            let entry = base.entry(&node, &path).map_err(failed)?;
            if entry.kind == EntryKind::Directory {
                self.list(id, &entry)?;
                self.needs_base = true;
            }
        }
        Ok(())
    }
}

impl Inode {
    fn new(format: u16, metadata: &Metadata, kind: Kind, path: &[u8]) -> Result<Self, IndexingError> {
        let xattrs = xattrs::encode(&metadata.xattrs)
            .map_err(|source| IndexingError::Xattrs { path: Shown(path).to_string(), source })?;
        let Metadata { mode, uid, gid, mtime, .. } = *metadata;
        Ok(Self { mode: format | (mode & 0o7777) as u16, uid, gid, mtime, xattrs, kind })
    }

    /// A folder that a tar implies but does not list.
    fn implied() -> Self {
        let kind = Kind::Directory(Directory::default());
        Self { mode: mode::DIRECTORY | 0o755, uid: 0, gid: 0, mtime: Timestamp::default(), xattrs: Vec::new(), kind }
    }
}

/// The kernel's encoding of device numbers (`new_encode_dev`).
fn device(major: u32, minor: u32) -> Option<u32> {
    (major < 1 << 12 && minor < 1 << 20).then_some((minor & 0xff) | major << 8 | (minor & !0xff) << 12)
}

fn missing(path: &[u8], target: &[u8]) -> IndexingError {
    IndexingError::LinkTarget { path: Shown(path).to_string(), target: Shown(target).to_string() }
}
