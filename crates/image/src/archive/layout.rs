//! An OCI layout as a folder (image-spec, image-layout.md).
//!
//! What is read of it is hostile: no link within it is followed, documents have limits, and a blob that is a document
//! is handed out only when its digest is right. Writers add blobs first and replace `index.json` last, each by a rename; they
//! exclude each other by an `flock` on the folder itself, and readers take no notice of it.

mod read;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oci::{Descriptor, Digest};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::documents::{IMAGE_NAME, OciLayout, REF_NAME, annotation, oci_index};
use super::error::SaveError;
use super::names;
use super::save::bytes;

pub use read::LayoutReader;

/// A folder that is a layout, or will be one, open for writing.
#[derive(Debug)]
pub struct Layout {
    reader: LayoutReader,
    blobs: OwnedFd,
    /// Names of blobs that are written and have not appeared yet.
    unsettled: Mutex<Vec<String>>,
}

/// The right to be the only writer.
#[derive(Debug)]
pub struct LayoutLock<'l>(&'l Layout);

impl Drop for LayoutLock<'_> {
    fn drop(&mut self) {
        // It ends with the descriptor in any case.
        rustix::fs::flock(&self.0.reader, FlockOperation::Unlock).ok();
    }
}

impl Layout {
    /// Makes the folders that are missing. One that holds something else is refused before anything is written.
    ///
    /// # Errors
    /// When a folder cannot be made, or is there and something else.
    pub fn open(path: &Path) -> Result<Self, SaveError> {
        let failed = |path: &Path, source: io::Error| SaveError::Layout { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(|source| failed(path, source))?;
        let reader = LayoutReader::open(path).map_err(|source| failed(path, source))?;
        reader.index().map_err(|source| index_failed(path, source))?;
        let mut folder = reader.folder(".").map_err(|source| failed(path, source))?;
        let mut whole = path.to_owned();
        for name in names::BLOBS.split_terminator('/') {
            whole.push(name);
            match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(&whole, errno.into())),
            }
            // A link in its place leads somewhere that nobody named.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = rustix::fs::openat(&folder, name, flags, Mode::empty());
            folder = opened.map_err(|errno| failed(&whole, errno.into()))?;
        }
        Ok(Self { reader, blobs: folder, unsettled: Mutex::default() })
    }

    /// For reading the same folder.
    pub fn reader(&self) -> &LayoutReader {
        &self.reader
    }

    /// Tries to become the only writer; `None` while another one is.
    ///
    /// # Errors
    /// When the kernel refuses for another reason than that. Where the file system knows no locks there is none.
    pub fn try_lock(&self) -> Result<Option<LayoutLock<'_>>, SaveError> {
        self.flock(FlockOperation::NonBlockingLockExclusive)
    }

    /// Waits until no other writer is there.
    pub(super) fn lock(&self) -> Result<Option<LayoutLock<'_>>, SaveError> {
        self.flock(FlockOperation::LockExclusive)
    }

    fn flock(&self, operation: FlockOperation) -> Result<Option<LayoutLock<'_>>, SaveError> {
        match rustix::fs::flock(&self.reader, operation) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::BADF | Errno::NOLCK) => Ok(Some(LayoutLock(self))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(self.failed(".", errno.into())),
        }
    }

    /// Whether a blob is there: a file of its name and length appeared by rename.
    pub fn has_blob(&self, digest: Digest, size: u64) -> bool {
        rustix::fs::statat(&self.blobs, digest.hex(), AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|found| {
            FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && found.st_size.cast_unsigned() == size
        })
    }

    /// Adds a blob, unless it is there. It appears with the next [`Self::list`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_blob(&self, digest: Digest, size: u64, content: &mut dyn Read) -> Result<(), SaveError> {
        let is_there = self.has_blob(digest, size) || self.unsettled().contains(&digest.hex());
        if is_there { Ok(()) } else { self.replace_blob(digest, content) }
    }

    /// Writes a blob, also in the place of a damaged one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace_blob(&self, digest: Digest, content: &mut dyn Read) -> Result<(), SaveError> {
        let name = digest.hex();
        write(&self.blobs, &name, content).map_err(|source| self.blob_failed(&name, source))?;
        self.unsettled().push(name);
        Ok(())
    }

    /// Lets blobs appear, synced: what has its name and length is taken for whole by the next writer. All are written before
    /// the first is synced, so that the file system does it once.
    fn settle(&self) -> Result<(), SaveError> {
        let unsettled = std::mem::take(&mut *self.unsettled());
        for name in &unsettled {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&self.blobs, unfinished(name), flags, Mode::empty())
                .and_then(rustix::fs::fdatasync)
                .map_err(|errno| self.blob_failed(name, errno.into()))?;
        }
        for name in &unsettled {
            rustix::fs::renameat(&self.blobs, unfinished(name), &self.blobs, name)
                .map_err(|errno| self.blob_failed(name, errno.into()))?;
        }
        Ok(())
    }

    fn unsettled(&self) -> MutexGuard<'_, Vec<String>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blob_failed(&self, name: &str, source: io::Error) -> SaveError {
        self.failed(&format!("{}{name}", names::BLOBS), source)
    }

    /// Lets all blobs appear, and lists images in place of those that had their names, or were the same without a name.
    ///
    /// # Errors
    /// When the index cannot be read or written.
    pub fn list(&self, named: &[Descriptor]) -> Result<(), SaveError> {
        self.settle()?;
        let name = |descriptor: &Descriptor| {
            let whole = annotation(descriptor, IMAGE_NAME).or_else(|| annotation(descriptor, REF_NAME));
            whole.map(str::to_owned)
        };
        let is_replaced = |old: &Descriptor| {
            named.iter().any(|new| name(old) == name(new) && (name(old).is_some() || old.digest == new.digest))
        };
        let before = self.reader.index().map_err(|source| index_failed(&self.reader.path, source))?;
        let mut all = before.clone();
        // What stays the same stays in its place.
        if !named.iter().all(|new| before.contains(new)) {
            all.retain(|old| !is_replaced(old));
            all.extend_from_slice(named);
        }
        self.put_document(names::OCI_LAYOUT, &bytes(&OciLayout::default()))?;
        self.put_document(names::OCI_INDEX, &bytes(&oci_index(all)))
    }

    /// Removes all blobs that nothing in the index leads to, and what killed writers left; whoever calls this holds the
    /// lock. Gives how many.
    ///
    /// # Errors
    /// When a document that is listed cannot be read: what it leads to is not known then, and nothing is removed.
    pub fn remove_unlisted(&self) -> Result<usize, SaveError> {
        let listed = self.reader.listed_blobs().map_err(|source| self.failed(names::OCI_INDEX, source))?;
        self.remove(|name| Digest::from_hex(name).is_ok_and(|digest| !listed.contains(&digest)))
    }

    /// Removes what killed writers left; whoever calls this holds the lock.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sweep(&self) -> Result<(), SaveError> {
        self.remove(|_| false).map(drop)
    }

    fn remove(&self, is_unlisted: impl Fn(&str) -> bool) -> Result<usize, SaveError> {
        let failed = |errno: Errno| self.failed(names::BLOBS, errno.into());
        let mut removed = 0;
        let mut names = HashSet::new();
        for entry in rustix::fs::Dir::read_from(&self.blobs).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            names.extend(entry.file_name().to_str().map(str::to_owned));
        }
        for name in names {
            if is_unlisted(&name) || is_unfinished(&name) {
                match rustix::fs::unlinkat(&self.blobs, &name, AtFlags::empty()) {
                    Ok(()) => removed += usize::from(!is_unfinished(&name)),
                    // Not ours, or gone.
                    Err(Errno::NOENT | Errno::ISDIR | Errno::PERM) => {}
                    Err(errno) => return Err(failed(errno)),
                }
            }
        }
        Ok(removed)
    }

    /// Writes a document, unless it is there already.
    fn put_document(&self, name: &str, content: &[u8]) -> Result<(), SaveError> {
        if self.reader.document(name).is_ok_and(|there| there == content) {
            return Ok(());
        }
        let written = write(&self.reader, name, &mut &content[..])
            .and_then(|file| file.sync_data())
            .and_then(|()| Ok(rustix::fs::renameat(&self.reader, unfinished(name), &self.reader, name)?));
        written.map_err(|source| self.failed(name, source))
    }

    fn failed(&self, name: &str, source: io::Error) -> SaveError {
        SaveError::Layout { path: self.reader.path.join(name), source }
    }
}

