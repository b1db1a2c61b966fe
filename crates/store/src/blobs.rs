//! Blobs: bytes as they came from a registry or as they were sent to one, by their digest; and those on their way.
//!
//! A blob on its way is `partial/HEX`: always a prefix of it, added to by whoever has the file locked. It stays when
//! that process is killed, and the next one goes on behind it. With the right digest it becomes `blobs/HEX` by rename.
//!
//! Nothing here is synced: a blob can be fetched or made again. Power loss may thus leave one torn under its name, so
//! whoever takes bytes out of a blob hashes them, and removes one that is damaged. No image needs a blob to be whole.

use std::fs::File;
use std::os::fd::AsRawFd;

use oci::Digest;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::{LayerSink, Store, StoreError, file};

const BLOBS: &str = "blobs";
const PARTIAL: &str = "partial";

/// A blob that somebody wants to have.
#[derive(Debug)]
pub enum WantedBlob<'store> {
    /// It is there. Its digest was right when it appeared, and is to be looked at again.
    Complete(File),
    /// It is not; whoever holds this is the only one who fetches it.
    Partial(PartialBlob<'store>),
    /// Another process or thread fetches or uses it for the first time.
    Busy,
}

/// The beginning of a blob, locked. Dropping it keeps what there is.
#[derive(Debug)]
pub struct PartialBlob<'store> {
    store: &'store Store,
    digest: Digest,
    file: File,
    length: u64,
}

impl PartialBlob<'_> {
    /// Bytes that an earlier attempt left. After power loss they may be others than were written.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// For writing behind what there is, and for reading it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Throws away what there is.
    ///
    /// # Errors
    /// When the file cannot be cut.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.length = 0;
        let failed = |error| StoreError::io("cut", file::full(self.store, &partial_path(self.digest)), error);
        self.file.set_len(0).map_err(failed)
    }

    /// Lets the blob appear; the caller has seen that its digest is right. It stays locked until this is dropped: who
    /// waits for it may find then that nothing is left to do.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn finish(&self) -> Result<(), StoreError> {
        file::make_folder(self.store, BLOBS)?;
        let name = blob_path(self.digest);
        rustix::fs::renameat(&self.store.root, partial_path(self.digest), &self.store.root, &name)
            .map_err(|errno| StoreError::io("rename", file::full(self.store, &name), errno))
    }

    /// Removes what there is.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn discard(self) -> Result<(), StoreError> {
        file::remove(self.store, &partial_path(self.digest)).map(drop)
    }
}

