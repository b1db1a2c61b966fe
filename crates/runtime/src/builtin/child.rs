//! From the clone to `execve`: the child's side, in the order in which it happens.
//!
//! The child is a copy of one thread of a possibly multi-threaded process, so nothing here allocates, locks or panics;
//! every path and list was made by the [`Plan`]. The order matters: the control group first (so that all that follows is
//! counted), then mounts on descriptors, then the root, then privileges from the widest to the last, the filter of system calls
//! at the end, and no descriptor but the standard streams and the pipe when the program is executed.

mod mounts;
mod parent;
pub(super) mod process;

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, UnmountFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::LinkNameSpaceType;

use super::failure::{At, Failure, Step};
use super::plan::Plan;
use super::root_path::{Missing, Symlinks};
use crate::spec::{Namespace, NetworkNamespace};
use crate::sys::{self, MountAttributes};

pub(super) use mounts::{attach, is_proc};
pub(super) use parent::{Parent, parent_in};

/// Where the pipe to the parent is while the program is executed.
const PIPE: i32 = 3;

/// Becomes the container's program, or returns what went wrong.
pub(super) fn run(plan: &Plan, pipe: BorrowedFd<'_>) -> Failure {
    match prepare(plan).and_then(|()| keep_only(pipe)) {
        Ok(pipe) => report(pipe, process::execute(&plan.process)),
        Err(failure) => report(pipe, failure),
    }
}

/// Closes everything but the standard streams and the pipe: what a program might reach through `/proc/self/fd` while
/// it is being executed is gone before. Nothing may be dropped after this.
fn keep_only(pipe: BorrowedFd<'_>) -> Result<BorrowedFd<'static>, Failure> {
    sys::duplicate_onto(pipe, PIPE).at(Step::Descriptors)?;
    sys::close_all_from(PIPE.cast_unsigned() + 1).at(Step::Descriptors)?;
    Ok(sys::borrow_number(PIPE))
}

/// Tells the parent; if even that fails, the parent sees an empty pipe.
fn report(pipe: BorrowedFd<'_>, failure: Failure) -> Failure {
    match rustix::io::write(pipe, &failure.encode()) {
        Ok(_) | Err(_) => failure,
    }
}

fn prepare(plan: &Plan) -> Result<(), Failure> {
    if plan.traced {
        sys::trace_me().at(Step::Trace)?;
    }
    sys::reset_signals().at(Step::Signals)?;
    // Modes of what we make are exactly as asked for.
    rustix::process::umask(Mode::empty());
    if let Some(score) = &plan.process.oom_score_adj {
        process::write_score(score).at(Step::OomScore)?;
    }
    let parent = process::watch_parent(&plan.process)?;
    if plan.is_chroot {
        return prepare_chroot(plan);
    }
    join(plan)?;
    mount_root(plan)?;
    let fresh = mounts::mount_all(plan)?;
    mounts::write_settings(plan, &fresh)?;
    mounts::cover_paths(plan, &fresh)?;
    let cwd = plan
        .cwd
        .open_or_create(plan.rootfs.as_fd(), Symlinks::Follow, Missing::Directory)
        .at(Step::WorkingDirectory)?;
    if plan.readonly_rootfs {
        let attributes = MountAttributes { set: MountAttributes::READ_ONLY, ..MountAttributes::default() };
        sys::mount_setattr(plan.rootfs.as_fd(), &attributes, false).at(Step::ReadOnlyRoot)?;
    }
    enter_root(plan).at(Step::PivotRoot)?;
    if matches!(plan.uts, Namespace::New) {
        match rustix::system::sethostname(&plan.hostname) {
            // A filter of the surroundings (podman's) knows CAP_SYS_ADMIN in their namespace only; their name serves as well.
            Err(Errno::PERM) if plan.may_keep_hostname => {}
            set => set.at(Step::Hostname)?,
        }
    }
    process::standard_streams(&plan.process).at(Step::Stdio)?;
    enter_working_directory(cwd.as_fd()).at(Step::WorkingDirectory)?;
    process::drop_privileges(&plan.process, parent.as_ref())?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    Ok(())
}

/// Where there are neither mounts nor namespaces: the root is a folder, and all else is as around us.
fn prepare_chroot(plan: &Plan) -> Result<(), Failure> {
    begin_session(plan)?;
    let cwd = plan
        .cwd
        .open_or_create(plan.rootfs.as_fd(), Symlinks::Follow, Missing::Directory)
        .at(Step::WorkingDirectory)?;
    rustix::process::fchdir(&plan.rootfs).and_then(|()| rustix::process::chroot(c".")).at(Step::PivotRoot)?;
    process::standard_streams(&plan.process).at(Step::Stdio)?;
    enter_working_directory(cwd.as_fd()).at(Step::WorkingDirectory)?;
    process::drop_privileges(&plan.process, None)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    Ok(())
}

/// Control groups, namespaces that already exist, session and keyring.
fn join(plan: &Plan) -> Result<(), Failure> {
    for (index, tasks) in plan.cgroup_tasks.iter().enumerate() {
        // A thread that moves itself takes no global lock; a process moved through `cgroup.procs` waits for RCU.
        rustix::io::write(tasks, b"0").at_index(Step::JoinCgroup, index)?;
    }
    match &plan.network {
        NetworkNamespace::Host => {}
        NetworkNamespace::New => loopback_up().at(Step::Loopback)?,
        NetworkNamespace::Join(namespace) => {
            rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .at(Step::NetworkNamespace)?;
        }
    }
    for (namespace, kind, step) in [
        (&plan.ipc, LinkNameSpaceType::InterProcessCommunication, Step::Namespaces),
        (&plan.uts, LinkNameSpaceType::HostNameAndNISDomainName, Step::Namespaces),
    ] {
        if let Namespace::Join(namespace) = namespace {
            rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind)).at(step)?;
        }
    }
    if plan.new_cgroup_namespace {
        sys::unshare(libc::CLONE_NEWCGROUP).at(Step::CgroupNamespace)?;
    }
    begin_session(plan)
}

