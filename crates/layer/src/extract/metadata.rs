//! Gives what was just made its owner, mode, attributes and time.
//!
//! The order matters: a change of owner clears set-user-ID and capabilities, so it comes first; no file is ever
//! executable with another owner's rights before it is complete. Time comes last.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use oci::OwnerMark;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use crate::entry::{Metadata, Timestamp, Xattr};
use crate::mount::descriptor_path;
use crate::owner;

/// Which step failed, and how.
pub(crate) type Failure = (&'static str, Errno);

fn failed(doing: &'static str) -> impl Fn(Errno) -> Failure {
    move |error| (doing, error)
}

/// Sets everything on an open file or folder, which has no mark of an owner yet. Whoever may not set attributes of the kernel's families, in a user
/// namespace, goes without them when `is_lenient`; the number of those left out comes back.
pub(crate) fn set_on(file: BorrowedFd<'_>, metadata: &Metadata, is_lenient: bool) -> Result<u64, Failure> {
    owner::give(file, metadata.uid, metadata.gid).map_err(failed("setting the owner"))?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(metadata.mode & 0o7777)).map_err(failed("setting the mode"))?;
    let left_out = set_xattrs(&metadata.xattrs, is_lenient, |name, value| {
        rustix::fs::fsetxattr(file, name, value, XattrFlags::empty())
    })?;
    rustix::fs::futimens(file, &times(metadata.mtime)).map_err(failed("setting the time"))?;
    Ok(left_out)
}

/// Sets everything on a name in an open folder, for what cannot be opened: links, devices and pipes.
pub(crate) fn set_at(
    folder: BorrowedFd<'_>,
    name: &CStr,
    metadata: &Metadata,
    is_symlink: bool,
    is_lenient: bool,
) -> Result<u64, Failure> {
    let is_given = owner::give_name(folder, name, metadata.uid, metadata.gid).map_err(failed("setting the owner"))?;
    if !is_symlink {
        // Opened without touching the device; the text then leads to exactly this.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(failed("opening it"))?;
        let mode = Mode::from_raw_mode(metadata.mode & 0o7777);
        rustix::fs::chmodat(CWD, descriptor_path(node.as_fd()), mode, AtFlags::empty())
            .map_err(failed("setting the mode"))?;
    }
    let left_out = u64::from(!is_given);
    let left_out = if metadata.xattrs.is_empty() {
        left_out
    } else {
        let mut path = descriptor_path(folder).into_bytes();
        path.push(b'/');
        path.extend_from_slice(name.to_bytes());
        let path = CString::new(path).map_err(|_| ("naming it", Errno::INVAL))?;
        let set = |name: &[u8], value: &[u8]| rustix::fs::lsetxattr(&path, name, value, XattrFlags::empty());
        left_out + set_xattrs(&metadata.xattrs, is_lenient, set)?
    };
    rustix::fs::utimensat(folder, name, &times(metadata.mtime), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(failed("setting the time"))?;
    Ok(left_out)
}

fn set_xattrs(
    xattrs: &[Xattr],
    is_lenient: bool,
    set: impl Fn(&[u8], &[u8]) -> Result<(), Errno>,
) -> Result<u64, Failure> {
    let mut left_out = 0;
    for xattr in xattrs {
        if xattr.name == OwnerMark::ATTRIBUTE.to_bytes() {
            // An image that brings one along would decide who owns the file in the next image.
            left_out += 1;
            continue;
        }
        match set(&xattr.name, &xattr.value) {
            Ok(()) => {}
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::INVAL) if is_lenient => left_out += 1,
            Err(error) => return Err(("setting extended attributes", error)),
        }
    }
    Ok(left_out)
}

pub(crate) fn times(mtime: Timestamp) -> Timestamps {
    let time = Timespec { tv_sec: mtime.secs, tv_nsec: mtime.nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}
