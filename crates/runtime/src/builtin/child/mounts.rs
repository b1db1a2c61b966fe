//! The child's mounts: made by descriptor, attached to descriptors, checked by descriptor.
//!
//! No path of the image is followed for procfs, `/dev` and sysfs: their targets must be real folders (CVE-2026-41579,
//! CVE-2025-52881). Everything that is hidden or made read-only is reached from the descriptors of our own fresh mounts,
//! so no look-alike can stand in for procfs (CVE-2025-31133).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, move_mount, unmount,
};

use super::super::failure::{At, Failure, Step};
use super::super::mount_plan::{DeviceNode, PlannedFile, PlannedMount, clone_tree};
use super::super::plan::Plan;
use super::super::root_path::{Missing, RootPath, Symlinks, create_file, open_in_root, open_path};
use super::super::terminal::mount_devpts;
use crate::sys::{self, MountAttributes};

/// `PROC_SUPER_MAGIC` of `statfs`.
const PROC_MAGIC: i64 = 0x9fa0;

const NO_SUID_EXEC_DEV: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC).union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// Links that programs expect in `/dev`.
const LINKS: [(&CStr, &CStr); 6] = [
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
    (c"/proc/kcore", c"core"),
    (c"pts/ptmx", c"ptmx"),
];

/// Descriptors of the file systems that we have mounted freshly, where the image has no say.
#[derive(Default)]
pub(super) struct Fresh {
    proc: Option<OwnedFd>,
    sys: Option<OwnedFd>,
    dev: Option<OwnedFd>,
}

/// Mounts everything in order.
pub(super) fn mount_all(plan: &Plan) -> Result<Fresh, Failure> {
    let mut fresh = Fresh::default();
    for (index, mount) in plan.mounts.iter().enumerate() {
        match mount {
            PlannedMount::Proc { target } => {
                fresh.proc = Some(mount_kernel(plan, c"proc", target, false).at_index(Step::Mount, index)?);
            }
            PlannedMount::Sys { target, read_only } => {
                fresh.sys = Some(mount_kernel(plan, c"sysfs", target, *read_only).at_index(Step::Mount, index)?);
            }
            PlannedMount::Surrounding { target, tree } => {
                attach_at(plan, tree.as_fd(), target, Symlinks::Refuse).at_index(Step::Mount, index)?;
            }
            PlannedMount::Dev { target } => fresh.dev = Some(mount_dev(plan, target, index)?),
            PlannedMount::Tree { target, tree, missing, may_be_in_proc, within } => {
                let target = target
                    .open_or_create(plan.rootfs.as_fd(), Symlinks::Follow, *missing)
                    .at_index(Step::Mount, index)?;
                if !may_be_in_proc && is_proc(target.as_fd()).at_index(Step::Mount, index)? {
                    return Err(Failure { step: Step::TargetInProc, index, errno: Errno::PERM });
                }
                let attached = match within {
                    None => attach(tree.as_fd(), target.as_fd()),
                    Some(path) => attach_within(&fresh, tree.as_fd(), path, target.as_fd()),
                };
                attached.at_index(Step::Mount, index)?;
            }
            PlannedMount::File { target, file } => {
                mount_file(plan, &fresh, target, file).at_index(Step::Mount, index)?
            }
            other => mount_other(plan, other).at_index(Step::Mount, index)?,
        }
    }
    Ok(fresh)
}

fn mount_other(plan: &Plan, mount: &PlannedMount) -> Result<(), Errno> {
    match mount {
        PlannedMount::MessageQueue { target } => mount_kernel(plan, c"mqueue", target, false).map(drop),
        PlannedMount::CgroupV2 { target, read_only } => mount_kernel(plan, c"cgroup2", target, *read_only).map(drop),
        PlannedMount::CgroupV1 { target, read_only, controllers } => {
            let folder = new_tmpfs(c"tmpfs", None, c"755", NO_SUID_EXEC_DEV)?;
            for (name, tree) in controllers {
                rustix::fs::mkdirat(&folder, name.as_c_str(), Mode::from_raw_mode(0o755))?;
                let mut attributes = MountAttributes { propagation: libc::MS_PRIVATE, ..MountAttributes::default() };
                if *read_only {
                    attributes.set = MountAttributes::READ_ONLY;
                }
                sys::mount_setattr(tree.as_fd(), &attributes, false)?;
            }
            attach_at(plan, folder.as_fd(), target, Symlinks::Refuse)?;
            for (name, tree) in controllers {
                attach(tree.as_fd(), open_path(folder.as_fd(), name, Symlinks::Refuse)?.as_fd())?;
            }
            if *read_only { make_read_only(folder.as_fd()) } else { Ok(()) }
        }
        PlannedMount::Tmpfs { target, size, mode, no_exec, read_only } => {
            let mut flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
            if *no_exec {
                flags |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
            }
            if *read_only {
                flags |= MountAttrFlags::MOUNT_ATTR_RDONLY;
            }
            let name = if target.as_c_str() == c"dev/shm" { c"shm" } else { c"tmpfs" };
            let mount = new_tmpfs(name, size.as_deref(), mode, flags)?;
            attach_at(plan, mount.as_fd(), target, Symlinks::Follow)
        }
        PlannedMount::Proc { .. }
        | PlannedMount::Sys { .. }
        | PlannedMount::Surrounding { .. }
        | PlannedMount::Dev { .. }
        | PlannedMount::Tree { .. }
        | PlannedMount::File { .. }
        | PlannedMount::Nothing => Ok(()),
    }
}

