//! Sources that are not files of this machine, read from text: URLs of files and of git repositories.
//!
//! What can be said wrong in such a text is found here, before anything is asked of a server. Passwords in a URL are
//! taken out of it at once: [`Url`] shows itself without them.

mod git;
mod url;

pub(crate) use git::checked_commit;
pub use git::{GitSource, Mtime};
pub use url::{Url, hide_passwords};
pub(crate) use url::{decode, is_file_name, redacted};

/// A file behind a URL, or a git repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Remote {
    /// `https://example.com/file.tar.gz`
    Http(Url),
    /// `https://example.com/repo.git#ref:subdir`, `git@example.com:repo`
    Git(Box<GitSource>),
}

/// What is wrong with a source, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    /// One lower-case sentence, without passwords.
    pub message: String,
    /// Something that works.
    pub hint: String,
}

impl RemoteError {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl Remote {
    /// Whether the text is meant as a remote source at all; otherwise it is a path.
    pub fn is_meant(text: &str) -> bool {
        url::scheme(text).is_some() || git::is_scp_style(text)
    }

    /// Whether the text is meant as a build context from elsewhere: as [`Remote::is_meant`], or the short form for
    /// GitHub, which could also be a path (ADD takes it as one).
    pub fn is_meant_as_context(text: &str) -> bool {
        Self::is_meant(text) || text.starts_with(git::GITHUB)
    }

    /// Reads a source of ADD.
    ///
    /// # Errors
    /// When it cannot be fetched, whatever a server says.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        if git::is_scp_style(text) {
            return GitSource::parse(text).map(|source| Self::Git(Box::new(source)));
        }
        match url::scheme(text) {
            Some("http" | "https") if !git::ends_as_repository(text) => Url::parse(text).map(Self::Http),
            Some("http" | "https" | "git" | "ssh") => GitSource::parse(text).map(|source| Self::Git(Box::new(source))),
            Some("file") => Err(RemoteError::new(
                format!("`{}` is a file of this machine, not a remote source", redacted(text)),
                "copy it into the build context and write its path",
            )),
            Some(scheme @ ("s3" | "gs" | "az" | "azblob")) => Err(RemoteError::new(
                format!("`{scheme}://`: object stores are not supported"),
                "fetch the archive with the store's own tool and pass it on: `… | onggi build -`",
            )),
            Some(scheme) => Err(RemoteError::new(
                format!("`{scheme}://` is not a kind of source"),
                "use `https://`, `http://`, `git://`, `ssh://` or `git@HOST:PATH`",
            )),
            None => Err(RemoteError::new(
                format!("`{text}` is not a URL"),
                "write it as `https://HOST/PATH`, or `https://HOST/REPOSITORY.git` for a git repository",
            )),
        }
    }

    /// Reads a build context, where `github.com/USER/REPOSITORY` is one too.
    ///
    /// # Errors
    /// As [`Remote::parse`].
    pub fn parse_context(text: &str) -> Result<Self, RemoteError> {
        match text.starts_with(git::GITHUB) {
            true => GitSource::parse(&format!("https://{text}")).map(|source| Self::Git(Box::new(source))),
            false => Self::parse(text),
        }
    }

    /// As it was written, without a password.
    pub fn shown(&self) -> String {
        match self {
            Self::Http(url) => url.to_string(),
            Self::Git(source) => source.shown.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
