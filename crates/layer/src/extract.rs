//! The second backend: a layer as a folder of files, for kernels and user namespaces that cannot mount its index.
//!
//! Only the index is walked, never the tar: there each name exists once, below folders that are folders, with what the
//! layer takes from below already in it. So what extraction has to be careful about in a tar (names through links,
//! types that change, CVE-2026-17106, RUSTSEC-2026-0067, CVE-2021-29136) cannot be said here. Still every name is made
//! below an open descriptor, as a new single component, and nothing that exists is ever opened by its name again,
//! except for the first names of hard links, which are resolved by the kernel beneath the root without any link.

pub(crate) mod metadata;

use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, Dev, FileType, Mode, OFlags, ResolveFlags, makedev};
use rustix::io::Errno;

use crate::descent::{Descent, FOLDER};
use crate::entry::{Metadata, Shown, Xattr, split};
use crate::erofs::{ROOT, mode, xattrs};
use crate::index::{Extent, Index, IndexError, Inode, Source};
use crate::tree::Layer;

/// How to extract.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExtractOptions {
    /// For an overlay with [`crate::OverlayOptions::user_xattrs`], by a process in a user namespace. What cannot be made
    /// there (devices, some extended attributes) is left out and counted.
    pub user_xattrs: bool,
}

/// What was extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtractStatistics {
    /// Names made.
    pub entries: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Devices and extended attributes that a user namespace does not allow.
    pub left_out: u64,
}

/// Why a layer could not be extracted. What was made until then is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// Something could not be made.
    #[error("cannot extract `/{}`: {doing}", Shown(.path))]
    Write {
        /// Path within the layer.
        path: Vec<u8>,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
    /// Content could not be read from the tar, or not be written.
    #[error("cannot copy content of `/{}`", Shown(.path))]
    Copy {
        /// Path within the layer.
        path: Vec<u8>,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The index is damaged.
    #[error("cannot extract `/{}`", Shown(.path))]
    Index {
        /// Path within the layer.
        path: Vec<u8>,
        /// What is wrong with it.
        #[source]
        source: IndexError,
    },
}

/// Makes a layer's files in an empty folder that nobody else uses. Whiteouts and hidden folders get overlayfs' forms.
/// Nothing is synced.
///
/// # Errors
/// When something cannot be made, or the layer is damaged. The folder should then be removed.
pub fn extract(
    layer: &Layer,
    folder: BorrowedFd<'_>,
    options: &ExtractOptions,
) -> Result<ExtractStatistics, ExtractError> {
    let root = rustix::fs::openat(folder, c".", FOLDER, Mode::empty()).map_err(writing(&[], "opening the folder"))?;
    let mut extraction = Extraction {
        layer,
        options,
        descent: Descent::new(root),
        levels: Vec::new(),
        path: Vec::new(),
        first_names: HashMap::new(),
        folders: HashSet::new(),
        buffer: vec![0; BUFFER],
        statistics: ExtractStatistics::default(),
    };
    extraction.folders.insert(ROOT);
    extraction.enter(ROOT, 0)?;
    while let Some((name, number)) = extraction.next_name()? {
        extraction.make(folder, &name, number)?;
    }
    Ok(extraction.statistics)
}

const BUFFER: usize = 256 * 1024;

fn writing(path: &[u8], doing: &'static str) -> impl Fn(Errno) -> ExtractError {
    move |source| ExtractError::Write { path: path.to_vec(), doing, source }
}

struct Extraction<'a> {
    layer: &'a Layer,
    options: &'a ExtractOptions,
    descent: Descent,
    levels: Vec<Level>,
    /// Path of the name at hand.
    path: Vec<u8>,
    /// First names of files with more than one, by the number of their inode.
    first_names: HashMap<u64, Vec<u8>>,
    /// Numbers of the folders made: in a damaged index one could be below itself.
    folders: HashSet<u64>,
    buffer: Vec<u8>,
    statistics: ExtractStatistics,
}

/// A folder that is being filled.
struct Level {
    /// Names still to be made, the last one first.
    names: Vec<(Vec<u8>, u64)>,
    metadata: Metadata,
    path_length: usize,
    has_whiteouts: bool,
}

