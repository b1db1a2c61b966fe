//! Writes a build's log while the build goes on, from its events.
//!
//! The files are there for the views too: what they do not show at once they need not keep, they read it again.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use store::{BuildLog, ProcessIdentity};

use super::keep;
use super::record::{BuildRecord, BuildResult, RecordedOutcome, RecordedStep};
use crate::progress::{Event, KeptOutput, StepId, StepOutcome};
use crate::{Engine, Error, ErrorKind};

/// Digits of a build's ID: as many as are ever shown.
const ID_LENGTH: usize = 12;

/// Takes the events of one build on their way to whoever shows them.
pub(crate) struct Recorder<'a> {
    engine: &'a Engine,
    forward: &'a (dyn Fn(Event) + Sync),
    began: Instant,
    state: Mutex<State<'a>>,
}

struct State<'a> {
    record: BuildRecord,
    log: Option<BuildLog<'a>>,
    files: HashMap<StepId, Arc<File>>,
    /// Something could not be written; it was said, and nothing more is tried.
    is_broken: bool,
}

impl<'a> Recorder<'a> {
    /// `about` says what is built. Nothing is written yet.
    pub(crate) fn new(engine: &'a Engine, about: BuildRecord, forward: &'a (dyn Fn(Event) + Sync)) -> Self {
        let state = State { record: about, log: None, files: HashMap::new(), is_broken: false };
        Self { engine, forward, began: Instant::now(), state: Mutex::new(state) }
    }

    /// The Dockerfile was found.
    pub(crate) fn name_dockerfile(&self, name: &str) {
        name.clone_into(&mut self.state().record.dockerfile);
    }

    /// Notes an event and hands it on.
    pub(crate) fn take(&self, event: Event) {
        if let Event::StepLog { step, offset, data, .. } = &event {
            self.write(*step, *offset, data);
        } else {
            self.note(&event);
        }
        (self.forward)(event);
    }

    fn note(&self, event: &Event) {
        let mut state = self.state();
        match event {
            Event::StepQueued { step, name, .. } => state.record.steps.push(RecordedStep::new(*step, name)),
            Event::StepStarted { step, at } => {
                let step = state.step(*step);
                step.started_ms = Some(milliseconds(*at));
                step.outcome = RecordedOutcome::Running;
            }
            Event::StepRuns { .. } => self.open(&mut state),
            Event::StepFinished { step, outcome, at } => {
                let step = state.step(*step);
                step.ended_ms = Some(milliseconds(*at));
                step.outcome = match outcome {
                    StepOutcome::Done => RecordedOutcome::Done,
                    StepOutcome::Cached => RecordedOutcome::Cached,
                    StepOutcome::Failed(_) => RecordedOutcome::Failed,
                    StepOutcome::Canceled => RecordedOutcome::Canceled,
                };
                if let StepOutcome::Failed(message) = outcome {
                    step.error = Some(message.clone());
                }
            }
            Event::CacheMiss { step, reason } => state.step(*step).reasons.push(reason.clone()),
            Event::StageNotNeeded { stage, .. } => state.record.not_needed.push(stage.clone()),
            Event::StepLog { .. }
            | Event::StepKept { .. }
            | Event::StepStatus { .. }
            | Event::CacheHit { .. }
            | Event::Instruction(_)
            | Event::Check(_)
            | Event::Warning { .. } => {}
        }
    }

    /// Makes the log's folder when it is needed for the first time.
    fn open(&self, state: &mut State<'a>) {
        if state.log.is_some() || state.is_broken {
            return;
        }
        match self.create(&mut state.record) {
            Ok(log) => state.log = Some(log),
            Err(error) => self.give_up(state, &error),
        }
    }

