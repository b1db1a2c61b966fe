//! What is known of the steps so far: the state behind every view.

use std::collections::HashMap;
use std::time::Duration;

use super::event::{Event, KeptOutput, StepId, StepOutcome};
use super::log::{Before, Log, LogLine};
use super::sink::Sink;
use crate::ui::printable::printable;

/// One line below a step: `transferring context: 884B`.
#[derive(Debug)]
pub(crate) struct Status {
    /// Safe to show.
    pub(crate) text: String,
    pub(crate) started: Duration,
    pub(crate) ended: Option<Duration>,
}

/// One step that has begun.
#[derive(Debug)]
pub(crate) struct Step {
    /// As it is shown in plain lines, and as `build logs` takes it.
    pub(crate) number: u32,
    /// Safe to show.
    pub(crate) name: String,
    pub(crate) started: Duration,
    pub(crate) ended: Option<(Duration, StepOutcome)>,
    pub(crate) statuses: Vec<Status>,
    /// Why it ran, or did not (`--explain`); safe to show.
    pub(crate) reasons: Vec<String>,
    pub(crate) log: Log,
}

impl Step {
    /// How long it took, or has taken until `now`.
    pub(crate) fn elapsed(&self, now: Duration) -> Duration {
        let end = self.ended.as_ref().map_or(now, |(at, _)| *at);
        end.saturating_sub(self.started)
    }

    /// The message of a step that failed.
    pub(crate) fn failure(&self) -> Option<&str> {
        match &self.ended {
            Some((_, StepOutcome::Failed(message))) => Some(message),
            _ => None,
        }
    }
}

/// What an event changed: the place of the step in `begun`, and what of it is new.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing to show.
    Nothing,
    /// The step began.
    Started(usize),
    /// Its output is kept here, from its first byte on.
    Kept(usize, KeptOutput),
    /// A status line came or changed: its place in `statuses`.
    Status(usize, usize),
    /// A reason came: its place in `reasons`.
    Reason(usize, usize),
    /// The step wrote these lines.
    Lines(usize, Vec<LogLine>),
    /// The step ended; the rest of an unfinished line, if there was one.
    Ended(usize, Option<LogLine>),
}

/// All steps of a build.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Steps in the order in which they began.
    pub(crate) begun: Vec<Step>,
    /// Warnings, safe to show.
    pub(crate) warnings: Vec<String>,
    /// What the checks of the Dockerfile found, safe to show.
    pub(crate) checks: Vec<String>,
    queued: HashMap<StepId, String>,
    places: HashMap<StepId, usize>,
    /// Reasons that came before their steps began.
    early: HashMap<StepId, Vec<String>>,
    /// Stages that the target does not need, safe to show.
    not_needed: Vec<String>,
    latest: Duration,
}

impl Steps {
    /// Takes in one event.
    pub(crate) fn apply(&mut self, event: Event) -> Change {
        match event {
            Event::StepQueued { step, name, at } => {
                self.latest = self.latest.max(at);
                self.queued.insert(step, printable(&name).into_owned());
                Change::Nothing
            }
            Event::StepStarted { step, at } => Change::Started(self.place(step, at)),
            Event::StepStatus { step, text, finished, at } => {
                let place = self.place(step, at);
                let status = self.begun[place].set_status(&text, finished, at);
                Change::Status(place, status)
            }
            Event::StepLog { step, offset, data, at, .. } => {
                let place = self.place(step, at);
                let step = &mut self.begun[place];
                step.log.skip_to(offset);
                let lines = step.log.write(&data, at.saturating_sub(step.started));
                Change::Lines(place, lines)
            }
            Event::StepFinished { step, outcome: StepOutcome::Canceled, .. } if !self.places.contains_key(&step) => {
                Change::Nothing
            }
            Event::StepFinished { step, outcome, at } => {
                let place = self.place(step, at);
                let step = &mut self.begun[place];
                let rest = step.log.end_line();
                if !matches!(outcome, StepOutcome::Failed(_)) {
                    // Nobody asks for it again.
                    step.log = Log::default();
                }
                step.ended = Some((at, outcome));
                Change::Ended(place, rest)
            }
            Event::CacheMiss { step, reason } => self.explain(step, format!("not cached: {}", printable(&reason))),
            Event::CacheHit { step, created, is_imported } => {
                let origin = if is_imported { ", from an imported cache" } else { "" };
                self.explain(step, format!("made {}{origin}", printable(&created)))
            }
            Event::StageNotNeeded { stage, instructions } => {
                let count = if instructions == 1 { "instruction" } else { "instructions" };
                self.not_needed.push(format!("[{}] {instructions} {count}", printable(&stage)));
                Change::Nothing
            }
            Event::StepKept { step, log } => {
                let latest = self.latest;
                Change::Kept(self.place(step, latest), log)
            }
            Event::StepRuns { .. } | Event::Instruction(_) => Change::Nothing,
            Event::Check(warning) => {
                let (name, message, line) =
                    (warning.rule.name, printable(&warning.message), warning.location.first_line);
                self.checks.push(format!("{name}: {message} (line {line})"));
                Change::Nothing
            }
            Event::Warning { message, line } => {
                let message = printable(&message);
                self.warnings.push(match line {
                    Some(line) => format!("warning: {message} (line {line})"),
                    None => format!("warning: {message}"),
                });
                Change::Nothing
            }
        }
    }