/// A file system of the kernel that takes no options, on a real folder.
fn mount_kernel(plan: &Plan, name: &CStr, target: &RootPath, read_only: bool) -> Result<OwnedFd, Errno> {
    let context = fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), c"source", name)?;
    fsconfig_create(context.as_fd())?;
    let flags = if read_only { NO_SUID_EXEC_DEV | MountAttrFlags::MOUNT_ATTR_RDONLY } else { NO_SUID_EXEC_DEV };
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)?;
    attach_at(plan, mount.as_fd(), target, Symlinks::Refuse)?;
    Ok(mount)
}

fn new_tmpfs(name: &CStr, size: Option<&CStr>, mode: &CStr, flags: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let context = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), c"source", name)?;
    fsconfig_set_string(context.as_fd(), c"mode", mode)?;
    if let Some(size) = size {
        fsconfig_set_string(context.as_fd(), c"size", size)?;
    }
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)
}

fn attach_at(plan: &Plan, mount: BorrowedFd<'_>, target: &RootPath, symlinks: Symlinks) -> Result<(), Errno> {
    let target = target.open_or_create(plan.rootfs.as_fd(), symlinks, Missing::Directory)?;
    if symlinks == Symlinks::Follow && is_proc(target.as_fd())? {
        return Err(Errno::PERM);
    }
    attach(mount, target.as_fd())
}

pub(in super::super) fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, c"", target, c"", flags)
}

/// Attaches what a path leads to within a detached mount.
fn attach_within(fresh: &Fresh, mount: BorrowedFd<'_>, path: &RootPath, target: BorrowedFd<'_>) -> Result<(), Errno> {
    let part = part_of(fresh, mount, || path.open(mount, Symlinks::Follow))?;
    attach(part.as_fd(), target)
}

