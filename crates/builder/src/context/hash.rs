//! Reads the contents of files whose digests the stat index does not know, with several threads where there is enough
//! to do.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use layer::{EntryKind, Xattr};
use oci::{Digest, Hasher};
use rustix::fs::FileType;
use rustix::io::Errno;

use super::walk::{kind_of, metadata, stamp_of};
use super::{Context, ContextError, read_error};
use crate::path::lossy;
use crate::source::{Content, Selection, SourceEntry};
use crate::stat_index::{Remembered, Stamp};

/// What stands for the digest of a folder.
const NO_CONTENT: Digest = Digest::from_bytes([0; 32]);

/// A file that has to be read: its path in the context, and the entry that its digest goes to.
type Unknown<'e> = (Vec<u8>, &'e mut SourceEntry);

impl Context {
    /// Fills in the digests of all regular files, from the index or by reading them.
    pub(crate) fn digest(&self, selection: &mut Selection) -> Result<(), ContextError> {
        let mut entries = std::mem::take(&mut selection.entries);
        let mut unknown: Vec<Unknown<'_>> = Vec::new();
        for entry in &mut entries {
            let Content::Context(stamp) = entry.content else { continue };
            let path = selection.path_of(entry);
            match self.index.get(&path, stamp) {
                Some(known) => known.fill(entry),
                None => unknown.push((path, entry)),
            }
        }
        if !unknown.is_empty() {
            self.hash_all(unknown)?;
        }
        selection.entries = entries;
        Ok(())
    }

    fn hash_all(&self, unknown: Vec<Unknown<'_>>) -> Result<(), ContextError> {
        let bytes: u64 = unknown.iter().map(|(_, entry)| size_of(&entry.kind)).sum();
        if unknown.len() < 64 && bytes < 8 << 20 {
            let mut buffer = vec![0; 1 << 17];
            return unknown.into_iter().try_for_each(|(path, entry)| self.hash(path, entry, &mut buffer));
        }
        let slots: Vec<Mutex<Option<Unknown<'_>>>> = unknown.into_iter().map(|file| Mutex::new(Some(file))).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut buffer = vec![0; 1 << 17];
            while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
                let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some((path, entry)) = taken {
                    self.hash(path, entry, &mut buffer)?;
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (1..self.threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            let others = workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            others.fold(own, Result::and)
        })
    }

    /// Reads one file. One that changes meanwhile, such as a log, is read again before that is an error.
    fn hash(&self, path: Vec<u8>, entry: &mut SourceEntry, buffer: &mut [u8]) -> Result<(), ContextError> {
        const ATTEMPTS: usize = 3;
        let Content::Context(mut stamp) = entry.content else { return Ok(()) };
        if let Some(known) = self.lock_fresh().get(&path).filter(|known| known.stamp == stamp) {
            known.fill(entry);
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let began = now();
            let mut file = self.open_file(&path)?;
            let (digest, size) =
                hash_content(&mut file, stamp.size, buffer).map_err(|error| read_error(&path, error))?;
            self.bytes_read.fetch_add(size, Ordering::Relaxed);
            let xattrs = xattrs(&file).map_err(|errno| read_error(&path, errno.into()))?;
            let after = rustix::fs::fstat(&file).map_err(|errno| read_error(&path, errno.into()))?;
            if kind_of(&after) != FileType::RegularFile {
                break;
            }
            let seen = stamp_of(&after);
            if seen != stamp || size != stamp.size {
                stamp = seen;
                continue;
            }
            entry.kind = EntryKind::File { size };
            entry.metadata = metadata(&after);
            entry.content = Content::Context(stamp);
            let row = Remembered { stamp: stamp.if_trusted(began), digest, xattrs };
            row.fill(entry);
            if self.index.lookup(&path) != Some(&row) {
                self.lock_fresh().insert(path, row);
            }
            return Ok(());
        }
        Err(ContextError::Changed { path: lossy(&path) })
    }

    /// Attributes of a folder. As they are known by its stamp, a folder that has not changed is not asked again; its row
    /// of the index has a slash behind the path.
    pub(super) fn folder_xattrs(
        &self,
        folder: &OwnedFd,
        path: &[u8],
        stamp: Stamp,
    ) -> Result<Vec<Xattr>, ContextError> {
        let key = [path, b"/"].concat();
        if let Some(known) = self.index.get(&key, stamp) {
            return Ok(known.xattrs.clone());
        }
        let began = now();
        let xattrs = xattrs(folder).map_err(|errno| read_error(path, errno.into()))?;
        let row = Remembered { stamp: stamp.if_trusted(began), digest: NO_CONTENT, xattrs: xattrs.clone() };
        if self.index.lookup(&key) != Some(&row) {
            self.lock_fresh().insert(key, row);
        }
        Ok(xattrs)
    }

    fn lock_fresh(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Remembered>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads as much as a file is known to hold: whether that is all, its size shows afterwards.
fn hash_content(file: &mut File, expected: u64, buffer: &mut [u8]) -> std::io::Result<(Digest, u64)> {
    let mut hasher = Hasher::new();
    let mut size = 0;
    while size < expected {
        let count = file.read(buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
    Ok((hasher.finish(), size))
}

/// Extended attributes that reach an image; the host's security labels do not.
fn xattrs(file: impl AsFd) -> rustix::io::Result<Vec<Xattr>> {
    let mut names = vec![0; 1024];
    let length = match rustix::fs::flistxattr(&file, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(Errno::RANGE) => {
            names.resize(64 << 10, 0);
            rustix::fs::flistxattr(&file, &mut names)?
        }
        Err(errno) => return Err(errno),
    };
    let mut all = Vec::new();
    for name in names[..length].split(|byte| *byte == 0) {
        if name == b"security.capability" || name.starts_with(b"user.") {
            let mut value = vec![0; 64 << 10];
            let length = rustix::fs::fgetxattr(&file, name, &mut value)?;
            value.truncate(length);
            all.push(Xattr { name: name.to_vec(), value });
        }
    }
    all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn now() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

fn size_of(kind: &EntryKind) -> u64 {
    if let EntryKind::File { size } = kind { *size } else { 0 }
}
