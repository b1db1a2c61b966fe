//! A child in a PID namespace that exists already.
//!
//! A process counts itself never as a member of a PID namespace that it enters: only its children are. Back again leads `setns`
//! too, but for that the kernel asks for rights over the namespace that one came from, which a user without root has not.
//! There another child goes in, and makes a brother of its own that is our child (`CLONE_PARENT`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};
use rustix::thread::LinkNameSpaceType;

use crate::sys::{self, CloneFlags, Forked};
use crate::user_namespace;

/// Forks into the PID namespace that `enter` enters; the calling thread is where it was afterwards. In the child, all that
/// holds for [`sys::clone_process`] does. Signals must be blocked.
pub(super) fn clone_within(
    enter: impl FnOnce() -> Result<(), Errno>,
    flags: CloneFlags,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Forked, Errno> {
    if !user_namespace::is_initial() {
        return clone_by_a_brother(enter, flags, cgroup);
    }
    let open = OFlags::RDONLY | OFlags::CLOEXEC;
    let own = rustix::fs::open(c"/proc/thread-self/ns/pid_for_children", open, Mode::empty())?;
    enter()?;
    let forked = sys::clone_process(flags, cgroup);
    if !matches!(forked, Ok(Forked::Child)) {
        rustix::thread::move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::ProcessID))?;
    }
    forked
}

fn clone_by_a_brother(
    enter: impl FnOnce() -> Result<(), Errno>,
    flags: CloneFlags,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Forked, Errno> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    match sys::clone_process(CloneFlags::NONE, None)? {
        Forked::Child => {
            let forked = enter().and_then(|()| sys::clone_process(flags.with(CloneFlags::BROTHER), cgroup));
            let answer = match forked {
                Ok(Forked::Child) => return Ok(Forked::Child),
                Ok(Forked::Parent { pid, .. }) => pid.as_raw_nonzero().get(),
                Err(errno) => -errno.raw_os_error(),
            };
            // If that fails, the parent finds the pipe empty.
            rustix::io::write(&write, &answer.to_ne_bytes()).ok();
            sys::exit_now(0);
        }
        Forked::Parent { pidfd, .. } => {
            drop(write);
            let answer = read_number(&read);
            rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).ok();
            match answer? {
                errno @ ..0 => Err(Errno::from_raw_os_error(-errno)),
                pid => {
                    // It is our child, so its number is its own until we have waited for it.
                    let pid = Pid::from_raw(pid).ok_or(Errno::CHILD)?;
                    Ok(Forked::Parent { pid, pidfd: rustix::process::pidfd_open(pid, PidfdFlags::empty())? })
                }
            }
        }
    }
}

fn read_number(pipe: &OwnedFd) -> Result<i32, Errno> {
    let mut bytes = [0; 4];
    loop {
        match rustix::io::read(pipe, &mut bytes) {
            Err(Errno::INTR) => {}
            Ok(4) => return Ok(i32::from_ne_bytes(bytes)),
            Ok(_) => return Err(Errno::CHILD),
            Err(errno) => return Err(errno),
        }
    }
}
