//! System calls that `rustix` has no safe form for: the only `unsafe` of the whole program.
//!
//! Each function is one system call with its arguments' lifetimes made plain; decisions belong to the callers. All
//! may be called between `clone3` and `execve` of a child of a multi-threaded process: none allocates or locks.
#![expect(unsafe_code, reason = "raw system calls; every block says why it is sound")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sends a signal by number, real-time signals included.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: the call takes numbers and a null pointer (no siginfo), and touches no memory of ours.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