    fn create(&self, record: &mut BuildRecord) -> Result<BuildLog<'a>, Error> {
        let owner = ProcessIdentity::own()?;
        record.process = (owner.pid, owner.start);
        record.id = crate::containers::random_id()?;
        record.id.truncate(ID_LENGTH);
        Ok(self.engine.store().create_build_log(&record.id, &record.to_bytes())?)
    }

    fn write(&self, step: StepId, offset: u64, data: &[u8]) {
        let mut state = self.state();
        self.open(&mut state);
        let Some(file) = self.file(&mut state, step) else { return };
        drop(state);
        // Not under the lock: other steps write at the same time.
        let written = (&*file).write_all(data);
        let mut state = self.state();
        match written {
            Ok(()) => state.step(step).log_bytes = offset + data.len() as u64,
            Err(error) => {
                let error = Error::new(ErrorKind::Unavailable, "cannot write the log of a step").because(&error);
                self.give_up(&mut state, &error);
            }
        }
    }

    fn file(&self, state: &mut State<'a>, step: StepId) -> Option<Arc<File>> {
        if state.is_broken {
            return None;
        }
        if let Some(file) = state.files.get(&step) {
            return Some(Arc::clone(file));
        }
        let log = state.log.as_ref()?;
        let file = match log.create_step(step.0) {
            Ok(file) => Arc::new(file),
            Err(error) => {
                self.give_up(state, &error.into());
                return None;
            }
        };
        // Should this process be killed, the index says whose output the file holds.
        self.put_index(state);
        state.files.insert(step, Arc::clone(&file));
        (self.forward)(Event::StepKept { step, log: KeptOutput::new(Arc::clone(&file)) });
        Some(file)
    }

    fn put_index(&self, state: &mut State<'a>) {
        let bytes = state.record.to_bytes();
        if let Some(Err(error)) = state.log.as_ref().map(|log| log.put_index(&bytes)) {
            self.give_up(state, &error.into());
        }
    }

    /// A build does not fail because its log cannot be kept, but it does not keep that to itself.
    fn give_up(&self, state: &mut State<'a>, error: &Error) {
        if !std::mem::replace(&mut state.is_broken, true) {
            let reasons: Vec<&str> = std::iter::once(&error.message).chain(&error.causes).map(String::as_str).collect();
            let message = format!("the log of this build is not kept: {}", reasons.join(": "));
            (self.forward)(Event::Warning { message, line: None });
        }
    }

    /// Completes the index, and removes what is too old. Of a build that failed, the step that did it is given, if its
    /// log is kept.
    pub(crate) fn finish(&self, result: Result<&oci::ImageId, &Error>) -> Option<(String, u32)> {
        let mut state = self.state();
        state.record.duration_ms = Some(milliseconds(self.began.elapsed()));
        match result {
            Ok(image) => {
                state.record.result = BuildResult::Done;
                state.record.image = Some(image.to_string());
            }
            Err(error) => {
                let is_canceled = error.kind == ErrorKind::Cancelled;
                state.record.result = if is_canceled { BuildResult::Canceled } else { BuildResult::Failed };
                state.record.error = Some(error.message.clone());
            }
        }
        state.log.as_ref()?;
        self.put_index(&mut state);
        // What cannot be removed now is removed by the next build.
        keep::remove_old(self.engine, &state.record.id).ok();
        let has_file = |step: &&RecordedStep| state.files.keys().any(|id| id.0 == step.number);
        let failed = state.record.failed_step().filter(has_file).filter(|_| !state.is_broken)?;
        Some((state.record.id.clone(), failed.number))
    }

    /// ID of the build, if its log is kept.
    pub(crate) fn log(&self) -> Option<String> {
        let state = self.state();
        (state.log.is_some() && !state.is_broken).then(|| state.record.id.clone())
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State<'_> {
    /// What is known of a step; one that was never announced is noted without a name.
    fn step(&mut self, id: StepId) -> &mut RecordedStep {
        let steps = &mut self.record.steps;
        let place = steps.iter().rposition(|step| step.number == id.0).unwrap_or_else(|| {
            steps.push(RecordedStep::new(id, ""));
            steps.len() - 1
        });
        &mut steps[place]
    }
}

impl BuildRecord {
    /// A build that begins now. It has an ID as soon as it keeps a log.
    pub(crate) fn begun(now: Timestamp) -> Self {
        Self {
            id: String::new(),
            started: now.to_string(),
            duration_ms: None,
            dockerfile: String::new(),
            context: None,
            target: None,
            tags: Vec::new(),
            result: BuildResult::Running,
            error: None,
            image: None,
            process: (0, 0),
            steps: Vec::new(),
            not_needed: Vec::new(),
        }
    }

    /// The first step that failed.
    pub fn failed_step(&self) -> Option<&RecordedStep> {
        self.steps.iter().find(|step| step.outcome == RecordedOutcome::Failed)
    }

    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record has text keys only, so it is always JSON")
    }
}

impl RecordedStep {
    fn new(id: StepId, name: &str) -> Self {
        Self {
            number: id.0,
            name: name.to_owned(),
            outcome: RecordedOutcome::Waiting,
            started_ms: None,
            ended_ms: None,
            log_bytes: 0,
            error: None,
            reasons: Vec::new(),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
