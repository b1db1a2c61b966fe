//! What the builder needs of whoever reaches servers: the network in a build, a table in tests.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use oci::{Platform, Reference};

use crate::remote::GitSource;

/// A file to get by HTTP.
#[derive(Clone, Copy)]
pub struct HttpRequest<'a> {
    /// Where, without credentials.
    pub url: &'a str,
    /// Value of `Authorization`, for the host of `url` and no other.
    pub authorization: Option<&'a str>,
    /// Only if its tag is another one.
    pub etag: Option<&'a str>,
    /// Only if it was modified since.
    pub last_modified: Option<&'a str>,
    /// Most bytes.
    pub limit: u64,
    /// Set when the build is over for another reason.
    pub cancelled: &'a AtomicBool,
}

impl std::fmt::Debug for HttpRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRequest").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What a server says of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpHead {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
}

/// A repository to ask or to get files of.
#[derive(Clone, Copy)]
pub struct GitRequest<'a> {
    /// Which, and what of it.
    pub source: &'a GitSource,
    /// Value of `Authorization`, for its host and no other.
    pub authorization: Option<&'a str>,
    /// Set when the build is over for another reason.
    pub cancelled: &'a AtomicBool,
}

impl std::fmt::Debug for GitRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitRequest").field("source", &self.source).finish_non_exhaustive()
    }
}

/// An image to bring into the store.
#[derive(Clone, Copy)]
pub struct ImageRequest<'a> {
    /// Its name.
    pub reference: &'a Reference,
    /// What it should be for, unless for this machine.
    pub platform: Option<&'a Platform>,
    /// Told what happens, a line each.
    pub status: &'a (dyn Fn(String) + Sync),
    /// Set when the build is over for another reason.
    pub cancelled: &'a AtomicBool,
}

impl std::fmt::Debug for ImageRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageRequest").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// The commit that a source means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitCommit {
    /// Its whole digest.
    pub digest: String,
    /// Full name of the ref that led to it, if one did.
    pub reference: Option<String>,
}

/// Files of a commit on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitTree {
    /// The folder that holds them.
    pub folder: PathBuf,
    /// When they were committed, in seconds since 1970.
    pub time: i64,
}

/// Why something could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FetchError {
    /// What failed: one lower-case sentence, without secrets.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do; it works when typed.
    pub hint: Option<String>,
    /// It was not wanted any more.
    pub is_cancelled: bool,
}

impl FetchError {
    /// An error without causes.
    pub fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint, is_cancelled: false }
    }

    /// Something that failed here, not at a server.
    pub(crate) fn because(message: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = vec![error.to_string()];
        chain.extend(crate::failure::causes(error));
        Self { causes: chain, ..Self::new(message, None) }
    }
}

/// Reaches servers.
pub trait Fetch: Sync {
    /// Brings an image into the store under its name; `false` where no registry can be asked.
    ///
    /// # Errors
    /// When its registry does not have it or does not give it.
    fn image(&self, request: &ImageRequest<'_>) -> Result<bool, FetchError>;

    /// Gets a file and writes it to `body`; `None` if the conditions say that it is as it was.
    ///
    /// # Errors
    /// When it cannot be had whole.
    fn http(&self, request: &HttpRequest<'_>, body: &mut dyn Write) -> Result<Option<HttpHead>, FetchError>;

    /// The commit that a source's ref stands for now. `scratch` gives an empty folder, should one be needed.
    ///
    /// # Errors
    /// When the repository cannot be read or has nothing of that name.
    fn git_commit(
        &self,
        request: &GitRequest<'_>,
        scratch: &dyn Fn() -> Result<PathBuf, FetchError>,
    ) -> Result<GitCommit, FetchError>;

    /// Writes the files of a commit below `folder`, which is empty: with `.git` and with submodules, as the arguments
    /// say. What a submodule leaves of its own `.git` may be among them.
    ///
    /// # Errors
    /// When the repository cannot be had.
    fn git_tree(
        &self,
        request: &GitRequest<'_>,
        commit: &GitCommit,
        keep_git_dir: bool,
        folder: &Path,
    ) -> Result<GitTree, FetchError>;
}
