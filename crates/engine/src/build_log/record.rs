//! What the index of a build's log says.

use serde::{Deserialize, Serialize};

/// A build whose log is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRecord {
    /// Twelve hexadecimal digits.
    pub id: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took in milliseconds; `None` while it runs.
    pub duration_ms: Option<u64>,
    /// The Dockerfile's name.
    pub dockerfile: String,
    /// The context as it was given, its folder as an absolute path.
    pub context: Option<String>,
    /// `--target`.
    pub target: Option<String>,
    /// Names for the image.
    pub tags: Vec<String>,
    /// How it ended.
    pub result: BuildResult,
    /// Why it failed.
    pub error: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// Process ID and start time of who builds.
    pub process: (u32, u64),
    /// All steps that it came to, in the order of their numbers.
    pub steps: Vec<RecordedStep>,
    /// Stages that were not needed, when it was asked for (`--explain`).
    pub not_needed: Vec<String>,
}

/// How a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildResult {
    /// It goes on.
    Running,
    /// There is an image.
    Done,
    /// Something was wrong.
    Failed,
    /// It was ended from outside.
    Canceled,
    /// Its process was killed.
    Interrupted,
}

/// A step of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedStep {
    /// As shown: `#5`.
    pub number: u32,
    /// `[2/3] COPY app.js .`
    pub name: String,
    /// How it ended, or what it does.
    pub outcome: RecordedOutcome,
    /// Milliseconds from the build's beginning to the step's.
    pub started_ms: Option<u64>,
    /// Milliseconds from the build's beginning to the step's end.
    pub ended_ms: Option<u64>,
    /// How much it wrote.
    pub log_bytes: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// Why it was not cached, when it was asked for (`--explain`).
    pub reasons: Vec<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedOutcome {
    /// It has not begun.
    Waiting,
    /// It goes on.
    Running,
    /// It ran.
    Done,
    /// Its result was there already.
    Cached,
    /// It failed.
    Failed,
    /// Another step failed first.
    Canceled,
}
