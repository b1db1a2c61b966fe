//! The progress of a build, shown: one stream of events, five views.
//!
//! A view turns events into bytes and touches nothing else, so that recorded events are enough to test it. `display`
//! runs one on its own thread and writes to standard error, as Docker does: standard output is for data. Only the classic
//! view goes to standard output, where it is data.

mod classic;
mod display;
mod feed;
mod log;
mod plain;
mod quiet;
mod rawjson;
mod sink;
mod steps;
mod tty;

use std::time::Duration;

pub(crate) use display::Display;
pub(crate) use log::visible;

use crate::cli::build::Progress;
use crate::ui::terminal::Terminal;
use event::Event;
use jiff::Timestamp;
use sink::Sink;

pub(crate) mod event;

/// One way to show a build.
pub(crate) trait View: Send {
    /// Takes one event in; writes what can be shown at once.
    fn event(&mut self, event: Event, out: &mut dyn Sink);

    /// Some time has passed: `now` counts from the beginning of the build, as the events' times do.
    fn tick(&mut self, now: Duration, out: &mut dyn Sink);

    /// No further events will come.
    fn finish(&mut self, now: Duration, out: &mut dyn Sink);

    /// Whether all output of steps is shown, or only the end of it.
    fn shows_all_output(&self) -> bool {
        true
    }

    /// What is for people alone, where the view itself is for programs too: for standard error, at the end.
    fn remarks(&self) -> String {
        String::new()
    }
}

/// The view of that name; `began` is the time that events count from.
pub(crate) fn view(progress: Progress, terminal: Terminal, began: Timestamp, builder: &str) -> Box<dyn View> {
    match progress {
        Progress::Auto | Progress::Plain => Box::new(plain::Plain::new(terminal.is_terminal)),
        Progress::Tty => Box::new(tty::Tty::new(terminal, builder)),
        Progress::Quiet => Box::new(quiet::Quiet::default()),
        Progress::Rawjson => Box::new(rawjson::RawJson::new(began)),
        Progress::Classic => classic(terminal),
    }
}

/// The classic builder's view, for standard output.
pub(crate) fn classic(stdout: Terminal) -> Box<dyn View> {
    Box::new(classic::Classic::new(stdout))
}

#[cfg(test)]
mod tests;
