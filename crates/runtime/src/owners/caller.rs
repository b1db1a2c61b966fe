//! The thread that waits, as procfs shows it. Until it is known that it still waits, all of this may be another's.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::PATH;

#[derive(Debug)]
pub(super) struct Caller {
    folder: OwnedFd,
}

impl Caller {
    pub(super) fn of_thread(proc: BorrowedFd<'_>, thread: u32) -> Result<Self, Errno> {
        rustix::fs::openat(proc, thread.to_string(), PATH, Mode::empty()).map(|folder| Self { folder })
    }

    /// Device and inode of the user namespace.
    pub(super) fn user_namespace(&self) -> Option<(u64, u64)> {
        let stat = rustix::fs::statat(&self.folder, c"ns/user", AtFlags::empty()).ok()?;
        Some((stat.st_dev, stat.st_ino))
    }

    /// Whether it has `CAP_CHOWN`, number 0.
    pub(super) fn may_chown(&self) -> bool {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let status = rustix::fs::openat(&self.folder, c"status", flags, Mode::empty()).map(File::from);
        let text = status.map_err(io::Error::from).and_then(io::read_to_string).unwrap_or_default();
        let effective = text.lines().find_map(|line| line.strip_prefix("CapEff:"));
        effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & 1 != 0)
    }

    /// `root` or `cwd`: what the link leads to, which is no path.
    pub(super) fn open(&self, link: &CStr) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(&self.folder, link, PATH, Mode::empty())
    }

    /// What one of its descriptors is of.
    pub(super) fn descriptor(&self, number: i32) -> Result<OwnedFd, Errno> {
        match rustix::fs::openat(&self.folder, format!("fd/{number}"), PATH, Mode::empty()) {
            Err(Errno::NOENT) => Err(Errno::BADF),
            other => other,
        }
    }

    /// A path in its memory, at most as long as the kernel takes.
    pub(super) fn text(&self, address: u64) -> Result<CString, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let memory = File::from(rustix::fs::openat(&self.folder, c"mem", flags, Mode::empty())?);
        let mut bytes = [0; libc::PATH_MAX as usize];
        let mut length = 0;
        while length < bytes.len() {
            // Up to where memory ends, or less.
            let place = address.checked_add(length as u64).ok_or(Errno::FAULT)?;
            let count = memory.read_at(&mut bytes[length..], place).map_err(|_| Errno::FAULT)?;
            let read = &bytes[length..length + count];
            if let Some(end) = read.iter().position(|byte| *byte == 0) {
                let text = bytes[..length + end].to_vec();
                return CString::new(text).map_err(|_| Errno::FAULT);
            }
            if count == 0 {
                return Err(Errno::FAULT);
            }
            length += count;
        }
        Err(Errno::NAMETOOLONG)
    }
}
