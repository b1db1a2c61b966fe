//! A pseudo-terminal from the container's own devpts, opened before the container exists.
//!
//! The devpts instance is made here, detached, and mounted on `/dev/pts` by the child; the terminal comes from that
//! instance by descriptor (`TIOCGPTPEER`), so no path of the container is ever trusted for it (CVE-2025-52565).

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};
use rustix::pty::OpenptFlags;

use super::mount_plan::setup;
use crate::StartError;
use crate::process::WindowSize;

/// Both ends of a terminal and the file system that it lives in.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) devpts: OwnedFd,
    /// Our end; taken by the parent once the container runs.
    pub(super) master: Option<OwnedFd>,
    /// The container's end.
    pub(super) slave: OwnedFd,
    /// The name of that end inside devpts.
    pub(super) name: CString,
}

impl Terminal {
    pub(super) fn open(size: WindowSize) -> Result<Self, StartError> {
        Self::try_open(size).map_err(|errno| setup("open a terminal".to_owned(), errno))
    }

    /// Of a devpts that is mounted in a running container.
    pub(super) fn open_in(devpts: OwnedFd, size: WindowSize) -> Result<Self, StartError> {
        Self::try_open_in(devpts, size).map_err(|errno| setup("open a terminal".to_owned(), errno))
    }

    fn try_open(size: WindowSize) -> Result<Self, Errno> {
        Self::try_open_in(mount_devpts()?, size)
    }

    fn try_open_in(devpts: OwnedFd, size: WindowSize) -> Result<Self, Errno> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let master = rustix::fs::openat(&devpts, c"ptmx", flags, Mode::empty())?;
        rustix::pty::unlockpt(&master)?;
        rustix::termios::tcsetwinsize(&master, size.into())?;
        let slave =
            rustix::pty::ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        let path = rustix::pty::ptsname(&master, Vec::new())?;
        let name = path.to_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        Ok(Self { devpts, master: Some(master), slave, name })
    }
}

/// A new devpts as every container has it. Allocates nothing, so that the child may call it too.
pub(super) fn mount_devpts() -> Result<OwnedFd, Errno> {
    let context = fsopen(c"devpts", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), c"source", c"devpts")?;
    fsconfig_set_string(context.as_fd(), c"ptmxmode", c"0666")?;
    fsconfig_set_string(context.as_fd(), c"mode", c"0620")?;
    // Group `tty` of every distribution; a user namespace may not have it, and works without.
    match fsconfig_set_string(context.as_fd(), c"gid", c"5") {
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error),
    }
    fsconfig_create(context.as_fd())?;
    fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )
}
