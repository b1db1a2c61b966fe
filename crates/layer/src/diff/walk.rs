//! Walks a folder depth-first in sorted order, by descriptors alone.
//!
//! Names are read a folder at a time and sorted by their bytes. However deep the tree, few descriptors are open: an
//! ancestor far above is closed and later reopened through `..`, and must then be the same folder.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, RawDir};

use super::{DiffError, FOLDER, reading, status_of};

/// How many folders stay open, the innermost ones. Deep trees are rare, and a process has 1024 descriptors.
const OPEN_FOLDERS: usize = 64;

/// A name met on the walk.
#[derive(Debug)]
pub(super) struct Found {
    /// From the root of the walk, in normal form.
    pub(super) path: Vec<u8>,
    /// Last component.
    pub(super) name: CString,
    /// As the folder says; not every file system does.
    pub(super) file_type: FileType,
}

/// The walk: folders from the root to where it is now.
#[derive(Debug)]
pub(super) struct Walk {
    levels: Vec<Level>,
    path: Vec<u8>,
}

#[derive(Debug)]
struct Level {
    /// None while the walk is far below.
    folder: Option<OwnedFd>,
    /// Device and inode, known from the moment it is closed.
    identity: Option<(u32, u32, u64)>,
    /// Names still to visit, the last one first.
    names: Vec<(CString, FileType)>,
    /// Length of the walk's path at this level.
    path_length: usize,
}

impl Walk {
    pub(super) fn new(root: OwnedFd) -> Result<Self, DiffError> {
        let names = sorted_names(&root, &[])?;
        let level = Level { folder: Some(root), identity: None, names, path_length: 0 };
        Ok(Self { levels: vec![level], path: Vec::new() })
    }

    /// The next name in order, none when all have been visited.
    pub(super) fn next_name(&mut self) -> Result<Option<Found>, DiffError> {
        while let Some(level) = self.levels.last_mut() {
            if let Some((name, file_type)) = level.names.pop() {
                self.path.truncate(level.path_length);
                return Ok(Some(Found { path: joined(&self.path, &name), name, file_type }));
            }
            self.ascend()?;
        }
        Ok(None)
    }

    /// The folder that the last name is in.
    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        let innermost = self.levels.last().and_then(|level| level.folder.as_ref());
        innermost.expect("a name was given out, so its folder is open").as_fd()
    }

    /// Goes on inside the folder that was found last.
    pub(super) fn descend(&mut self, folder: OwnedFd, found: &Found) -> Result<(), DiffError> {
        self.path.clone_from(&found.path);
        let names = sorted_names(&folder, &self.path)?;
        self.levels.push(Level { folder: Some(folder), identity: None, names, path_length: self.path.len() });
        if let Some(far) = self.levels.len().checked_sub(OPEN_FOLDERS + 1) {
            let level = &mut self.levels[far];
            if let Some(folder) = level.folder.take() {
                level.identity = Some(identity(&folder, &self.path)?);
            }
        }
        Ok(())
    }

    fn ascend(&mut self) -> Result<(), DiffError> {
        let Some(left) = self.levels.pop() else { return Ok(()) };
        let (Some(level), Some(left)) = (self.levels.last_mut(), left.folder) else { return Ok(()) };
        if level.folder.is_none() {
            let path = &self.path[..level.path_length];
            let parent = rustix::fs::openat(&left, c"..", FOLDER, Mode::empty())
                .map_err(reading(path, "opening a folder again"))?;
            if level.identity != Some(identity(&parent, path)?) {
                return Err(DiffError::Replaced { path: path.to_vec() });
            }
            level.folder = Some(parent);
        }
        Ok(())
    }
}

/// Whether a folder holds nothing but names that are to be skipped.
pub(super) fn holds_only(folder: &OwnedFd, path: &[u8], skip: &HashSet<Vec<u8>>) -> Result<bool, DiffError> {
    let names = sorted_names(folder, path)?;
    // The walk reads the folder again from its beginning.
    rustix::fs::seek(folder, rustix::fs::SeekFrom::Start(0)).map_err(reading(path, "reading a folder again"))?;
    Ok(names.iter().all(|(name, _)| skip.contains(&joined(path, name))))
}

/// Names in a folder without `.` and `..`, in descending order.
fn sorted_names(folder: &OwnedFd, path: &[u8]) -> Result<Vec<(CString, FileType)>, DiffError> {
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(reading(path, "reading a folder"))?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    names.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    Ok(names)
}

fn joined(folder: &[u8], name: &CStr) -> Vec<u8> {
    let mut path = Vec::with_capacity(folder.len() + 1 + name.to_bytes().len());
    path.extend_from_slice(folder);
    if !folder.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
    path
}

fn identity(folder: &OwnedFd, path: &[u8]) -> Result<(u32, u32, u64), DiffError> {
    let status = status_of(folder, path)?;
    Ok((status.stx_dev_major, status.stx_dev_minor, status.stx_ino))
}
