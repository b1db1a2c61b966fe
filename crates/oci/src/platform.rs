//! What an image runs on (image-spec, image-index.md, "platform"; spellings as in containerd's `platforms`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Operating system and processor, with Go's names for both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`, `arm64` …
    pub architecture: String,
    /// `linux` …
    pub os: String,
    /// `v7`, `v8` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Why a text is not a [`Platform`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// It has another form.
    #[error("platform `{0}` is not of the form os/architecture[/variant]")]
    Form(String),
    /// Go knows no such operating system.
    #[error("`{0}` is not an operating system that platforms are named by")]
    Os(String),
    /// Go knows no such processor.
    #[error("`{0}` is not a processor that platforms are named by")]
    Architecture(String),
}

/// Operating systems that images are made for.
const SYSTEMS: [&str; 8] = ["linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "wasip1", "wasi"];

/// Processors that images are made for, in Go's words.
const ARCHITECTURES: [&str; 14] = [
    "amd64", "arm64", "386", "arm", "riscv64", "ppc64le", "s390x", "loong64", "mips64le", "mips64", "mipsle", "mips",
    "ppc64", "wasm",
];

/// Further spellings of them that are understood.
const SPELLINGS: [&str; 8] = ["x86_64", "x86-64", "aarch64", "i386", "armhf", "armel", "macos", "local"];

impl PlatformError {
    /// All words that could have been meant.
    pub fn candidates(&self) -> Vec<&'static str> {
        match self {
            Self::Form(_) => [&SYSTEMS[..], &ARCHITECTURES, &SPELLINGS].concat(),
            Self::Os(_) => SYSTEMS.to_vec(),
            Self::Architecture(_) => [&ARCHITECTURES[..], &SPELLINGS[..6]].concat(),
        }
    }

    /// The word that is wrong.
    pub fn word(&self) -> &str {
        match self {
            Self::Form(word) | Self::Os(word) | Self::Architecture(word) => word,
        }
    }
}

impl Platform {
    /// The platform that this program was compiled for.
    pub fn host() -> Self {
        let (architecture, variant) = usual(std::env::consts::ARCH, None);
        Self { architecture, os: "linux".to_owned(), variant }
    }

    /// Whether it is another name of the same system and processor. Variants are not looked at: a newer one runs what
    /// was made for an older one.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.os, &self.architecture) == (&other.os, &other.architecture)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// `linux/arm64`, `linux/arm/v7`; a system or a processor alone means that of this machine for the other.
impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let shown: String = text.chars().take(80).collect();
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        if !parts.iter().all(|part| is_word(part)) {
            return Err(PlatformError::Form(shown));
        }
        let host = Self::host();
        let (os, architecture, variant) = match *parts.as_slice() {
            [one] if is_system(one) => (one, host.architecture.as_str(), None),
            [one] if is_architecture(one) => ("linux", one, None),
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant.to_owned())),
            _ => return Err(PlatformError::Form(shown)),
        };
        if !is_system(os) {
            return Err(PlatformError::Os(os.to_owned()));
        }
        if !is_architecture(architecture) {
            return Err(PlatformError::Architecture(architecture.to_owned()));
        }
        let (architecture, variant) = usual(architecture, variant);
        let os = if os == "macos" { "darwin" } else { os };
        Ok(Self { architecture, os: os.to_owned(), variant })
    }
}

fn is_system(word: &str) -> bool {
    SYSTEMS.contains(&word) || word == "macos"
}

fn is_architecture(word: &str) -> bool {
    ARCHITECTURES.contains(&usual(word, None).0.as_str())
}

/// The spelling that images have.
fn usual(architecture: &str, variant: Option<String>) -> (String, Option<String>) {
    let (name, variant) = match (architecture, variant.as_deref()) {
        ("x86" | "i386", _) => ("386", None),
        ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
        ("x86_64" | "x86-64", Some(variant)) => ("amd64", Some(variant)),
        ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
        ("aarch64", Some(variant)) => ("arm64", Some(variant)),
        ("armhf", _) | ("arm", None | Some("7")) => ("arm", Some("v7")),
        ("armel", _) | ("arm", Some("6")) => ("arm", Some("v6")),
        ("arm", Some("5")) => ("arm", Some("v5")),
        ("powerpc64le", variant) => ("ppc64le", variant),
        ("loongarch64", variant) => ("loong64", variant),
        other => other,
    };
    (name.to_owned(), variant.map(str::to_owned))
}

fn is_word(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests;
