//! Hands events to whoever shows them, with their times.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dockerfile::Warning;

use crate::solve::lock;
use crate::{Event, InstructionEvent, StepId, StepOutcome, Stream};

/// Where a build's events go, with the numbers of its steps: one for the opening of the context and the build itself.
pub struct Reporter<'a> {
    sink: &'a (dyn Fn(Event) + Sync),
    began: Instant,
    next: AtomicU32,
    /// How much each step has written.
    written: Mutex<HashMap<StepId, u64>>,
}

impl<'a> Reporter<'a> {
    /// Begins to count steps and time.
    pub fn new(sink: &'a (dyn Fn(Event) + Sync)) -> Self {
        Self { sink, began: Instant::now(), next: AtomicU32::new(1), written: Mutex::default() }
    }

    fn at(&self) -> Duration {
        self.began.elapsed()
    }

    /// Names a step that will come.
    pub(crate) fn queue(&self, name: impl Into<String>) -> Step<'_, 'a> {
        let step = StepId(self.next.fetch_add(1, Ordering::Relaxed));
        (self.sink)(Event::StepQueued { step, name: name.into(), at: self.at() });
        Step { reporter: self, id: step }
    }

    /// Names a step and begins it.
    pub(crate) fn start(&self, name: impl Into<String>) -> Step<'_, 'a> {
        let step = self.queue(name);
        step.start();
        step
    }

    /// What a check found.
    pub(crate) fn check(&self, warning: Warning) {
        (self.sink)(Event::Check(warning));
    }

    pub(crate) fn not_needed(&self, stage: String, instructions: usize) {
        let instructions = u32::try_from(instructions).unwrap_or(u32::MAX);
        (self.sink)(Event::StageNotNeeded { stage, instructions });
    }

    pub(crate) fn instruction(&self, event: InstructionEvent) {
        (self.sink)(Event::Instruction(event));
    }

    pub(crate) fn warning(&self, message: String, line: Option<u32>) {
        (self.sink)(Event::Warning { message, line });
    }
}

impl std::fmt::Debug for Reporter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporter").field("next", &self.next).finish_non_exhaustive()
    }
}

/// One step's events.
#[derive(Clone, Copy)]
pub(crate) struct Step<'r, 'a> {
    reporter: &'r Reporter<'a>,
    id: StepId,
}

impl Step<'_, '_> {
    pub(crate) fn id(self) -> StepId {
        self.id
    }

    pub(crate) fn start(self) {
        (self.reporter.sink)(Event::StepStarted { step: self.id, at: self.reporter.at() });
    }

    /// It is not in the cache, and is done now.
    pub(crate) fn runs(self) {
        (self.reporter.sink)(Event::StepRuns { step: self.id, at: self.reporter.at() });
    }

    pub(crate) fn status(self, text: impl Into<String>) {
        let at = self.reporter.at();
        (self.reporter.sink)(Event::StepStatus { step: self.id, text: text.into(), finished: true, at });
    }

    pub(crate) fn log(self, stream: Stream, data: &[u8]) {
        let mut written = lock(&self.reporter.written);
        let end = written.entry(self.id).or_default();
        let offset = *end;
        *end += data.len() as u64;
        drop(written);
        let at = self.reporter.at();
        (self.reporter.sink)(Event::StepLog { step: self.id, stream, offset, data: data.to_vec(), at });
    }

    pub(crate) fn miss(self, reason: String) {
        (self.reporter.sink)(Event::CacheMiss { step: self.id, reason });
    }

    pub(crate) fn hit(self, created: String, is_imported: bool) {
        (self.reporter.sink)(Event::CacheHit { step: self.id, created, is_imported });
    }

    pub(crate) fn finish(self, outcome: StepOutcome) {
        (self.reporter.sink)(Event::StepFinished { step: self.id, outcome, at: self.reporter.at() });
    }
}
