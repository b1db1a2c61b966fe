//! Bytes that wait until somebody takes them.

use rustix::io::Errno;

/// From here on nothing more should be put in.
const FULL: usize = 256 << 10;

/// Bytes in order.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    bytes: Vec<u8>,
    /// So many at the beginning are gone already.
    taken: usize,
}

impl Queue {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.is_empty() {
            self.clear();
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() - self.taken >= FULL
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.taken = 0;
    }

    /// Gives bytes to `write` until all are gone or it would have to wait.
    pub(crate) fn write(&mut self, mut write: impl FnMut(&[u8]) -> Result<usize, Errno>) -> Result<(), Errno> {
        while !self.is_empty() {
            match write(&self.bytes[self.taken..]) {
                Ok(count) => self.taken += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(errno),
            }
        }
        if self.taken > FULL {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        Ok(())
    }
}
