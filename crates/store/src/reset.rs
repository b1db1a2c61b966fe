//! The end of a store: everything that is its own goes, and its folder, if nothing else is in that.
//!
//! What says that it is a store goes last, so that it can be ended again when that was cut short.

use std::path::Path;

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use crate::{FOLDERS, FURTHER, ProcessIdentity, Store, StoreError, VERSION, file};

impl Store {
    /// Whether a folder holds a store of this version. Nothing is made there.
    pub fn is_at(path: &Path) -> bool {
        std::fs::read(path.join("version")).is_ok_and(|text| text == VERSION)
    }

    /// Processes that build, or bring images in or out, by number.
    ///
    /// # Errors
    /// When the leases cannot be listed.
    pub fn busy_processes(&self) -> Result<Vec<u32>, StoreError> {
        let owners = file::list(self, "leases")?;
        let owners = owners.iter().filter_map(|name| ProcessIdentity::from_file_name(name));
        let mut busy: Vec<u32> = owners.filter(|owner| owner.is_alive()).map(|owner| owner.pid).collect();
        busy.sort_unstable();
        busy.dedup();
        Ok(busy)
    }

    /// Removes the store, with what belongs to other IDs; gives the names of what is in its folder besides, which stays. The
    /// folder itself stays then, too, and where a file system is mounted on it.
    ///
    /// # Errors
    /// When something cannot be removed: it is still a store then.
    pub fn remove_all(self) -> Result<Vec<String>, StoreError> {
        // Folders that are too deep are moved there while they are removed.
        let (staging, others): (Vec<&str>, Vec<&str>) = FOLDERS.into_iter().partition(|folder| *folder == "ingest");
        for folder in others {
            file::remove_tree(&self, folder)?;
        }
        for name in file::list_if_there(&self, "ingest")? {
            file::remove_tree(&self, &format!("ingest/{name}"))?;
        }
        for name in staging.into_iter().chain(FURTHER) {
            file::remove_tree(&self, name)?;
        }
        let left = file::list(&self, ".")?;
        if left.is_empty() {
            match rustix::fs::unlinkat(CWD, &self.path, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::BUSY | Errno::NOENT | Errno::ACCESS | Errno::PERM) => {}
                Err(errno) => return Err(StoreError::io("remove", &self.path, errno)),
            }
        }
        Ok(left)
    }
}
