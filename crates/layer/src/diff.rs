//! Reads the upper folder of an overlay into a layer: what a RUN step or a container changed.
//!
//! One walk, sorted and depth-first, by folder descriptors; names are single components and never followed. A folder
//! that overlayfs copied up to reach something inside becomes an entry too, as in every builder's layers. What
//! overlayfs itself keeps in the folder (whiteout devices, `*.overlay.*` attributes) becomes whiteout and opaque
//! entries or stays out. Nothing here looks at the layers below, except to leave out what mount points left behind, and
//! marks on folders that hide nothing. A root that is a copy is read in the same way, but only what was found to be
//! changed in it ([`select`]).

mod changes;
mod selection;
pub(crate) mod walk;
pub(crate) mod xattrs;

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags};
use rustix::io::Errno;

use crate::descent::FOLDER;
use crate::entry::{Entry, EntryKind, LONGEST_PATH, Metadata, Shown, Timestamp};
use crate::owner::{Owners, marked};
use crate::tree::{Tree, TreeError};
use crate::writer::{LayerWriter, WriteError};

pub use self::changes::{Change, ChangeKind, changes};
pub use self::selection::{Selection, select};
use self::walk::{Found, Walk};
use self::xattrs::{Attributes, Source, XattrReader};

/// What to leave out or change on the way.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiffOptions<'a> {
    /// Names, in normal form, that are left out with all below them: what the runtime made to mount something over.
    pub skip: Option<&'a HashSet<Vec<u8>>>,
    /// The layers below. A folder that holds nothing but skipped names, and is there unchanged but for its time, is
    /// left out as well. Without it such folders are written.
    pub base: Option<&'a Tree>,
    /// How the root was before. The root is written when mode, owner or attributes are different now, and never
    /// without this.
    pub root: Option<&'a Metadata>,
    /// The overlay was mounted with [`crate::OverlayOptions::user_xattrs`].
    pub user_xattrs: bool,
    /// The overlay was written to in a user namespace that has not all IDs.
    pub owners: Option<Owners>,
    /// The folder is a whole root, of which only this is written. Overlayfs' marks in it mean nothing.
    pub selection: Option<&'a Selection>,
}

/// What a diff found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiffStatistics {
    /// Entries written, of all kinds.
    pub entries: u64,
    /// Whiteouts and opaque marks among them.
    pub removals: u64,
    /// Bytes of regular files, hard links once.
    pub bytes: u64,
}

/// Why an upper folder cannot become a layer.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// Something in the folder could not be read.
    #[error("cannot read changed {}: {doing}", quoted(.path))]
    Read {
        /// Path within the root filesystem.
        path: Vec<u8>,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
    /// The overlay was mounted by someone else, with `metacopy` or `redirect_dir`.
    #[error("changed {} is not whole without the layers below (overlay mounted with metacopy or redirect_dir)", quoted(.path))]
    Partial {
        /// Path within the root filesystem.
        path: Vec<u8>,
    },
    /// Something else was put in its place while it was read.
    #[error("{} was replaced while it was read", quoted(.path))]
    Replaced {
        /// Path within the root filesystem.
        path: Vec<u8>,
    },
    /// Longer than any program could name.
    #[error("path of {length} bytes is too long: {}", quoted(.path))]
    TooLong {
        /// The path.
        path: Vec<u8>,
        /// Its length.
        length: usize,
    },
    /// The layers below could not be read.
    #[error("cannot compare {} with the layers below", quoted(.path))]
    Base {
        /// Path within the root filesystem.
        path: Vec<u8>,
        /// What is wrong.
        #[source]
        source: TreeError,
    },
    /// The layer could not be written.
    #[error("cannot write changed {} to the layer", quoted(.path))]
    Write {
        /// Path within the root filesystem.
        path: Vec<u8>,
        /// What is wrong.
        #[source]
        source: WriteError,
    },
}

fn quoted(path: &[u8]) -> String {
    format!("`/{}`", Shown(path))
}

/// Appends everything in `upper` to a layer. The folder should be quiet; what changes under the walk's hands is
/// refused, or recorded as it was at one of the moments, but never followed to another place.
///
/// # Errors
/// When something cannot be read or written. The layer is then of no use.
pub fn diff(
    upper: BorrowedFd<'_>,
    options: &DiffOptions<'_>,
    writer: &mut LayerWriter,
) -> Result<DiffStatistics, DiffError> {
    let mut diff = Diff {
        options,
        writer,
        xattrs: XattrReader::new(options.user_xattrs),
        first_names: HashMap::new(),
        statistics: DiffStatistics::default(),
    };
    let root = rustix::fs::openat(upper, c".", FOLDER, Mode::empty()).map_err(reading(&[], "opening the folder"))?;
    diff.root(&root)?;
    let mut walk = Walk::new(root)?;
    diff.add_removed(&mut walk, &[]);
    while let Some(found) = walk.next_name()? {
        if found.path.len() > LONGEST_PATH {
            return Err(DiffError::TooLong { length: found.path.len(), path: found.path });
        }
        if options.skip.is_some_and(|skip| skip.contains(&found.path)) {
            continue;
        }
        if let Some(folder) = diff.name(&walk, &found)? {
            walk.descend(folder, &found)?;
            diff.add_removed(&mut walk, &found.path);
        }
    }
    Ok(diff.statistics)
}

