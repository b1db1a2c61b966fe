//! The store's files as they are, for looking whether each is what its name says, and for removing what is not.

use std::fs::File;

use oci::{ChainId, DiffId};
use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use crate::layers::index_path;
use crate::lock::Lock;
use crate::{FOLDERS, FURTHER, Store, StoreError, file};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawKind {
    /// A file, with its length.
    File(u64),
    /// A folder.
    Folder,
    /// A link, a socket, a device.
    Other,
}

impl Store {
    /// Names of what is in the store's own folder and is none of its files and folders.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn strangers(&self) -> Result<Vec<String>, StoreError> {
        let is_known = |name: &String| FOLDERS.contains(&name.as_str()) || FURTHER.contains(&name.as_str());
        Ok(file::list(self, ".")?.into_iter().filter(|name| !is_known(name)).collect())
    }

    /// Names in one of the store's folders, or in a folder within.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn raw_names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        file::list_if_there(self, folder)
    }

    /// What an entry is; `None` when it is gone.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn raw_kind(&self, name: &str) -> Result<Option<RawKind>, StoreError> {
        match rustix::fs::statat(&self.root, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => RawKind::File(stat.st_size.cast_unsigned()),
                FileType::Directory => RawKind::Folder,
                _ => RawKind::Other,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(StoreError::io("look for", file::full(self, name), errno)),
        }
    }

    /// A small file, without a trace in its time of reading.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn raw_read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        file::read_unnoticed(self, name)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn raw_open(&self, name: &str) -> Result<Option<File>, StoreError> {
        file::open(self, name)
    }

    /// Removes a file or folder that is not what it should be; whether it was there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn discard(&self, name: &str) -> Result<bool, StoreError> {
        let _exclusive = Lock::exclusive(self, "gc")?;
        file::remove_hidden(self, name)
    }

    /// Puts an index in the place of a wrong one, synced, without a moment in which there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace_index(&self, layer: DiffId, index: &[u8], below: Option<ChainId>) -> Result<(), StoreError> {
        let name = index_path(layer, below);
        let staged = file::stage(self, &name, index, true)?;
        let _exclusive = Lock::exclusive(self, "gc")?;
        rustix::fs::chmodat(&self.root, &staged, Mode::RUSR, AtFlags::empty())
            .map_err(|errno| StoreError::io("seal", file::full(self, &staged), errno))?;
        file::place(self, &staged, &name)?;
        file::sync_folder_of(self, &name)
    }
}
