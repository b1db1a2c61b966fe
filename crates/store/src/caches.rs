//! Caches of build steps: folders that commands write to and that stay between builds.
//!
//! A cache is known by the digest of all that tells it from others, so that its ID, which a Dockerfile chooses, is
//! never part of a path. It has one folder that all use, and further ones for those who must not share. Who uses one
//! holds an `flock` on the folder around it, not on the one that commands see: they may lock that one themselves.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci::Digest;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::lock::Lock;
use crate::{Store, StoreError, WorkFolder, file};

/// How a cache is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// With all others who share.
    Shared,
    /// Alone; where others are, in a folder of one's own.
    Private,
    /// Alone, one after the other.
    Locked,
}

/// A folder in use, until this is dropped.
#[derive(Debug)]
pub struct CacheFolder {
    data: OwnedFd,
    _lock: OwnedFd,
}

/// What an attempt to use a cache gives.
#[derive(Debug)]
pub enum CacheAttempt {
    /// The folder, and the right to use it.
    Ready(CacheFolder),
    /// There is no such folder yet: make it with [`Store::add_cache`] and this number, then try again.
    Missing(u32),
    /// Others use it; try again later.
    Busy,
}

impl AsFd for CacheFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.data.as_fd()
    }
}

/// More builds that need a folder of their own at the same time wait for each other.
const MOST_FOLDERS: u32 = 1000;

impl Store {
    /// Tries to use a cache.
    ///
    /// # Errors
    /// When a folder cannot be opened or locked.
    pub fn try_cache(&self, key: Digest, wanted: CacheUse) -> Result<CacheAttempt, StoreError> {
        let folders = if wanted == CacheUse::Private { MOST_FOLDERS } else { 1 };
        for number in 0..folders {
            let name = folder_name(key, number);
            let Some(lock) = self.open_cache_folder(&name)? else { return Ok(CacheAttempt::Missing(number)) };
            let operation = match wanted {
                CacheUse::Shared => FlockOperation::NonBlockingLockShared,
                CacheUse::Private | CacheUse::Locked => FlockOperation::NonBlockingLockExclusive,
            };
            match rustix::fs::flock(&lock, operation) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => continue,
                Err(errno) => return Err(StoreError::io("lock", file::full(self, &name), errno)),
            }
            // Gone between opening and locking: somebody removed it.
            let Some(data) = self.open_cache_folder(&format!("{name}/data"))? else {
                return Ok(CacheAttempt::Missing(number));
            };
            return Ok(CacheAttempt::Ready(CacheFolder { data, _lock: lock }));
        }
        Ok(CacheAttempt::Busy)
    }

    /// Makes a cache's folder of a folder in `work`, unless another process was faster. `description` says what cache it
    /// is; its digest is `key`.
    ///
    /// # Errors
    /// When something cannot be made.
    pub fn add_cache(
        &self,
        key: Digest,
        number: u32,
        description: &str,
        work: &WorkFolder<'_>,
        folder: &str,
    ) -> Result<(), StoreError> {
        let cache = format!("caches/{}", key.hex());
        // Whoever removes caches waits until this one is whole, or is gone before it begins.
        let _shared = Lock::shared(self, "gc")?;
        for name in ["caches", &cache] {
            match rustix::fs::mkdirat(&self.root, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(StoreError::io("create folder", file::full(self, name), errno)),
            }
        }
        file::replace_lazily(self, &format!("{cache}/id"), description.as_bytes())?;
        let staged = work.subfolder(&format!("{folder}-cache"), 0o700)?;
        let name = folder_name(key, number);
        let failed = |errno| StoreError::io("create folder", file::full(self, &name), errno);
        rustix::fs::renameat(work.as_fd(), folder, &staged, "data").map_err(failed)?;
        match rustix::fs::renameat(work.as_fd(), format!("{folder}-cache"), &self.root, &name) {
            Ok(()) | Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// What a cache is known by; `None` where there is no such cache.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cache_description(&self, key: Digest) -> Result<Option<String>, StoreError> {
        let text = file::read(self, &format!("caches/{}/id", key.hex()))?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).trim_end().to_owned()))
    }

    /// Whether somebody uses one of a cache's folders.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn is_cache_in_use(&self, key: Digest) -> Result<bool, StoreError> {
        Ok(self.lock_cache(key)?.is_none())
    }

    /// Removes a cache with all its folders; `false` when somebody uses it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_cache(&self, key: Digest) -> Result<bool, StoreError> {
        let exclusive = Lock::exclusive(self, "gc")?;
        let Some(_locks) = self.lock_cache(key)? else { return Ok(false) };
        let name = format!("caches/{}", key.hex());
        let hidden = file::temporary_name()?;
        match rustix::fs::renameat(&self.root, &name, &self.root, &hidden) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(StoreError::io("remove", file::full(self, &name), errno)),
        }
        // Nobody finds it any more; emptying it takes as long as it takes.
        drop(exclusive);
        file::remove_tree(self, &hidden)
    }

    /// The right to use all folders of a cache alone; `None` when somebody uses one.
    fn lock_cache(&self, key: Digest) -> Result<Option<Vec<OwnedFd>>, StoreError> {
        let cache = format!("caches/{}", key.hex());
        let mut locks = Vec::new();
        if !file::exists(self, &cache)? {
            return Ok(Some(locks));
        }
        for name in file::list(self, &cache)?.iter().filter(|name| *name != "id") {
            let name = format!("{cache}/{name}");
            let Some(folder) = self.open_cache_folder(&name)? else { continue };
            match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => locks.push(folder),
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(StoreError::io("lock", file::full(self, &name), errno)),
            }
        }
        Ok(Some(locks))
    }

    fn open_cache_folder(&self, name: &str) -> Result<Option<OwnedFd>, StoreError> {
        // It belongs to whoever the cache is for.
        self.want_identities()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.root, name, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(StoreError::io("open", file::full(self, name), errno)),
        }
    }
}

fn folder_name(key: Digest, number: u32) -> String {
    format!("caches/{}/{number}", key.hex())
}
