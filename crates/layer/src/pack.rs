//! Files of an open folder as a tar, as they are now: what `cp` takes out of a container or brings into one.
//!
//! One walk, sorted and depth-first, by folder descriptors; names are single components and never followed, whatever
//! changes meanwhile. Nothing is left out but sockets, and content where somebody says so. A file that changes while it
//! is read has the length that it had at first.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, Statx, StatxFlags};
use rustix::io::Errno;

use crate::descent::FOLDER;
use crate::diff::walk::{Found, Walk};
use crate::diff::xattrs::{Source, XattrReader};
use crate::diff::{DiffError, link_target, metadata_of, open_file, type_of};
use crate::entry::{Entry, EntryKind, LONGEST_PATH, Metadata, Shown};
use crate::tar::{BLOCK, encode, padding};

/// Why files cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Something could not be read.
    #[error("cannot read `{}`: {doing}", Shown(.path))]
    Read {
        /// Path from what is packed.
        path: Vec<u8>,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Longer than any program could name.
    #[error("the path of {length} bytes is too long: `{}`", Shown(.path))]
    TooLong {
        /// The path.
        path: Vec<u8>,
        /// Its length.
        length: usize,
    },
    /// The tar could not be written.
    #[error("cannot write the tar")]
    Write(#[source] io::Error),
}

/// What is packed.
#[derive(Debug, Clone, Copy)]
pub enum Packed<'a> {
    /// An open folder with all that is in it.
    Folder(BorrowedFd<'a>),
    /// An open regular file.
    File(BorrowedFd<'a>),
    /// A name in an open folder that is neither: a link, a device, a pipe.
    Special(BorrowedFd<'a>, &'a CStr),
}

/// Writes a whole tar: what is packed is called `name` in it, and an empty name leaves the folder's own name out.
/// `empty` are names below it, in normal form, whose content is left out.
///
/// # Errors
/// When something cannot be read, or the tar cannot be written.
pub fn pack(packed: Packed<'_>, name: &[u8], empty: &HashSet<Vec<u8>>, out: &mut dyn Write) -> Result<(), PackError> {
    let mut packing = Packing {
        out,
        prefix: name,
        xattrs: XattrReader::new(false),
        first_names: HashMap::new(),
        header: Vec::new(),
        buffer: vec![0; 1 << 17],
    };
    match packed {
        Packed::Folder(folder) => packing.tree(folder, empty)?,
        Packed::File(file) => packing.file(file, b"")?,
        Packed::Special(parent, name) => packing.special(parent, name, b"")?,
    }
    packing.out.write_all(&[0; 2 * BLOCK]).and_then(|()| packing.out.flush()).map_err(PackError::Write)
}

fn reading(path: &[u8], doing: &'static str) -> impl Fn(Errno) -> PackError {
    move |source| PackError::Read { path: path.to_vec(), doing, source: source.into() }
}

impl From<DiffError> for PackError {
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Read { path, doing, source } => Self::Read { path, doing, source: source.into() },
            other => Self::Read { path: Vec::new(), doing: "walking through it", source: io::Error::other(other) },
        }
    }
}

struct Packing<'a> {
    out: &'a mut dyn Write,
    prefix: &'a [u8],
    xattrs: XattrReader,
    /// Files with more than one name, by device and inode: the first one.
    first_names: HashMap<(u32, u32, u64), Vec<u8>>,
    header: Vec<u8>,
    buffer: Vec<u8>,
}

