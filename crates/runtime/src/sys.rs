//! System calls that `rustix` has no safe form for: the only `unsafe` of the whole program.
//!
//! Each function is one system call with its arguments' lifetimes made plain; decisions belong to the callers. What
//! runs between `clone3` and `execve` of a child of a multi-threaded process may neither allocate nor lock: all
//! functions here keep to that, except where they say so.
#![expect(unsafe_code, reason = "raw system calls; every block says why it is sound")]

mod bpf;
mod clone;
mod exec;
mod notification;
mod signals;
mod stage;

pub(crate) use bpf::{BpfInstruction, attach_device_program, load_device_program};
pub(crate) use clone::{CloneFlags, Forked, clone_process};
pub(crate) use exec::{CStringArray, exec, exec_descriptor, spawn_prepared};
pub(crate) use notification::{
    Answer, Notification, answer, has_notifications, is_waiting, load_notifying_filter, receive,
};
pub use signals::{SignalQueue, is_ignored};
pub(crate) use stage::{STAGE, stage_in_memory};

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// An instruction of classic BPF, which seccomp filters are made of (`struct sock_filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct FilterInstruction {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) value: u32,
}

/// What [`mount_setattr`] changes (`struct mount_attr`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct MountAttributes {
    pub(crate) set: u64,
    pub(crate) clear: u64,
    pub(crate) propagation: u64,
    pub(crate) user_namespace: u64,
}

impl MountAttributes {
    pub(crate) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
    pub(crate) const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;
    pub(crate) const NO_SET_USER_ID: u64 = libc::MOUNT_ATTR_NOSUID;
    pub(crate) const NO_EXECUTION: u64 = libc::MOUNT_ATTR_NOEXEC;
}

/// Turns -1 into the thread's error number.
fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result == -1 { Err(last_errno()) } else { Ok(result) }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Sends a signal by number, real-time signals included.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: the call takes numbers and a null pointer (no siginfo), and touches no memory of ours.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    Ok(check(result).map(drop)?)
}

/// Changes attributes of the mount that `mount` refers to, with those below it if `recursive`.
pub(crate) fn mount_setattr(mount: BorrowedFd<'_>, attributes: &MountAttributes, recursive: bool) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, the attributes are a `repr(C)` struct of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<MountAttributes>(),
        )
    };
    check(result).map(drop)
}

/// Closes every descriptor from `first` on. Only for the child just before `execve`, which owns none of them any more
/// in the sense of Rust: nothing is dropped there.
pub(crate) fn close_all_from(first: u32) -> Result<(), Errno> {
    // SAFETY: called in a single-threaded child that uses no descriptor above `first` afterwards and drops none.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    check(result).map(drop)
}

/// Marks every descriptor from `first` on to be closed by `execve`.
///
/// # Errors
/// On kernels before 5.11.
pub fn close_on_exec_from(first: u32) -> std::io::Result<()> {
    // SAFETY: nothing is closed here; only a flag is set, which Rust's own descriptors have already.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Ok(check(result).map(drop)?)
}

/// Duplicates `from` onto the number `to`, marked to be closed by `execve`. Only for the child, as [`close_all_from`].
pub(crate) fn duplicate_onto(from: BorrowedFd<'_>, to: i32) -> Result<(), Errno> {
    // SAFETY: whatever was open as `to` is used by nothing afterwards: the child is about to close all the rest.
    let result = unsafe { libc::syscall(libc::SYS_dup3, from.as_raw_fd(), to, libc::O_CLOEXEC) };
    if result == -1 && last_errno() == Errno::INVAL {
        return Ok(()); // The same number: already where it should be, and all ours are CLOEXEC.
    }
    check(result).map(drop)
}

