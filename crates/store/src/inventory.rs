//! Where the bytes of a store are: one pass over its folders, by names and the blocks that the file system gives.
//!
//! A layer is two files and is not read. Only what processes write (upper folders, volumes, caches) is walked. What an
//! entry means, whoever asks knows; here every byte is counted once, so that the sum is what `du` says.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::{Store, StoreError, file};

/// What an entry of a folder takes on the disk: a file, or a folder with all that is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Use {
    /// Bytes of the blocks that it has, which may be more or less than it is long.
    pub bytes: u64,
    /// When it was last written, in seconds since 1970.
    pub written: i64,
    /// When it was last written or read, as far as the file system keeps that: most do so to the day.
    pub used: i64,
}

/// What is in a store, by folder and name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    folders: BTreeMap<String, BTreeMap<String, Use>>,
    /// The folders themselves, and files beside them.
    pub own: u64,
    /// All of it.
    pub total: u64,
}

impl Inventory {
    /// What is in one of the store's folders, by name; a folder that is not there has nothing in it.
    pub fn folder(&self, name: &str) -> impl Iterator<Item = (&str, Use)> {
        self.folders.get(name).into_iter().flatten().map(|(name, found)| (name.as_str(), *found))
    }

    /// One entry; nothing where it is not.
    pub fn entry(&self, folder: &str, name: &str) -> Option<Use> {
        self.folders.get(folder)?.get(name).copied()
    }

    /// Whether nothing is in a folder.
    pub fn is_empty(&self, folder: &str) -> bool {
        self.folders.get(folder).is_none_or(BTreeMap::is_empty)
    }

    /// What all entries of a folder take.
    pub fn sum(&self, folder: &str) -> u64 {
        self.folder(folder).map(|(_, found)| found.bytes).sum()
    }
}

impl Store {
    /// Measures the store. Others may go on working in it; what goes meanwhile may or may not be counted.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn inventory(&self) -> Result<Inventory, StoreError> {
        let failed = |errno| StoreError::io("measure", &self.path, errno);
        let mut inventory = Inventory::default();
        let mut walk = Walk { links: HashSet::new() };
        let root = open_folder(&self.root, c".").map_err(failed)?;
        inventory.own = blocks(&rustix::fs::fstat(&root).map_err(failed)?);
        for name in names(&root).map_err(failed)? {
            let Some(stat) = walk.stat(&root, &name).map_err(failed)? else { continue };
            inventory.own += blocks(&stat);
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                continue;
            }
            let folder = name.to_string_lossy().into_owned();
            let Some(opened) = try_open(&root, &name).map_err(failed)? else { continue };
            let entries =
                walk.entries(&opened).map_err(|errno| StoreError::io("measure", file::full(self, &folder), errno))?;
            inventory.folders.insert(folder, entries);
        }
        inventory.total = inventory.own + inventory.folders.keys().map(|folder| inventory.sum(folder)).sum::<u64>();
        Ok(inventory)
    }

    /// What one entry of a folder takes; nothing where it is not.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn measure(&self, folder: &str, name: &str) -> Result<Use, StoreError> {
        let failed = |errno| StoreError::io("measure", file::full(self, &format!("{folder}/{name}")), errno);
        let Ok(name) = CString::new(name) else { return Ok(Use::default()) };
        match rustix::fs::openat(&self.root, folder, FOLDER, Mode::empty()) {
            Ok(folder) => {
                let found = Walk { links: HashSet::new() }.entry(&folder, &name, 0).map_err(failed)?;
                Ok(found.unwrap_or_default())
            }
            Err(Errno::NOENT) => Ok(Use::default()),
            Err(errno) => Err(failed(errno)),
        }
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A container can make folders as deep as it likes, each of which takes a descriptor here; what is deeper is not seen.
const DEEPEST: usize = 400;

/// One pass, which counts files with several names once.
struct Walk {
    links: HashSet<(u64, u64)>,
}

impl Walk {
    fn entries(&mut self, folder: &OwnedFd) -> rustix::io::Result<BTreeMap<String, Use>> {
        let mut entries = BTreeMap::new();
        for name in names(folder)? {
            if let Some(found) = self.entry(folder, &name, 0)? {
                entries.insert(name.to_string_lossy().into_owned(), found);
            }
        }
        Ok(entries)
    }

    fn entry(&mut self, parent: &OwnedFd, name: &CStr, depth: usize) -> rustix::io::Result<Option<Use>> {
        let Some(stat) = self.stat(parent, name)? else { return Ok(None) };
        let mut found = Use {
            bytes: blocks(&stat),
            written: stat.st_mtime.max(stat.st_ctime),
            used: stat.st_mtime.max(stat.st_atime),
        };
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_folder
            && depth < DEEPEST
            && let Some(folder) = try_open(parent, name)?
        {
            for name in names(&folder)? {
                if let Some(inner) = self.entry(&folder, &name, depth + 1)? {
                    found.bytes += inner.bytes;
                    found.written = found.written.max(inner.written);
                    found.used = found.used.max(inner.used);
                }
            }
        }
        Ok(Some(found))
    }

    /// Nothing for what is gone, or was counted under another name.
    fn stat(&mut self, parent: &OwnedFd, name: &CStr) -> rustix::io::Result<Option<rustix::fs::Stat>> {
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let is_new = is_folder || stat.st_nlink < 2 || self.links.insert((stat.st_dev, stat.st_ino));
        Ok(is_new.then_some(stat))
    }
}

fn blocks(stat: &rustix::fs::Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0) * 512
}

fn open_folder(parent: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(parent, name, FOLDER, Mode::empty())
}

/// Nothing where it went meanwhile, or became something else.
fn try_open(parent: &OwnedFd, name: &CStr) -> rustix::io::Result<Option<OwnedFd>> {
    match open_folder(parent, name) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Reads a folder that was opened for this alone, from where its descriptor is. One that went meanwhile has nothing in it.
fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Err(Errno::NOENT) => break,
            entry => entry?,
        };
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}