/// A copy of a part of a detached mount. Before Linux 6.15 only attached mounts can be copied in part, so this one is
/// attached in our own `/dev` for a moment.
fn part_of(
    fresh: &Fresh,
    mount: BorrowedFd<'_>,
    open: impl FnOnce() -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Errno> {
    const PLACE: &CStr = c".mount";
    let dev = fresh.dev.as_ref().ok_or(Errno::NODEV)?;
    rustix::fs::mkdirat(dev, PLACE, Mode::RWXU)?;
    attach(mount, open_path(dev.as_fd(), PLACE, Symlinks::Refuse)?.as_fd())?;
    let part = clone_tree(open()?.as_fd(), false)?;
    // By name, for which there is no form with a descriptor; the working directory is set again before it is used.
    rustix::process::fchdir(dev)?;
    unmount(PLACE, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
    rustix::fs::unlinkat(dev, PLACE, AtFlags::REMOVEDIR)?;
    Ok(part)
}

/// A file in a file system of its own, of which nothing else is mounted.
fn mount_file(plan: &Plan, fresh: &Fresh, target: &RootPath, planned: &PlannedFile) -> Result<(), Errno> {
    const NAME: &CStr = c"file";
    let target = target.open_or_create(plan.rootfs.as_fd(), Symlinks::Follow, Missing::File)?;
    if is_proc(target.as_fd())? {
        return Err(Errno::PERM);
    }
    let memory = new_tmpfs(c"tmpfs", None, c"700", MountAttrFlags::empty())?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&memory, NAME, flags, Mode::RUSR)?;
    let mut rest = planned.content.0.as_slice();
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    match rustix::fs::fchown(&file, Some(planned.uid), Some(planned.gid)) {
        // This user namespace has nobody of that number; root stands for all of them.
        Ok(()) | Err(Errno::INVAL) => {}
        refused => refused?,
    }
    rustix::fs::fchmod(&file, planned.mode)?;
    // A file that is open for writing cannot be executed.
    drop(file);
    let tree = part_of(fresh, memory.as_fd(), || open_path(memory.as_fd(), NAME, Symlinks::Refuse))?;
    sys::mount_setattr(tree.as_fd(), &planned.attributes, false)?;
    attach(tree.as_fd(), target.as_fd())
}

pub(in super::super) fn is_proc(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(rustix::fs::fstatfs(file)?.f_type == PROC_MAGIC)
}

fn make_read_only(mount: BorrowedFd<'_>) -> Result<(), Errno> {
    let attributes = MountAttributes { set: MountAttributes::READ_ONLY, ..MountAttributes::default() };
    sys::mount_setattr(mount, &attributes, false)
}

/// A tmpfs of our own with nodes, links and devpts; nothing of the image is in it.
///
/// Where no control group guards the devices, what the container sees is a second mount of the same tmpfs that knows no
/// devices, with only our nodes mounted on themselves from the first: nodes that it makes are dead.
fn mount_dev(plan: &Plan, target: &RootPath, index: usize) -> Result<OwnedFd, Failure> {
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_STRICTATIME;
    let below = new_tmpfs(c"tmpfs", Some(c"65536k"), c"755", flags).at_index(Step::Mount, index)?;
    attach_at(plan, below.as_fd(), target, Symlinks::Refuse).at_index(Step::Mount, index)?;
    fill_dev(plan, below.as_fd())?;
    let dev = if plan.no_devices { cover_dev(plan, below.as_fd()).at_index(Step::Mount, index)? } else { below };
    let made;
    let devpts = match &plan.process.terminal {
        Some(terminal) => &terminal.devpts,
        None => {
            made = mount_devpts().at(Step::Terminal)?;
            &made
        }
    };
    let pts = open_path(dev.as_fd(), c"pts", Symlinks::Refuse).at(Step::Terminal)?;
    attach(devpts.as_fd(), pts.as_fd()).at(Step::Terminal)?;
    if let Some(terminal) = &plan.process.terminal {
        create_file(dev.as_fd(), c"console").at(Step::Terminal)?;
        let console = open_path(dev.as_fd(), c"console", Symlinks::Refuse).at(Step::Terminal)?;
        let slave = open_path(devpts.as_fd(), &terminal.name, Symlinks::Refuse).at(Step::Terminal)?;
        let tree = clone_tree(slave.as_fd(), false).at(Step::Terminal)?;
        attach(tree.as_fd(), console.as_fd()).at(Step::Terminal)?;
    }
    Ok(dev)
}

fn fill_dev(plan: &Plan, dev: BorrowedFd<'_>) -> Result<(), Failure> {
    for (to, name) in LINKS {
        rustix::fs::symlinkat(to, dev, name).at(Step::Device)?;
    }
    for name in [c"pts", c"mqueue", c"shm"] {
        rustix::fs::mkdirat(dev, name, Mode::from_raw_mode(0o755)).at(Step::Device)?;
    }
    for (index, node) in plan.devices.nodes.iter().enumerate() {
        match &plan.devices.trees {
            None => make_node(dev, node).at_index(Step::Device, index)?,
            Some(trees) => {
                let target = node.target.open_or_create(dev, Symlinks::Refuse, Missing::File);
                let target = target.at_index(Step::Device, index)?;
                let tree = trees.get(index).ok_or(Errno::NOENT).at_index(Step::Device, index)?;
                attach(tree.as_fd(), target.as_fd()).at_index(Step::Device, index)?;
            }
        }
    }
    Ok(())
}

fn make_node(dev: BorrowedFd<'_>, node: &DeviceNode) -> Result<(), Errno> {
    let (parent, name) = node.target.last().ok_or(Errno::INVAL)?;
    if parent == c"." {
        return rustix::fs::mknodat(dev, name, node.file_type, node.mode, node.device);
    }
    // Makes the folders above, and an empty file that the node replaces.
    drop(node.target.open_or_create(dev, Symlinks::Refuse, Missing::File)?);
    let parent = open_path(dev, parent, Symlinks::Refuse)?;
    rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
    rustix::fs::mknodat(&parent, name, node.file_type, node.mode, node.device)
}

/// Covers `/dev` with its own twin that knows no devices, and puts the nodes that work on top.
fn cover_dev(plan: &Plan, below: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let dev = clone_tree(below, false)?;
    let attributes = MountAttributes { set: MountAttributes::NO_DEVICES, ..MountAttributes::default() };
    sys::mount_setattr(dev.as_fd(), &attributes, false)?;
    attach(dev.as_fd(), below)?;
    for node in &plan.devices.nodes {
        let source = node.target.open(below, Symlinks::Refuse)?;
        let target = node.target.open(dev.as_fd(), Symlinks::Refuse)?;
        attach(clone_tree(source.as_fd(), false)?.as_fd(), target.as_fd())?;
    }
    Ok(dev)
}

/// Sysctls, written through the descriptor of a procfs that we have mounted ourselves.
pub(super) fn write_settings(plan: &Plan, fresh: &Fresh) -> Result<(), Failure> {
    let write = |path: &CStr, value: &[u8]| {
        let proc = fresh.proc.as_ref().ok_or(Errno::NOENT)?;
        let file = open_in_root(proc.as_fd(), path, Symlinks::Refuse, OFlags::WRONLY)?;
        if !is_proc(file.as_fd())? {
            return Err(Errno::XDEV);
        }
        rustix::io::write(file, value).map(drop)
    };
    for (index, (path, value)) in plan.sysctls.iter().enumerate() {
        if path.as_c_str() == c"sys/kernel/domainname" {
            // The file belongs to the root of the machine, also in a user namespace; the call asks who owns the UTS namespace.
            rustix::system::setdomainname(value).at_index(Step::Sysctl, index)?;
            continue;
        }
        write(path, value).at_index(Step::Sysctl, index)?;
    }
    Ok(())
}

/// Hides the masked paths and makes the read-only ones so; what does not exist needs neither.
pub(super) fn cover_paths(plan: &Plan, fresh: &Fresh) -> Result<(), Failure> {
    let mut empty_folder = None;
    for (index, path) in plan.masked_paths.iter().enumerate() {
        if let Some(target) = open_covered(plan, fresh, path).at_index(Step::Mask, index)? {
            mask(fresh, target.as_fd(), &mut empty_folder).at_index(Step::Mask, index)?;
        }
    }
    for (index, path) in plan.readonly_paths.iter().enumerate() {
        let Some(target) = open_covered(plan, fresh, path).at_index(Step::ReadOnlyPath, index)? else { continue };
        let covered = clone_tree(target.as_fd(), true).and_then(|tree| {
            let attributes = MountAttributes { set: MountAttributes::READ_ONLY, ..MountAttributes::default() };
            sys::mount_setattr(tree.as_fd(), &attributes, true)?;
            attach(tree.as_fd(), target.as_fd())
        });
        covered.at_index(Step::ReadOnlyPath, index)?;
    }
    Ok(())
}

/// A path to be covered must be what its name says (a symlink could lead the cover astray), and is looked for in the
/// file system that we have mounted, not in what the image may have at that place.
fn open_covered(plan: &Plan, fresh: &Fresh, path: &RootPath) -> Result<Option<OwnedFd>, Errno> {
    let target = match (&fresh.proc, path.below(c"proc"), &fresh.sys, path.below(c"sys")) {
        (Some(proc), Some(below), _, _) => open_path(proc.as_fd(), below, Symlinks::Refuse),
        (_, _, Some(sys), Some(below)) => open_path(sys.as_fd(), below, Symlinks::Refuse),
        _ => path.open(plan.rootfs.as_fd(), Symlinks::Refuse),
    };
    match target {
        Ok(target) => Ok(Some(target)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Covers a folder with an empty one and a file with `/dev/null`, which is checked to be just that.
fn mask(fresh: &Fresh, target: BorrowedFd<'_>, empty_folder: &mut Option<OwnedFd>) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(target)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        if let Some(folder) = empty_folder {
            return attach(clone_tree(folder.as_fd(), false)?.as_fd(), target);
        }
        let folder = new_tmpfs(c"tmpfs", None, c"755", NO_SUID_EXEC_DEV | MountAttrFlags::MOUNT_ATTR_RDONLY)?;
        attach(folder.as_fd(), target)?;
        *empty_folder = Some(folder);
        return Ok(());
    }
    let dev = fresh.dev.as_ref().ok_or(Errno::NODEV)?;
    let null = open_path(dev.as_fd(), c"null", Symlinks::Refuse)?;
    let stat = rustix::fs::fstat(&null)?;
    let is_null =
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == rustix::fs::makedev(1, 3);
    if !is_null {
        return Err(Errno::NODEV);
    }
    attach(clone_tree(null.as_fd(), false)?.as_fd(), target)
}