impl Extraction<'_> {
    /// The next name in order; finishes the folders that have no more.
    fn next_name(&mut self) -> Result<Option<(CString, u64)>, ExtractError> {
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path_length);
            if let Some((name, number)) = level.names.pop() {
                if !self.path.is_empty() {
                    self.path.push(b'/');
                }
                self.path.extend_from_slice(&name);
                let name = single_component(name).ok_or_else(|| self.damaged("name is not a single component"))?;
                return Ok(Some((name, number)));
            }
            self.finish_folder()?;
        }
        Ok(None)
    }

    /// Makes one name in the innermost folder.
    fn make(&mut self, root: BorrowedFd<'_>, name: &CString, number: u64) -> Result<(), ExtractError> {
        let inode = self.index().inode(number).map_err(|source| self.index_error(source))?;
        self.statistics.entries += 1;
        if inode.format() == mode::DIRECTORY {
            self.make_folder(name, number)?;
        } else if inode.is_whiteout() {
            self.make_node(name, FileType::CharacterDevice, Mode::empty(), 0)?;
            if let Some(level) = self.levels.last_mut() {
                level.has_whiteouts = true;
            }
        } else if !self.link(root, name, number, &inode)? {
            self.make_file(name, &inode)?;
        }
        Ok(())
    }

    fn make_folder(&mut self, name: &CString, number: u64) -> Result<(), ExtractError> {
        if !self.folders.insert(number) {
            return Err(self.damaged("folder is in two places"));
        }
        let parent = self.descent.innermost();
        rustix::fs::mkdirat(parent, name, Mode::RWXU).map_err(self.writing("making the folder"))?;
        let folder = rustix::fs::openat(parent, name, FOLDER, Mode::empty()).map_err(self.writing("opening it"))?;
        self.descent.enter(folder).map_err(writing(&self.path, "reading its status"))?;
        self.enter(number, self.path.len())
    }

    /// Lists what is to be made in the folder that was just entered.
    fn enter(&mut self, number: u64, path_length: usize) -> Result<(), ExtractError> {
        let index = &self.layer.index;
        let read = || {
            let inode = index.inode(number)?;
            let mut names = index.entries(&inode)?;
            names.reverse();
            let mut metadata = self.metadata(&inode)?;
            if index.is_opaque(&inode)? {
                metadata.xattrs.push(self.mark(xattrs::OPAQUE));
            }
            Ok((names, metadata))
        };
        let (names, metadata) = read().map_err(|source| self.index_error(source))?;
        self.levels.push(Level { names, metadata, path_length, has_whiteouts: false });
        Ok(())
    }

    fn finish_folder(&mut self) -> Result<(), ExtractError> {
        let Some(mut level) = self.levels.pop() else { return Ok(()) };
        if level.has_whiteouts {
            level.metadata.xattrs.push(self.mark(xattrs::ORIGIN));
        }
        self.statistics.left_out += self.set_on(self.descent.innermost(), &level.metadata)?;
        self.descent.leave().map_err(self.writing("going back to the folder above"))
    }

    /// Makes a further name of a file that has one; remembers the first.
    fn link(&mut self, root: BorrowedFd<'_>, name: &CString, number: u64, inode: &Inode) -> Result<bool, ExtractError> {
        if inode.links < 2 {
            return Ok(false);
        }
        let Some(first) = self.first_names.get(&number) else {
            self.first_names.insert(number, self.path.clone());
            return Ok(false);
        };
        let (folder, first_name) = split(first);
        let opened;
        let from = if folder == split(&self.path).0 {
            self.descent.innermost()
        } else {
            opened = open_beneath(root, folder).map_err(self.writing("opening the folder of a hard link's target"))?;
            opened.as_fd()
        };
        rustix::fs::linkat(from, first_name, self.descent.innermost(), name, AtFlags::empty())
            .map_err(self.writing("making a hard link"))?;
        Ok(true)
    }

    fn make_file(&mut self, name: &CString, inode: &Inode) -> Result<(), ExtractError> {
        let metadata = self.metadata(inode).map_err(|source| self.index_error(source))?;
        let (major, minor) = inode.device();
        match inode.format() {
            mode::FILE => return self.make_regular(name, inode, &metadata),
            mode::SYMLINK => {
                let target = self.index().target(inode).map_err(|source| self.index_error(source))?;
                rustix::fs::symlinkat(target, self.descent.innermost(), name)
                    .map_err(self.writing("making a symbolic link"))?;
            }
            mode::FIFO => self.make_node(name, FileType::Fifo, Mode::RUSR, 0)?,
            mode::CHAR | mode::BLOCK => {
                let is_block = inode.format() == mode::BLOCK;
                let file_type = if is_block { FileType::BlockDevice } else { FileType::CharacterDevice };
                match self.make_node(name, file_type, Mode::empty(), makedev(major, minor)) {
                    Err(ExtractError::Write { source: Errno::PERM, .. }) if self.options.user_xattrs => {
                        self.statistics.left_out += 1;
                        return Ok(());
                    }
                    other => other?,
                }
            }
            _ => return Err(self.damaged("inode has an unknown type")),
        }
        let is_symlink = inode.format() == mode::SYMLINK;
        let is_lenient = self.options.user_xattrs;
        let left_out = metadata::set_at(self.descent.innermost(), name, &metadata, is_symlink, is_lenient)
            .map_err(|(doing, error)| self.writing(doing)(error))?;
        self.statistics.left_out += left_out;
        Ok(())
    }

    fn make_regular(&mut self, name: &CString, inode: &Inode, metadata: &Metadata) -> Result<(), ExtractError> {
        let extents = self.index().extents(inode).map_err(|source| self.index_error(source))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.descent.innermost(), name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(self.writing("making the file"))?;
        let file = File::from(file);
        self.copy(&file, inode.size, &extents)
            .map_err(|source| ExtractError::Copy { path: self.path.clone(), source })?;
        self.statistics.left_out += self.set_on(file.as_fd(), metadata)?;
        Ok(())
    }

    /// Copies content; holes stay holes. Reading and writing is cheaper here than `copy_file_range`, which for small
    /// files takes more than twice as long on ext4.
    fn copy(&mut self, file: &File, size: u64, extents: &[Extent]) -> io::Result<()> {
        let mut at = 0;
        for extent in extents {
            let mut done = 0;
            while done < extent.length {
                let most = usize::try_from(extent.length - done).unwrap_or(BUFFER).min(BUFFER);
                match extent.source {
                    Source::Hole => break,
                    Source::Tar(begin) => {
                        self.layer.tar.read_exact_at(&mut self.buffer[..most], begin + done)?;
                        file.write_all_at(&self.buffer[..most], at + done)?;
                    }
                    Source::Index(begin) => {
                        let bytes = self.layer.index.read(begin + done, most as u64).map_err(io::Error::other)?;
                        file.write_all_at(&bytes, at + done)?;
                    }
                }
                done += most as u64;
                self.statistics.bytes += most as u64;
            }
            at += extent.length;
        }
        match extents.last() {
            Some(Extent { source: Source::Hole, .. }) => file.set_len(size),
            _ => Ok(()),
        }
    }

    fn make_node(&self, name: &CString, file_type: FileType, mode: Mode, device: Dev) -> Result<(), ExtractError> {
        rustix::fs::mknodat(self.descent.innermost(), name, file_type, mode, device)
            .map_err(self.writing("making the device, pipe or whiteout"))
    }

    /// Gives the number of attributes left out.
    fn set_on(&self, file: BorrowedFd<'_>, metadata: &Metadata) -> Result<u64, ExtractError> {
        metadata::set_on(file, metadata, self.options.user_xattrs).map_err(|(doing, error)| self.writing(doing)(error))
    }

    /// A mark of overlayfs, in the family that the overlay will read.
    fn mark(&self, (name, value): (&[u8], &[u8])) -> Xattr {
        let name = match name.strip_prefix(b"trusted.") {
            Some(rest) if self.options.user_xattrs => [b"user.", rest].concat(),
            _ => name.to_vec(),
        };
        Xattr { name, value: value.to_vec() }
    }

    fn metadata(&self, inode: &Inode) -> Result<Metadata, IndexError> {
        Ok(Metadata {
            mode: u32::from(inode.mode) & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            mtime: inode.mtime,
            xattrs: self.index().xattrs(inode)?,
        })
    }

    fn index(&self) -> &Index {
        &self.layer.index
    }

    fn writing(&self, doing: &'static str) -> impl Fn(Errno) -> ExtractError {
        writing(&self.path, doing)
    }

    fn index_error(&self, source: IndexError) -> ExtractError {
        ExtractError::Index { path: self.path.clone(), source }
    }

    fn damaged(&self, reason: &'static str) -> ExtractError {
        self.index_error(crate::index::damaged(reason))
    }
}

pub(crate) fn single_component(name: Vec<u8>) -> Option<CString> {
    let is_plain = !matches!(&*name, b"" | b"." | b"..") && !name.contains(&b'/');
    is_plain.then(|| CString::new(name).ok()).flatten()
}

/// Opens a folder of the extracted tree by its path: no link is followed, and nothing above the root is reached.
pub(crate) fn open_beneath(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
}

#[cfg(test)]
mod tests;
