//! Which streams of a container whoever starts it is attached to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// `--attach`, and what `-d` and `-i` mean for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamSettings {
    /// What is typed goes to it.
    pub stdin: bool,
    /// What it writes to standard output is shown.
    pub stdout: bool,
    /// What it writes to standard error is shown.
    pub stderr: bool,
    /// Its input ends when whoever is attached has no more.
    pub stdin_once: bool,
}

impl StreamSettings {
    /// Something is shown.
    pub(crate) fn has_output(self) -> bool {
        self.stdout || self.stderr
    }

    /// Its part of `Config`.
    pub(crate) fn describe(self, config: &mut Map<String, Value>) {
        config.insert("AttachStdin".to_owned(), json!(self.stdin));
        config.insert("AttachStdout".to_owned(), json!(self.stdout));
        config.insert("AttachStderr".to_owned(), json!(self.stderr));
        config.insert("StdinOnce".to_owned(), json!(self.stdin_once));
    }
}
