//! What people type, on its way into the container.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use crate::containers::wire::WINDOW;

/// Who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Console,
    Client(u64),
}

/// Bytes in the order in which they came, from whomever.
#[derive(Debug, Default)]
pub(super) struct Input {
    end: Option<OwnedFd>,
    chunks: VecDeque<Chunk>,
    waiting: usize,
}

#[derive(Debug)]
struct Chunk {
    origin: Origin,
    /// None at the end of input.
    bytes: Option<Vec<u8>>,
    taken: usize,
}

impl Input {
    /// The container reads from here.
    pub(super) fn open(&mut self, end: OwnedFd) {
        self.end = Some(end);
    }

    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    pub(super) fn push(&mut self, origin: Origin, bytes: Vec<u8>) {
        self.waiting += bytes.len();
        self.chunks.push_back(Chunk { origin, bytes: Some(bytes), taken: 0 });
    }

    /// After what is there, the container finds the end.
    pub(super) fn push_end(&mut self, origin: Origin) {
        self.chunks.push_back(Chunk { origin, bytes: None, taken: 0 });
    }

    pub(super) fn wants_more(&self) -> bool {
        self.end.is_some() && self.waiting < WINDOW
    }

    /// To be looked at until it can be written to.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.end.as_ref().filter(|_| !self.chunks.is_empty()).map(AsFd::as_fd)
    }

    /// Writes what the container takes now; says whose and how much.
    pub(super) fn flush(&mut self) -> Vec<(Origin, usize)> {
        let mut taken = Vec::new();
        while let Some(chunk) = self.chunks.front_mut() {
            let Some(bytes) = &chunk.bytes else {
                self.end = None;
                self.chunks.pop_front();
                continue;
            };
            let rest = &bytes[chunk.taken..];
            let count = match self.end.as_ref().map(|end| rustix::io::write(end, rest)) {
                Some(Ok(count)) => count,
                Some(Err(Errno::INTR)) => continue,
                Some(Err(Errno::AGAIN)) => break,
                // Nobody in the container will ever read it.
                Some(Err(_)) => {
                    self.end = None;
                    rest.len()
                }
                None => rest.len(),
            };
            taken.push((chunk.origin, count));
            self.waiting -= count;
            chunk.taken += count;
            if chunk.taken == bytes.len() {
                self.chunks.pop_front();
            }
        }
        taken
    }
}