fn begin_session(plan: &Plan) -> Result<(), Failure> {
    rustix::process::setsid().at(Step::Session)?;
    match sys::join_session_keyring(&plan.keyring) {
        // No keyrings in this kernel, or a quota of another user's: then there is nothing to be searched either.
        Ok(()) | Err(Errno::NOSYS | Errno::PERM | Errno::DQUOT) => Ok(()),
        Err(errno) => Err(Failure::new(Step::Session, errno)),
    }
}

fn loopback_up() -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC;
    let socket = match rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None) {
        Err(Errno::AFNOSUPPORT) => rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?,
        result => result?,
    };
    sys::loopback_up(socket.as_fd())
}

/// Stacks the container's root on top of the host's, in our own copy of the host's mounts.
fn mount_root(plan: &Plan) -> Result<(), Failure> {
    use rustix::mount::MountPropagationFlags as Propagation;
    rustix::mount::mount_change(c"/", Propagation::REC | Propagation::PRIVATE).at(Step::Propagation)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&plan.rootfs, c"", CWD, c"/", flags).at(Step::AttachRoot)?;
    let mut attributes = MountAttributes { propagation: libc::MS_PRIVATE, ..MountAttributes::default() };
    if plan.no_devices {
        attributes.set |= MountAttributes::NO_DEVICES;
    }
    if plan.devices_work {
        // Whoever mounted it may have kept all devices away.
        let all = MountAttributes { clear: MountAttributes::NO_DEVICES, ..MountAttributes::default() };
        sys::mount_setattr(plan.rootfs.as_fd(), &all, false).at(Step::AttachRoot)?;
    }
    sys::mount_setattr(plan.rootfs.as_fd(), &attributes, true).at(Step::AttachRoot)
}

/// Makes the container's root ours and lets the host's go. `pivot_root(".", ".")` needs no folder to put the old one.
fn enter_root(plan: &Plan) -> Result<(), Errno> {
    rustix::process::fchdir(&plan.rootfs)?;
    rustix::process::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")
}

/// The directory was resolved inside the root; that it is reachable from the root is checked once more.
pub(super) fn enter_working_directory(cwd: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::process::fchdir(cwd)?;
    let mut path = [0_u8; libc::PATH_MAX as usize];
    if sys::current_directory(&mut path)? == b'/' { Ok(()) } else { Err(Errno::NOENT) }
}
