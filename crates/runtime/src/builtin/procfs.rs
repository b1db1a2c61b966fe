//! Whether a new procfs can be mounted in this user namespace: the kernel refuses one where something hides parts of the
//! old one (`mount_too_revealing`), as in every container.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};
use rustix::process::WaitIdOptions;

use super::wait;
use crate::sys::{self, CloneFlags, Forked};

/// Tries it, if there is reason to doubt.
pub(super) fn is_refused() -> bool {
    hides_parts() && is_refused_in_child()
}

/// Whether anything is mounted below `/proc`; what is on the place of binfmt_misc hides nothing (an empty folder).
fn hides_parts() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // proc_pid_mountinfo(5): the fifth word is where it is mounted.
    let mut places = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    places.any(|place| place.starts_with("/proc/") && place != "/proc/sys/fs/binfmt_misc")
}

/// In namespaces like those of a container, which go at once.
fn is_refused_in_child() -> bool {
    let flags = CloneFlags::NEW_MOUNT_NAMESPACE.with(CloneFlags::NEW_PID_NAMESPACE);
    let Ok(mask) = sys::heed_children().and_then(|()| sys::set_signal_mask(u64::MAX)) else { return false };
    let forked = sys::clone_process(flags, None);
    if let Ok(Forked::Child) = forked {
        sys::exit_now(i32::from(mount() == Err(Errno::PERM)));
    }
    let restored = sys::set_signal_mask(mask);
    match (forked, restored) {
        (Ok(Forked::Parent { pidfd, .. }), Ok(_)) => {
            wait(&pidfd, WaitIdOptions::EXITED).is_ok_and(|status| status.exit_status() == Some(1))
        }
        _ => false,
    }
}

fn mount() -> Result<(), Errno> {
    let context = fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), c"source", c"proc")?;
    fsconfig_create(context.as_fd())?;
    let flags =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags).map(drop)
}
