//! The build context, read in place: nothing is transferred or copied.
//!
//! Paths are resolved by descriptor below the context's folder; a symbolic link cannot lead out of it. Folders that
//! the ignore file takes out whole are never opened. Contents are hashed only where the stat index does not know
//! them, by two threads where there is enough to do.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dockerfile::{IgnoreFile, Verdict};
use layer::{EntryKind, Metadata, Timestamp, Xattr};
use oci::{Digest, Hasher};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use store::{RecordKind, Store};

use crate::source::{Content, Selection, SourceEntry};
use crate::stat_index::{Remembered, Stamp, StatIndex};

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
    root: OwnedFd,
    ignore: IgnoreFile,
    /// Name of its stat index in the store.
    key: Digest,
    index: StatIndex,
    /// What was hashed in this build, by path.
    fresh: Mutex<HashMap<Vec<u8>, Remembered>>,
    bytes_read: AtomicU64,
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
        Ok(Self { root, ignore, key, index, fresh: Mutex::default(), bytes_read: AtomicU64::new(0) })
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
    pub(crate) fn remember(self, store: &Store) -> Result<(), store::StoreError> {
        let fresh = self.fresh.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if fresh.is_empty() {
            return Ok(());
        }
        let mut index = self.index;
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

    /// All files that a source path stands for, without their digests. `path` is in normal form.
    pub(crate) fn select(&self, path: &[u8]) -> Result<Selection, ContextError> {
        let found = self.resolve(path, path)?;
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
        let is_folder = kind_of(&found.stat) == FileType::Directory;
        let verdict = match found.path.as_slice() {
            b"" => Verdict::Included,
            path => self.ignore.matches(path, is_folder),
        };
        if verdict == Verdict::Skipped || verdict == Verdict::Ignored && !is_folder {
            return Err(ContextError::Ignored { path: lossy(path) });
        }
        let root = found.path.clone();
        let mut entries = vec![entry(Vec::new(), &found.stat, None)];
        if is_folder {
            let folder = self.open_below(&found.path, OFlags::DIRECTORY)?;
            let prefix = if root.is_empty() { 0 } else { root.len() + 1 };
            let mut walk = Walk { context: self, path: found.path, prefix, entries };
            let matched = self.matched(&walk.path);
            walk.folder(&folder, &matched)?;
            entries = walk.entries;
            if verdict == Verdict::Ignored && entries.len() == 1 {
                return Err(ContextError::Ignored { path: lossy(path) });
            }
        }
        Ok(Selection { name, root, is_unpacked: false, entries })
    }

    /// What the ignore rules know of a folder and those above it.
    fn matched(&self, path: &[u8]) -> dockerfile::Folder {
        let mut matched = self.ignore.root();
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(place, _)| place);
        for end in slashes.chain((!path.is_empty()).then_some(path.len())) {
            matched = self.ignore.enter(&matched, &path[..end]);
        }
        matched
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
                    let parent = found.path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    found.path.truncate(parent);
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

    /// Fills in the digests of all regular files, from the index or by reading them.
    pub(crate) fn digest(&self, selection: &mut Selection) -> Result<(), ContextError> {
        let mut entries = std::mem::take(&mut selection.entries);
        let mut unknown: Vec<(Vec<u8>, &mut SourceEntry)> = Vec::new();
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

    fn hash_all(&self, unknown: Vec<(Vec<u8>, &mut SourceEntry)>) -> Result<(), ContextError> {
        let bytes: u64 = unknown.iter().map(|(_, entry)| size_of(&entry.kind)).sum();
        if unknown.len() < 64 && bytes < 8 << 20 {
            let mut buffer = vec![0; 1 << 17];
            return unknown.into_iter().try_for_each(|(path, entry)| self.hash(path, entry, &mut buffer));
        }
        let slots: Vec<Mutex<Option<(Vec<u8>, &mut SourceEntry)>>> =
            unknown.into_iter().map(|file| Mutex::new(Some(file))).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut buffer = vec![0; 1 << 17];
            while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
                let taken = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                if let Some((path, entry)) = taken {
                    self.hash(path, entry, &mut buffer)?;
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (1..parallelism()).map(|_| scope.spawn(work)).collect();
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
        let Content::Context(stamp) = entry.content else { return Ok(()) };
        if let Some(known) = self.lock_fresh().get(&path).filter(|known| known.stamp == stamp) {
            known.fill(entry);
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let began = now();
            let mut file = self.open_file(&path)?;
            let before = rustix::fs::fstat(&file).map_err(|errno| read_error(&path, errno.into()))?;
            if kind_of(&before) != FileType::RegularFile {
                break;
            }
            let (digest, size) = hash_content(&mut file, buffer).map_err(|error| read_error(&path, error))?;
            self.bytes_read.fetch_add(size, Ordering::Relaxed);
            let xattrs = xattrs(&file).map_err(|errno| read_error(&path, errno.into()))?;
            let after = rustix::fs::fstat(&file).map_err(|errno| read_error(&path, errno.into()))?;
            if stamp_of(&before) != stamp_of(&after) || size != stamp_of(&after).size {
                continue;
            }
            let stamp = stamp_of(&after);
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

    fn lock_fresh(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<u8>, Remembered>> {
        self.fresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// After copying: the file must still be the one whose digest is in the cache key.
    pub(crate) fn check_unchanged(file: &File, path: &[u8], known: Stamp) -> Result<(), ContextError> {
        let after = rustix::fs::fstat(file).map_err(|errno| read_error(path, errno.into()))?;
        if known == stamp_of(&after) { Ok(()) } else { Err(ContextError::Changed { path: lossy(path) }) }
    }

    /// A name in the same folder that differs from a missing one in few letters, or only in case.
    pub(crate) fn similar(&self, path: &[u8]) -> Option<String> {
        let split = path.iter().rposition(|byte| *byte == b'/');
        let (folder, name) = split.map_or((&b""[..], path), |slash| (&path[..slash], &path[slash + 1..]));
        let name = std::str::from_utf8(name).ok()?;
        let names = self.names_in(folder).ok()?;
        let names: Vec<&str> = names.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok()).collect();
        let nearest = dockerfile::nearest(name, names)?;
        Some(lossy(&join(folder, nearest.as_bytes())))
    }

    /// Which files differ from what the index says, for `--explain`: at most `limit` paths, and how many there are.
    pub(crate) fn changed_files<'s>(
        &self,
        selections: impl Iterator<Item = &'s Selection>,
        limit: usize,
    ) -> (Vec<String>, usize) {
        let mut found: Vec<(Vec<u8>, &str)> = Vec::new();
        for selection in selections {
            let mut paths = HashSet::new();
            for entry in selection.entries.iter().filter(|entry| matches!(entry.content, Content::Context(_))) {
                let path = selection.path_of(entry);
                match self.index.lookup(&path) {
                    None => found.push((path.clone(), " (new)")),
                    Some(known) if Some(known.digest) != entry.digest => found.push((path.clone(), "")),
                    Some(_) => {}
                }
                paths.insert(path);
            }
            let gone = self.index.below(&selection.root).filter(|path| !paths.contains(*path));
            // What the ignore file leaves out by now may be there all the same.
            let gone = gone.filter(|path| rustix::fs::statat(&self.root, *path, AtFlags::SYMLINK_NOFOLLOW).is_err());
            found.extend(gone.map(|path| (path.to_vec(), " (gone)")));
        }
        found.sort_unstable_by(|one, other| crate::order::compare(&one.0, &other.0));
        found.dedup();
        let shown = found.iter().take(limit).map(|(path, what)| lossy(path) + what).collect();
        (shown, found.len())
    }
}

struct Found {
    path: Vec<u8>,
    stat: Stat,
}

/// One walk of a folder, depth first, names sorted.
struct Walk<'context> {
    context: &'context Context,
    /// Path of the folder being read, below the context.
    path: Vec<u8>,
    /// How much of it belongs to the selected folder.
    prefix: usize,
    entries: Vec<SourceEntry>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, matched: &dockerfile::Folder) -> Result<(), ContextError> {
        let names = list(folder).map_err(|errno| read_error(&self.path, errno.into()))?;
        let length = self.path.len();
        for (name, kind) in names {
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&name);
            self.name(folder, &name, kind, matched)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn name(
        &mut self,
        folder: &OwnedFd,
        name: &[u8],
        kind: FileType,
        matched: &dockerfile::Folder,
    ) -> Result<(), ContextError> {
        let is_folder = kind == FileType::Directory;
        let verdict = self.context.ignore.check(matched, &self.path, is_folder);
        let ignored = verdict != Verdict::Included;
        if kind == FileType::Socket || verdict == Verdict::Skipped || ignored && !is_folder {
            return Ok(());
        }
        let failed = |path: &[u8], errno: Errno| read_error(path, errno.into());
        let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Gone since its name was read: as if it had never been there.
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(failed(&self.path, errno)),
        };
        let target = match kind_of(&stat) {
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(folder, name, Vec::new());
                Some(target.map_err(|errno| failed(&self.path, errno))?.into_bytes())
            }
            _ => None,
        };
        let own = self.entries.len();
        self.entries.push(entry(self.path[self.prefix..].to_vec(), &stat, target));
        if kind_of(&stat) == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let opened =
                rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(|errno| failed(&self.path, errno))?;
            let matched = self.context.ignore.enter(matched, &self.path);
            self.folder(&opened, &matched)?;
            if ignored && self.entries.len() == own + 1 {
                // Ignored, and no exception below it.
                self.entries.pop();
            }
        }
        Ok(())
    }
}

