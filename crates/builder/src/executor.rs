//! What the builder needs of whoever runs commands: the real runtime in a build, a recorder in tests.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use image::Stack;
use oci::Platform;
use serde::{Deserialize, Serialize};

use crate::Stream;
use crate::bind_tree::BindTree;
use crate::step_options::{HostAddress, RunLimits, Secret};

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
    /// Variables whose values are secrets: in place of those of the same name.
    pub secret_env: &'a [(String, Secret)],
    /// Its network.
    pub network: RunNetwork,
    /// What the image's programs are for; `None` where nobody asks.
    pub platform: Option<&'a Platform>,
    /// What is mounted for the time of the command, parents before what is below them.
    pub mounts: &'a [RunMount<'a>],
    /// What the machine is called, if not as usual.
    pub hostname: Option<&'a str>,
    /// Further names for `/etc/hosts`.
    pub hosts: &'a [(String, HostAddress)],
    /// What it may use.
    pub limits: &'a RunLimits,
    /// Set when the build is over for another reason: the command is to be killed.
    pub cancelled: &'a AtomicBool,
}

/// Something that is there for the time of one command. Its target is not part of the layer, whether it was there or not.
#[derive(Debug)]
pub struct RunMount<'a> {
    /// Absolute, in normal form; links of the image are followed inside the image.
    pub target: &'a str,
    /// The command cannot change it.
    pub read_only: bool,
    /// What it is.
    pub source: RunMountSource<'a>,
}

/// What is mounted.
#[derive(Debug)]
pub enum RunMountSource<'a> {
    /// Files of the context, a stage or an image. What is written to them is thrown away.
    Bind(BindTree<'a>),
    /// A folder of the store, which keeps what is written.
    Cache(BorrowedFd<'a>),
    /// An empty folder in memory.
    Tmpfs {
        /// Bytes; half of memory if absent.
        size: Option<u64>,
    },
    /// A secret or script, as a file in memory.
    File {
        /// What is in it.
        content: Secret,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// It may be executed.
        executable: bool,
    },
    /// A socket of which all that is said is passed on to an agent of the host.
    Agent {
        /// The agent's own socket.
        socket: &'a Path,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// Programs that this machine cannot run, and what would let it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CannotRun {
    /// What is missing.
    pub message: String,
    /// What to do; it works when typed.
    pub hint: String,
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
