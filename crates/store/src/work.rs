//! Folders to work in, swept with their process: the upper directory of a build step, staged trees.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::{Store, StoreError, file};

/// A private folder that is removed when dropped.
#[derive(Debug)]
pub struct WorkFolder<'store> {
    store: &'store Store,
    name: String,
    path: PathBuf,
    folder: OwnedFd,
}

impl Store {
    /// Makes an empty folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn work_folder(&self) -> Result<WorkFolder<'_>, StoreError> {
        let name = file::temporary_name()?;
        let path = file::full(self, &name);
        let failed = |errno| StoreError::io("create folder", &path, errno);
        rustix::fs::mkdirat(&self.root, &name, Mode::RWXU).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.root, &name, flags, Mode::empty()).map_err(failed)?;
        Ok(WorkFolder { store: self, name, path, folder })
    }
}

impl WorkFolder<'_> {
    /// Makes a folder within and opens it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn subfolder(&self, name: &str, mode: u32) -> Result<OwnedFd, StoreError> {
        let failed = |errno| StoreError::io("create folder", self.path.join(name), errno);
        rustix::fs::mkdirat(&self.folder, name, Mode::RWXU).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = rustix::fs::openat(&self.folder, name, flags, Mode::empty()).map_err(failed)?;
        rustix::fs::fchmod(&folder, Mode::from_raw_mode(mode)).map_err(failed)?;
        Ok(folder)
    }

    /// Where it is, valid as long as this guard lives.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for WorkFolder<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

impl Drop for WorkFolder<'_> {
    fn drop(&mut self) {
        // What is left is swept by the next process that writes.
        file::remove_tree(self.store, &self.name).ok();
    }
}