/// Names and types in a folder, sorted.
fn list(folder: impl AsFd) -> rustix::io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut entries = rustix::fs::RawDir::new(&folder, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => kind_of(&rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?),
            kind => kind,
        };
        names.push((name.to_vec(), kind));
    }
    names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    Ok(names)
}

fn hash_content(file: &mut File, buffer: &mut [u8]) -> std::io::Result<(Digest, u64)> {
    let mut hasher = Hasher::new();
    let mut size = 0;
    loop {
        let count = file.read(buffer)?;
        if count == 0 {
            return Ok((hasher.finish(), size));
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
}

fn entry(path: Vec<u8>, stat: &Stat, target: Option<Vec<u8>>) -> SourceEntry {
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let kind = match kind_of(stat) {
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink { target: target.unwrap_or_default() },
        FileType::Fifo => EntryKind::Fifo,
        FileType::CharacterDevice => EntryKind::CharDevice { major, minor },
        FileType::BlockDevice => EntryKind::BlockDevice { major, minor },
        _ => EntryKind::File { size: stat.st_size.cast_unsigned() },
    };
    let is_file = matches!(kind, EntryKind::File { .. });
    SourceEntry {
        path,
        metadata: metadata(stat),
        digest: None,
        identity: (is_file && stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino)),
        content: if is_file { Content::Context(stamp_of(stat)) } else { Content::None },
        kind,
    }
}

/// As the image will have it: owned by root, whoever owns it here (Dockerfile reference, "COPY --chown").
fn metadata(stat: &Stat) -> Metadata {
    Metadata {
        mode: stat.st_mode & 0o7777,
        uid: 0,
        gid: 0,
        mtime: Timestamp { secs: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) },
        xattrs: Vec::new(),
    }
}

