//! Why a container did not start, in the three classes that Docker turns into exit codes.
//!
//! 127 means that the program does not exist in the container, 126 that it exists and cannot be executed, 125 that
//! the container could not be made. The texts of the first two are Docker's, because scripts search for them.

use std::io;
use std::path::PathBuf;

/// A container that did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No folder of the container's `PATH` has the program.
    #[error("exec: {program:?}: executable file not found in $PATH")]
    NotInPath {
        /// The first argument, as given.
        program: String,
    },
    /// The program was named by a path and nothing is there.
    #[error("exec: {program:?}: stat {program}: no such file or directory")]
    NotFound {
        /// The first argument, as given.
        program: String,
    },
    /// The file is there, what interprets it (`#!` line, ELF loader) is not.
    #[error("exec {program}: no such file or directory (its interpreter is missing)")]
    NoInterpreter {
        /// The first argument, as given.
        program: String,
    },
    /// The file is there without permission to execute it.
    #[error("exec: {program:?}: permission denied")]
    PermissionDenied {
        /// The first argument, as given.
        program: String,
    },
    /// The path names a folder.
    #[error("exec: {program:?}: is a directory")]
    IsDirectory {
        /// The first argument, as given.
        program: String,
    },
    /// The kernel knows no way to execute the file (`ENOEXEC`): another architecture, or a script without `#!`.
    #[error("exec {program}: exec format error")]
    WrongFormat {
        /// The first argument, as given.
        program: String,
    },
    /// The kernel refused the program for another reason, such as too long an argument list.
    #[error("exec {program}")]
    Exec {
        /// The first argument, as given.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The program is, through `/proc/self/exe`, the host's own executable (CVE-2019-5736).
    #[error("exec {program}: refused, it leads to an executable of the host")]
    HostExecutable {
        /// The first argument, as given.
        program: String,
    },
    /// The working directory cannot be entered or made.
    #[error("chdir to cwd ({path:?})")]
    WorkingDirectory {
        /// The path, as given.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A step of making the container failed.
    #[error("cannot {action}")]
    Setup {
        /// What was being done, to what.
        action: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The image or the caller asks for a path that must not be used so.
    #[error("cannot mount on {path:?} in the container: {reason}")]
    MountTarget {
        /// The path inside the container.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// The specification contradicts itself or cannot be expressed to the kernel.
    #[error("invalid container specification: {reason}")]
    InvalidSpec {
        /// Which field, and what is wrong with it.
        reason: String,
    },
    /// This executor cannot do what the specification asks.
    #[error("the {executor} runtime does not support {what}")]
    Unsupported {
        /// The executor's name.
        executor: String,
        /// The thing asked for.
        what: &'static str,
    },
    /// The external runtime is not installed.
    #[error("runtime {program:?} is not installed")]
    RuntimeNotFound {
        /// What was looked for.
        program: PathBuf,
    },
    /// The external runtime refused; its own words.
    #[error("{program:?}: {message}")]
    Runtime {
        /// The runtime.
        program: PathBuf,
        /// The last error of its log.
        message: String,
    },
}

impl StartError {
    /// The exit code with which `docker run` reports this.
    #[must_use]
    pub fn docker_code(&self) -> u8 {
        match self {
            Self::NotInPath { .. } | Self::NotFound { .. } | Self::NoInterpreter { .. } => 127,
            Self::PermissionDenied { .. }
            | Self::IsDirectory { .. }
            | Self::WrongFormat { .. }
            | Self::Exec { .. }
            | Self::HostExecutable { .. } => 126,
            _ => 125,
        }
    }
}
