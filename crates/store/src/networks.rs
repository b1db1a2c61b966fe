//! Networks: what a user has defined, one file each, found by its name.
//!
//! What of a network is on the host (bridge, addresses in use) is the host's and goes with a reboot; this stays.

use rustix::fs::AtFlags;
use rustix::io::Errno;

use crate::{Store, StoreError, file};

const FOLDER: &str = "networks";

impl Store {
    /// Writes a new network down; `false` when there is one of that name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create_network(&self, name: &str, record: &[u8]) -> Result<bool, StoreError> {
        file::make_folder(self, FOLDER)?;
        let target = format!("{FOLDER}/{name}");
        let temporary = file::stage(self, &target, record, true)?;
        let linked = rustix::fs::linkat(&self.root, &temporary, &self.root, &target, AtFlags::empty());
        file::remove(self, &temporary)?;
        match linked {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(StoreError::io("create", file::full(self, &target), errno)),
        }
    }

    /// All networks, by name.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn networks(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut all = Vec::new();
        for name in file::list_if_there(self, FOLDER)? {
            // One that is gone by now was removed meanwhile.
            if let Some(record) = self.network(&name)? {
                all.push((name, record));
            }
        }
        Ok(all)
    }

    /// One network; `None` where there is none of that name.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn network(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Ok(None);
        }
        file::read(self, &format!("{FOLDER}/{name}"))
    }

    /// Forgets a network; `false` when it was gone.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn remove_network(&self, name: &str) -> Result<bool, StoreError> {
        file::remove(self, &format!("{FOLDER}/{name}"))
    }
}
