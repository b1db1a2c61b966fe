//! Names of images: `[registry/]repository[:tag][@digest]`, normalised as Docker does.
//!
//! Written by hand over bytes: a regular expression for this grammar costs more time to compile than a container to
//! start.

use std::fmt;
use std::str::FromStr;

use crate::Digest;

/// A complete name: `hello` is `docker.io/library/hello:latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// The last part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagOrDigest {
    /// A tag, `latest` where none was given.
    Tag(String),
    /// A digest.
    Digest(Digest),
}

/// Why a text is not a name of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// No text at all, or an empty part.
    #[error("invalid reference `{0}`: a name must not be empty or have empty components")]
    Empty(String),
    /// Upper-case letters outside the tag.
    #[error("invalid reference `{0}`: the repository name must be lower case")]
    UpperCase(String),
    /// A character or separator that the grammar does not have.
    #[error(
        "invalid reference `{0}`: `{1}` is not a valid component (lower-case letters, digits, and `.`, `_`, `__` or `-` between them)"
    )]
    Component(String, String),
    /// The registry part.
    #[error("invalid reference `{0}`: `{1}` is not a valid registry host")]
    Registry(String, String),
    /// The part behind the colon.
    #[error(
        "invalid reference `{0}`: tag `{1}` must be 1 to 128 letters, digits, `_`, `.` or `-`, not beginning with `.` or `-`"
    )]
    Tag(String, String),
    /// The part behind the `@`.
    #[error("invalid reference `{0}`: the digest must be `sha256:` and 64 hexadecimal digits")]
    Digest(String),
    /// Too long.
    #[error("invalid reference: the repository name has more than 255 characters")]
    TooLong,
    /// 64 hex digits are an image ID.
    #[error("invalid reference `{0}`: a name must not be 64 hexadecimal digits, which is an image ID")]
    LooksLikeId(String),
}

impl ReferenceError {
    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UpperCase(text) => {
                let (name, tag) = split_tag(text);
                let tag = tag.map_or_else(String::new, |tag| format!(":{tag}"));
                Some(format!("write `{}{tag}`", name.to_ascii_lowercase()))
            }
            Self::Empty(text) if text.is_empty() => Some("write a name such as `app` or `app:v1`".to_owned()),
            Self::Empty(_) => Some("write a name such as `app:v1` or `user/app:v1`; is a variable empty?".to_owned()),
            Self::Tag(..) | Self::Component(..) => {
                Some("write a name such as `app`, `app:v1` or `user/app:v1`".to_owned())
            }
            Self::Registry(..) => Some("write a host with or without a port, as in `localhost:5000/app:v1`".to_owned()),
            Self::Digest(_) => Some("write all 64 digits, or leave out the part behind `@`".to_owned()),
            Self::TooLong | Self::LooksLikeId(_) => None,
        }
    }
}

const DEFAULT_REGISTRY: &str = "docker.io";
const OFFICIAL: &str = "library/";
/// The tag that is meant when none is given.
const DEFAULT_TAG: &str = "latest";

impl Reference {
    /// Host and port of the registry, `docker.io` by default.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path within the registry: `library/hello`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag as typed; `None` when there was none.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest as typed.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// What names the content: the digest when there is one, else the tag, `latest` by default.
    pub fn tag_or_digest(&self) -> TagOrDigest {
        match self.digest {
            Some(digest) => TagOrDigest::Digest(digest),
            None => TagOrDigest::Tag(self.tag_or_latest().to_owned()),
        }
    }

    /// The tag, `latest` by default.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or(DEFAULT_TAG)
    }

    /// The same name with `:latest` written out, unless it has a tag or a digest.
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.to_owned());
        }
        self
    }

    /// The same repository with this digest in place of a tag.
    #[must_use]
    pub fn with_only_digest(self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self }
    }

    /// Registry and repository, as shown in a list: `hello`, `diamol/node`, `localhost:5000/x`.
    pub fn familiar_name(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return format!("{}/{}", self.registry, self.repository);
        }
        let short = self.repository.strip_prefix(OFFICIAL).filter(|rest| !rest.contains('/'));
        short.unwrap_or(&self.repository).to_owned()
    }

    /// The whole name as people type it: `hello:v2`, without `docker.io/library/`.
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_name())
    }

    fn with_suffix(&self, mut text: String) -> String {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

/// The canonical form: `docker.io/library/hello:v2`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_suffix(format!("{}/{}", self.registry, self.repository)))
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let shown: String = text.chars().take(120).collect();
        if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::LooksLikeId(shown));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| ReferenceError::Digest(shown.clone()))?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(rest);
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(ReferenceError::Tag(shown, tag.to_owned()));
        }
        let (registry, path) = split_registry(name);
        if let Some(host) = registry
            && !is_host(host)
        {
            return Err(ReferenceError::Registry(shown, host.to_owned()));
        }
        check_path(path, &shown)?;
        let registry = match registry {
            None | Some("index.docker.io") => DEFAULT_REGISTRY,
            Some(host) => host,
        };
        let official = registry == DEFAULT_REGISTRY && !path.contains('/');
        let repository = if official { format!("{OFFICIAL}{path}") } else { path.to_owned() };
        if registry.len() + 1 + repository.len() > 255 {
            return Err(ReferenceError::TooLong);
        }
        Ok(Self { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
    }
}

/// A colon behind the last slash begins the tag; one before it belongs to the registry's port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    match text[last..].find(':') {
        Some(colon) => (&text[..last + colon], Some(&text[last + colon + 1..])),
        None => (text, None),
    }
}

/// The first component is a registry when it has a dot or a port, is `localhost`, or has upper-case letters.
fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, name),
    }
}

fn check_path(path: &str, shown: &str) -> Result<(), ReferenceError> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(ReferenceError::UpperCase(shown.to_owned()));
    }
    for component in path.split('/') {
        if component.is_empty() {
            return Err(ReferenceError::Empty(shown.to_owned()));
        }
        if !is_component(component) {
            return Err(ReferenceError::Component(shown.to_owned(), component.to_owned()));
        }
    }
    Ok(())
}

/// Letters and digits, with one `.`, one or two `_`, or any number of `-` between them.
fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().copied().is_some_and(alphanumeric) || !bytes.last().copied().is_some_and(alphanumeric) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.as_bytes().first().copied().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_ok = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return port_ok && !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    }
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    port_ok && host.split('.').all(label)
}

#[cfg(test)]
mod tests;
