//! What builds wrote: a folder for each build with an index, and a file for each step that wrote something.
//!
//! A folder appears whole, with its index. Afterwards the files of its steps grow, which only these files may, and the
//! index is replaced as the build goes on. What an index says is not known here.

use std::fs::File;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::{Store, StoreError, file};

const FOLDER: &str = "logs";
const INDEX: &str = "index.json";

/// The log of a build that goes on.
#[derive(Debug)]
pub struct BuildLog<'store> {
    store: &'store Store,
    id: String,
}

impl Store {
    /// Begins a log.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create_build_log(&self, id: &str, index: &[u8]) -> Result<BuildLog<'_>, StoreError> {
        let staged = file::temporary_name()?;
        let failed = |errno| StoreError::io("create folder", file::full(self, &folder(id)), errno);
        rustix::fs::mkdirat(&self.root, &staged, Mode::RWXU).map_err(failed)?;
        let made = file::replace_lazily(self, &format!("{staged}/{INDEX}"), index).and_then(|()| {
            // A store that an earlier version made has no place for logs.
            match rustix::fs::mkdirat(&self.root, FOLDER, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
            rustix::fs::renameat(&self.root, &staged, &self.root, folder(id)).map_err(failed)
        });
        if let Err(error) = made {
            file::remove_tree(self, &staged).ok();
            return Err(error);
        }
        Ok(BuildLog { store: self, id: id.to_owned() })
    }

    /// IDs of all builds whose logs are kept, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn build_log_ids(&self) -> Result<Vec<String>, StoreError> {
        if file::exists(self, FOLDER)? { file::list(self, FOLDER) } else { Ok(Vec::new()) }
    }

    /// The index of a build's log; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn build_log_index(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        file::read(self, &format!("{}/{INDEX}", folder(id)))
    }

    /// What a step wrote; `None` where it wrote nothing, or there is no such build.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn step_log(&self, id: &str, step: u32) -> Result<Option<File>, StoreError> {
        file::open(self, &step_file(id, step))
    }

    /// Bytes that a build's log takes.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn build_log_size(&self, id: &str) -> Result<u64, StoreError> {
        let folder = folder(id);
        let mut size = 0;
        for name in file::list(self, &folder)? {
            let name = format!("{folder}/{name}");
            match rustix::fs::statat(&self.root, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => size += u64::try_from(stat.st_size).unwrap_or(0),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(StoreError::io("look for", file::full(self, &name), errno)),
            }
        }
        Ok(size)
    }

    /// Removes a build's log; whether it was there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_build_log(&self, id: &str) -> Result<bool, StoreError> {
        file::remove_hidden(self, &folder(id))
    }
}

impl BuildLog<'_> {
    /// Which build it is of.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Makes the file for what a step writes, for appending and for reading it again.
    ///
    /// # Errors
    /// When it is there already, or cannot be made.
    pub fn create_step(&self, step: u32) -> Result<File, StoreError> {
        let name = step_file(&self.id, step);
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        rustix::fs::openat(&self.store.root, &name, flags, Mode::RUSR | Mode::WUSR)
            .map(File::from)
            .map_err(|errno| StoreError::io("create", file::full(self.store, &name), errno))
    }

    /// Replaces the index.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_index(&self, index: &[u8]) -> Result<(), StoreError> {
        file::replace_lazily(self.store, &format!("{}/{INDEX}", folder(&self.id)), index)
    }
}

fn folder(id: &str) -> String {
    format!("{FOLDER}/{id}")
}

fn step_file(id: &str, step: u32) -> String {
    format!("{}/{step}.log", folder(id))
}
