//! Signals as data: blocked, and read from a descriptor like anything else that a loop waits for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{check, set_signal_mask};

/// Signals that wait to be read, instead of interrupting or ending this process.
///
/// Only for a process with one thread: the kernel would give a signal to another one that has not blocked it.
#[derive(Debug)]
pub struct SignalQueue {
    descriptor: OwnedFd,
    mask_before: u64,
}

impl SignalQueue {
    /// Collects these signals from now on; until it is dropped.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn open(signals: &[i32]) -> io::Result<Self> {
        let bit = |signal: &i32| u32::try_from(*signal - 1).map_or(0, |place| 1_u64.checked_shl(place).unwrap_or(0));
        let wanted = signals.iter().map(bit).fold(0, |all, bit| all | bit);
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the set is eight bytes long, as the third argument says, and lives across the call.
        let result =
            unsafe { libc::syscall(libc::SYS_signalfd4, -1, std::ptr::from_ref(&wanted), size_of::<u64>(), flags) };
        let number = check(result)?;
        // SAFETY: the kernel has just opened this descriptor for us, and nobody else knows it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(i32::try_from(number).unwrap_or(-1)) };
        let mask_before = set_signal_mask(0)?;
        set_signal_mask(mask_before | wanted)?;
        Ok(Self { descriptor, mask_before })
    }

    /// The next signal that has come; `None` when there is none.
    pub fn next_signal(&self) -> Option<i32> {
        // `struct signalfd_siginfo`, whose first four bytes are the number.
        let mut info = [0; 128];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.descriptor, &mut info)) {
            Ok(128) => Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]])),
            _ => None,
        }
    }
}

impl AsFd for SignalQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for SignalQueue {
    fn drop(&mut self) {
        // What came meanwhile was meant for what has ended.
        while self.next_signal().is_some() {}
        set_signal_mask(self.mask_before).ok();
    }
}

/// Whether whoever started us wants us to ignore this signal (`nohup`, `&` in a script).
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    // SAFETY: an action of zeros is valid, and is only filled in by the call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let asked = libc::sigaction(signal, std::ptr::null(), &raw mut action);
        asked == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}
