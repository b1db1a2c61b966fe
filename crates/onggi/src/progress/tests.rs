//! Recorded event lists that the tests of all views share.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use engine::progress::{Location, Span, Warning, rules};

use super::View;
use super::event::{Event, InstructionEvent, KeptOutput, StepId, StepOutcome, Stream};

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Makes event lists short to write. Steps are counted from 0 here.
#[derive(Default)]
pub(super) struct Recording {
    pub(super) events: Vec<Event>,
    /// How much each step has written.
    written: HashMap<u32, u64>,
}

impl Recording {
    pub(super) fn queue(mut self, step: u32, name: &str) -> Self {
        self.events.push(Event::StepQueued { step: StepId(step + 1), name: name.to_owned(), at: ms(0) });
        self
    }

    pub(super) fn start(mut self, step: u32, at: u64) -> Self {
        self.events.push(Event::StepStarted { step: StepId(step + 1), at: ms(at) });
        self
    }

    pub(super) fn status(mut self, step: u32, text: &str, finished: bool, at: u64) -> Self {
        self.events.push(Event::StepStatus { step: StepId(step + 1), text: text.to_owned(), finished, at: ms(at) });
        self
    }

    pub(super) fn instruction(mut self, event: InstructionEvent) -> Self {
        self.events.push(Event::Instruction(event));
        self
    }

    pub(super) fn log(self, step: u32, text: &str, at: u64) -> Self {
        self.log_to(step, Stream::Stdout, text, at)
    }

    pub(super) fn log_to(mut self, step: u32, stream: Stream, text: &str, at: u64) -> Self {
        let data = text.as_bytes().to_vec();
        let written = self.written.entry(step).or_default();
        let offset = std::mem::replace(written, *written + data.len() as u64);
        self.events.push(Event::StepLog { step: StepId(step + 1), stream, offset, data, at: ms(at) });
        self
    }

    /// The step's output is kept, and this is all of it.
    pub(super) fn kept(mut self, step: u32, text: impl AsRef<[u8]>) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_ref()).unwrap();
        self.events.push(Event::StepKept { step: StepId(step + 1), log: KeptOutput::new(Arc::new(file)) });
        self
    }

    pub(super) fn finish(mut self, step: u32, outcome: StepOutcome, at: u64) -> Self {
        self.events.push(Event::StepFinished { step: StepId(step + 1), outcome, at: ms(at) });
        self
    }

    pub(super) fn done(self, step: u32, from: u64, to: u64) -> Self {
        self.start(step, from).finish(step, StepOutcome::Done, to)
    }

    pub(super) fn miss(mut self, step: u32, reason: &str) -> Self {
        self.events.push(Event::CacheMiss { step: StepId(step + 1), reason: reason.to_owned() });
        self
    }

    pub(super) fn hit(mut self, step: u32, created: &str) -> Self {
        self.events.push(Event::CacheHit { step: StepId(step + 1), created: created.to_owned(), is_imported: false });
        self
    }

    pub(super) fn not_needed(mut self, stage: &str, instructions: u32) -> Self {
        self.events.push(Event::StageNotNeeded { stage: stage.to_owned(), instructions });
        self
    }

    pub(super) fn check(mut self, name: &str, message: &str, line: usize) -> Self {
        let rule = rules().iter().find(|rule| rule.name == name).unwrap();
        let location = Location { first_line: line, last_line: line + 1 };
        let span = Span::new(0, 1);
        self.events.push(Event::Check(Warning { rule, message: message.to_owned(), location, span, help: None }));
        self
    }

    pub(super) fn warning(mut self, message: &str, line: Option<u32>) -> Self {
        self.events.push(Event::Warning { message: message.to_owned(), line });
        self
    }
}

/// Feeds all events, ticking as time passes, and ends at `end` milliseconds.
pub(super) fn show(mut view: impl View, recording: Recording, end: u64) -> String {
    let mut out = Vec::new();
    for event in recording.events {
        let at = match &event {
            Event::StepQueued { at, .. }
            | Event::StepStarted { at, .. }
            | Event::StepRuns { at, .. }
            | Event::StepStatus { at, .. }
            | Event::StepLog { at, .. }
            | Event::StepFinished { at, .. } => *at,
            Event::CacheMiss { .. }
            | Event::CacheHit { .. }
            | Event::StepKept { .. }
            | Event::StageNotNeeded { .. }
            | Event::Instruction(_)
            | Event::Check(_)
            | Event::Warning { .. } => ms(0),
        };
        view.tick(at, &mut out);
        view.event(event, &mut out);
    }
    view.finish(ms(end), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The second build of note 0 (S100 to S110): nothing changed but one copied file.
pub(super) fn rebuild() -> Recording {
    Recording::default()
        .queue(0, "[internal] load build definition from Dockerfile")
        .queue(1, "[internal] load .dockerignore")
        .queue(2, "[internal] load metadata for docker.io/library/node:18")
        .queue(3, "[1/3] FROM docker.io/library/node:18@sha256:c6ae79e38498325db67193d391e6ec1d224d96c693a8a4d943498556716d3783")
        .queue(4, "[internal] load build context")
        .queue(5, "[3/3] COPY app.js .")
        .queue(6, "exporting to image")
        .start(0, 0)
        .status(0, "transferring dockerfile: 119B", true, 20)
        .finish(0, StepOutcome::Done, 30)
        .start(1, 2)
        .status(1, "transferring context: 2B", true, 22)
        .finish(1, StepOutcome::Done, 24)
        .done(2, 30, 2230)
        .finish(3, StepOutcome::Cached, 2231)
        .start(4, 2231)
        .status(4, "transferring context: 12B", false, 2240)
        .status(4, "transferring context: 884B", true, 2260)
        .finish(4, StepOutcome::Done, 2262)
        .done(5, 2270, 2340)
        .start(6, 2340)
        .status(6, "exporting layers", true, 2400)
        .status(6, "writing image sha256:e3b6a0b0d1f2c4a5968778695a4b3c2d1e0f00112233445566778899aabbccdd", true, 2401)
        .status(6, "naming to docker.io/library/hello-name:v2", true, 2402)
        .finish(6, StepOutcome::Done, 2403)
}

/// A RUN that prints and fails.
pub(super) fn failure() -> Recording {
    Recording::default()
        .queue(0, "[1/3] FROM docker.io/library/node:18")
        .queue(1, "[2/3] RUN make")
        .queue(2, "[3/3] COPY . .")
        .finish(0, StepOutcome::Cached, 1)
        .start(1, 2)
        .log(1, "cc main.c\n", 52)
        .log(1, "\x1b[31merror:\x1b[0m no such file\nmake: *** [all] Error 1", 252)
        .finish(1, StepOutcome::Failed("exited with status 2".to_owned()), 302)
        .finish(2, StepOutcome::Canceled, 303)
}

/// N001, N002: a step that was found, one that ran for two reasons, and a stage that nobody needs.
pub(super) fn explained() -> Recording {
    Recording::default()
        .not_needed("test", 3)
        .not_needed("stage-3", 1)
        .queue(0, "[2/4] WORKDIR /app")
        .start(0, 1)
        .hit(0, "2026-11-21T04:20:17Z")
        .finish(0, StepOutcome::Cached, 2)
        .queue(1, "[3/4] COPY app.js .")
        .miss(1, "mode changed: new is `600`")
        .miss(1, "a file changed: app.js")
        .done(1, 2, 3)
        .queue(2, "[4/4] RUN make")
        .start(2, 4)
        .miss(2, "the layers below changed")
        .finish(2, StepOutcome::Done, 5)
}