    /// Steps known, begun or not.
    pub(crate) fn total(&self) -> usize {
        self.queued.len().max(self.begun.len())
    }

    /// Steps that have ended.
    pub(crate) fn ended(&self) -> usize {
        self.begun.iter().filter(|step| step.ended.is_some()).count()
    }

    /// Time of the latest event.
    pub(crate) fn latest(&self) -> Duration {
        self.latest
    }

    /// The steps that failed with the end of what they wrote, between rules, as BuildKit shows them again at the end.
    pub(crate) fn write_failures(&self, lines: usize, out: &mut dyn Sink) {
        for step in self.begun.iter().filter(|step| step.failure().is_some() && !step.log.is_empty()) {
            let (before, last) = step.log.last(lines);
            out.put(format!("------\n > {}:\n", step.name).as_bytes());
            match before {
                Before::Nothing => {}
                Before::Lines(count) => out.put(format!("[{count} earlier lines]\n").as_bytes()),
                Before::Some => out.put(b"[earlier lines]\n"),
            }
            for line in last {
                out.put(line.timed().as_bytes());
                out.put(b"\n");
            }
            out.put(b"------\n");
        }
    }

    fn explain(&mut self, step: StepId, reason: String) -> Change {
        match self.places.get(&step) {
            Some(place) => {
                self.begun[*place].reasons.push(reason);
                Change::Reason(*place, self.begun[*place].reasons.len() - 1)
            }
            None => {
                self.early.entry(step).or_default().push(reason);
                Change::Nothing
            }
        }
    }

    /// Why each step ran or did not, for a view that has no place for it elsewhere.
    pub(crate) fn write_reasons(&self, out: &mut dyn Sink) {
        if self.begun.iter().any(|step| !step.reasons.is_empty()) {
            out.put(b"\n");
        }
        for step in self.begun.iter().filter(|step| !step.reasons.is_empty()) {
            let is_cached = step.ended.as_ref().is_some_and(|(_, outcome)| *outcome == StepOutcome::Cached);
            out.put(format!("{}{}\n", if is_cached { "CACHED " } else { "" }, step.name).as_bytes());
            for reason in &step.reasons {
                out.put(format!("  {reason}\n").as_bytes());
            }
        }
        self.write_not_needed(out);
    }

    /// The stages that were not needed.
    pub(crate) fn write_not_needed(&self, out: &mut dyn Sink) {
        if !self.not_needed.is_empty() {
            out.put(b"\n");
        }
        for stage in &self.not_needed {
            out.put(format!("NOT NEEDED {stage}\n").as_bytes());
        }
    }

    /// The warnings, one line each; those of the checks together, as Docker shows them.
    pub(crate) fn write_warnings(&self, out: &mut dyn Sink) {
        for warning in &self.warnings {
            out.put(warning.as_bytes());
            out.put(b"\n");
        }
        if !self.checks.is_empty() {
            let warnings = if self.checks.len() == 1 { "warning" } else { "warnings" };
            let head = format!("\n {} {warnings} found (use `onggi build --check` to expand):\n", self.checks.len());
            out.put(head.as_bytes());
            for check in &self.checks {
                out.put(format!(" - {check}\n").as_bytes());
            }
        }
    }

    /// The step's place; whatever is heard of a step for the first time begins it.
    fn place(&mut self, id: StepId, at: Duration) -> usize {
        self.latest = self.latest.max(at);
        if let Some(place) = self.places.get(&id) {
            return *place;
        }
        let name = self.queued.entry(id).or_insert_with(|| format!("step {}", id.0)).clone();
        let reasons = self.early.remove(&id).unwrap_or_default();
        let (statuses, log) = (Vec::new(), Log::default());
        let step = Step { number: id.0, name, started: at, ended: None, statuses, reasons, log };
        self.begun.push(step);
        self.places.insert(id, self.begun.len() - 1);
        self.begun.len() - 1
    }
}

impl Step {
    /// Updates the status line that `text` is a later state of, or adds one.
    fn set_status(&mut self, text: &str, finished: bool, at: Duration) -> usize {
        let text = printable(text).into_owned();
        let ended = finished.then_some(at);
        let open = |status: &Status| status.ended.is_none() && topic(&status.text) == topic(&text);
        match self.statuses.iter().position(open) {
            Some(place) => {
                let started = self.statuses[place].started;
                self.statuses[place] = Status { text, started, ended };
                place
            }
            None => {
                self.statuses.push(Status { text, started: at, ended });
                self.statuses.len() - 1
            }
        }
    }
}

/// What a status line is about, without its figures: `transferring context`, `sha256:…`, or the whole text.
fn topic(text: &str) -> &str {
    match text.starts_with("sha256:") {
        true => text.split(' ').next().unwrap_or(text),
        false => text.split_once(": ").map_or(text, |(topic, _)| topic),
    }
}
