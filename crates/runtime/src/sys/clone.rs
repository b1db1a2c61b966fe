//! `clone3`: a child in new namespaces, started inside its control group.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// Which namespaces the child gets anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CloneFlags(u64);

impl CloneFlags {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const NEW_MOUNT_NAMESPACE: Self = Self(libc::CLONE_NEWNS as u64);
    pub(crate) const NEW_PID_NAMESPACE: Self = Self(libc::CLONE_NEWPID as u64);
    pub(crate) const NEW_UTS_NAMESPACE: Self = Self(libc::CLONE_NEWUTS as u64);
    pub(crate) const NEW_IPC_NAMESPACE: Self = Self(libc::CLONE_NEWIPC as u64);
    /// Not our child, but our parent's (`CLONE_PARENT`).
    pub(crate) const BROTHER: Self = Self(libc::CLONE_PARENT as u64);
    pub(crate) const NEW_NETWORK_NAMESPACE: Self = Self(libc::CLONE_NEWNET as u64);

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// On which side of the fork we are.
#[derive(Debug)]
pub(crate) enum Forked {
    Parent { pid: Pid, pidfd: OwnedFd },
    Child,
}

/// `CLONE_INTO_CGROUP` (Linux 5.7) and `CLONE_CLEAR_SIGHAND` (5.5).
const INTO_CGROUP: u64 = 0x2_0000_0000;
const CLEAR_SIGNAL_HANDLERS: u64 = 0x1_0000_0000;

/// `struct clone_args` of Linux 5.7.
#[derive(Default)]
#[repr(C)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Forks into new namespaces, and into a cgroup v2 if one is given.
///
/// The child has a copy of our memory and of nothing else: other threads are gone, whatever they had locked stays
/// locked. Until `execve` it must not allocate, not panic, not drop anything that matters outside, and never return
/// from the function that called this one; all signals are blocked in it if they were here.
pub(crate) fn clone_process(flags: CloneFlags, cgroup: Option<BorrowedFd<'_>>) -> Result<Forked, Errno> {
    let mut pidfd: RawFd = -1;
    let mut arguments = CloneArguments {
        flags: flags.0 | CLEAR_SIGNAL_HANDLERS | libc::CLONE_PIDFD as u64,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        // A brother's end is told as ours will be; the kernel wants nothing said then.
        exit_signal: if flags.0 & CloneFlags::BROTHER.0 == 0 { libc::SIGCHLD as u64 } else { 0 },
        ..CloneArguments::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= INTO_CGROUP;
        arguments.cgroup = u64::try_from(cgroup.as_raw_fd()).map_err(|_| Errno::BADF)?;
    }
    // SAFETY: without CLONE_VM the child runs on a copy of this stack, so both sides return safely from the call;
    // `arguments` has the layout and size that the kernel expects, and `pidfd` outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, std::ptr::from_mut(&mut arguments), size_of::<CloneArguments>()) };
    let pid = match super::check(result) {
        // Filters of older containers (docker 20.10) do not let it pass, and know its arguments in this form only. Handlers
        // of signals stay then, which are all blocked and reset by whoever executes something.
        Err(Errno::NOSYS) if cgroup.is_none() => {
            let flags = (flags.0 | libc::CLONE_PIDFD as u64 | libc::SIGCHLD as u64) as libc::c_ulong;
            // SAFETY: as above: a copy of this stack, no CLONE_VM, and `pidfd` is where CLONE_PIDFD is stored.
            super::check(unsafe {
                libc::syscall(libc::SYS_clone, flags, 0_usize, std::ptr::from_mut(&mut pidfd), 0_usize, 0_usize)
            })?
        }
        result => result?,
    };
    match Pid::from_raw(i32::try_from(pid).map_err(|_| Errno::OVERFLOW)?) {
        None => Ok(Forked::Child),
        Some(pid) => {
            // SAFETY: the kernel has just opened this descriptor for us because of CLONE_PIDFD.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Forked::Parent { pid, pidfd })
        }
    }
}
