//! Who goes first: of blobs that are uploaded side by side, one finds out whether much can be sent on one connection.
//!
//! Distribution 2.8 forgets an upload as a whole when a request of it is cut. A network that cuts every few megabytes would
//! take as much from every blob that is on its way before anything is known of it. So one upload begins, and the others
//! hold back what is larger than a piece until that one has got far enough, has come through, or has learned better. Nothing
//! is waited for once that is known, and nothing is sent in pieces to a registry that had no loss.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::wire::{Halt, SLICE};

/// More than that is sent at once only when it is known to go well. After an upload was lost as a whole, as distribution 2.8
/// loses one that is cut, pieces of this size are sent.
pub(crate) const PIECE: u64 = 1 << 20;
/// Bytes after which a connection is taken for one that carries as much as is wanted. Sent is what the kernel has taken,
/// which is some megabytes more than the other side has seen: a cut is known by then when it comes every few megabytes.
const ENOUGH: u64 = 8 << 20;

/// What the uploads to one repository know together.
#[derive(Debug)]
pub(crate) struct Scouting {
    /// Most bytes of one request: fewer once the registry has lost an upload that was cut.
    most: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// So many bytes can be sent at once.
    carried: u64,
    /// Somebody tries more.
    is_tried: bool,
}

impl Scouting {
    /// Most bytes that a request may have.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    /// An upload was lost, and goes on with requests of so many bytes; so do all others, which wait no longer.
    pub(crate) fn lost(&self, piece: u64) {
        self.most.fetch_min(piece, Ordering::Relaxed);
        self.end(u64::MAX);
    }

    /// Waits as long as another upload tries what this one needs; gives the right to be the one who does, where there is none.
    /// Whoever is told to stop waits no longer.
    pub(crate) fn wait(&self, bytes: u64, halt: &Halt) -> Option<Scout<'_>> {
        let mut state = self.state();
        while bytes > state.carried && state.is_tried && !halt.is_set() {
            // Nobody announces a halt.
            state = self.changed.wait_timeout(state, SLICE).unwrap_or_else(PoisonError::into_inner).0;
        }
        let is_first = bytes > state.carried && !state.is_tried;
        state.is_tried |= is_first;
        is_first.then(|| Scout { scouting: self, is_done: Cell::new(false) })
    }

    fn end(&self, carried: u64) {
        let mut state = self.state();
        state.carried = state.carried.max(carried);
        state.is_tried = false;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Scouting {
    fn default() -> Self {
        let state = Mutex::new(State { carried: PIECE, is_tried: false });
        Self { most: AtomicU64::new(u64::MAX), state, changed: Condvar::new() }
    }
}

/// The upload that tries. One that ends without having learned anything leaves that to another.
#[derive(Debug)]
pub(crate) struct Scout<'s> {
    scouting: &'s Scouting,
    is_done: Cell<bool>,
}

impl Scout<'_> {
    /// So many bytes of a request were sent, and it goes on.
    pub(crate) fn sent(&self, bytes: u64) {
        if bytes >= ENOUGH {
            self.learned();
        }
    }

    /// A request of so many bytes came through.
    pub(crate) fn carried(&self, bytes: u64) {
        self.end(bytes);
    }

    /// The others need not wait: all can be sent at once.
    pub(crate) fn learned(&self) {
        self.end(u64::MAX);
    }

    fn end(&self, carried: u64) {
        if !self.is_done.replace(true) {
            self.scouting.end(carried);
        }
    }
}

impl Drop for Scout<'_> {
    fn drop(&mut self) {
        self.end(0);
    }
}

#[cfg(test)]
mod tests;
