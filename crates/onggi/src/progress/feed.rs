//! The way of events from those who build to the one who shows, within a bound.
//!
//! A step may write faster than a terminal takes it, or a pipe that nobody reads. It is not made to wait: what is more
//! than fits here is left out, and read again from the step's log when its turn comes. Only output that is not kept
//! anywhere holds its step up.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::event::{Event, KeptOutput, StepId, Stream};

/// Most bytes of output that wait here.
const MOST: usize = 1 << 20;
/// Output that came within this time is one piece when it is left out: more precise times are not needed.
const GRAIN: Duration = Duration::from_millis(10);

/// Something on its way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Event(Event),
    LeftOut(LeftOut),
}

/// Output that is to be read again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) step: StepId,
    pub(crate) stream: Stream,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) at: Duration,
    pub(crate) log: KeptOutput,
}

/// What a look at the feed gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Item(Item),
    /// Nothing came in time.
    Nothing,
    /// Nothing will come.
    End,
}

#[derive(Debug, Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    /// Output in `items`.
    bytes: usize,
    logs: HashMap<StepId, KeptOutput>,
    is_over: bool,
}

impl Feed {
    /// Events that come after the end are dropped.
    pub(crate) fn send(&self, event: Event) {
        let mut state = self.lock();
        match &event {
            Event::StepKept { step, log } => drop(state.logs.insert(*step, log.clone())),
            Event::StepLog { step, data, .. } => {
                if state.bytes > MOST && state.logs.contains_key(step) {
                    state.leave_out(event);
                    return;
                }
                while state.bytes > MOST && !state.is_over {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.bytes += data.len();
            }
            _ => {}
        }
        if !state.is_over {
            state.items.push_back(Item::Event(event));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing more will be sent.
    pub(crate) fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// The next item, waiting no longer than this.
    pub(crate) fn receive(&self, patience: Duration) -> Received {
        let is_idle = |state: &mut State| state.items.is_empty() && !state.is_over;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.items.pop_front() {
            Some(item) => {
                if let Item::Event(Event::StepLog { data, .. }) = &item {
                    state.bytes -= data.len();
                    drop(state);
                    self.changed.notify_all();
                }
                Received::Item(item)
            }
            None if state.is_over => Received::End,
            None => Received::Nothing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn leave_out(&mut self, event: Event) {
        let Event::StepLog { step, stream, offset, data, at } = event else { return };
        let length = data.len() as u64;
        if let Some(Item::LeftOut(last)) = self.items.back_mut()
            && (last.step, last.stream, last.offset + last.length) == (step, stream, offset)
            && at.saturating_sub(last.at) < GRAIN
        {
            last.length += length;
            return;
        }
        if let Some(log) = self.logs.get(&step) {
            self.items.push_back(Item::LeftOut(LeftOut { step, stream, offset, length, at, log: log.clone() }));
        }
    }
}

impl LeftOut {
    /// Reads it again, in pieces.
    pub(crate) fn read(&self, mut take: impl FnMut(Event)) {
        let end = self.offset + self.length;
        super::log::read_again(&self.log, self.offset, end, &mut |offset, data| {
            let Self { step, stream, at, .. } = *self;
            take(Event::StepLog { step, stream, offset, data: data.to_vec(), at });
        });
    }

    /// Only the end of it.
    pub(crate) fn last(self, bytes: u64) -> Self {
        let skipped = self.length.saturating_sub(bytes);
        Self { offset: self.offset + skipped, length: self.length - skipped, ..self }
    }
}

#[cfg(test)]
mod tests;
