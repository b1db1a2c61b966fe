//! Places to mount on, as a layer of their own that is under everything that a command writes.
//!
//! A place that the image does not have must be made somewhere. Made in the writable folder it would have to be found
//! and removed again, whatever the command did to it and to the folders around it. Made here it is never written: the
//! layer lies between the image and the changes, has the folders on the way as the image has them, and goes with the
//! step. Nothing is left, not even a time.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use layer::{EntryKind, Metadata, MountError, Timestamp, Tree, TreeError};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A place that something will be mounted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// Path from the root, in normal form; links are followed inside the image.
    pub path: Vec<u8>,
    /// Whether a folder goes there, or a file.
    pub is_folder: bool,
}

/// Why a place cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MountPointError {
    /// The image has something else there.
    #[error("`/{}` in the image is not a {}", String::from_utf8_lossy(path), if *is_folder { "folder" } else { "file" })]
    OtherKind {
        /// The place.
        path: Vec<u8>,
        /// What it should be.
        is_folder: bool,
    },
    /// The layers cannot be read, or the path cannot be followed in them.
    #[error("cannot follow `/{}` in the image", String::from_utf8_lossy(path))]
    Tree {
        /// The place.
        path: Vec<u8>,
        /// Why not.
        source: TreeError,
    },
    /// A folder on the way cannot be made like the image's.
    #[error("cannot make `/{}` as it is in the image", String::from_utf8_lossy(path))]
    Metadata {
        /// The folder.
        path: Vec<u8>,
        /// Why not.
        source: MountError,
    },
    /// The folder of places cannot be written.
    #[error("cannot make the mount point `/{}`", String::from_utf8_lossy(path))]
    Make {
        /// The place.
        path: Vec<u8>,
        /// Why not.
        source: Errno,
    },
}

/// Makes in `folder`, which is empty, all places that `tree` does not have. Whether any was made.
///
/// # Errors
/// When a place is taken by something else, or cannot be made.
pub fn make_mount_points(tree: &Tree, folder: BorrowedFd<'_>, points: &[MountPoint]) -> Result<bool, MountPointError> {
    let mut made = Vec::new();
    for point in points {
        make(tree, folder, point, &mut made)?;
    }
    // From the inside out: making something in a folder changes its time.
    for (folder, metadata, path) in made.iter().rev() {
        let failed = |source| MountPointError::Metadata { path: path.clone(), source };
        layer::prepare_upper(folder.as_fd(), metadata).map_err(failed)?;
    }
    Ok(!made.is_empty())
}

/// A folder that was made, what it is to be like, and its path.
type Made = (OwnedFd, Metadata, Vec<u8>);

fn make(tree: &Tree, folder: BorrowedFd<'_>, point: &MountPoint, made: &mut Vec<Made>) -> Result<(), MountPointError> {
    let unread = |source| MountPointError::Tree { path: point.path.clone(), source };
    let failed = |source| MountPointError::Make { path: point.path.clone(), source };
    let resolved = tree.resolve(&point.path, true).map_err(unread)?;
    if let Some(node) = &resolved.node {
        if node.is_directory() == point.is_folder {
            return Ok(());
        }
        return Err(MountPointError::OtherKind { path: resolved.path, is_folder: point.is_folder });
    }
    let names: Vec<&[u8]> = resolved.path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
    let mut parent = rustix::fs::openat(folder, c".", FOLDER, Mode::empty()).map_err(failed)?;
    if made.is_empty() {
        let root = metadata_of(tree, b"").map_err(unread)?;
        made.push((parent.try_clone().map_err(|_| failed(Errno::MFILE))?, root, Vec::new()));
    }
    for (place, name) in names.iter().enumerate() {
        let path = names[..=place].join(&b'/');
        let name = CString::new(*name).map_err(|_| failed(Errno::INVAL))?;
        if place + 1 == names.len() && !point.is_folder {
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&parent, &name, flags, Mode::RUSR).map_err(failed)?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644)).map_err(failed)?;
            continue;
        }
        let is_new = match rustix::fs::mkdirat(&parent, &name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(failed(errno)),
        };
        parent = rustix::fs::openat(&parent, &name, FOLDER, Mode::empty()).map_err(failed)?;
        if is_new {
            let metadata = metadata_of(tree, &path).map_err(unread)?;
            made.push((parent.try_clone().map_err(|_| failed(Errno::MFILE))?, metadata, path));
        }
    }
    Ok(())
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What the image says of a folder; one that it does not have is root's, and as old as can be.
fn metadata_of(tree: &Tree, path: &[u8]) -> Result<Metadata, TreeError> {
    let new = Metadata { mode: 0o755, uid: 0, gid: 0, mtime: Timestamp { secs: 0, nanos: 0 }, xattrs: Vec::new() };
    let node = if path.is_empty() { tree.root()? } else { tree.lookup(path)? };
    let Some(node) = node else { return Ok(new) };
    let entry = tree.entry(&node, path)?;
    Ok(if entry.kind == EntryKind::Directory { entry.metadata } else { new })
}
