//! The view for programs: BuildKit's `SolveStatus` messages, one JSON object in each line, as `docker build
//! --progress=rawjson` prints them.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use oci::Digest;
use serde::Serialize;

use super::View;
use super::event::{Event, StepId, StepOutcome, Stream};
use super::sink::Sink;
use crate::ui::base64::base64;

/// The view.
#[derive(Debug)]
pub(crate) struct RawJson {
    began: Timestamp,
    vertexes: HashMap<StepId, Vertex>,
    statuses: HashMap<(StepId, String), Timestamp>,
    latest: Duration,
}

/// BuildKit's `client.SolveStatus`.
#[derive(Debug, Default, Serialize)]
struct SolveStatus {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vertexes: Vec<Vertex>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<VertexStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<VertexLog>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<VertexWarning>,
    /// Ours, with `--explain`: why steps ran or did not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    explain: Vec<Explained>,
}

/// One of `cached`, `notCached` and `notNeeded`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Explained {
    #[serde(rename_all = "camelCase")]
    Hit {
        vertex: Digest,
        cached: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        imported: Option<bool>,
    },
    #[serde(rename_all = "camelCase")]
    Miss { vertex: Digest, not_cached: String },
    #[serde(rename_all = "camelCase")]
    Stage { stage: String, instructions: u32, not_needed: bool },
}

#[derive(Debug, Clone, Serialize)]
struct Vertex {
    digest: Digest,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<Timestamp>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cached: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
}

#[derive(Debug, Serialize)]
struct VertexStatus {
    id: String,
    vertex: Digest,
    current: i64,
    timestamp: Timestamp,
    started: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct VertexLog {
    vertex: Digest,
    stream: u8,
    /// Base64, as Go writes bytes.
    data: String,
    timestamp: Timestamp,
}

#[derive(Debug, Serialize)]
struct VertexWarning {
    level: u8,
    /// Base64, as Go writes bytes.
    short: String,
    /// The same, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    range: Vec<Range>,
}

#[derive(Debug, Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Debug, Serialize)]
struct Position {
    line: usize,
    character: u32,
}

impl Range {
    /// A whole line.
    fn of_line(line: usize) -> Self {
        Self { start: Position { line, character: 0 }, end: Position { line, character: 0 } }
    }
}

impl RawJson {
    /// `began` is when the build began, to which the events' times are added.
    pub(crate) fn new(began: Timestamp) -> Self {
        Self { began, vertexes: HashMap::new(), statuses: HashMap::new(), latest: Duration::ZERO }
    }

    fn time(&mut self, at: Duration) -> Timestamp {
        self.latest = self.latest.max(at);
        self.began.checked_add(at).unwrap_or(Timestamp::MAX)
    }

    fn vertex(&mut self, step: StepId) -> &mut Vertex {
        self.vertexes.entry(step).or_insert_with(|| new_vertex(step, format!("step {}", step.0)))
    }

    fn message(&mut self, event: Event) -> Option<SolveStatus> {
        Some(match event {
            Event::StepQueued { step, name, .. } => {
                let vertex = new_vertex(step, name);
                self.vertexes.insert(step, vertex.clone());
                SolveStatus { vertexes: vec![vertex], ..SolveStatus::default() }
            }
            Event::StepStarted { step, at } => {
                let time = self.time(at);
                let vertex = self.vertex(step);
                vertex.started = Some(time);
                SolveStatus { vertexes: vec![vertex.clone()], ..SolveStatus::default() }
            }
            Event::StepStatus { step, text, finished, at } => self.status(step, text, finished, at),
            Event::StepLog { step, stream, data, at, .. } => {
                let timestamp = self.time(at);
                let stream = match stream {
                    Stream::Stdout => 1,
                    Stream::Stderr => 2,
                };
                let log = VertexLog { vertex: self.vertex(step).digest, stream, data: base64(&data), timestamp };
                SolveStatus { logs: vec![log], ..SolveStatus::default() }
            }
            Event::StepFinished { step, outcome, at } => {
                let time = self.time(at);
                let vertex = self.vertex(step);
                vertex.started.get_or_insert(time);
                vertex.completed = Some(time);
                vertex.cached = outcome == StepOutcome::Cached;
                vertex.error = match outcome {
                    StepOutcome::Failed(message) => message,
                    StepOutcome::Canceled => "context canceled".to_owned(),
                    StepOutcome::Done | StepOutcome::Cached => String::new(),
                };
                SolveStatus { vertexes: vec![vertex.clone()], ..SolveStatus::default() }
            }
            Event::CacheMiss { step, reason } => {
                let at = self.latest;
                let explain = vec![Explained::Miss { vertex: self.vertex(step).digest, not_cached: reason.clone() }];
                SolveStatus { explain, ..self.status(step, format!("not cached: {reason}"), true, at) }
            }
            Event::CacheHit { step, created, is_imported } => {
                let imported = is_imported.then_some(true);
                let explain = vec![Explained::Hit { vertex: self.vertex(step).digest, cached: created, imported }];
                SolveStatus { explain, ..SolveStatus::default() }
            }
            Event::StageNotNeeded { stage, instructions } => {
                let explain = vec![Explained::Stage { stage, instructions, not_needed: true }];
                SolveStatus { explain, ..SolveStatus::default() }
            }
            Event::Check(warning) => {
                let (name, line) = (warning.rule.name, warning.location.first_line);
                let warning = VertexWarning {
                    level: 1,
                    short: base64(format!("{name}: {} (line {line})", warning.message).as_bytes()),
                    detail: vec![base64(warning.rule.description.as_bytes())],
                    url: warning.rule.url().unwrap_or_default(),
                    range: (line..=warning.location.last_line).map(Range::of_line).collect(),
                };
                SolveStatus { warnings: vec![warning], ..SolveStatus::default() }
            }
            Event::Warning { message, line } => {
                let range = line.map(|line| Range::of_line(line as usize)).into_iter().collect();
                let (detail, url) = (Vec::new(), String::new());
                let warning = VertexWarning { level: 1, short: base64(message.as_bytes()), detail, url, range };
                SolveStatus { warnings: vec![warning], ..SolveStatus::default() }
            }
            Event::StepRuns { .. } | Event::StepKept { .. } | Event::Instruction(_) => return None,
        })
    }

    fn status(&mut self, step: StepId, text: String, finished: bool, at: Duration) -> SolveStatus {
        let timestamp = self.time(at);
        let vertex = self.vertex(step).digest;
        let started = *self.statuses.entry((step, text.clone())).or_insert(timestamp);
        let completed = finished.then_some(timestamp);
        let status = VertexStatus { id: text, vertex, current: 0, timestamp, started, completed };
        SolveStatus { statuses: vec![status], ..SolveStatus::default() }
    }
}

impl View for RawJson {
    fn event(&mut self, event: Event, out: &mut dyn Sink) {
        let Some(message) = self.message(event) else { return };
        let mut line = serde_json::to_vec(&message).expect("the message has text keys only, so it is always JSON");
        line.push(b'\n');
        out.put(&line);
    }

    fn tick(&mut self, _now: Duration, _out: &mut dyn Sink) {}

    fn finish(&mut self, _now: Duration, _out: &mut dyn Sink) {}
}

/// A step has no digest of its own here, and consumers only need it to be the same in every message.
fn new_vertex(step: StepId, name: String) -> Vertex {
    let digest = Digest::of(format!("{} {name}", step.0).as_bytes());
    Vertex { digest, name, started: None, completed: None, cached: false, error: String::new() }
}

#[cfg(test)]
mod tests;
