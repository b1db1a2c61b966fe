//! A stack of layers as plain files in a folder of the user's: what `build --output type=local` gives.
//!
//! What is in the folder already is hostile, and so is the tree: every name is made below an open descriptor as a
//! single component, and no link is ever followed. A link or file that is in the way is replaced, a folder is kept and
//! filled; a folder in the way of a file is an error, since nobody asked to lose what is in it. A file appears by
//! rename once it is complete.

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, makedev};
use rustix::io::Errno;

use crate::descent::{Descent, FOLDER};
use crate::entry::{Entry, EntryKind, Metadata, Shown, split};
use crate::extract::{metadata, open_beneath, single_component};
use crate::flatten::HardLinks;
use crate::mount::descriptor_path;
use crate::tree::{Node, Tree, TreeError, Visit, Walk};

/// How to fill a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PopulateOptions {
    /// Files belong to who the layers say. Only root can do that; for others all is their own, and devices and some
    /// extended attributes are left out and counted.
    pub keeps_owners: bool,
    /// What the tree does not have is removed from the folder.
    pub removes_others: bool,
    /// Devices and extended attributes that a user namespace does not allow are left out and counted.
    pub leaves_out: bool,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Populated {
    /// Names made.
    pub entries: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// Names and attributes that need rights which are not there.
    pub left_out: u64,
}