/// A pipe or device that took the file's place must not make the walk wait.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Without touching the time of last access: for a new file that would be a write to the disk for each one read.
pub(crate) fn open_file(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    match rustix::fs::openat(parent, name, FILE | OFlags::NOATIME, Mode::empty()) {
        // Someone else's file, seen from a user namespace that its owner is not part of.
        Err(Errno::PERM) => rustix::fs::openat(parent, name, FILE, Mode::empty()),
        other => other,
    }
}

pub(crate) fn reading(path: &[u8], doing: &'static str) -> impl Fn(Errno) -> DiffError {
    move |source| DiffError::Read { path: path.to_vec(), doing, source }
}

struct Diff<'a> {
    options: &'a DiffOptions<'a>,
    writer: &'a mut LayerWriter,
    xattrs: XattrReader,
    /// Files with more than one name, by device and inode: the first name in the layer's order.
    first_names: HashMap<(u32, u32, u64), FirstName>,
    statistics: DiffStatistics,
}

/// Of a file with more than one.
struct FirstName {
    path: Vec<u8>,
    /// As it was written, or as the kernel knows it until then.
    owner: (u32, u32),
}

impl Diff<'_> {
    fn root(&mut self, root: &OwnedFd) -> Result<(), DiffError> {
        let Some(before) = self.options.root else { return Ok(()) };
        let status = status_of(root, &[])?;
        let now = metadata_of(&status, self.attributes(Source::Open(root.as_fd()), &[])?);
        if is_same_but_for_time(&now, before) { Ok(()) } else { self.write(&[], EntryKind::Directory, now) }
    }

    /// Makes the walk visit the names, in the folder that it has just entered, of what is gone.
    fn add_removed(&self, walk: &mut Walk, path: &[u8]) {
        let names = self.options.selection.and_then(|selection| selection.removed_names.get(path));
        walk.add_names(names.map_or(&[], Vec::as_slice));
    }

    /// Writes one name; gives the folder to go into, if it is one.
    fn name(&mut self, walk: &Walk, found: &Found) -> Result<Option<OwnedFd>, DiffError> {
        let parent = walk.folder();
        if let Some(selection) = self.options.selection {
            if selection.removed.contains(&found.path) {
                return self.remove(&found.path, EntryKind::Whiteout).map(|()| None);
            }
            if !selection.written.contains(&found.path) {
                return Ok(None);
            }
        }
        let file_type = match found.file_type {
            FileType::Unknown => type_of(&status_at(parent, found)?),
            known => known,
        };
        match file_type {
            FileType::Directory => self.folder(parent, found),
            FileType::RegularFile => self.file(parent, found).map(|()| None),
            // A socket is of no use without the process that bound it; no tar holds one.
            FileType::Socket => Ok(None),
            _ => self.special(parent, found).map(|()| None),
        }
    }

    fn folder(&mut self, parent: BorrowedFd<'_>, found: &Found) -> Result<Option<OwnedFd>, DiffError> {
        let path = &found.path;
        let folder = rustix::fs::openat(parent, &found.name, FOLDER, Mode::empty())
            .map_err(reading(path, "opening a folder"))?;
        let status = status_of(&folder, path)?;
        let attributes = self.attributes(Source::Open(folder.as_fd()), path)?;
        let marks = attributes.marks;
        if marks.partial {
            return Err(DiffError::Partial { path: path.clone() });
        }
        let metadata = self.metadata(&status, attributes, path, &EntryKind::Directory)?;
        if !marks.opaque && self.is_leftover(&folder, path, &metadata)? {
            return Ok(None);
        }
        self.write(path, EntryKind::Directory, metadata)?;
        let is_opaque = match self.options.selection {
            Some(selection) => selection.opaque.contains(path),
            None => marks.opaque && self.hides_something(path)?,
        };
        if is_opaque {
            self.remove(path, EntryKind::Opaque)?;
        }
        Ok(Some(folder))
    }

    /// Whether something is below a folder that is marked as hiding it. Overlayfs also marks a new folder that was moved
    /// to where nothing is.
    fn hides_something(&self, path: &[u8]) -> Result<bool, DiffError> {
        let Some(base) = self.options.base else { return Ok(true) };
        let node = base.lookup(path).map_err(|source| DiffError::Base { path: path.to_vec(), source })?;
        Ok(node.is_some())
    }

    /// Whether the folder is in the upper one only because something was mounted below it.
    fn is_leftover(&self, folder: &OwnedFd, path: &[u8], now: &Metadata) -> Result<bool, DiffError> {
        let (Some(skip), Some(base)) = (self.options.skip, self.options.base) else { return Ok(false) };
        let is_parent = |name: &Vec<u8>| name.strip_prefix(path).is_some_and(|rest| rest.starts_with(b"/"));
        if !skip.iter().any(is_parent)
            || !walk::holds_only(folder.as_fd(), path, skip).map_err(reading(path, "listing it"))?
        {
            return Ok(false);
        }
        let failed = |source| DiffError::Base { path: path.to_vec(), source };
        let Some(node) = base.lookup(path).map_err(failed)? else { return Ok(false) };
        let before = base.entry(&node, path).map_err(failed)?;
        Ok(before.kind == EntryKind::Directory && is_same_but_for_time(now, &before.metadata))
    }

    fn file(&mut self, parent: BorrowedFd<'_>, found: &Found) -> Result<(), DiffError> {
        let path = &found.path;
        let file = open_file(parent, &found.name).map_err(reading(path, "opening a file"))?;
        let status = status_of(&file, path)?;
        if type_of(&status) != FileType::RegularFile {
            return Err(DiffError::Replaced { path: path.clone() });
        }
        if self.write_link(&status, path)? {
            return Ok(());
        }
        let attributes = self.attributes(Source::Open(file.as_fd()), path)?;
        let marks = attributes.marks;
        if marks.whiteout && status.stx_size == 0 {
            return self.remove(path, EntryKind::Whiteout);
        }
        if marks.partial {
            return Err(DiffError::Partial { path: path.clone() });
        }
        let size = status.stx_size;
        let kind = EntryKind::File { size };
        let metadata = self.metadata(&status, attributes, path, &kind)?;
        let entry = Entry { path: path.clone(), kind, metadata };
        self.writer
            .append_file(&entry, &File::from(file))
            .map_err(|source| DiffError::Write { path: path.clone(), source })?;
        self.statistics.entries += 1;
        self.statistics.bytes += size;
        Ok(())
    }

    /// Links, devices and pipes: all that is not opened.
    fn special(&mut self, parent: BorrowedFd<'_>, found: &Found) -> Result<(), DiffError> {
        let path = &found.path;
        let status = status_at(parent, found)?;
        let (major, minor) = (status.stx_rdev_major, status.stx_rdev_minor);
        let kind = match type_of(&status) {
            FileType::CharacterDevice if (major, minor) == (0, 0) => return self.remove(path, EntryKind::Whiteout),
            FileType::CharacterDevice => EntryKind::CharDevice { major, minor },
            FileType::BlockDevice => EntryKind::BlockDevice { major, minor },
            FileType::Fifo => EntryKind::Fifo,
            FileType::Symlink => EntryKind::Symlink { target: link_target(parent, &found.name, path)? },
            _ => return Err(DiffError::Replaced { path: path.clone() }),
        };
        if self.write_link(&status, path)? {
            return Ok(());
        }
        let attributes = self.attributes(Source::Name(parent, &found.name), path)?;
        let metadata = self.metadata(&status, attributes, path, &kind)?;
        self.write(path, kind, metadata)
    }

    /// What belongs to root as far as the kernel knows, in a namespace that has not all IDs, may be somebody else's.
    fn metadata(
        &mut self,
        status: &Statx,
        attributes: Attributes,
        path: &[u8],
        kind: &EntryKind,
    ) -> Result<Metadata, DiffError> {
        let is_settled = attributes.marks.copied_up || attributes.owner.is_some();
        let mut metadata = metadata_of(status, attributes);
        if let Some(owners) = self.options.owners
            && !is_settled
            && (metadata.uid, metadata.gid) == (0, 0)
        {
            (metadata.uid, metadata.gid) = self.owner_of_unmarked(owners, path, kind)?;
        }
        if let Some(first) = self.first_names.get_mut(&identity(status)) {
            first.owner = (metadata.uid, metadata.gid);
        }
        Ok(metadata)
    }

    /// Links, devices and pipes take no mark: where the layers below have the same one, it has the owner that it has there.
    fn owner_of_unmarked(&self, owners: Owners, path: &[u8], kind: &EntryKind) -> Result<(u32, u32), DiffError> {
        let author = owners.author.unwrap_or((0, 0));
        let (Some(base), false) = (self.options.base, matches!(kind, EntryKind::Directory | EntryKind::File { .. }))
        else {
            return Ok(author);
        };
        let failed = |source| DiffError::Base { path: path.to_vec(), source };
        let Some(node) = base.lookup(path).map_err(failed)? else { return Ok(author) };
        let before = base.entry(&node, path).map_err(failed)?;
        let owner = (before.metadata.uid, before.metadata.gid);
        // With an owner that the kernel could have kept, it would still have that one, if it were the same.
        let is_same = before.kind == *kind && (owner == (0, 0) || !owners.has(owner));
        Ok(if is_same { owner } else { author })
    }

    /// Writes a further name of a file as a hard link to the first; remembers the first.
    fn write_link(&mut self, status: &Statx, path: &[u8]) -> Result<bool, DiffError> {
        if status.stx_nlink < 2 {
            return Ok(false);
        }
        let Some(first) = self.first_names.get(&identity(status)) else {
            let first = FirstName { path: path.to_vec(), owner: (status.stx_uid, status.stx_gid) };
            self.first_names.insert(identity(status), first);
            return Ok(false);
        };
        let (uid, gid) = first.owner;
        let metadata = Metadata { uid, gid, ..metadata_of(status, Attributes::default()) };
        let target = first.path.clone();
        self.write(path, EntryKind::HardLink { target }, metadata)?;
        Ok(true)
    }

    fn remove(&mut self, path: &[u8], kind: EntryKind) -> Result<(), DiffError> {
        self.statistics.removals += 1;
        self.write(path, kind, Metadata::default())
    }

    fn write(&mut self, path: &[u8], kind: EntryKind, metadata: Metadata) -> Result<(), DiffError> {
        let entry = Entry { path: path.to_vec(), kind, metadata };
        self.statistics.entries += 1;
        self.writer.append(&entry, &mut io::empty()).map_err(|source| DiffError::Write { path: path.to_vec(), source })
    }

    fn attributes(&mut self, source: Source<'_>, path: &[u8]) -> Result<Attributes, DiffError> {
        let mut attributes = self.xattrs.read(source).map_err(reading(path, "reading extended attributes"))?;
        if self.options.selection.is_some() {
            attributes.marks = xattrs::Marks::default();
        }
        Ok(attributes)
    }
}

