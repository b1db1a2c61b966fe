//! The build context, read in place: nothing is transferred or copied.
//!
//! Paths are resolved by descriptor below the context's folder; a symbolic link cannot lead out of it. Folders that
//! the ignore file takes out whole are never opened. Contents are hashed only where the stat index does not know
//! them, by two threads where there is enough to do.

mod hash;
mod survey;
mod tar_size;
mod walk;

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dockerfile::{IgnoreFile, Rule, Verdict};
use oci::Digest;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use store::{RecordKind, Store};

use crate::filter::Filter;
use crate::path::{join, lossy, name, parent};
use crate::source::Selection;
use crate::stat_index::{Remembered, Stamp, StatIndex};
pub(crate) use tar_size::tar_size;
use walk::{Walk, entry, kind_of, list, stamp_of};

/// Why files of the context cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The folder cannot be opened.
    #[error("cannot open the build context {}", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no such file.
    #[error("`{path}` is not in the build context")]
    NotFound {
        /// As written in the Dockerfile.
        path: String,
    },
    /// The ignore file takes it out.
    #[error("`{path}` is excluded from the build context by the ignore file")]
    Ignored {
        /// As written in the Dockerfile.
        path: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}` of the build context")]
    Read {
        /// Path below the context.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A file changed between two looks at it.
    #[error("`{path}` changed while it was read")]
    Changed {
        /// Path below the context.
        path: String,
    },
    /// Symbolic links that lead in a circle.
    #[error("too many symbolic links in `{path}`")]
    TooManyLinks {
        /// As written in the Dockerfile.
        path: String,
    },
}

/// An opened context.
#[derive(Debug)]
pub(crate) struct Context {
    /// As given.
    path: PathBuf,
    root: OwnedFd,
    ignore: IgnoreFile,
    /// Name of its stat index in the store.
    key: Digest,
    index: StatIndex,
    /// What was hashed in this build, by path.
    fresh: Mutex<HashMap<Vec<u8>, Remembered>>,
    bytes_read: AtomicU64,
    /// So many read it at once.
    threads: usize,
}

impl Context {
    pub(crate) fn open(store: &Store, path: &Path, ignore: IgnoreFile) -> Result<Self, ContextError> {
        let failed = |errno: Errno| ContextError::Open { path: path.to_owned(), source: errno.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
        let stat = rustix::fs::fstat(&root).map_err(failed)?;
        let key = Digest::of(format!("context {} {}", stat.st_dev, stat.st_ino).as_bytes());
        // The index only saves work: without it every file is read.
        let index = store.record(RecordKind::Context, key).ok().flatten();
        let index = index.map_or_else(StatIndex::default, |bytes| StatIndex::parse(&bytes));
        let (path, fresh, bytes_read) = (path.to_owned(), Mutex::default(), AtomicU64::new(0));
        Ok(Self { path, root, ignore, key, index, fresh, bytes_read, threads: walk::parallelism() })
    }

    /// Where it is, as it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What its ignore file says, for [`IgnoreFile::from_patterns`].
    pub(crate) fn patterns(&self) -> Vec<String> {
        // The slash, which changes nothing, keeps a `!` of the pattern from being taken for an exception.
        let pattern = |rule: &Rule| format!("{}/{}", if rule.exception { "!" } else { "" }, rule.pattern);
        self.ignore.rules().map(pattern).collect()
    }

    /// Names what the context is, for the records of its builds.
    pub(crate) fn key(&self) -> Digest {
        self.key
    }

    /// How much content had to be read so far, in bytes.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Keeps what was hashed for the next build. Writes nothing when nothing was.
    pub(crate) fn remember(&self, store: &Store) -> Result<(), store::StoreError> {
        let fresh = std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
        if fresh.is_empty() {
            return Ok(());
        }
        let mut index = self.index.clone();
        index.update(fresh.into_iter().collect());
        // Rows of files that are gone would stay for ever.
        let root = &self.root;
        index.retain(|path| rustix::fs::statat(root, path, AtFlags::SYMLINK_NOFOLLOW).is_ok());
        store.put_record(RecordKind::Context, self.key, &index.to_bytes())
    }

    /// Names in a folder that the ignore file leaves in, sorted; for wildcards.
    pub(crate) fn names_in(&self, folder: &[u8]) -> Result<Vec<(Vec<u8>, bool)>, ContextError> {
        let found = match self.resolve(folder, folder) {
            Ok(found) => found,
            Err(ContextError::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        if kind_of(&found.stat) != FileType::Directory {
            return Ok(Vec::new());
        }
        let opened = self.open_below(&found.path, OFlags::DIRECTORY)?;
        let names = list(&opened).map_err(|errno| read_error(folder, errno.into()))?;
        let visible = |(name, kind): (Vec<u8>, FileType)| {
            let is_folder = kind == FileType::Directory;
            let verdict = self.ignore.matches(&join(&found.path, &name), is_folder);
            let visible = verdict == Verdict::Included || is_folder && verdict == Verdict::Ignored;
            visible.then_some((name, is_folder))
        };
        Ok(names.into_iter().filter_map(visible).collect())
    }

    /// Where a path leads, links followed, if the ignore file leaves it in; what it says of it, and what is there.
    fn visible(&self, path: &[u8]) -> Result<(Found, Verdict), ContextError> {
        let found = self.resolve(path, path)?;
        let is_folder = kind_of(&found.stat) == FileType::Directory;
        let verdict = match found.path.as_slice() {
            b"" => Verdict::Included,
            path => self.ignore.matches(path, is_folder),
        };
        if verdict == Verdict::Skipped || verdict == Verdict::Ignored && !is_folder {
            return Err(ContextError::Ignored { path: lossy(path) });
        }
        Ok((found, verdict))
    }

    /// Where a path leads, links followed.
    pub(crate) fn leads_to(&self, path: &[u8]) -> Result<Vec<u8>, ContextError> {
        self.visible(path).map(|(found, _)| found.path)
    }

    /// All files that a source path stands for, without their digests. `path` is in normal form. A file that the filter
    /// leaves out gives nothing.
    pub(crate) fn select(self: &Arc<Self>, path: &[u8], filter: &Filter) -> Result<Selection, ContextError> {
        let (found, verdict) = self.visible(path)?;
        let name = name(path).to_vec();
        let is_folder = kind_of(&found.stat) == FileType::Directory;
        let root = found.path;
        let mut entries = vec![entry(Vec::new(), &found.stat, None)];
        if !is_folder && !filter.takes_file(&name) {
            entries.clear();
        }
        if is_folder {
            Walk::below(self, &root, matched(&self.ignore, &root), filter, &mut entries)?;
            if verdict == Verdict::Ignored && entries.len() == 1 && filter.takes_all() {
                return Err(ContextError::Ignored { path: lossy(path) });
            }
        }
        Ok(Selection { context: Some(Arc::clone(self)), name, root, is_unpacked: false, entries })
    }

    /// Follows symbolic links by hand, so that the path without them is known: ignore rules speak of that one.
    fn resolve(&self, path: &[u8], typed: &[u8]) -> Result<Found, ContextError> {
        let mut rest: Vec<Vec<u8>> = path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect();
        let mut found = Found { path: Vec::new(), stat: self.stat(b".", typed)? };
        let mut links = 0;
        while let Some(component) = rest.pop() {
            match component.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    let above = parent(&found.path).len();
                    found.path.truncate(above);
                    continue;
                }
                _ => {}
            }
            let next = join(&found.path, &component);
            let stat = self.stat(&next, typed)?;
            if kind_of(&stat) != FileType::Symlink {
                found = Found { path: next, stat };
                continue;
            }
            links += 1;
            if links > 40 {
                return Err(ContextError::TooManyLinks { path: lossy(typed) });
            }
            let target = rustix::fs::readlinkat(&self.root, next.as_slice(), Vec::new())
                .map_err(|errno| read_error(&next, errno.into()))?
                .into_bytes();
            if target.starts_with(b"/") {
                found.path.clear();
            }
            rest.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
        }
        let shown: &[u8] = if found.path.is_empty() { b"." } else { &found.path };
        found.stat = self.stat(shown, typed)?;
        Ok(found)
    }

    fn stat(&self, path: &[u8], typed: &[u8]) -> Result<Stat, ContextError> {
        rustix::fs::statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => ContextError::NotFound { path: lossy(typed) },
            errno => read_error(path, errno.into()),
        })
    }

    /// Opens a path that has no symbolic links in it; should one have appeared, this fails.
    fn open_below(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, ContextError> {
        let name: &[u8] = if path.is_empty() { b"." } else { path };
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(&self.root, name, flags, Mode::empty(), inside)
            .map_err(|errno| read_error(path, errno.into()))
    }

    /// Opens a file for copying it.
    pub(crate) fn open_file(&self, path: &[u8]) -> Result<File, ContextError> {
        // A FIFO that took the file's place must not block.
        self.open_below(path, OFlags::NONBLOCK).map(File::from)
    }

    /// Opens a folder for mounting it.
    pub(crate) fn open_folder(&self, path: &[u8]) -> Result<OwnedFd, ContextError> {
        self.open_below(path, OFlags::DIRECTORY)
    }

    /// After copying: the file must still be the one whose digest is in the cache key.
    pub(crate) fn check_unchanged(file: &File, path: &[u8], known: Stamp) -> Result<(), ContextError> {
        let after = rustix::fs::fstat(file).map_err(|errno| read_error(path, errno.into()))?;
        if known == stamp_of(&after) { Ok(()) } else { Err(ContextError::Changed { path: lossy(path) }) }
    }
}

struct Found {
    path: Vec<u8>,
    stat: Stat,
}

/// What ignore rules know of a folder and those above it.
pub(crate) fn matched(ignore: &IgnoreFile, path: &[u8]) -> dockerfile::Folder {
    let mut matched = ignore.root();
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(place, _)| place);
    for end in slashes.chain((!path.is_empty()).then_some(path.len())) {
        matched = ignore.enter(&matched, &path[..end]);
    }
    matched
}

fn read_error(path: &[u8], source: std::io::Error) -> ContextError {
    ContextError::Read { path: lossy(path), source }
}

#[cfg(test)]
mod tests;
