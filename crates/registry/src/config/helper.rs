//! Credential helpers: programs called `docker-credential-NAME` that keep secrets, spoken to over their streams.
//!
//! `get`, `erase` take a server on standard input, `store` a JSON object; `get` answers with one. What a helper writes
//! is bounded, and so is its time. Messages of helpers are shown, what they say on standard output of a success never is.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fetch::Limits;
use serde_json::{Value, json};

use super::authority::ServerKey;
use crate::{Credential, SecretText};

const PREFIX: &str = "docker-credential-";
const LARGEST_ANSWER: u64 = 1 << 20;
/// Long enough for somebody to unlock a keyring.
const PATIENCE: Duration = Duration::from_secs(120);
/// The name that stands before an identity token.
const TOKEN_USER: &str = "<token>";
/// How helpers say that they have nothing (docker-credential-helpers, `credentials/error.go`).
const NOTHING: &str = "credentials not found in native keychain";

/// Why a helper did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// The name in the file cannot be that of a program.
    #[error("that is not the name of a helper")]
    Name,
    /// No such program.
    #[error("it is not in $PATH")]
    NotFound,
    /// It does not start.
    #[error("it cannot be run")]
    Start {
        /// Why not.
        source: io::Error,
    },
    /// It takes for ever.
    #[error("it did not answer within {} s", PATIENCE.as_secs())]
    Time,
    /// It says no.
    #[error("it failed: {message}")]
    Failed {
        /// What it said.
        message: String,
    },
    /// It answers something else.
    #[error("its answer is not what a helper answers")]
    Answer,
    /// It answers for another registry than was asked for.
    #[error("it was asked for {asked} and answered for {answered}")]
    Confused {
        /// What was asked for.
        asked: String,
        /// What it answered for.
        answered: String,
    },
}

/// One helper.
#[derive(Debug)]
pub(crate) struct Helper<'a> {
    name: &'a str,
    path: &'a OsStr,
}

impl<'a> Helper<'a> {
    /// The helper of this name, somewhere in `path`.
    pub(crate) fn new(name: &'a str, path: &'a OsStr) -> Self {
        Self { name, path }
    }

    /// `docker-credential-NAME`
    pub(crate) fn program(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// What it knows of a server, and as whom; `None` if nothing.
    pub(crate) fn get(&self, server: &str) -> Result<Option<Credential>, HelperError> {
        let Some(answer) = self.run("get", server.as_bytes())? else { return Ok(None) };
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| HelperError::Answer)?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        if let Some(answered) = text("ServerURL").filter(|answered| !answered.is_empty()) {
            let authority = |text| ServerKey::parse(text).map(|key| key.authority);
            if answered != server && authority(answered) != authority(server) {
                return Err(HelperError::Confused { asked: server.to_owned(), answered: answered.to_owned() });
            }
        }
        let (user, secret) = text("Username").zip(text("Secret")).ok_or(HelperError::Answer)?;
        Ok(match user {
            _ if user.is_empty() && secret.is_empty() => None,
            TOKEN_USER => Some(Credential::IdentityToken(SecretText::new(secret))),
            user => Some(Credential::Password { user: user.to_owned(), password: SecretText::new(secret) }),
        })
    }

    /// Gives it a credential to keep.
    pub(crate) fn store(&self, server: &str, user: &str, credential: &Credential) -> Result<(), HelperError> {
        let (user, secret) = match credential {
            Credential::Password { password, .. } => (user, password),
            Credential::IdentityToken(token) | Credential::RegistryToken(token) => (TOKEN_USER, token),
            Credential::Anonymous => return Ok(()),
        };
        let message = json!({ "ServerURL": server, "Username": user, "Secret": secret.expose() });
        self.run("store", message.to_string().as_bytes()).map(drop)
    }

    /// Has it forget a server.
    pub(crate) fn erase(&self, server: &str) -> Result<(), HelperError> {
        self.run("erase", server.as_bytes()).map(drop)
    }

    /// What it answered; `None` if it has nothing.
    fn run(&self, verb: &str, input: &[u8]) -> Result<Option<Vec<u8>>, HelperError> {
        let mut command = Command::new(self.find()?);
        command.arg(verb);
        let limits = Limits { output: LARGEST_ANSWER, time: Some(PATIENCE) };
        let finished = fetch::run(command, input, limits, &AtomicBool::new(false))
            .map_err(|source| HelperError::Start { source })?
            .ok_or(HelperError::Time)?;
        if finished.status.success() {
            return Ok(Some(finished.output));
        }
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        // A helper fails on standard output; other programs do so on standard error.
        let message = Some(said(&finished.output)).filter(|message| !message.is_empty());
        let message = message.unwrap_or_else(|| said(&finished.errors));
        if message.contains(NOTHING) {
            return Ok(None);
        }
        Err(HelperError::Failed { message: message.lines().next().unwrap_or("no message").chars().take(300).collect() })
    }

    fn find(&self) -> Result<PathBuf, HelperError> {
        if self.name.is_empty() || self.name.contains(['/', '\0']) {
            return Err(HelperError::Name);
        }
        let program = self.program();
        let folders = std::env::split_paths(self.path).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(&program)).find(|path| is_executable(path)).ok_or(HelperError::NotFound)
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
