//! What the builder needs of whoever runs commands: the real runtime in a build, a recorder in tests.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use image::Stack;
use serde::{Deserialize, Serialize};

use crate::Stream;

/// Which network a RUN step has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunNetwork {
    /// Its own namespace behind a bridge.
    #[default]
    Default,
    /// Only `lo`.
    None,
    /// The host's.
    Host,
}

impl RunNetwork {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::None => "none",
            Self::Host => "host",
        }
    }
}

/// One command to run in a root file system.
#[derive(Debug)]
pub struct RunRequest<'a> {
    /// The layers below, bottom first.
    pub stack: &'a Stack,
    /// What a command that failed has written on top of them; a shell is opened in it.
    pub written: Option<BorrowedFd<'a>>,
    /// Takes the changes; read into the next layer afterwards.
    pub upper: BorrowedFd<'a>,
    /// For overlayfs itself, on the same file system as `upper`.
    pub work: BorrowedFd<'a>,
    /// A private folder for other files of the step; it goes with the step.
    pub scratch: &'a Path,
    /// Program and arguments.
    pub command: &'a [String],
    /// The whole environment.
    pub env: &'a [String],
    /// As USER says: names or numbers, empty for root.
    pub user: &'a str,
    /// Absolute.
    pub working_dir: &'a str,
    /// Its network.
    pub network: RunNetwork,
    /// Set when the build is over for another reason: the command is to be killed.
    pub cancelled: &'a AtomicBool,
}

/// Why a command could not be run at all.
pub type ExecutorError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the commands of RUN steps.
pub trait StepExecutor: Sync {
    /// Runs a command to its end and gives its exit code (128 + n for a signal, 126 and 127 as a shell has them).
    /// Output goes to `log` as it comes.
    ///
    /// # Errors
    /// When the command could not be started for a reason that lies with the host.
    fn run(&self, request: &RunRequest<'_>, log: &mut dyn FnMut(Stream, &[u8])) -> Result<u8, ExecutorError>;
}
