//! Mounts made ahead of a container, with everything that can be said about them: a bind with its propagation, a tmpfs with
//! its options. They are attached nowhere, and the executor attaches them as they are.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};

use super::mount_plan::setup;
use crate::StartError;
use crate::sys::{MountAttributes, mount_setattr};

/// Whether mounts and unmounts below a bind mount reach the other side (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// Neither way.
    #[default]
    Private,
    /// From the host into the container.
    Slave,
    /// Both ways.
    Shared,
}

impl Propagation {
    fn flag(self) -> u64 {
        match self {
            Self::Private => libc::MS_PRIVATE,
            Self::Slave => libc::MS_SLAVE,
            Self::Shared => libc::MS_SHARED,
        }
    }

    /// Its word in an OCI configuration.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Private => "rprivate",
            Self::Slave => "rslave",
            Self::Shared => "rshared",
        }
    }
}

/// How a folder or file of the host is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindOptions {
    /// Not to be written to.
    pub read_only: bool,
    /// What is mounted below it can be written to nevertheless.
    pub writable_below: bool,
    /// Take along what is mounted below it.
    pub recursive: bool,
    /// What comes later.
    pub propagation: Propagation,
    /// The propagation is also that of what is mounted below.
    pub propagates_below: bool,
}

/// A copy of the mount of a path of the host, which is the caller's to trust.
///
/// # Errors
/// When there is no such path or the kernel refuses.
pub fn prepare_bind(source: &Path, options: BindOptions) -> Result<OwnedFd, StartError> {
    let failed = |errno: Errno| setup(format!("bind mount {}", source.display()), errno);
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if options.recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = rustix::mount::open_tree(CWD, source, flags).map_err(failed)?;
    let attributes = |set, propagation| MountAttributes { set, propagation, ..MountAttributes::default() };
    if options.propagates_below {
        mount_setattr(tree.as_fd(), &attributes(0, options.propagation.flag()), true).map_err(failed)?;
    } else {
        mount_setattr(tree.as_fd(), &attributes(0, Propagation::Private.flag()), true).map_err(failed)?;
        mount_setattr(tree.as_fd(), &attributes(0, options.propagation.flag()), false).map_err(failed)?;
    }
    if options.read_only {
        let read_only = attributes(MountAttributes::READ_ONLY, 0);
        mount_setattr(tree.as_fd(), &read_only, !options.writable_below).map_err(failed)?;
    }
    Ok(tree)
}

/// What a tmpfs is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TmpfsOptions {
    /// Its name in `/proc/mounts`.
    pub source: String,
    /// Options of the file system as the kernel takes them (tmpfs(5)): `size`, `mode`, `uid` …; those without a value
    /// have none.
    pub options: Vec<(String, Option<String>)>,
    /// Refuse to execute files.
    pub no_exec: bool,
    /// Set-user-ID counts.
    pub suid: bool,
    /// Devices can be used.
    pub devices: bool,
    /// Not to be written to.
    pub read_only: bool,
    /// Reading does not change times.
    pub no_atime: bool,
}

/// A new tmpfs.
///
/// # Errors
/// When the kernel does not take an option.
pub fn prepare_tmpfs(tmpfs: &TmpfsOptions) -> Result<OwnedFd, StartError> {
    let failed = |errno: Errno| setup("make a tmpfs".to_owned(), errno);
    let context = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
    fsconfig_set_string(context.as_fd(), c"source", tmpfs.source.as_str()).map_err(failed)?;
    for (name, value) in &tmpfs.options {
        let set = match value {
            Some(value) => fsconfig_set_string(context.as_fd(), name.as_str(), value.as_str()),
            None => fsconfig_set_flag(context.as_fd(), name.as_str()),
        };
        let shown = value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}"));
        set.map_err(|errno| setup(format!("make a tmpfs with the option {shown}"), errno))?;
    }
    fsconfig_create(context.as_fd()).map_err(failed)?;
    let mut flags = MountAttrFlags::empty();
    for (is_set, flag) in [
        (!tmpfs.suid, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (!tmpfs.devices, MountAttrFlags::MOUNT_ATTR_NODEV),
        (tmpfs.no_exec, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (tmpfs.read_only, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (tmpfs.no_atime, MountAttrFlags::MOUNT_ATTR_NOATIME),
    ] {
        flags.set(flag, is_set);
    }
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags).map_err(failed)
}
