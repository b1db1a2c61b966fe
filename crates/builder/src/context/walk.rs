//! Finds the files below a folder of the context, and what `stat` says of them.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use dockerfile::Verdict;
use layer::{EntryKind, Metadata, Timestamp, Xattr};
use rustix::fs::{AtFlags, FileType, OFlags, Stat};
use rustix::io::Errno;

use super::{Context, ContextError, read_error};
use crate::filter::{Choice, Filter, Matched};
use crate::path::join;
use crate::source::{Content, SourceEntry};
use crate::stat_index::Stamp;

/// With so many folders waiting, threads are worth their start.
const ENOUGH_FOLDERS: usize = 8;

/// A folder that has to be read.
struct Task {
    /// Path below the context.
    path: Vec<u8>,
    matched: dockerfile::Folder,
    chosen: Matched,
    /// As it was when its name was found; `None` for the folder that the walk begins with, of which only the content
    /// counts.
    stamp: Option<Stamp>,
    /// Where its listing is to be put.
    listing: usize,
}

/// What is in one folder, sorted, and the folder's own attributes.
#[derive(Default)]
struct Listing {
    items: Vec<Item>,
    xattrs: Vec<Xattr>,
}

enum Item {
    Other(SourceEntry),
    Folder {
        entry: SourceEntry,
        listing: usize,
        /// It counts only for what is below it.
        is_way: bool,
    },
}

/// Folders still to be read, and what was found in the others.
#[derive(Default)]
struct Queue {
    tasks: Vec<Task>,
    listings: Vec<Listing>,
    /// Folders being read now, which may bring further ones.
    busy: usize,
    error: Option<ContextError>,
}

