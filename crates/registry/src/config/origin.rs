//! Where a part of a route came from.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place that a reader can go to and change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// What holds when nobody says otherwise, in words.
    Default(&'static str),
    /// A variable of the environment.
    Variable(String),
    /// A key of a JSON file, as `auths["quay.io"]`.
    Key {
        /// The file.
        path: PathBuf,
        /// The way to the key.
        key: String,
    },
    /// A line of a file.
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A whole file.
    File(PathBuf),
    /// A credential helper.
    Helper {
        /// `docker-credential-pass`
        program: String,
        /// What chose it.
        chosen_by: Box<Origin>,
    },
}

impl Origin {
    pub(crate) fn key(path: &Path, key: impl Into<String>) -> Self {
        Self::Key { path: path.to_owned(), key: key.into() }
    }

    /// An entry of a table: `auths["quay.io"]`.
    pub(crate) fn entry(path: &Path, table: &str, name: &str) -> Self {
        Self::key(path, format!("{table}[{name:?}]"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default(words) => f.write_str(words),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Key { path, key } => write!(f, "{}: {key}", path.display()),
            Self::Line { path, line } => write!(f, "{}:{line}", path.display()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Helper { program, chosen_by } => write!(f, "{program} ({chosen_by})"),
        }
    }
}