/// The same, but it stays open across `execve`.
pub(crate) fn duplicate_onto_for_good(from: BorrowedFd<'_>, to: i32) -> Result<(), Errno> {
    if from.as_raw_fd() == to {
        // SAFETY: only a flag of a descriptor of ours is changed.
        return check(unsafe { libc::syscall(libc::SYS_fcntl, to, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: as in `duplicate_onto`.
    check(unsafe { libc::syscall(libc::SYS_dup3, from.as_raw_fd(), to, 0) }).map(drop)
}

/// Borrows a descriptor by the number that [`duplicate_onto`] gave it.
pub(crate) fn borrow_number(number: i32) -> BorrowedFd<'static> {
    // SAFETY: only called with the number that `duplicate_onto` has just opened and nothing closes before `execve`.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Installs a seccomp filter for the calling thread.
pub(crate) fn load_seccomp(filter: &[FilterInstruction]) -> Result<(), Errno> {
    load_filter(filter, 0).map(drop)
}

/// The same with flags; gives what the call returns.
fn load_filter(filter: &[FilterInstruction], flags: libc::c_ulong) -> Result<libc::c_long, Errno> {
    #[repr(C)]
    struct Program {
        length: libc::c_ushort,
        filter: *const FilterInstruction,
    }
    let length = u16::try_from(filter.len()).map_err(|_| Errno::INVAL)?;
    let program = Program { length, filter: filter.as_ptr() };
    // SAFETY: `program` has the layout of `struct sock_fprog` and points at `length` instructions; the kernel copies.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref(&program)) };
    check(result)
}

/// Gives every signal its default disposition and unblocks all of them.
pub(crate) fn reset_signals() -> Result<(), Errno> {
    /// The kernel's `struct sigaction` is no larger than this on any of our architectures.
    const DEFAULT_ACTION: [u64; 4] = [0; 4];
    const SIGSET_SIZE: usize = 8;
    for signal in 1..=64 {
        if signal == libc::SIGKILL || signal == libc::SIGSTOP {
            continue;
        }
        // SAFETY: an all-zero action is SIG_DFL without flags; the kernel only reads it. The libc wrapper would refuse
        // the two signals that libc keeps to itself.
        let result =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT_ACTION.as_ptr(), 0_usize, SIGSET_SIZE) };
        check(result)?;
    }
    set_signal_mask(0).map(drop)
}

/// Gives `SIGCHLD` its default disposition if it is ignored, which `execve` passes on from a parent that ignores it.
pub(crate) fn heed_children() -> Result<(), Errno> {
    // SAFETY: an action of zeros is valid, and is filled in by the call; all arguments live across both calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        check(libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action).into())?;
        if action.sa_sigaction == libc::SIG_IGN {
            let default: libc::sigaction = std::mem::zeroed();
            check(libc::sigaction(libc::SIGCHLD, &raw const default, std::ptr::null_mut()).into())?;
        }
    }
    Ok(())
}

/// Replaces the calling thread's mask of blocked signals and returns the old one.
pub(crate) fn set_signal_mask(mask: u64) -> Result<u64, Errno> {
    let mut old = 0_u64;
    // SAFETY: both sets are eight bytes long, as the last argument says.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            std::ptr::from_ref(&mask),
            std::ptr::from_mut(&mut old),
            size_of::<u64>(),
        )
    };
    check(result).map(|_| old)
}

/// Sets the interface `lo` of the calling thread's network namespace up.
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: `ifreq` is plain old data, for which zeros are a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = *from as libc::c_char; // Signed or not, depending on the architecture.
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, which lives across the call.
    // (The libc wrapper wants the request number in another type with each libc.)
    let result =
        unsafe { libc::syscall(libc::SYS_ioctl, socket.as_raw_fd(), libc::SIOCSIFFLAGS, std::ptr::from_ref(&request)) };
    check(result).map(drop)
}

/// Gives the calling process a new session keyring, so that it cannot search the caller's keys.
pub(crate) fn join_session_keyring(name: &CStr) -> Result<(), Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: the name is a C string that the kernel copies.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr(), 0, 0, 0) };
    check(result).map(drop)
}

/// Starts to be traced by the parent: the next successful `execve` stops before its first instruction.
pub(crate) fn trace_me() -> Result<(), Errno> {
    trace(libc::PTRACE_TRACEME as libc::c_long, 0, 0)
}

/// Stops tracing a stopped child and lets it run. Must be called by the thread that made the child.
pub(crate) fn trace_detach(pid: Pid) -> Result<(), Errno> {
    trace(libc::PTRACE_DETACH as libc::c_long, pid.as_raw_nonzero().get(), 0)
}

/// Lets a traced, stopped child go on and receive `signal`. Must be called by the thread that made the child.
pub(crate) fn trace_continue(pid: Pid, signal: i32) -> Result<(), Errno> {
    trace(libc::PTRACE_CONT as libc::c_long, pid.as_raw_nonzero().get(), signal)
}

/// `ptrace` with those of its requests that take at most a signal, all arguments as wide as the kernel reads them.
fn trace(request: libc::c_long, pid: i32, signal: i32) -> Result<(), Errno> {
    let (pid, signal) = (libc::c_long::from(pid), libc::c_long::from(signal));
    // SAFETY: none of the three requests above touches memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_ptrace, request, pid, 0 as libc::c_long, signal) };
    check(result).map(drop)
}

/// Puts the calling thread into new namespaces, or gives it a root and working folder of its own (`CLONE_FS`), as
/// entering another mount namespace needs. A user namespace takes the whole process, which must have one thread.
pub(crate) fn unshare(flags: libc::c_int) -> Result<(), Errno> {
    const ALLOWED: libc::c_int = libc::CLONE_NEWNS | libc::CLONE_NEWCGROUP | libc::CLONE_NEWUSER | libc::CLONE_FS;
    // SAFETY: no flag is passed that touches memory or descriptors (CLONE_VM, CLONE_FILES).
    let result = unsafe { libc::unshare(flags & ALLOWED) };
    check(result.into()).map(drop)
}

/// Writes the path of the working directory into `buffer` and returns its first byte, which is `/` unless the directory
/// cannot be reached from the root.
pub(crate) fn current_directory(buffer: &mut [u8]) -> Result<u8, Errno> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes.
    let result = unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) };
    check(result)?;
    buffer.first().copied().ok_or(Errno::RANGE)
}

/// Ends the calling process at once, without running anything of ours.
pub(crate) fn exit_now(code: libc::c_int) -> ! {
    // SAFETY: ends the process; there is no state left to be unsound.
    unsafe { libc::_exit(code) }
}
