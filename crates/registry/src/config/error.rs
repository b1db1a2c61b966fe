//! What is wrong with the configuration, with the file and the place in it.

use std::io;
use std::path::PathBuf;

use super::helper::HelperError;
use super::origin::Origin;

/// Why there is no route, or a credential was not kept.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that is there cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Not JSON, or not TOML.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A value that means nothing.
    #[error("{origin}: {reason}")]
    Value {
        /// Where it is.
        origin: Box<Origin>,
        /// What is wrong with it.
        reason: String,
    },
    /// The old form of registries.conf.
    #[error("{}:{line}: version 1 of registries.conf is not supported", path.display())]
    Version1 {
        /// The file.
        path: PathBuf,
        /// The first line of that form.
        line: usize,
    },
    /// The configuration forbids it.
    #[error("{name} is blocked by {origin}")]
    Blocked {
        /// What was asked for.
        name: String,
        /// What says so.
        origin: Box<Origin>,
    },
    /// What was given as a server is none.
    #[error("`{text}` is not a registry host")]
    Server {
        /// What was given.
        text: String,
    },
    /// A helper that was chosen does not do its work.
    #[error("credential helper `{program}` of {chosen_by}")]
    Helper {
        /// Its name.
        program: String,
        /// What chose it.
        chosen_by: Box<Origin>,
        /// What went wrong.
        source: HelperError,
    },
    /// No place for a login.
    #[error("there is no home folder, so nowhere to keep a login")]
    NoHome,
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ConfigError {
    pub(crate) fn value(origin: Origin, reason: impl Into<String>) -> Self {
        Self::Value { origin: Box::new(origin), reason: reason.into() }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Version1 { .. } => {
                Some("write `[[registry]]` tables, as in containers-registries.conf(5)".to_owned())
            }
            Self::Blocked { .. } => Some("take `blocked = true` out of that file, or use another image".to_owned()),
            Self::Server { .. } => Some("write a host with or without a port, as in `localhost:5000`".to_owned()),
            Self::Helper { program, chosen_by, source: HelperError::NotFound } => {
                Some(format!("install `{program}`, or take it out of {chosen_by}"))
            }
            Self::NoHome => Some("set `DOCKER_CONFIG` to a folder".to_owned()),
            _ => None,
        }
    }
}
