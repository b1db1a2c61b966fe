//! A blob that is read by one thread while another writes it to its file: the file itself is what stands between them,
//! so that the sender never waits for who reads, and what an earlier attempt left is simply there.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How far a blob has come.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    file: &'a File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// Bytes that can be read.
    there: u64,
    end: End,
    /// Nobody reads on.
    is_abandoned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// All has come.
    Complete,
    /// No more will.
    Failed,
}

impl<'a> Arrival<'a> {
    /// Begins with what the file holds.
    pub(super) fn new(file: &'a File, there: u64) -> Self {
        let state = State { there, end: End::Open, is_abandoned: false };
        Self { file, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes bytes behind those that are there; `false` when nobody reads them.
    pub(super) fn push(&self, bytes: &[u8]) -> io::Result<bool> {
        // There is one writer: the place does not change meanwhile.
        let place = self.state().there;
        self.file.write_all_at(bytes, place)?;
        let mut state = self.state();
        state.there += bytes.len() as u64;
        self.changed.notify_one();
        Ok(!state.is_abandoned)
    }

    /// No more comes: what there is is the whole blob, or not.
    pub(super) fn end(&self, is_complete: bool) {
        self.state().end = if is_complete { End::Complete } else { End::Failed };
        self.changed.notify_one();
    }

    /// Nobody reads on: what has come makes no sense.
    pub(super) fn abandon(&self) {
        self.state().is_abandoned = true;
    }

    /// Whether all has come.
    pub(super) fn is_complete(&self) -> bool {
        self.state().end == End::Complete
    }

    /// Bytes that are there.
    pub(super) fn there(&self) -> u64 {
        self.state().there
    }

    /// Reads from the beginning, and waits for what has not come.
    pub(super) fn reader(&self) -> ArrivalReader<'_> {
        ArrivalReader { arrival: self, place: 0 }
    }
}

/// Reads what has come, in order.
#[derive(Debug)]
pub(super) struct ArrivalReader<'a> {
    arrival: &'a Arrival<'a>,
    place: u64,
}

impl Read for ArrivalReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.arrival.state();
        let wait = |state: &mut State| state.there == self.place && state.end == End::Open;
        let state = *self.arrival.changed.wait_while(state, wait).unwrap_or_else(PoisonError::into_inner);
        if state.there == self.place {
            return match state.end {
                End::Failed => Err(io::Error::other("the blob did not come to its end")),
                _ => Ok(0),
            };
        }
        let most = usize::try_from(state.there - self.place).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.arrival.file.read_at(&mut buffer[..most], self.place)?;
        self.place += count as u64;
        Ok(count)
    }
}
