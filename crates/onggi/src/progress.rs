//! The progress of a build, shown: one stream of events, four views.
//!
//! A view turns events into bytes and touches nothing else, so that recorded events are enough to test it. `display`
//! runs one on its own thread and writes to standard error, as Docker does: standard output is for data.

mod display;
mod log;
mod plain;
mod quiet;
mod rawjson;
mod steps;
mod tty;

use std::time::Duration;

pub(crate) use display::Display;

use event::Event;

pub(crate) mod event;

/// One way to show a build.
pub(crate) trait View: Send {
    /// Takes one event in; writes what can be shown at once.
    fn event(&mut self, event: Event, out: &mut Vec<u8>);

    /// Some time has passed: `now` counts from the beginning of the build, as the events' times do.
    fn tick(&mut self, now: Duration, out: &mut Vec<u8>);

    /// No further events will come.
    fn finish(&mut self, now: Duration, out: &mut Vec<u8>);
}

#[cfg(test)]
mod tests;
