//! What happens in a build, as events; every way of showing a build renders this one stream.

use std::time::Duration;

/// Number of a step within one build, in the order in which steps became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(pub u32);

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// It ran.
    Done,
    /// Its result was there already.
    Cached,
    /// It failed; one line says why.
    Failed(String),
    /// Another step failed first.
    Canceled,
}

/// Where a line of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One thing that happened. `at` is the time since the build began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step will be needed.
    StepQueued {
        /// Which.
        step: StepId,
        /// Its name: `[internal] load .dockerignore`, `[2/3] COPY app.js .`, `exporting to image`.
        name: String,
        /// When.
        at: Duration,
    },
    /// A step begins.
    StepStarted {
        /// Which.
        step: StepId,
        /// When.
        at: Duration,
    },
    /// What a step is doing: `transferring context: 884B`, `writing image sha256:…`.
    StepStatus {
        /// Which.
        step: StepId,
        /// One line.
        text: String,
        /// Whether that part of it is over.
        finished: bool,
        /// When.
        at: Duration,
    },
    /// Output of the step's process, in the pieces in which it came.
    StepLog {
        /// Which.
        step: StepId,
        /// Standard output or error.
        stream: Stream,
        /// Bytes as written by the process.
        data: Vec<u8>,
        /// When.
        at: Duration,
    },
    /// A step ended.
    StepFinished {
        /// Which.
        step: StepId,
        /// How.
        outcome: StepOutcome,
        /// When.
        at: Duration,
    },
    /// Why a step was not taken from the cache (`build --explain`).
    CacheMiss {
        /// Which.
        step: StepId,
        /// One line: what differs, the old and the new value.
        reason: String,
    },
    /// Something to know that does not stop the build.
    Warning {
        /// One sentence.
        message: String,
        /// Line of the Dockerfile, from 1.
        line: Option<u32>,
    },
}
