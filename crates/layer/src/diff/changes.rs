//! Lists what an upper folder, or a copied root, changes, without reading a file's content.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode};

use crate::descent::FOLDER;
use crate::tree::Tree;

use super::selection::Selection;
use super::walk::{Found, Walk};
use super::xattrs::{Source, XattrReader};
use super::{DiffError, open_file, reading, status_at, type_of};

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// It was there: its content, mode or owner, or something in the folder, is another now.
    Modified,
    /// It is gone.
    Removed,
}

/// One path that is not as the layers below have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// In normal form, from the root.
    pub path: Vec<u8>,
    /// What happened.
    pub kind: ChangeKind,
    /// Bytes of a regular file; 0 for all else, and for further names of a file.
    pub size: u64,
}

/// Everything in `upper` that is not so in the layers below, ordered by path; of a whole root, what is selected.
/// `user_xattrs` as in [`crate::DiffOptions`].
///
/// # Errors
/// When the folder or the layers cannot be read.
pub fn changes(
    upper: BorrowedFd<'_>,
    base: &Tree,
    selection: Option<&Selection>,
    user_xattrs: bool,
) -> Result<Vec<Change>, DiffError> {
    let root = rustix::fs::openat(upper, c".", FOLDER, Mode::empty()).map_err(reading(&[], "opening the folder"))?;
    let mut walk = Walk::new(root)?;
    let mut lister =
        Lister { base, selection, xattrs: XattrReader::new(user_xattrs), seen: HashSet::new(), changes: Vec::new() };
    while let Some(found) = walk.next_name()? {
        if let Some(folder) = lister.name(walk.folder(), &found)? {
            walk.descend(folder, &found)?;
        }
    }
    for path in selection.into_iter().flat_map(|selection| &selection.removed) {
        lister.push(path.clone(), ChangeKind::Removed, 0);
    }
    lister.changes.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(lister.changes)
}

struct Lister<'a> {
    base: &'a Tree,
    selection: Option<&'a Selection>,
    xattrs: XattrReader,
    /// Files with several names, by device and inode.
    seen: HashSet<(u32, u32, u64)>,
    changes: Vec<Change>,
}

impl Lister<'_> {
    /// Notes one name; gives the folder to go into, if it is one.
    fn name(&mut self, parent: BorrowedFd<'_>, found: &Found) -> Result<Option<OwnedFd>, DiffError> {
        let path = &found.path;
        let is_selected = |selection: &Selection| selection.written.contains(path) && !selection.removed.contains(path);
        if !self.selection.is_none_or(is_selected) {
            return Ok(None);
        }
        let status = status_at(parent, found)?;
        let kind = type_of(&status);
        let is_device = kind == FileType::CharacterDevice && (status.stx_rdev_major, status.stx_rdev_minor) == (0, 0);
        if is_device || kind == FileType::RegularFile && status.stx_size == 0 && self.is_whiteout(parent, found)? {
            self.push(path.clone(), ChangeKind::Removed, 0);
            return Ok(None);
        }
        let was_there = self.lookup(path)?.is_some();
        let file = (status.stx_dev_major, status.stx_dev_minor, status.stx_ino);
        let is_first = status.stx_nlink < 2 || self.seen.insert(file);
        let size = if kind == FileType::RegularFile && is_first { status.stx_size } else { 0 };
        self.push(path.clone(), if was_there { ChangeKind::Modified } else { ChangeKind::Added }, size);
        if kind != FileType::Directory {
            return Ok(None);
        }
        let folder = rustix::fs::openat(parent, &found.name, FOLDER, Mode::empty())
            .map_err(reading(path, "opening a folder"))?;
        let is_opaque = match self.selection {
            Some(selection) => selection.opaque.contains(path),
            None => self.read_marks(Source::Open(folder.as_fd()), path)?.opaque,
        };
        if is_opaque {
            self.hidden(&folder, path)?;
        }
        Ok(Some(folder))
    }

    fn is_whiteout(&mut self, parent: BorrowedFd<'_>, found: &Found) -> Result<bool, DiffError> {
        let file = open_file(parent, &found.name).map_err(reading(&found.path, "opening a file"))?;
        Ok(self.read_marks(Source::Open(file.as_fd()), &found.path)?.whiteout)
    }

    /// What was in a folder that was replaced by another one.
    fn hidden(&mut self, folder: &OwnedFd, path: &[u8]) -> Result<(), DiffError> {
        let failed = |source| DiffError::Base { path: path.to_vec(), source };
        let Some(before) = self.lookup(path)?.filter(crate::Node::is_directory) else { return Ok(()) };
        let names = super::walk::names(folder.as_fd()).map_err(reading(path, "listing it"))?;
        let now: HashSet<&[u8]> = names.iter().map(|name| name.to_bytes()).collect();
        for (name, _) in self.base.read_dir(&before).map_err(failed)? {
            if !now.contains(name.as_slice()) {
                self.push([path, b"/", name.as_slice()].concat(), ChangeKind::Removed, 0);
            }
        }
        Ok(())
    }

    fn lookup(&self, path: &[u8]) -> Result<Option<crate::Node>, DiffError> {
        self.base.lookup(path).map_err(|source| DiffError::Base { path: path.to_vec(), source })
    }

    fn read_marks(&mut self, source: Source<'_>, path: &[u8]) -> Result<super::xattrs::Marks, DiffError> {
        Ok(self.xattrs.read(source).map_err(reading(path, "reading extended attributes"))?.marks)
    }

    fn push(&mut self, path: Vec<u8>, kind: ChangeKind, size: u64) {
        self.changes.push(Change { path, kind, size });
    }
}
