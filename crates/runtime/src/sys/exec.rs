//! `execve` with argument lists made beforehand, and the one place where a second program is spawned.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::io::Errno;

/// A null-terminated array of C strings, ready for `execve`.
#[derive(Debug)]
pub(crate) struct CStringArray {
    /// Owns what `pointers` point at; never changed after construction.
    #[expect(dead_code, reason = "kept alive for the pointers")]
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

// SAFETY: the pointers refer to heap memory owned by `strings`, which is never changed and moves along.
unsafe impl Send for CStringArray {}
// SAFETY: shared access only reads.
unsafe impl Sync for CStringArray {}

impl CStringArray {
    pub(crate) fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect();
        Self { strings, pointers }
    }
}

/// Replaces the program of the calling process; returns only if that failed.
pub(crate) fn exec(path: &CStr, arguments: &CStringArray, environment: &CStringArray) -> Errno {
    // SAFETY: all three are C strings or null-terminated arrays of such, owned by the caller across the call.
    unsafe { libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr()) };
    super::last_errno()
}

/// Replaces the program of the calling process by the one that a descriptor refers to; returns only if that failed.
pub(crate) fn exec_descriptor(file: BorrowedFd<'_>, arguments: &CStringArray, environment: &CStringArray) -> Errno {
    // SAFETY: an empty C string and null-terminated arrays of such, owned by the caller across the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            arguments.pointers.as_ptr(),
            environment.pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    super::last_errno()
}

/// Spawns `command` after running `prepare` in the child.
///
/// `prepare` runs after `fork` in a copy of a possibly multi-threaded process: it must not allocate or lock.
pub(crate) fn spawn_prepared(
    command: &mut Command,
    mut prepare: impl FnMut() -> Result<(), Errno> + Send + Sync + 'static,
) -> io::Result<Child> {
    // SAFETY: the closure is held to system calls on prepared data, as this function's contract says.
    unsafe { command.pre_exec(move || prepare().map_err(io::Error::from)) };
    command.spawn()
}