fn index_failed(path: &Path, source: io::Error) -> SaveError {
    let path: PathBuf = path.join(names::OCI_INDEX);
    match source.kind() {
        io::ErrorKind::InvalidData => SaveError::NotALayout { path },
        _ => SaveError::Layout { path, source },
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        for name in &*self.unsettled() {
            // What is left here is swept.
            rustix::fs::unlinkat(&self.blobs, unfinished(name), AtFlags::empty()).ok();
        }
    }
}

/// What is to become `name`.
fn unfinished(name: &str) -> String {
    format!(".{name}.{}", std::process::id())
}

/// Writes what is to become `name`.
fn write(folder: impl AsFd, name: &str, content: &mut dyn Read) -> io::Result<File> {
    let unfinished = unfinished(name);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // What an earlier process of this number left.
    rustix::fs::unlinkat(&folder, &unfinished, AtFlags::empty()).ok();
    let mut file: File = rustix::fs::openat(&folder, &unfinished, flags, Mode::from_raw_mode(0o644))?.into();
    match io::copy(content, &mut file) {
        Ok(_) => Ok(file),
        Err(error) => {
            // The first error is what counts.
            rustix::fs::unlinkat(&folder, &unfinished, AtFlags::empty()).ok();
            Err(error)
        }
    }
}

/// `.HEX.PID`
fn is_unfinished(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|name| name.split_once('.'));
    parts.is_some_and(|(hex, pid)| Digest::from_hex(hex).is_ok() && pid.bytes().all(|byte| byte.is_ascii_digit()))
}
