//! What a build reports while it runs.

use std::time::Duration;

/// Number of a step within one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StepId(pub(crate) u32);

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepOutcome {
    Done,
    Cached,
    Failed(String),
    Canceled,
}

/// Where output of a step came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// One event; `at` is the time since the build began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    StepQueued { step: StepId, name: String, at: Duration },
    StepStarted { step: StepId, at: Duration },
    StepStatus { step: StepId, text: String, finished: bool, at: Duration },
    StepLog { step: StepId, stream: Stream, data: Vec<u8>, at: Duration },
    StepFinished { step: StepId, outcome: StepOutcome, at: Duration },
    CacheMiss { step: StepId, reason: String },
    Warning { message: String, line: Option<u32> },
}
