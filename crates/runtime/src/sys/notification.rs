//! System calls of a container that wait for our answer (seccomp_unotify(2), Linux 5.5 with answers that continue).

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

use super::{FilterInstruction, check, load_filter};

/// A call that waits (`struct seccomp_notif`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Notification {
    /// Names this one call.
    pub(crate) id: u64,
    /// The thread that called, as this process knows it.
    pub(crate) thread: u32,
    flags: u32,
    /// Number of the call.
    pub(crate) number: i32,
    /// Which interface that number is of (`AUDIT_ARCH_*`).
    pub(crate) architecture: u32,
    instruction: u64,
    /// What it was called with.
    pub(crate) arguments: [u64; 6],
}

/// What the caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Zero, as if it had been done.
    Success,
    /// It fails.
    Error(Errno),
    /// What the kernel says to it.
    Continue,
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const NEW_LISTENER: libc::c_ulong = 1 << 3;
/// A caller whose call was received is only disturbed by what kills it (Linux 5.19).
const WAIT_KILLABLE: libc::c_ulong = 1 << 5;
const CONTINUE: u32 = 1;
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const IS_WAITING: libc::c_ulong = 0x4008_2102;

/// Whether the kernel speaks of calls in the structures that are written here.
pub(crate) fn has_notifications() -> bool {
    const GET_NOTIF_SIZES: libc::c_ulong = 3;
    let mut sizes = [0_u16; 3];
    // SAFETY: the kernel writes three 16-bit numbers (`struct seccomp_notif_sizes`).
    let result = unsafe { libc::syscall(libc::SYS_seccomp, GET_NOTIF_SIZES, 0, sizes.as_mut_ptr()) };
    let own = [size_of::<Notification>(), size_of::<Response>()];
    check(result).is_ok() && sizes[..2].iter().map(|size| usize::from(*size)).eq(own)
}

/// Installs a filter for the calling thread whose notifications can be read from the descriptor, which `execve` closes.
pub(crate) fn load_notifying_filter(filter: &[FilterInstruction]) -> Result<OwnedFd, Errno> {
    let number = match load_filter(filter, NEW_LISTENER | WAIT_KILLABLE) {
        Err(Errno::INVAL) => load_filter(filter, NEW_LISTENER)?,
        loaded => loaded?,
    };
    // SAFETY: the kernel has just opened this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(number).map_err(|_| Errno::BADF)?) })
}

/// The next call that waits; `ENOENT` if its caller has gone meanwhile.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> Result<Notification, Errno> {
    let mut notification = Notification::default();
    // SAFETY: the request writes a `struct seccomp_notif`, as which the value is laid out; zeros are what it wants there.
    let result =
        unsafe { libc::syscall(libc::SYS_ioctl, listener.as_raw_fd(), RECEIVE, std::ptr::from_mut(&mut notification)) };
    check(result).map(|_| notification)
}

/// Whether the caller still waits: until then, what its number in procfs leads to is the caller's.
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the request reads 64 bits.
    let result = unsafe { libc::syscall(libc::SYS_ioctl, listener.as_raw_fd(), IS_WAITING, std::ptr::from_ref(&id)) };
    check(result).is_ok()
}

/// Lets the caller go on; `ENOENT` if it has gone.
pub(crate) fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> Result<(), Errno> {
    let (error, flags) = match answer {
        Answer::Success => (0, 0),
        Answer::Error(errno) => (-errno.raw_os_error(), 0),
        Answer::Continue => (0, CONTINUE),
    };
    let response = Response { id, value: 0, error, flags };
    // SAFETY: the request reads a `struct seccomp_notif_resp`, as which the value is laid out.
    let result = unsafe { libc::syscall(libc::SYS_ioctl, listener.as_raw_fd(), SEND, std::ptr::from_ref(&response)) };
    check(result).map(drop)
}
