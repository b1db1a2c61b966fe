//! What happens in a build, as events; every way of showing a build renders this one stream.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use dockerfile::Warning;
use oci::ImageId;

/// Number of a step within one build, in the order in which steps became known; it is shown, and steps are asked for
/// by it.
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
    /// The step has no result yet: what it does is done now.
    StepRuns {
        /// Which.
        step: StepId,
        /// When.
        at: Duration,
    },
    /// From here on the step's output is also kept in a file, from its first byte.
    StepKept {
        /// Which.
        step: StepId,
        /// For reading it again.
        log: KeptOutput,
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
        /// How many bytes of the step's output came before.
        offset: u64,
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
    /// Why a step was not taken from the cache (`build --explain`); one event for each thing that differs.
    CacheMiss {
        /// Which.
        step: StepId,
        /// One line: what differs, the old and the new value.
        reason: String,
    },
    /// A step was taken from the cache (`build --explain`).
    CacheHit {
        /// Which.
        step: StepId,
        /// When its result was made, RFC 3339.
        created: String,
        /// It was made elsewhere, and came with a cache.
        is_imported: bool,
    },
    /// A stage that the target does not need (`build --explain`): nothing of it was looked at.
    StageNotNeeded {
        /// Its name or number, as in `[build 2/3]`.
        stage: String,
        /// How many instructions it has, FROM included.
        instructions: u32,
    },
    /// An instruction, for builds that make an image for each (the classic builder's way).
    Instruction(InstructionEvent),
    /// A check found something in the Dockerfile.
    Check(Warning),
    /// Something to know that does not stop the build.
    Warning {
        /// One sentence.
        message: String,
        /// Line of the Dockerfile, from 1.
        line: Option<u32>,
    },
}

/// The classic builder's view of a build: one instruction after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstructionEvent {
    /// The context is taken in.
    Context {
        /// Bytes of the tar that Docker's client would send of it.
        size: u64,
    },
    /// An instruction begins.
    Begun {
        /// Its number, from 1.
        number: u32,
        /// How many there are.
        total: u32,
        /// As written, continued lines joined.
        text: String,
    },
    /// FROM has found triggers in its base, which run now, before FROM itself ends.
    Triggers {
        /// How many.
        count: u32,
    },
    /// Something is not in the cache, and the classic builder runs it in a container.
    Running {
        /// 64 hexadecimal digits, another each time.
        container: String,
        /// The step, where it is one with output.
        step: Option<StepId>,
    },
    /// What ran has ended well.
    Ran,
    /// Something was found in the cache.
    UsingCache,
    /// An instruction ended with this image; `None` where there is none, as after `FROM scratch`.
    Image(Option<ImageId>),
    /// The target does not need the instruction.
    NotNeeded,
    /// The image is made.
    Built(ImageId),
    /// A name was given to it, as people write it.
    Tagged(String),
}

/// The output of a step where it is kept, as far as it is written.
#[derive(Debug, Clone)]
pub struct KeptOutput(Arc<File>);

impl KeptOutput {
    /// What is read from must not be truncated meanwhile.
    pub fn new(file: Arc<File>) -> Self {
        Self(file)
    }

    /// Reads bytes from `offset` on; fewer than asked for only at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_at(&self, mut offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.0.read_at(&mut into[filled..], offset) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// The same file.
impl PartialEq for KeptOutput {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for KeptOutput {}
