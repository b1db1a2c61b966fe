//! `build logs`: the builds whose logs are kept, and the steps of one.

use engine::{BuildRecord, BuildResult, RecordedOutcome, RecordedStep};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::list::{self, Columns};
use crate::template::TemplateError;
use crate::ui::size::{LIST_DIGITS, human_size};
use crate::ui::time::ago;

const BUILDS: Columns = Columns {
    table: &["ID", "Started", "Time", "Result", "Steps", "Dockerfile", "Context"],
    titles: &[
        ("ID", "BUILD"),
        ("Started", "STARTED"),
        ("StartedAt", "STARTED AT"),
        ("Time", "TIME"),
        ("Result", "RESULT"),
        ("Steps", "STEPS"),
        ("Dockerfile", "DOCKERFILE"),
        ("Context", "CONTEXT"),
        ("Target", "TARGET"),
        ("Image", "IMAGE"),
        ("Tags", "TAGS"),
        ("Error", "ERROR"),
    ],
};

const STEPS: Columns = Columns {
    table: &["Number", "Outcome", "Time", "Output", "Name"],
    titles: &[
        ("Number", "STEP"),
        ("Outcome", "OUTCOME"),
        ("Time", "TIME"),
        ("Output", "OUTPUT"),
        ("Name", "NAME"),
        ("Error", "ERROR"),
        ("Reasons", "REASONS"),
    ],
};

/// The list of builds.
pub(crate) fn builds(builds: &[BuildRecord], format: Option<&str>, now: Timestamp) -> Result<String, TemplateError> {
    let rows: Vec<Value> = builds.iter().map(|build| build_fields(build, now)).collect();
    list::render(format, &BUILDS, &rows)
}

/// The list of a build's steps.
pub(crate) fn steps(build: &BuildRecord, format: Option<&str>) -> Result<String, TemplateError> {
    let rows: Vec<Value> = build.steps.iter().map(step_fields).collect();
    list::render(format, &STEPS, &rows)
}

/// One sentence about a build: which, when, and how it ended.
pub(crate) fn summary(build: &BuildRecord, now: Timestamp) -> String {
    let error = build.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    format!("build {}, {}: {}{error}", build.id, ago(build.started.parse().ok(), now), result(build.result))
}

fn build_fields(build: &BuildRecord, now: Timestamp) -> Value {
    json!({
        "ID": build.id,
        "Started": ago(build.started.parse().ok(), now),
        "StartedAt": build.started,
        "Time": build.duration_ms.map_or_else(String::new, seconds),
        "Result": result(build.result),
        "Steps": build.steps.len().to_string(),
        "Dockerfile": build.dockerfile,
        "Context": build.context.as_deref().unwrap_or("-"),
        "Target": build.target.as_deref().unwrap_or_default(),
        "Image": build.image.as_deref().unwrap_or_default(),
        "Tags": build.tags.join(","),
        "Error": build.error.as_deref().unwrap_or_default(),
    })
}

fn step_fields(step: &RecordedStep) -> Value {
    let time = step.started_ms.zip(step.ended_ms).map(|(started, ended)| ended.saturating_sub(started));
    json!({
        "Number": step.number.to_string(),
        "Outcome": outcome(step.outcome),
        "Time": time.map_or_else(String::new, seconds),
        "Output": human_size(step.log_bytes, LIST_DIGITS),
        "Name": step.name,
        "Error": step.error.as_deref().unwrap_or_default(),
        "Reasons": step.reasons.join("; "),
    })
}

fn seconds(milliseconds: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let seconds = milliseconds as f64 / 1000.0;
    format!("{seconds:.1}s")
}

fn result(result: BuildResult) -> &'static str {
    match result {
        BuildResult::Running => "running",
        BuildResult::Done => "done",
        BuildResult::Failed => "failed",
        BuildResult::Canceled => "canceled",
        BuildResult::Interrupted => "interrupted",
    }
}

fn outcome(outcome: RecordedOutcome) -> &'static str {
    match outcome {
        RecordedOutcome::Waiting => "waiting",
        RecordedOutcome::Running => "running",
        RecordedOutcome::Done => "done",
        RecordedOutcome::Cached => "cached",
        RecordedOutcome::Failed => "failed",
        RecordedOutcome::Canceled => "canceled",
    }
}

#[cfg(test)]
mod tests;
