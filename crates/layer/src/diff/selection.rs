//! What was changed in a copy of a stack of layers: which of its names belong into a layer, as if overlayfs had kept
//! them apart.
//!
//! The names are those that overlayfs would have in its upper folder: what was added or changed, the folders on the way
//! to it, whiteouts for what is gone, and a mark on each folder that came in the place of something else. Who was
//! touched and is as before is left out; overlayfs would have it. Files with several names stay one file in a copy, so
//! all of them are in the layer when it changed.

use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, Statx};

use super::walk::{Found, Walk};
use super::xattrs::{Source, XattrReader};
use super::{DiffError, link_target, metadata_of, open_file, reading, status_at, type_of};
use crate::descent::FOLDER;
use crate::entry::{EntryKind, split};
use crate::snapshot::{Snapshot, Stamp, open_folder};
use crate::tree::{Node, Tree};

/// What of a copied root belongs into its layer.
#[derive(Debug, Default)]
pub struct Selection {
    pub(super) written: HashSet<Vec<u8>>,
    pub(super) opaque: HashSet<Vec<u8>>,
    pub(super) removed: HashSet<Vec<u8>>,
    /// Names of what is gone, by folder.
    pub(super) removed_names: HashMap<Vec<u8>, Vec<CString>>,
}

/// Compares a folder with what it was like when it was a copy of `base`, and nothing else.
///
/// # Errors
/// When the folder or the layers cannot be read.
pub fn select(root: BorrowedFd<'_>, before: &Snapshot, base: &Tree) -> Result<Selection, DiffError> {
    let folder = rustix::fs::openat(root, c".", FOLDER, Mode::empty()).map_err(reading(&[], "opening the folder"))?;
    let mut selecting = Selecting {
        before,
        base,
        children: before.by_folder(),
        xattrs: XattrReader::new(false),
        selection: Selection::default(),
        shared: HashMap::new(),
        written_files: HashSet::new(),
    };
    selecting.note_removed(&[], &folder)?;
    let mut walk = Walk::new(folder)?;
    // Depth of the paths below which all is new.
    let mut new_below: Option<Vec<u8>> = None;
    while let Some(found) = walk.next_name()? {
        if new_below.as_ref().is_some_and(|folder| !is_below(&found.path, folder)) {
            new_below = None;
        }
        let is_below_new = new_below.is_some();
        let status = status_at(walk.folder(), &found)?;
        let is_new = selecting.name(walk.folder(), &found, &status, is_below_new)?;
        if type_of(&status) == FileType::Directory {
            let folder = open_folder(walk.folder(), &found)?;
            if is_new && !is_below_new {
                new_below = Some(found.path.clone());
            }
            if !is_new {
                selecting.note_removed(&found.path, &folder)?;
            }
            walk.descend(folder, &found)?;
        }
    }
    selecting.add_shared();
    Ok(selecting.selection)
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

type FileIdentity = (u32, u32, u64);

struct Selecting<'a> {
    before: &'a Snapshot,
    base: &'a Tree,
    children: HashMap<&'a [u8], Vec<&'a [u8]>>,
    xattrs: XattrReader,
    selection: Selection,
    /// Names, not selected so far, of files that have several.
    shared: HashMap<FileIdentity, Vec<Vec<u8>>>,
    /// Files with several names of which one is selected.
    written_files: HashSet<FileIdentity>,
}

