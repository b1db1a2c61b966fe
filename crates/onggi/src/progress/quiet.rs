//! The view that shows nothing, unless something went wrong.

use std::time::Duration;

use super::View;
use super::event::Event;
use super::sink::Sink;
use super::steps::Steps;

const FAILURE_LINES: usize = 1000;

/// The view.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    steps: Steps,
}

impl View for Quiet {
    fn event(&mut self, event: Event, _out: &mut dyn Sink) {
        self.steps.apply(event);
    }

    fn shows_all_output(&self) -> bool {
        false
    }

    fn tick(&mut self, _now: Duration, _out: &mut dyn Sink) {}

    fn finish(&mut self, _now: Duration, out: &mut dyn Sink) {
        self.steps.write_failures(FAILURE_LINES, out);
    }
}
