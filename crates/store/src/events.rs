//! What happened to containers: lines that are added to one file, by whoever did it, in the order in which it happened.

use std::fs::File;
use std::io::Write;

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::{Store, StoreError, file};

const NAME: &str = "events";
/// What was before; older lines are gone.
const OLDER: &str = "events.1";
/// Two files of this size are kept.
const FULL: u64 = 4 << 20;

impl Store {
    /// Adds a line, whole, behind all others.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_event(&self, line: &[u8]) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| StoreError::io("write", file::full(self, NAME), error);
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let open = || rustix::fs::openat(&self.root, NAME, flags, Mode::from_raw_mode(0o640)).map(File::from);
        let mut events = open().map_err(|errno| failed(errno.into()))?;
        if events.metadata().map_err(failed)?.len() > FULL {
            // One of those who see that it is full renames it; whoever is about to write to it still does.
            if rustix::fs::flock(&events, FlockOperation::NonBlockingLockExclusive).is_ok()
                && rustix::fs::statat(&self.root, NAME, rustix::fs::AtFlags::empty())
                    .is_ok_and(|stat| stat.st_size.cast_unsigned() > FULL)
            {
                rustix::fs::renameat(&self.root, NAME, &self.root, OLDER).map_err(|errno| failed(errno.into()))?;
            }
            events = open().map_err(|errno| failed(errno.into()))?;
        }
        // In one piece, so that lines of others are before or behind it.
        events.write_all(line).map_err(failed)
    }

    /// Removes the older of the files, unless it is only asked for. Gives the bytes that it takes on the disk.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_old_events(&self, dry_run: bool) -> Result<u64, StoreError> {
        let Ok(stat) = rustix::fs::statat(&self.root, OLDER, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) else {
            return Ok(0);
        };
        if !dry_run {
            file::remove(self, OLDER)?;
        }
        Ok(stat.st_blocks.cast_unsigned() * 512)
    }

    /// The files with the lines, older first; those that are there. Who follows looks for a new one when nothing more comes.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn open_events(&self) -> Result<Vec<File>, StoreError> {
        let mut files = Vec::new();
        for name in [OLDER, NAME] {
            match rustix::fs::openat(&self.root, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
                Ok(found) => files.push(File::from(found)),
                Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(StoreError::io("open", file::full(self, name), errno)),
            }
        }
        Ok(files)
    }
}
