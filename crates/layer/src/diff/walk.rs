//! Walks a folder depth-first in sorted order, by descriptors alone. Names are read a folder at a time and sorted by
//! their bytes.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

use crate::descent::Descent;

use super::{DiffError, reading};

/// A name met on the walk.
#[derive(Debug)]
pub(crate) struct Found {
    /// From the root of the walk, in normal form.
    pub(crate) path: Vec<u8>,
    /// Last component.
    pub(crate) name: CString,
    /// As the folder says; not every file system does.
    pub(crate) file_type: FileType,
}

/// The walk: where it is, and what is left to visit in each folder above.
#[derive(Debug)]
pub(crate) struct Walk {
    descent: Descent,
    levels: Vec<Level>,
    path: Vec<u8>,
}

#[derive(Debug)]
struct Level {
    /// Names still to visit, the last one first.
    names: Vec<(CString, FileType)>,
    /// Length of the walk's path at this level.
    path_length: usize,
}

impl Walk {
    pub(crate) fn new(root: OwnedFd) -> Result<Self, DiffError> {
        let names = sorted_names(root.as_fd()).map_err(reading(&[], "listing it"))?;
        Ok(Self { descent: Descent::new(root), levels: vec![Level { names, path_length: 0 }], path: Vec::new() })
    }

    /// The next name in order, none when all have been visited.
    pub(crate) fn next_name(&mut self) -> Result<Option<Found>, DiffError> {
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path_length);
            if let Some((name, file_type)) = level.names.pop() {
                return Ok(Some(Found { path: joined(&self.path, &name), name, file_type }));
            }
            self.levels.pop();
            self.descent.leave().map_err(reading(&self.path, "going back to the folder above"))?;
        }
        Ok(None)
    }

    /// Further names to visit in the folder that was just entered; nothing needs to be there.
    pub(crate) fn add_names(&mut self, names: &[CString]) {
        let Some(level) = self.levels.last_mut().filter(|_| !names.is_empty()) else { return };
        for name in names {
            // What a socket or the like is in the place of has its name already.
            if !level.names.iter().any(|(known, _)| known == name) {
                level.names.push((name.clone(), FileType::Unknown));
            }
        }
        level.names.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    }

    /// The folder that the last name is in.
    pub(crate) fn folder(&self) -> BorrowedFd<'_> {
        self.descent.innermost()
    }

    /// Goes on inside the folder that was found last.
    pub(crate) fn descend(&mut self, folder: OwnedFd, found: &Found) -> Result<(), DiffError> {
        let names = sorted_names(folder.as_fd()).map_err(reading(&found.path, "listing it"))?;
        self.descent.enter(folder).map_err(reading(&found.path, "reading its status"))?;
        self.path.clone_from(&found.path);
        self.levels.push(Level { names, path_length: self.path.len() });
        Ok(())
    }
}

/// Whether a folder holds nothing but names that are to be skipped.
pub(crate) fn holds_only(folder: BorrowedFd<'_>, path: &[u8], skip: &HashSet<Vec<u8>>) -> Result<bool, Errno> {
    Ok(names(folder)?.iter().all(|name| skip.contains(&joined(path, name))))
}

/// Names in a folder; the walk reads it again from its beginning.
pub(crate) fn names(folder: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let names = sorted_names(folder)?;
    rustix::fs::seek(folder, rustix::fs::SeekFrom::Start(0))?;
    Ok(names.into_iter().map(|(name, _)| name).collect())
}

/// Names in a folder without `.` and `..`, in descending order.
fn sorted_names(folder: BorrowedFd<'_>) -> Result<Vec<(CString, FileType)>, Errno> {
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
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