fn stamp_of(stat: &Stat) -> Stamp {
    let nanoseconds = |secs: i64, nanos: u64| secs.saturating_mul(1_000_000_000).saturating_add_unsigned(nanos);
    Stamp {
        device: stat.st_dev,
        inode: stat.st_ino,
        size: stat.st_size.cast_unsigned(),
        mtime: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        ctime: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// Extended attributes that reach an image; the host's security labels do not.
fn xattrs(file: &File) -> rustix::io::Result<Vec<Xattr>> {
    let mut names = vec![0; 1024];
    let length = match rustix::fs::flistxattr(file, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(Errno::RANGE) => {
            names.resize(64 << 10, 0);
            rustix::fs::flistxattr(file, &mut names)?
        }
        Err(errno) => return Err(errno),
    };
    let mut all = Vec::new();
    for name in names[..length].split(|byte| *byte == 0) {
        if name == b"security.capability" || name.starts_with(b"user.") {
            let mut value = vec![0; 64 << 10];
            let length = rustix::fs::fgetxattr(file, name, &mut value)?;
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

fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn size_of(kind: &EntryKind) -> u64 {
    if let EntryKind::File { size } = kind { *size } else { 0 }
}

fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8)
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn read_error(path: &[u8], source: std::io::Error) -> ContextError {
    ContextError::Read { path: lossy(path), source }
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
