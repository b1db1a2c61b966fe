//! Why a registry did not do what it was asked, so that callers can tell the cases apart and people can read them.
//!
//! What servers say is shown bounded and inert: control characters and those that turn text around are escaped.

use std::fmt;
use std::io;

use serde::Deserialize;

/// A request that came to nothing.
#[derive(Debug)]
pub struct RegistryError {
    /// What was to be done, as it follows `cannot`: ``read manifest `v1` of `library/app` ``.
    pub asked: String,
    /// Host, and port where it is not the scheme's.
    pub host: String,
    /// What is wrong.
    pub kind: Kind,
    /// What the server says of it, in one line, escaped.
    pub said: Option<String>,
    /// The mirrors that were asked before, each with what came of it.
    pub tried: Vec<RegistryError>,
}

/// What is wrong.
#[derive(Debug)]
pub enum Kind {
    /// The registry has nothing of that name.
    NotFound,
    /// The registry wants to know who asks, or does not believe it (401).
    Unauthorized {
        /// Whether it was told.
        had_credential: bool,
    },
    /// Whoever asks may not do that (403, `denied`, a token without the scope).
    Denied {
        /// Whether the registry was told who asks.
        had_credential: bool,
    },
    /// Too many requests (429), also after waiting.
    TooManyRequests,
    /// The registry cannot answer now (408, 5xx), also after waiting.
    Unavailable {
        /// What it answered.
        status: u16,
    },
    /// The registry refuses what it was sent (other 4xx).
    Refused {
        /// What it answered.
        status: u16,
    },
    /// Nobody knows the host.
    Host,
    /// The host does not answer.
    Connect(io::Error),
    /// The server was silent for too long, or the connection broke off, also after trying again.
    Cut(io::Error),
    /// The server cannot prove who it is, or speaks no TLS.
    Tls(String),
    /// The proxy is none, or refuses.
    Proxy(String),
    /// A redirect, or the place of a token service, that is not followed.
    Redirect(String),
    /// The answer is none that the specification knows.
    Protocol(String),
    /// The bytes are others than their digest or size says.
    Content(String),
    /// The manifest is larger than is read.
    TooLarge {
        /// Most bytes.
        limit: u64,
    },
    /// Certificates, keys or headers that are configured cannot be used.
    Settings(String),
    /// What is to be sent cannot be read here.
    Source(io::Error),
    /// Nobody waits any longer.
    Cancelled,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.kind, Kind::Cancelled) {
            return f.write_str("cancelled");
        }
        write!(f, "cannot {} at `{}`: {}", self.asked, self.host, self.kind)?;
        if let Some(said) = &self.said {
            write!(f, " ({said})")?;
        }
        for (rank, tried) in self.tried.iter().enumerate() {
            let before = if rank == 0 { "; before that" } else { "," };
            write!(f, "{before} `{}`: {}", tried.host, tried.kind)?;
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::Unauthorized { had_credential: false } => f.write_str("it wants to know who asks"),
            Self::Unauthorized { had_credential: true } => f.write_str("the name or the password is wrong"),
            Self::Denied { had_credential: false } => f.write_str("denied for those who are not logged in"),
            Self::Denied { had_credential: true } => f.write_str("denied"),
            Self::TooManyRequests => f.write_str("too many requests"),
            Self::Unavailable { status } => write!(f, "it is not available now, status {status}"),
            Self::Refused { status } => write!(f, "refused, status {status}"),
            Self::Host => f.write_str("no such host"),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Cut(error) if error.kind() == io::ErrorKind::TimedOut => f.write_str("it does not answer any more"),
            Self::Cut(error) => write!(f, "the connection broke off: {error}"),
            Self::Tls(reason) => write!(f, "no secure connection: {reason}"),
            Self::Proxy(reason) => write!(f, "the proxy cannot be used: {reason}"),
            Self::Redirect(reason) | Self::Protocol(reason) | Self::Content(reason) | Self::Settings(reason) => {
                f.write_str(reason)
            }
            Self::TooLarge { limit } => write!(f, "it is larger than {limit} bytes"),
            Self::Source(error) => write!(f, "what is to be sent cannot be read: {error}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for RegistryError {}

/// Why one request came to nothing; what was asked is added by whoever knows it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) said: Option<String>,
    pub(crate) host: String,
    /// What the server asks to be waited before the next request.
    pub(crate) retry_after: Option<std::time::Duration>,
    /// Another attempt would end the same way, whatever the kind says.
    pub(crate) is_final: bool,
}

impl Failure {
    pub(crate) fn new(host: impl fmt::Display, kind: Kind) -> Self {
        Self { kind, said: None, host: host.to_string(), retry_after: None, is_final: false }
    }

    /// Whether the same request may have another answer later.
    pub(crate) fn is_passing(&self) -> bool {
        let may_pass = matches!(
            self.kind,
            Kind::TooManyRequests | Kind::Unavailable { .. } | Kind::Connect(_) | Kind::Cut(_) | Kind::Content(_)
        );
        may_pass && !self.is_final
    }

    pub(crate) fn asking(self, asked: &str) -> RegistryError {
        RegistryError { asked: asked.to_owned(), host: self.host, kind: self.kind, said: self.said, tried: Vec::new() }
    }
}

/// Codes and messages of an answer's body (distribution-spec, "Error Codes").
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) codes: Vec<String>,
    pub(crate) line: Option<String>,
}

impl Said {
    /// Reads `{"errors": […]}`, or what token services and clouds send instead; nothing if it is neither.
    pub(crate) fn parse(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            errors: Vec<One>,
            // Token services: RFC 6749, 5.2, or a text of their own.
            #[serde(default, alias = "details")]
            error_description: Option<serde_json::Value>,
            #[serde(default)]
            message: Option<serde_json::Value>,
        }
        #[derive(Deserialize)]
        struct One {
            #[serde(default)]
            code: serde_json::Value,
            #[serde(default)]
            message: serde_json::Value,
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else { return Self::default() };
        let text = |value: &serde_json::Value| value.as_str().map(|text| inert(text, 200)).unwrap_or_default();
        let mut codes = Vec::new();
        let mut lines = Vec::new();
        for one in answer.errors.iter().take(3) {
            let (code, message) = (text(&one.code), text(&one.message));
            lines.push(match (code.is_empty(), message.is_empty()) {
                (false, false) => format!("{}: {message}", code.to_ascii_lowercase()),
                (false, true) => code.to_ascii_lowercase(),
                _ => message,
            });
            codes.push(code.to_ascii_uppercase());
        }
        if lines.is_empty() {
            lines.extend(answer.error_description.iter().chain(&answer.message).map(text).take(1));
        }
        lines.retain(|line| !line.is_empty());
        Self { codes, line: (!lines.is_empty()).then(|| lines.join("; ")) }
    }

    pub(crate) fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|known| known == code)
    }
}

/// The beginning of a text from outside, with nothing in it that a terminal obeys or that turns the line around.
pub(crate) fn inert(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for character in text.trim().chars() {
        if shown.len() >= most {
            shown.push('…');
            break;
        }
        let turns = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}');
        if character.is_control() || turns {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests;