impl Store {
    /// Opens a blob, or takes the right to fetch it.
    ///
    /// # Errors
    /// When a file cannot be opened or made.
    pub fn want_blob(&self, digest: Digest) -> Result<WantedBlob<'_>, StoreError> {
        if !file::exists(self, &blob_path(digest))? {
            self.admit(0)?;
        }
        self.take_blob(digest)
    }

    /// The same without asking for room, for who makes some.
    fn take_blob(&self, digest: Digest) -> Result<WantedBlob<'_>, StoreError> {
        let name = partial_path(digest);
        let failed = |errno| StoreError::io("lock", file::full(self, &name), errno);
        loop {
            if let Some(found) = self.blob(digest)? {
                return match rustix::fs::flock(&found, FlockOperation::NonBlockingLockShared) {
                    Ok(()) => Ok(WantedBlob::Complete(found)),
                    Err(Errno::WOULDBLOCK) => Ok(WantedBlob::Busy),
                    Err(errno) => Err(failed(errno)),
                };
            }
            file::make_folder(self, PARTIAL)?;
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let opened = rustix::fs::openat(&self.root, &name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
            match rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(WantedBlob::Busy),
                Err(errno) => return Err(failed(errno)),
            }
            // Who had the lock until now may have finished the blob, or removed it: then this is no longer its file, and
            // another process may hold the one that is.
            let own = rustix::fs::fstat(&opened).map_err(failed)?;
            match rustix::fs::statat(&self.root, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(named) if named.st_ino == own.st_ino && !file::exists(self, &blob_path(digest))? => {
                    let length = own.st_size.cast_unsigned();
                    let file = File::from(opened);
                    return Ok(WantedBlob::Partial(PartialBlob { store: self, digest, file, length }));
                }
                // Ours, made in the moment in which the blob appeared.
                Ok(named) if named.st_ino == own.st_ino => drop(file::remove(self, &name)?),
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// Opens a blob. Its digest was right when it appeared; whoever needs it whole hashes what is read.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn blob(&self, digest: Digest) -> Result<Option<File>, StoreError> {
        file::open(self, &blob_path(digest))
    }

    /// Whether a blob of this length is there.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn has_blob(&self, digest: Digest, size: u64) -> Result<bool, StoreError> {
        match rustix::fs::statat(&self.root, blob_path(digest), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(found.st_size.cast_unsigned() == size),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(StoreError::io("look for", file::full(self, &blob_path(digest)), errno)),
        }
    }

    /// A blob that is a document, its digest seen to be right; `None` where it is not there or is damaged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn document(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(file::read(self, &blob_path(digest))?.filter(|bytes| Digest::of(bytes) == digest))
    }

    /// Keeps a document as a blob. Does not write when it is there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put_document(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.document(digest)?.is_none() {
            file::make_folder(self, BLOBS)?;
            file::replace_lazily(self, &blob_path(digest), bytes)?;
        }
        Ok(digest)
    }

    /// Keeps a file that was written without a name as a blob; the caller has hashed it.
    ///
    /// # Errors
    /// When it cannot be linked.
    pub fn add_blob(&self, digest: Digest, sink: &LayerSink) -> Result<(), StoreError> {
        file::make_folder(self, BLOBS)?;
        let name = blob_path(digest);
        let temporary = match sink.temporary() {
            Some(temporary) => temporary.to_owned(),
            None => {
                let temporary = file::temporary_name()?;
                let own = format!("/proc/self/fd/{}", sink.as_raw_fd());
                rustix::fs::linkat(rustix::fs::CWD, own, &self.root, &temporary, AtFlags::SYMLINK_FOLLOW)
                    .map_err(|errno| StoreError::io("link", file::full(self, &name), errno))?;
                temporary
            }
        };
        file::place(self, &temporary, &name)
    }

    /// Removes a blob; whether it was there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_blob(&self, digest: Digest) -> Result<bool, StoreError> {
        file::remove(self, &blob_path(digest))
    }

    /// Removes a blob unless somebody is using it for the first time; whether it did.
    ///
    /// # Errors
    /// When it cannot be opened or removed.
    pub fn evict_blob(&self, digest: Digest) -> Result<bool, StoreError> {
        let Some(file) = self.blob(digest)? else { return Ok(false) };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => self.remove_blob(digest),
            Err(_) => Ok(false),
        }
    }

    /// Removes what there is of a blob that nobody is fetching; whether it was there.
    ///
    /// # Errors
    /// When it cannot be looked at or removed.
    pub fn remove_partial_blob(&self, digest: Digest) -> Result<bool, StoreError> {
        if !file::exists(self, &partial_path(digest))? {
            return Ok(false);
        }
        match self.take_blob(digest)? {
            WantedBlob::Partial(partial) => partial.discard().map(|()| true),
            WantedBlob::Complete(_) | WantedBlob::Busy => Ok(false),
        }
    }

    /// All blobs with their lengths, sorted by digest.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn blobs(&self) -> Result<Vec<(Digest, u64)>, StoreError> {
        self.lengths(BLOBS)
    }

    /// All blobs on their way, with what there is of each.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn partial_blobs(&self) -> Result<Vec<(Digest, u64)>, StoreError> {
        self.lengths(PARTIAL)
    }

    fn lengths(&self, folder: &str) -> Result<Vec<(Digest, u64)>, StoreError> {
        let mut all = Vec::new();
        for name in file::list_if_there(self, folder)? {
            let Ok(digest) = Digest::from_hex(&name) else { continue };
            let path = format!("{folder}/{name}");
            match rustix::fs::statat(&self.root, &path, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => all.push((digest, found.st_size.cast_unsigned())),
                // Gone since the folder was read.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(StoreError::io("look at", file::full(self, &path), errno)),
            }
        }
        Ok(all)
    }
}

fn blob_path(digest: Digest) -> String {
    format!("{BLOBS}/{}", digest.hex())
}

fn partial_path(digest: Digest) -> String {
    format!("{PARTIAL}/{}", digest.hex())
}

#[cfg(test)]
mod tests;