/// Why a folder cannot be filled.
#[derive(Debug, thiserror::Error)]
pub enum PopulateError {
    /// The layers cannot be read.
    #[error("cannot read the layers")]
    Tree(#[from] TreeError),
    /// Something could not be made.
    #[error("cannot write `{}`: {doing}", Shown(.path))]
    Write {
        /// Path below the folder.
        path: Vec<u8>,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: Errno,
    },
    /// Content could not be copied.
    #[error("cannot copy content of `{}`", Shown(.path))]
    Copy {
        /// Path below the folder.
        path: Vec<u8>,
        /// What the kernel said.
        source: io::Error,
    },
    /// A folder is where a file has to be.
    #[error("cannot write `{}`: a folder is in its place", Shown(.path))]
    IsFolder {
        /// Path below the folder.
        path: Vec<u8>,
    },
    /// Something that is not in the tree could not be removed.
    #[error("cannot remove `{}`", Shown(.path))]
    Remove {
        /// Path below the folder.
        path: Vec<u8>,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Writes the tree into a folder.
///
/// # Errors
/// When something cannot be read or made. What was made until then stays.
pub fn populate(tree: &Tree, folder: BorrowedFd<'_>, options: PopulateOptions) -> Result<Populated, PopulateError> {
    let mut filling = Filling::new(tree, folder, options)?;
    if let (true, Some(root)) = (options.removes_others, tree.root()?) {
        filling.remove_others(&root, &[])?;
    }
    filling.fill(Walk::new(tree)?)?;
    Ok(filling.populated)
}

/// Writes what is in one folder of the tree into a folder, which also gets the mode, owner, attributes and time of that one.
///
/// # Errors
/// As [`populate`].
pub fn populate_from(
    tree: &Tree,
    source: &Node,
    folder: BorrowedFd<'_>,
    options: PopulateOptions,
) -> Result<Populated, PopulateError> {
    let mut filling = Filling::new(tree, folder, options)?;
    filling.fill(Walk::below(tree, source)?)?;
    let root = tree.entry(source, &[])?;
    filling.populated.left_out += filling.set_on(filling.descent.innermost(), &root.path, &root.metadata)?;
    Ok(filling.populated)
}

fn writing(path: &[u8], doing: &'static str) -> impl Fn(Errno) -> PopulateError {
    move |source| PopulateError::Write { path: path.to_vec(), doing, source }
}

struct Filling<'a> {
    tree: &'a Tree,
    root: BorrowedFd<'a>,
    options: PopulateOptions,
    descent: Descent,
    /// Folders that the walk is in, whose metadata comes when they are complete.
    folders: Vec<Entry>,
    links: HardLinks,
    /// What a file is called until it is complete and replaces another.
    unfinished: CString,
    buffer: Vec<u8>,
    populated: Populated,
}

impl<'a> Filling<'a> {
    fn new(tree: &'a Tree, folder: BorrowedFd<'a>, options: PopulateOptions) -> Result<Self, PopulateError> {
        let root =
            rustix::fs::openat(folder, c".", FOLDER, Mode::empty()).map_err(writing(&[], "opening the folder"))?;
        let unfinished = CString::new(format!(".onggi-{}-unfinished", std::process::id())).unwrap_or_default();
        Ok(Self {
            tree,
            root: folder,
            options,
            descent: Descent::new(root),
            folders: Vec::new(),
            links: HardLinks::default(),
            unfinished,
            buffer: vec![0; 1 << 17],
            populated: Populated::default(),
        })
    }

    fn fill(&mut self, mut walk: Walk<'_>) -> Result<(), PopulateError> {
        while let Some(visit) = walk.next_visit()? {
            match visit {
                Visit::Name { path, node } => self.make(&path, &node)?,
                Visit::Left => self.leave()?,
            }
        }
        Ok(())
    }

    fn make(&mut self, path: &[u8], node: &Node) -> Result<(), PopulateError> {
        let unusable = || PopulateError::Write { path: path.to_vec(), doing: "naming it", source: Errno::INVAL };
        let name = single_component(split(path).1.to_vec()).ok_or_else(unusable)?;
        let mut entry = self.tree.entry(node, path)?;
        if !self.options.keeps_owners {
            entry.metadata.uid = rustix::process::geteuid().as_raw();
            entry.metadata.gid = rustix::process::getegid().as_raw();
        }
        self.populated.entries += 1;
        if node.is_directory() {
            self.enter(&name, &entry)?;
            if self.options.removes_others {
                self.remove_others(node, path)?;
            }
            self.folders.push(entry);
            return Ok(());
        }
        if let Some(first) = self.links.first_name(self.tree, node, path)? {
            let first = first.to_vec();
            return self.link(&first, &name, path);
        }
        match entry.kind {
            EntryKind::File { size } => self.file(&name, &entry, node, size),
            _ => self.special(&name, &entry),
        }
    }

    /// Goes into a folder that is there, or makes it.
    fn enter(&mut self, name: &CString, entry: &Entry) -> Result<(), PopulateError> {
        let failed = |doing| writing(&entry.path, doing);
        let parent = self.descent.innermost();
        match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) if is_folder(parent, name) => {}
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(parent, name, AtFlags::empty())
                    .map_err(failed("removing what is in its place"))?;
                rustix::fs::mkdirat(parent, name, Mode::RWXU).map_err(failed("making the folder"))?;
            }
            Err(error) => return Err(failed("making the folder")(error)),
        }
        let folder = rustix::fs::openat(parent, name, FOLDER, Mode::empty()).map_err(failed("opening the folder"))?;
        // One that was there may be closed to its owner.
        rustix::fs::fchmod(&folder, Mode::RWXU).map_err(failed("opening the folder"))?;
        self.descent.enter(folder).map_err(failed("opening the folder"))
    }

    fn leave(&mut self) -> Result<(), PopulateError> {
        let Some(folder) = self.folders.pop() else { return Ok(()) };
        self.set_on(self.descent.innermost(), &folder.path, &folder.metadata).map(|left_out| {
            self.populated.left_out += left_out;
        })?;
        self.descent.leave().map_err(writing(&folder.path, "going back to the folder above"))
    }

    fn file(&mut self, name: &CString, entry: &Entry, node: &Node, size: u64) -> Result<(), PopulateError> {
        let failed = |doing| writing(&entry.path, doing);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let parent = self.descent.innermost();
        let mode = Mode::RUSR | Mode::WUSR;
        let mut made = name.as_c_str();
        let opened = match rustix::fs::openat(parent, name, flags, mode) {
            Err(Errno::EXIST) if is_folder(parent, name) => {
                return Err(PopulateError::IsFolder { path: entry.path.clone() });
            }
            Err(Errno::EXIST) => {
                made = &self.unfinished;
                match rustix::fs::unlinkat(parent, made, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(failed("removing an unfinished file")(error)),
                }
                rustix::fs::openat(parent, made, flags, mode)
            }
            other => other,
        };
        let file = File::from(opened.map_err(failed("making the file"))?);
        let mut content = self.tree.open(node)?;
        copy(&mut content, &file, size, &mut self.buffer)
            .map_err(|source| PopulateError::Copy { path: entry.path.clone(), source })?;
        self.populated.bytes += size;
        self.populated.left_out += self.set_on(file.as_fd(), &entry.path, &entry.metadata)?;
        if made != name.as_c_str() {
            let parent = self.descent.innermost();
            rustix::fs::renameat(parent, made, parent, name).map_err(failed("replacing the file"))?;
        }
        Ok(())
    }

    /// Makes a further name of a file that has one.
    fn link(&self, first: &[u8], name: &CString, path: &[u8]) -> Result<(), PopulateError> {
        let (folder, first_name) = split(first);
        let opened;
        let from = if folder == split(path).0 {
            self.descent.innermost()
        } else {
            opened = open_beneath(self.root, folder).map_err(writing(path, "opening the folder of its first name"))?;
            opened.as_fd()
        };
        self.replacing(name, path, |parent, name| rustix::fs::linkat(from, first_name, parent, name, AtFlags::empty()))
    }

    /// Links, devices and pipes.
    fn special(&mut self, name: &CString, entry: &Entry) -> Result<(), PopulateError> {
        let node = |file_type: FileType, device| {
            self.replacing(name, &entry.path, |parent, name| {
                rustix::fs::mknodat(parent, name, file_type, Mode::RUSR, device)
            })
        };
        let made = match &entry.kind {
            EntryKind::Symlink { target } => self.replacing(name, &entry.path, |parent, name| {
                rustix::fs::symlinkat(std::ffi::OsStr::from_bytes(target), parent, name)
            }),
            EntryKind::Fifo => node(FileType::Fifo, 0),
            EntryKind::CharDevice { major, minor } => node(FileType::CharacterDevice, makedev(*major, *minor)),
            EntryKind::BlockDevice { major, minor } => node(FileType::BlockDevice, makedev(*major, *minor)),
            _ => return Ok(()),
        };
        match made {
            Err(PopulateError::Write { source: Errno::PERM, .. }) if self.is_lenient() => {
                self.populated.left_out += 1;
                return Ok(());
            }
            made => made?,
        }
        let is_symlink = matches!(entry.kind, EntryKind::Symlink { .. });
        let left_out = metadata::set_at(self.descent.innermost(), name, &entry.metadata, is_symlink, self.is_lenient());
        self.populated.left_out += left_out.map_err(|(doing, error)| writing(&entry.path, doing)(error))?;
        Ok(())
    }

    /// Makes something that is no folder, in the place of what may be there.
    fn replacing(
        &self,
        name: &CString,
        path: &[u8],
        make: impl Fn(BorrowedFd<'_>, &CString) -> Result<(), Errno>,
    ) -> Result<(), PopulateError> {
        let parent = self.descent.innermost();
        match make(parent, name) {
            Err(Errno::EXIST) if is_folder(parent, name) => Err(PopulateError::IsFolder { path: path.to_vec() }),
            Err(Errno::EXIST) => {
                let removed = rustix::fs::unlinkat(parent, name, AtFlags::empty());
                removed.map_err(writing(path, "removing what is in its place"))?;
                make(parent, name).map_err(writing(path, "making it"))
            }
            made => made.map_err(writing(path, "making it")),
        }
    }

    /// Removes what the folder that the walk is in has, and the tree's has not.
    fn remove_others(&self, folder: &Node, path: &[u8]) -> Result<(), PopulateError> {
        let own: HashSet<Vec<u8>> = self.tree.read_dir(folder)?.into_iter().map(|(name, _)| name).collect();
        let innermost = self.descent.innermost();
        let names = list(innermost).map_err(writing(path, "listing the folder"))?;
        for name in names.into_iter().filter(|name| !own.contains(name.to_bytes())) {
            remove(innermost, &name).map_err(|source| {
                let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
                PopulateError::Remove { path: [path, separator, name.to_bytes()].concat(), source }
            })?;
        }
        Ok(())
    }

    fn is_lenient(&self) -> bool {
        self.options.leaves_out || !self.options.keeps_owners
    }

    /// Gives the number of attributes left out.
    fn set_on(&self, file: BorrowedFd<'_>, path: &[u8], metadata: &Metadata) -> Result<u64, PopulateError> {
        let set = metadata::set_on(file, metadata, self.is_lenient());
        set.map_err(|(doing, error)| writing(path, doing)(error))
    }
}

fn is_folder(parent: BorrowedFd<'_>, name: &CString) -> bool {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

fn list(folder: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// Removes a file, or a folder with all that is in it; the standard library follows no link on the way down.
fn remove(parent: BorrowedFd<'_>, name: &CString) -> io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {
            let parent = descriptor_path(parent);
            std::fs::remove_dir_all(std::path::Path::new(&parent).join(std::ffi::OsStr::from_bytes(name.to_bytes())))
        }
        other => Ok(other?),
    }
}

fn copy(content: &mut impl Read, mut file: &File, size: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut left = size;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match content.read(&mut buffer[..most]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                file.write_all(&buffer[..count])?;
                left -= count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
