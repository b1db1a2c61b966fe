//! Whether the parent still lives, for children that are to die with it.
//!
//! The kernel sends the signal for a parent's death (prctl(2), `PR_SET_PDEATHSIG`) when the thread ends that made the
//! child, to children that have asked by then. Who asks later must look: had that thread ended, somebody else would be
//! the parent by now. What the parent holds open tells nothing, since its other threads may close it much later, and
//! getppid(2) knows no parent outside the own PID namespace. So the number is read in the host's procfs.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// The child's own state in the host's procfs, opened while that can be seen.
#[derive(Debug)]
pub(in crate::builtin) struct Parent {
    state: OwnedFd,
    number: u32,
}

impl Parent {
    /// `number` is the parent's, as procfs shows it.
    pub(in crate::builtin) fn new(number: u32) -> Result<Self, Errno> {
        let state = rustix::fs::open(c"/proc/self/stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { state, number })
    }

    /// Whether the parent, or one of its other threads, is still the parent.
    pub(in crate::builtin) fn lives(&self) -> Result<bool, Errno> {
        // proc_pid_stat(5): `number (name) state parent …`; the name has at most 15 bytes, and may hold anything.
        let mut text = [0; 128];
        let length = rustix::io::pread(&self.state, &mut text, 0)?;
        let text = text.get(..length).unwrap_or_default();
        Ok(parent_in(text) == Some(self.number))
    }
}

pub(in crate::builtin) fn parent_in(text: &[u8]) -> Option<u32> {
    let end_of_name = text.iter().rposition(|byte| *byte == b')')?;
    let mut words = text.get(end_of_name + 1..)?.split(|byte| *byte == b' ').skip(2);
    std::str::from_utf8(words.next()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_may_hold_anything() {
        assert_eq!(super::parent_in(b"17 (cat) S 4 17 17 0 -1"), Some(4));
        assert_eq!(super::parent_in(b"17 (a) S 9 (b) R 4 17"), Some(4));
        assert_eq!(super::parent_in(b"17 (cat) S 0 0 0"), Some(0));
        assert_eq!(super::parent_in(b"17"), None);
    }
}
