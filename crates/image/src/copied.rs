//! A root that is a copy of all its layers: for machines and places where overlayfs is not to be had (a store on
//! overlayfs, as in every container, or on NFS).
//!
//! The writable folder then holds the whole root, and the folder beside it, which overlayfs would use, what the copy was
//! like when it was made: by that the changes are found. A copy stays one, also where overlayfs works later.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use layer::{AdoptError, DiffError, PopulateError, PopulateOptions, Snapshot, Tree, TreeError};
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use store::{Store, StoreError};

use crate::rootfs::{RootfsOptions, Writable};
use crate::{CaptureError, Stack, capture};

/// Where what the copy was like is written down; empty while the copy is being made.
const SNAPSHOT: &str = "copied";

/// There if the copy has places to mount on that are of one step only.
const POINTS: &str = "points";

/// Why a root cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The layers cannot be copied.
    #[error(transparent)]
    Populate(#[from] PopulateError),
    /// The layers cannot be read.
    #[error("cannot read the layers")]
    Tree(#[from] TreeError),
    /// What another root has written cannot be put on top.
    #[error("cannot read what was written on top of the layers")]
    Below(#[source] Box<CaptureError>),
    /// The copy cannot be looked at.
    #[error("cannot look at the copy")]
    Look(#[from] DiffError),
    /// The copy cannot be made like its own layer.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// A file beside the copy cannot be used, or a place to mount on not be made.
    #[error("cannot {doing}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The copy cannot be made a root.
    #[error("cannot mount the copy of the layers")]
    Mount(#[source] io::Error),
    /// A read-only copy in memory cannot be made.
    #[error("cannot make a file system in memory")]
    Memory(#[source] layer::MountError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn failed<E: Into<io::Error>>(doing: &'static str) -> impl Fn(E) -> CopyError {
    move |error| CopyError::File { doing, source: error.into() }
}

/// Whether the writable folder beside `work` is a copy, or is becoming one: it never takes overlayfs' changes then.
pub fn is_copied(work: BorrowedFd<'_>) -> bool {
    rustix::fs::statat(work, SNAPSHOT, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// What a copy was like when it was made; `None` for a folder of changes.
///
/// # Errors
/// When it is there and cannot be read.
pub(crate) fn snapshot(work: BorrowedFd<'_>) -> Result<Option<Snapshot>, CopyError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(work, SNAPSHOT, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        file => file.map_err(failed("open what a copied root was like"))?,
    };
    let mut file = BufReader::new(File::from(file));
    let read = Snapshot::read_from(&mut file).map_err(failed("read what a copied root was like"))?;
    Ok(Some(read))
}

/// Mounts a copy of a stack: of the writable folder, where it stays, or else in memory.
///
/// # Errors
/// When something cannot be read or made.
pub(crate) fn mount(store: &Store, stack: &Stack, options: RootfsOptions<'_>) -> Result<OwnedFd, CopyError> {
    let Some(writable) = options.writable else {
        let memory = layer::mount_memory().map_err(CopyError::Memory)?;
        fill(store, stack, memory.as_fd(), &options)?;
        if let Some(points) = options.points {
            add_places(memory.as_fd(), points)?;
        }
        return Ok(memory);
    };
    copy_root(store, stack, writable, &options)?;
    clone_mount(writable.upper)
}

/// Makes the writable folder a copy, unless it is one. Nothing is mounted.
///
/// # Errors
/// When something cannot be read or made.
pub fn copy_root(
    store: &Store,
    stack: &Stack,
    writable: Writable<'_>,
    options: &RootfsOptions<'_>,
) -> Result<(), CopyError> {
    let is_whole =
        rustix::fs::statat(writable.work, SNAPSHOT, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| stat.st_size > 0);
    let mark = |name| {
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(writable.work, name, new, Mode::RUSR | Mode::WUSR).map_err(failed("mark the copy"))
    };
    if !is_whole {
        mark(SNAPSHOT)?;
        fill(store, stack, writable.upper, options)?;
    }
    if let Some(points) = options.points {
        mark(POINTS)?;
        add_places(writable.upper, points)?;
    }
    if is_whole && options.points.is_none() { Ok(()) } else { note(writable) }
}

/// Writes down what the copy is like now.
fn note(writable: Writable<'_>) -> Result<(), CopyError> {
    const UNFINISHED: &str = "copied.new";
    let snapshot = Snapshot::take(writable.upper, writable.work)?;
    let failed = failed("write down what the copied root is like");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(writable.work, UNFINISHED, flags, Mode::RUSR | Mode::WUSR);
    let mut file = BufWriter::new(File::from(file.map_err(|errno| failed(errno.into()))?));
    snapshot.write_to(&mut file).map_err(&failed)?;
    drop(file);
    rustix::fs::renameat(writable.work, UNFINISHED, writable.work, SNAPSHOT).map_err(|errno| failed(errno.into()))
}

/// Copies layers, and the store's places to mount on.
fn fill(store: &Store, stack: &Stack, folder: BorrowedFd<'_>, options: &RootfsOptions<'_>) -> Result<(), CopyError> {
    let with_below;
    let stack = match options.writable.and_then(|writable| writable.below) {
        None => stack,
        Some(below) => {
            let mut all = stack.clone();
            capture(store, stack, crate::Changes { upper: below, work: None }, "", None)
                .and_then(|captured| captured.push_onto(&mut all, store))
                .map_err(|error| CopyError::Below(Box::new(error)))?;
            with_below = all;
            &with_below
        }
    };
    let tree = stack.tree();
    let populate = PopulateOptions { keeps_owners: true, removes_others: false, leaves_out: true };
    layer::populate(&tree, folder, populate)?;
    if options.with_stubs {
        add_places(folder, store.stubs()?.as_fd())?;
    }
    set_root(stack, folder)
}

/// Mode, owner, time and attributes of the root, as the layers have them.
fn set_root(stack: &Stack, folder: BorrowedFd<'_>) -> Result<(), CopyError> {
    let root = crate::root_metadata(stack)?;
    let failed = |source| CopyError::File { doing: "prepare the root", source: io::Error::other(source) };
    layer::prepare_upper(folder, &root).map_err(failed)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Makes the folders and empty files of `places` that `folder` has not; the times of what is there stay. What is there
/// and is no folder hides what is below.
fn add_places(folder: BorrowedFd<'_>, places: BorrowedFd<'_>) -> Result<(), CopyError> {
    let failed = failed::<Errno>("make a place to mount on");
    let open = |folder: BorrowedFd<'_>| rustix::fs::openat(folder, c".", FOLDER, Mode::empty());
    let before = rustix::fs::fstat(folder).map_err(&failed)?;
    for place in rustix::fs::Dir::new(open(places).map_err(&failed)?).map_err(&failed)? {
        let place = place.map_err(&failed)?;
        let name = place.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        add_place(folder, places, name.to_owned())?;
    }
    let secs = |secs, nanos: u64| Timespec { tv_sec: secs, tv_nsec: nanos.try_into().unwrap_or_default() };
    let times = Timestamps {
        last_access: secs(before.st_atime, before.st_atime_nsec),
        last_modification: secs(before.st_mtime, before.st_mtime_nsec),
    };
    rustix::fs::futimens(open(folder).map_err(&failed)?, &times).map_err(&failed)
}

fn add_place(folder: BorrowedFd<'_>, places: BorrowedFd<'_>, name: CString) -> Result<(), CopyError> {
    let failed = failed::<Errno>("make a place to mount on");
    let place = match rustix::fs::openat(places, &name, FOLDER, Mode::empty()) {
        Ok(place) => place,
        Err(Errno::NOTDIR) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            return match rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => rustix::fs::fchmod(file, Mode::from_raw_mode(0o644)).map_err(failed),
                Err(Errno::EXIST) => Ok(()),
                Err(errno) => Err(failed(errno)),
            };
        }
        Err(errno) => return Err(failed(errno)),
    };
    let is_new = match rustix::fs::mkdirat(folder, &name, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(failed(errno)),
    };
    let made = match rustix::fs::openat(folder, &name, FOLDER, Mode::empty()) {
        Err(Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        made => made.map_err(&failed)?,
    };
    add_places(made.as_fd(), place.as_fd())?;
    if is_new {
        let like = layer::folder_metadata(place.as_fd())?;
        layer::prepare_upper(made.as_fd(), &like).map_err(|source| CopyError::File {
            doing: "make a place to mount on",
            source: io::Error::other(source),
        })?;
    }
    Ok(())
}

/// A mount of a folder and what is below it, attached nowhere.
pub(crate) fn clone_mount(folder: BorrowedFd<'_>) -> Result<OwnedFd, CopyError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(folder, c"", flags).map_err(|errno| CopyError::Mount(errno.into()))
}

/// Makes a copy of the layers below the topmost one, in which that one was made, a copy of all of them: what a layer does
/// not keep is as if it had been copied from there. Whether the copy can go on being used.
///
/// # Errors
/// When something cannot be read or set.
pub fn renew_copy(stack: &Stack, upper: BorrowedFd<'_>, work: BorrowedFd<'_>) -> Result<bool, CopyError> {
    let has_points = rustix::fs::statat(work, POINTS, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    let (true, false, Some(top)) = (is_copied(work), has_points, stack.layers().last()) else { return Ok(false) };
    layer::adopt(&Tree::new(vec![top.clone()]), upper)?;
    set_root(stack, upper)?;
    note(Writable { upper, work, below: None, volatile: true })?;
    Ok(true)
}
