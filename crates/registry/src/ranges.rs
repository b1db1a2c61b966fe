//! A large blob in ranges that are fetched at once and given in order.
//!
//! A few threads take the next range as long as it is not too far ahead of what was read, so that memory is bounded. They
//! end when the blob does, when one of them fails, or when nobody reads any longer.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use oci::Descriptor;

use crate::error::{Failure, Kind};
use crate::line::Line;
use crate::stretch::{Step, Stretch};
use crate::wire::{Halt, SLICE};

/// The reading end.
pub(crate) struct Ranges {
    work: Arc<Work>,
    /// What is being given.
    current: Vec<u8>,
    given: usize,
}

struct Work {
    line: Line,
    blob: Descriptor,
    from: u64,
    count: u64,
    halt: Halt,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The next range that nobody fetches yet.
    next: u64,
    /// The next range to be given.
    wanted: u64,
    done: BTreeMap<u64, Vec<u8>>,
    failed: Option<Failure>,
}

impl State {
    /// The next range to fetch, if it is not too far ahead of what was given.
    fn take_next(&mut self, ahead: u64) -> Option<u64> {
        let has_room = self.next < self.wanted + ahead;
        has_room.then(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

impl Ranges {
    /// Fetches from a position to the end; the first range is on its way already.
    pub(crate) fn start(line: &Line, blob: &Descriptor, from: u64, first: Stretch) -> Self {
        let limits = &line.shared.limits;
        let halt = Halt::default();
        let count = (blob.size - from).div_ceil(limits.range);
        let state = Mutex::new(State { next: 1, ..State::default() });
        let (line, blob) = (Line { halt: halt.clone(), ..line.clone() }, blob.clone());
        let threads = limits.range_threads.clamp(1, limits.ranges_ahead);
        let work = Arc::new(Work { line, blob, from, count, halt, state, changed: Condvar::new() });
        let mut first = Some(first.into_part(work.halt.clone()));
        for _ in 0..threads {
            let (mine, begun) = (Arc::clone(&work), first.take());
            let spawned = std::thread::Builder::new().name("range".to_owned()).spawn(move || mine.run(begun));
            if let Err(error) = spawned {
                work.fail(work.line.fails(Kind::Cut(error)));
            }
        }
        Self { work, current: Vec::new(), given: 0 }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8], is_waited_for: &dyn Fn() -> bool) -> Result<Step, Failure> {
        if self.given == self.current.len() {
            self.current = self.work.take(is_waited_for)?;
            self.given = 0;
        }
        let count = buffer.len().min(self.current.len() - self.given);
        buffer[..count].copy_from_slice(&self.current[self.given..self.given + count]);
        self.given += count;
        Ok(Step::Bytes(count))
    }
}

impl Drop for Ranges {
    fn drop(&mut self) {
        self.work.halt.set();
        // Whoever looked before that and is about to wait has the lock until it waits; then it is told.
        drop(self.work.lock());
        self.work.changed.notify_all();
    }
}

impl Work {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn fail(&self, failure: Failure) {
        self.lock().failed.get_or_insert(failure);
        self.changed.notify_all();
    }

    /// The next range in order, once it is there.
    fn take(&self, is_waited_for: &dyn Fn() -> bool) -> Result<Vec<u8>, Failure> {
        let mut state = self.lock();
        loop {
            let wanted = state.wanted;
            if let Some(bytes) = state.done.remove(&wanted) {
                state.wanted += 1;
                self.changed.notify_all();
                return Ok(bytes);
            }
            if let Some(failure) = state.failed.take() {
                self.halt.set();
                return Err(failure);
            }
            if !is_waited_for() {
                self.halt.set();
                return Err(self.line.fails(Kind::Cancelled));
            }
            state = self.changed.wait_timeout(state, SLICE).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// What one thread does.
    fn run(&self, mut begun: Option<Stretch>) {
        let limits = &self.line.shared.limits;
        loop {
            let (rank, stretch) = match begun.take() {
                Some(stretch) => (0, stretch),
                None => {
                    let Some(rank) = self.next(limits.ranges_ahead as u64) else { return };
                    let start = self.from + rank * limits.range;
                    let end = (start + limits.range).min(self.blob.size);
                    (rank, Stretch::new(&self.line, &self.blob, start, end).into_part(self.halt.clone()))
                }
            };
            match self.fetch(stretch) {
                Ok(bytes) => {
                    self.lock().done.insert(rank, bytes);
                    self.changed.notify_all();
                }
                Err(failure) => return self.fail(failure),
            }
        }
    }

    /// The next range to fetch, when there is room for it; `None` at the end.
    fn next(&self, ahead: u64) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if self.halt.is_set() || state.failed.is_some() || state.next >= self.count {
                return None;
            }
            if let Some(rank) = state.take_next(ahead) {
                return Some(rank);
            }
            state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn fetch(&self, mut stretch: Stretch) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; usize::try_from(stretch.left()).unwrap_or(usize::MAX)];
        let mut filled = 0;
        while filled < bytes.len() {
            if let Step::Bytes(count) = stretch.read(&mut bytes[filled..], &|| !self.halt.is_set())? {
                filled += count;
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn c011_no_range_is_fetched_too_far_ahead() {
        let mut state = State::default();
        let taken = |state: &mut State| std::iter::from_fn(|| state.take_next(3)).collect::<Vec<_>>();
        assert_eq!(taken(&mut state), [0, 1, 2]);
        state.wanted += 1;
        assert_eq!(taken(&mut state), [3]);
        state.wanted += 2;
        assert_eq!(taken(&mut state), [4, 5]);
    }
}