impl Packing<'_> {
    fn tree(&mut self, folder: BorrowedFd<'_>, empty: &HashSet<Vec<u8>>) -> Result<(), PackError> {
        let root = rustix::fs::openat(folder, c".", FOLDER, Mode::empty()).map_err(reading(b"", "opening it"))?;
        self.folder(&root, b"")?;
        let mut walk = Walk::new(root)?;
        while let Some(found) = walk.next_name()? {
            if found.path.len() + self.prefix.len() >= LONGEST_PATH {
                return Err(PackError::TooLong { length: found.path.len(), path: found.path });
            }
            match self.name(&walk, &found) {
                Ok(Some(folder)) if !empty.contains(&found.path) => walk.descend(folder, &found)?,
                Ok(_) => {}
                // It went meanwhile, as things do in a container that runs.
                Err(PackError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes one name; gives the folder to go into, if it is one.
    fn name(&mut self, walk: &Walk, found: &Found) -> Result<Option<OwnedFd>, PackError> {
        let (parent, path) = (walk.folder(), &found.path);
        let status = status_at(parent, &found.name, path)?;
        match type_of(&status) {
            FileType::Directory => {
                let folder = rustix::fs::openat(parent, &found.name, FOLDER, Mode::empty())
                    .map_err(reading(path, "opening the folder"))?;
                self.folder(&folder, path)?;
                Ok(Some(folder))
            }
            FileType::RegularFile => {
                let file = open_file(parent, &found.name).map_err(reading(path, "opening the file"))?;
                self.file(file.as_fd(), path).map(|()| None)
            }
            FileType::Socket => Ok(None),
            _ => self.special(parent, &found.name, path).map(|()| None),
        }
    }

    fn folder(&mut self, folder: &OwnedFd, path: &[u8]) -> Result<(), PackError> {
        let status = status_of(folder.as_fd(), path)?;
        let xattrs = self.xattrs.read(Source::Open(folder.as_fd())).map_err(reading(path, "reading its attributes"))?;
        self.write(path, EntryKind::Directory, metadata_of(&status, xattrs))
    }

    fn file(&mut self, file: BorrowedFd<'_>, path: &[u8]) -> Result<(), PackError> {
        let status = status_of(file, path)?;
        if type_of(&status) != FileType::RegularFile {
            return Err(reading(path, "opening the file")(Errno::INVAL));
        }
        let xattrs = self.xattrs.read(Source::Open(file)).map_err(reading(path, "reading its attributes"))?;
        let metadata = metadata_of(&status, xattrs);
        if self.link(&status, &metadata, path)? {
            return Ok(());
        }
        let size = status.stx_size;
        self.write(path, EntryKind::File { size }, metadata)?;
        let file = File::from(file.try_clone_to_owned().map_err(|source| PackError::Read {
            path: path.to_vec(),
            doing: "opening the file",
            source,
        })?);
        self.content(&file, path, size)
    }

    /// Exactly as much as was announced: a shorter file is filled up with zeros.
    fn content(&mut self, mut file: &File, path: &[u8], size: u64) -> Result<(), PackError> {
        let (mut left, mut is_over) = (size, false);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let count = match is_over {
                true => most,
                false => match file.read(&mut self.buffer[..most]) {
                    Ok(0) => {
                        is_over = true;
                        self.buffer.fill(0);
                        continue;
                    }
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(source) => {
                        return Err(PackError::Read { path: path.to_vec(), doing: "reading its content", source });
                    }
                },
            };
            self.out.write_all(&self.buffer[..count]).map_err(PackError::Write)?;
            left -= count as u64;
        }
        self.out.write_all(&[0; BLOCK][..padding(size) as usize]).map_err(PackError::Write)
    }

    fn special(&mut self, parent: BorrowedFd<'_>, name: &CStr, path: &[u8]) -> Result<(), PackError> {
        let status = status_at(parent, name, path)?;
        let (major, minor) = (status.stx_rdev_major, status.stx_rdev_minor);
        let kind = match type_of(&status) {
            FileType::CharacterDevice => EntryKind::CharDevice { major, minor },
            FileType::BlockDevice => EntryKind::BlockDevice { major, minor },
            FileType::Fifo => EntryKind::Fifo,
            FileType::Symlink => EntryKind::Symlink { target: link_target(parent, name, path)? },
            FileType::Socket => return Ok(()),
            _ => return Err(reading(path, "reading its status")(Errno::STALE)),
        };
        let xattrs = self.xattrs.read(Source::Name(parent, name)).map_err(reading(path, "reading its attributes"))?;
        let metadata = metadata_of(&status, xattrs);
        if self.link(&status, &metadata, path)? {
            return Ok(());
        }
        self.write(path, kind, metadata)
    }

    fn link(&mut self, status: &Statx, metadata: &Metadata, path: &[u8]) -> Result<bool, PackError> {
        if status.stx_nlink < 2 {
            return Ok(false);
        }
        let file = (status.stx_dev_major, status.stx_dev_minor, status.stx_ino);
        let Some(first) = self.first_names.get(&file) else {
            self.first_names.insert(file, path.to_vec());
            return Ok(false);
        };
        let target = place(self.prefix, first);
        let metadata = Metadata { xattrs: Vec::new(), ..metadata.clone() };
        self.write(path, EntryKind::HardLink { target }, metadata)?;
        Ok(true)
    }

    fn write(&mut self, path: &[u8], kind: EntryKind, metadata: Metadata) -> Result<(), PackError> {
        let entry = Entry { path: place(self.prefix, path), kind, metadata };
        self.header.clear();
        encode::header(&entry, &mut self.header);
        self.out.write_all(&self.header).map_err(PackError::Write)
    }
}

fn place(prefix: &[u8], path: &[u8]) -> Vec<u8> {
    match (prefix, path) {
        (b"", path) => path.to_vec(),
        (prefix, b"") => prefix.to_vec(),
        (prefix, path) => [prefix, b"/", path].concat(),
    }
}

fn status_of(file: BorrowedFd<'_>, path: &[u8]) -> Result<Statx, PackError> {
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        .map_err(reading(path, "reading its status"))
}

fn status_at(parent: BorrowedFd<'_>, name: &CStr, path: &[u8]) -> Result<Statx, PackError> {
    rustix::fs::statx(parent, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)
        .map_err(reading(path, "reading its status"))
}

#[cfg(test)]
mod tests;