impl Selecting<'_> {
    /// Selects a name if it is to be written. Whether everything below it is new as well.
    fn name(
        &mut self,
        parent: BorrowedFd<'_>,
        found: &Found,
        status: &Statx,
        is_below_new: bool,
    ) -> Result<bool, DiffError> {
        let stamp = Stamp::of(status);
        let before = self.before.get(&found.path).filter(|before| !is_below_new && before.is_same_file(&stamp));
        let is_folder = type_of(status) == FileType::Directory;
        let is_written = match before {
            None => true,
            Some(before) if *before == stamp => false,
            Some(_) => !self.is_as_before(parent, found, status)?,
        };
        let file = (status.stx_dev_major, status.stx_dev_minor, status.stx_ino);
        let is_shared = !is_folder && status.stx_nlink > 1;
        if is_written {
            self.write(&found.path);
            if is_shared {
                self.written_files.insert(file);
            }
        } else if is_shared {
            self.shared.entry(file).or_default().push(found.path.clone());
        }
        let is_new = before.is_none();
        if is_new && is_folder && !is_below_new && self.lookup(&found.path)?.is_some() {
            self.selection.opaque.insert(found.path.clone());
        }
        Ok(is_new)
    }

    /// The name and the folders that it is in.
    fn write(&mut self, path: &[u8]) {
        let mut path = path;
        while !path.is_empty() && self.selection.written.insert(path.to_vec()) {
            path = split(path).0;
        }
    }

    fn remove(&mut self, path: &[u8]) {
        let (folder, name) = split(path);
        self.write(folder);
        // Names of the snapshot were names of files.
        if let Ok(name) = CString::new(name) {
            self.selection.removed_names.entry(folder.to_vec()).or_default().push(name);
        }
        self.selection.removed.insert(path.to_vec());
    }

    /// What was in a folder that is still there, and is no more.
    fn note_removed(&mut self, path: &[u8], folder: &OwnedFd) -> Result<(), DiffError> {
        let Some(names) = self.children.get(path) else { return Ok(()) };
        let now = super::walk::names(folder.as_fd()).map_err(reading(path, "listing it"))?;
        let now: HashSet<&[u8]> = now.iter().map(|name| name.to_bytes()).collect();
        let gone: Vec<Vec<u8>> =
            names.iter().filter(|name| !now.contains(*name)).map(|name| joined(path, name)).collect();
        for path in gone {
            self.remove(&path);
        }
        Ok(())
    }

    /// Other names of files that are written.
    fn add_shared(&mut self) {
        let shared = std::mem::take(&mut self.shared);
        for (file, paths) in shared {
            if self.written_files.contains(&file) {
                paths.iter().for_each(|path| self.write(path));
            }
        }
    }

    /// Whether something that was touched is what the layers have at its place.
    fn is_as_before(&mut self, parent: BorrowedFd<'_>, found: &Found, status: &Statx) -> Result<bool, DiffError> {
        let path = &found.path;
        let failed = |source| DiffError::Base { path: path.clone(), source };
        // A place to mount on: it was made with the copy, and is of no layer.
        let Some(node) = self.lookup(path)? else { return Ok(true) };
        let before = self.base.entry(&node, path).map_err(failed)?;
        let (major, minor) = (status.stx_rdev_major, status.stx_rdev_minor);
        let read_attributes = reading(path, "reading extended attributes");
        let (kind, attributes) = match type_of(status) {
            FileType::RegularFile => {
                let file = open_file(parent, &found.name).map_err(reading(path, "opening a file"))?;
                (EntryKind::File { size: status.stx_size }, self.xattrs.read(Source::Open(file.as_fd())))
            }
            FileType::Directory => {
                let folder = open_folder(parent, found)?;
                (EntryKind::Directory, self.xattrs.read(Source::Open(folder.as_fd())))
            }
            other => {
                let kind = match other {
                    FileType::Symlink => EntryKind::Symlink { target: link_target(parent, &found.name, path)? },
                    FileType::Fifo => EntryKind::Fifo,
                    FileType::CharacterDevice => EntryKind::CharDevice { major, minor },
                    FileType::BlockDevice => EntryKind::BlockDevice { major, minor },
                    _ => return Ok(false),
                };
                (kind, self.xattrs.read(Source::Name(parent, &found.name)))
            }
        };
        let now = metadata_of(status, attributes.map_err(read_attributes)?);
        if kind != before.kind || now != before.metadata {
            return Ok(false);
        }
        match kind {
            EntryKind::File { .. } => self.has_content(parent, found, &node),
            _ => Ok(true),
        }
    }

    /// Whether a file's content is that of the layers; its length is.
    fn has_content(&self, parent: BorrowedFd<'_>, found: &Found, node: &Node) -> Result<bool, DiffError> {
        let failed = |source| DiffError::Base { path: found.path.clone(), source };
        let before = self.base.open(node).map_err(failed)?;
        let now = open_file(parent, &found.name).map_err(reading(&found.path, "opening a file"))?;
        let equal = is_equal(File::from(now), before);
        equal.map_err(|error| {
            let errno = rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO);
            reading(&found.path, "comparing its content")(errno)
        })
    }

    fn lookup(&self, path: &[u8]) -> Result<Option<Node>, DiffError> {
        self.base.lookup(path).map_err(|source| DiffError::Base { path: path.to_vec(), source })
    }
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn is_equal(mut one: impl Read, mut other: impl Read) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = fill(&mut one, &mut left)?;
        if count != fill(&mut other, &mut right)? || left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