/// Mode, owner, time and attributes of a folder that overlayfs wrote to, without its own marks.
///
/// # Errors
/// When they cannot be read.
pub fn folder_metadata(folder: BorrowedFd<'_>) -> Result<Metadata, DiffError> {
    let failed = reading(&[], "opening the folder");
    let folder = rustix::fs::openat(folder, c".", FOLDER, Mode::empty()).map_err(failed)?;
    let status = status_of(&folder, &[])?;
    let attributes = XattrReader::new(false).read(Source::Open(folder.as_fd()));
    Ok(metadata_of(&status, attributes.map_err(reading(&[], "reading extended attributes"))?))
}

/// With the owner that a mark names.
pub(crate) fn metadata_of(status: &Statx, attributes: Attributes) -> Metadata {
    let (uid, gid) = marked((status.stx_uid, status.stx_gid), attributes.owner);
    Metadata {
        mode: u32::from(status.stx_mode) & 0o7777,
        uid,
        gid,
        mtime: Timestamp { secs: status.stx_mtime.tv_sec, nanos: status.stx_mtime.tv_nsec },
        xattrs: attributes.xattrs,
    }
}

fn identity(status: &Statx) -> (u32, u32, u64) {
    (status.stx_dev_major, status.stx_dev_minor, status.stx_ino)
}

fn is_same_but_for_time(now: &Metadata, before: &Metadata) -> bool {
    (now.mode, now.uid, now.gid, &now.xattrs) == (before.mode, before.uid, before.gid, &before.xattrs)
}

pub(crate) fn type_of(status: &Statx) -> FileType {
    FileType::from_raw_mode(u32::from(status.stx_mode))
}

fn status_of(file: &OwnedFd, path: &[u8]) -> Result<Statx, DiffError> {
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        .map_err(reading(path, "reading its status"))
}

pub(crate) fn status_at(parent: BorrowedFd<'_>, found: &Found) -> Result<Statx, DiffError> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    rustix::fs::statx(parent, &found.name, AtFlags::SYMLINK_NOFOLLOW, wanted)
        .map_err(reading(&found.path, "reading its status"))
}

pub(crate) fn link_target(parent: BorrowedFd<'_>, name: &CStr, path: &[u8]) -> Result<Vec<u8>, DiffError> {
    let target = rustix::fs::readlinkat(parent, name, Vec::with_capacity(256));
    Ok(target.map_err(reading(path, "reading a symbolic link"))?.into_bytes())
}

#[cfg(test)]
mod tests;