/// One walk of a folder; several threads where there are enough folders.
pub(super) struct Walk<'context> {
    context: &'context Context,
    filter: &'context Filter,
    /// How much of a path belongs to the selected folder.
    prefix: usize,
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl<'context> Walk<'context> {
    /// Adds all that is below a folder, depth first, names sorted.
    pub(super) fn below(
        context: &'context Context,
        path: &[u8],
        matched: dockerfile::Folder,
        filter: &'context Filter,
        entries: &mut Vec<SourceEntry>,
    ) -> Result<(), ContextError> {
        let first = Task { path: path.to_vec(), matched, chosen: filter.root(), stamp: None, listing: 0 };
        let queue = Queue { tasks: vec![first], listings: vec![Listing::default()], ..Queue::default() };
        let prefix = if path.is_empty() { 0 } else { path.len() + 1 };
        let walk = Self { context, filter, prefix, queue: Mutex::new(queue), changed: Condvar::new() };
        walk.work(|queue| (1..ENOUGH_FOLDERS).contains(&queue.tasks.len()));
        if !walk.lock().tasks.is_empty() {
            std::thread::scope(|scope| {
                for _ in 1..context.threads {
                    scope.spawn(|| walk.work(|_| true));
                }
                walk.work(|_| true);
            });
        }
        let mut queue = walk.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
        match queue.error.take() {
            Some(error) => Err(error),
            None => {
                gather(&mut queue.listings, 0, entries);
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads folders until there are no more, or `go_on` says otherwise.
    fn work(&self, go_on: impl Fn(&Queue) -> bool) {
        let mut queue = self.lock();
        loop {
            if queue.error.is_some() || !go_on(&queue) {
                return;
            }
            let Some(task) = queue.tasks.pop() else {
                if queue.busy == 0 {
                    return;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            queue.busy += 1;
            drop(queue);
            let found = self.folder(&task);
            queue = self.lock();
            queue.busy -= 1;
            match found {
                Ok((listing, folders)) => queue.add(&task, listing, folders),
                Err(error) => queue.error = Some(error),
            }
            self.changed.notify_all();
        }
    }

    /// What is in one folder, and which folders are to be read next; the listing counts those from 0.
    fn folder(&self, task: &Task) -> Result<(Listing, Vec<Task>), ContextError> {
        let folder = self.context.open_below(&task.path, OFlags::DIRECTORY)?;
        let names = list(&folder).map_err(|errno| read_error(&task.path, errno.into()))?;
        let xattrs = match task.stamp {
            Some(stamp) => self.context.folder_xattrs(&folder, &task.path, stamp)?,
            None => Vec::new(),
        };
        let mut listing = Listing { items: Vec::with_capacity(names.len()), xattrs };
        let mut folders = Vec::new();
        for (name, kind) in names {
            let path = join(&task.path, &name);
            let is_folder = kind == FileType::Directory;
            let verdict = self.context.ignore.check(&task.matched, &path, is_folder);
            let is_ignored = verdict != Verdict::Included;
            if kind == FileType::Socket || verdict == Verdict::Skipped || is_ignored && !is_folder {
                continue;
            }
            let choice = self.choose(task, &path, is_folder);
            if choice == Choice::Left {
                continue;
            }
            let Some((mut entry, stamp)) = self.entry(&folder, &name, &path)? else { continue };
            if entry.kind == EntryKind::Directory {
                entry.is_way = choice == Choice::Way;
                let is_way = is_ignored || entry.is_way;
                listing.items.push(Item::Folder { entry, listing: folders.len(), is_way });
                let matched = self.context.ignore.enter(&task.matched, &path);
                let chosen = if self.filter.takes_all() {
                    Matched::default()
                } else {
                    self.filter.enter(&task.chosen, &path[self.prefix..])
                };
                folders.push(Task { path, matched, chosen, stamp: Some(stamp), listing: 0 });
            } else {
                listing.items.push(Item::Other(entry));
            }
        }
        Ok((listing, folders))
    }

    fn choose(&self, task: &Task, path: &[u8], is_folder: bool) -> Choice {
        match self.filter.takes_all() {
            true => Choice::Taken,
            false => self.filter.choose(&task.chosen, &path[self.prefix..], is_folder),
        }
    }

    /// What has a name; `None` if it is gone since the name was read: as if it had never been there.
    fn entry(&self, folder: &OwnedFd, name: &[u8], path: &[u8]) -> Result<Option<(SourceEntry, Stamp)>, ContextError> {
        let failed = |errno: Errno| read_error(path, errno.into());
        let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        };
        let target = match kind_of(&stat) {
            FileType::Symlink => Some(rustix::fs::readlinkat(folder, name, Vec::new()).map_err(failed)?.into_bytes()),
            _ => None,
        };
        Ok(Some((entry(path[self.prefix..].to_vec(), &stat, target), stamp_of(&stat))))
    }
}

impl Queue {
    fn add(&mut self, task: &Task, mut listing: Listing, folders: Vec<Task>) {
        let first = self.listings.len();
        for item in &mut listing.items {
            if let Item::Folder { listing, .. } = item {
                *listing += first;
            }
        }
        self.listings[task.listing] = listing;
        self.listings.resize_with(first + folders.len(), Listing::default);
        self.tasks
            .extend(folders.into_iter().enumerate().map(|(number, task)| Task { listing: first + number, ..task }));
    }
}

/// Puts listings into each other. A folder on the way counts only for what was found below it.
fn gather(listings: &mut [Listing], number: usize, entries: &mut Vec<SourceEntry>) {
    for item in std::mem::take(&mut listings[number].items) {
        match item {
            Item::Other(entry) => entries.push(entry),
            Item::Folder { mut entry, listing, is_way } => {
                entry.metadata.xattrs = std::mem::take(&mut listings[listing].xattrs);
                entries.push(entry);
                let own = entries.len();
                gather(listings, listing, entries);
                if is_way && entries.len() == own {
                    entries.pop();
                }
            }
        }
    }
}

/// Names and types in a folder, sorted.
pub(super) fn list(folder: impl AsFd) -> rustix::io::Result<Vec<(Vec<u8>, FileType)>> {
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

pub(super) fn entry(path: Vec<u8>, stat: &Stat, target: Option<Vec<u8>>) -> SourceEntry {
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
        is_way: false,
        kind,
    }
}

/// As the image will have it: owned by root, whoever owns it here (Dockerfile reference, "COPY --chown").
pub(super) fn metadata(stat: &Stat) -> Metadata {
    Metadata {
        mode: stat.st_mode & 0o7777,
        uid: 0,
        gid: 0,
        mtime: Timestamp { secs: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) },
        xattrs: Vec::new(),
    }
}

pub(super) fn stamp_of(stat: &Stat) -> Stamp {
    let nanoseconds = |secs: i64, nanos: u64| secs.saturating_mul(1_000_000_000).saturating_add_unsigned(nanos);
    Stamp {
        device: stat.st_dev,
        inode: stat.st_ino,
        size: stat.st_size.cast_unsigned(),
        mtime: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        ctime: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}

pub(super) fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

pub(super) fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8)
}
