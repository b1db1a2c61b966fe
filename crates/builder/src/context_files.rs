//! A context's files, wherever it came from: a folder of this machine, or a stream that was taken in.

use std::path::PathBuf;
use std::sync::Arc;

use dockerfile::IgnoreFile;
use oci::Digest;
use store::Store;

use crate::build::{BuildError, BuildRequest};
use crate::classic::ClassicRequest;
use crate::context::{self, Context, ContextError};
use crate::copy::CopyError;
use crate::failure::internal;
use crate::filter::Filter;
use crate::ignore_file;
use crate::path::{join, lossy};
use crate::pattern::Name;
use crate::source::Selection;
use crate::tree_context::{ContextTree, IgnoringTree};

/// Bytes of the tar that Docker's client would send to a classic builder, which holds Dockerfile and ignore file whatever
/// the ignore file says.
pub(crate) fn tar_size(
    request: &BuildRequest,
    classic: &ClassicRequest,
    store: &Store,
    ignore: &IgnoreFile,
) -> Result<u64, BuildError> {
    let dockerfile = classic.dockerfile_path.as_deref().unwrap_or(DOCKERFILE_FROM_ELSEWHERE);
    let mut added = vec![(dockerfile, request.dockerfile.len() as u64)];
    let Some(context) = &request.context else { return Ok(context::tar_size(&[], &added)) };
    let own = ignore_file::read(context)?;
    if !own.bytes.is_empty() {
        added.push((ignore_file::NAME, own.bytes.len() as u64));
    }
    let files = ContextFiles::open(store, context, ignore.clone())?;
    let all = files.all().map_err(|error| internal("look through the build context", &error))?;
    Ok(context::tar_size(&all.entries, &added))
}

/// As Docker's client calls it.
const DOCKERFILE_FROM_ELSEWHERE: &str = ".dockerfile.0123456789abcdef0123";

/// Where a context's files are.
#[derive(Debug, Clone)]
pub enum BuildContext {
    /// In a folder of this machine, read in place.
    Folder(PathBuf),
    /// In a tar that was taken in.
    Tree(ContextTree),
}

impl From<PathBuf> for BuildContext {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

/// An opened context, with what its ignore file says.
#[derive(Debug, Clone)]
pub(crate) enum ContextFiles {
    Folder(Arc<Context>),
    Tree(Arc<IgnoringTree>),
}

impl ContextFiles {
    pub(crate) fn open(store: &Store, context: &BuildContext, ignore: IgnoreFile) -> Result<Self, ContextError> {
        match context {
            BuildContext::Folder(path) => Ok(Self::Folder(Arc::new(Context::open(store, path, ignore)?))),
            BuildContext::Tree(files) => Ok(Self::Tree(Arc::new(IgnoringTree { files: files.clone(), ignore }))),
        }
    }

    /// Names what the context is, for the records of its builds.
    pub(crate) fn key(&self) -> Digest {
        match self {
            Self::Folder(context) => context.key(),
            Self::Tree(tree) => tree.key(),
        }
    }

    /// How much of a folder had to be read so far, in bytes.
    pub(crate) fn bytes_read(&self) -> u64 {
        match self {
            Self::Folder(context) => context.bytes_read(),
            Self::Tree(_) => 0,
        }
    }

    /// Keeps what was hashed for the next build.
    pub(crate) fn remember(&self, store: &Store) -> Result<(), store::StoreError> {
        match self {
            Self::Folder(context) => context.remember(store),
            Self::Tree(_) => Ok(()),
        }
    }

    /// Names in a folder that the ignore file leaves in, sorted; for wildcards.
    pub(crate) fn names_in(&self, folder: &[u8]) -> Result<Vec<Name>, CopyError> {
        match self {
            Self::Folder(context) => Ok(context.names_in(folder)?),
            Self::Tree(tree) => tree.names_in(folder),
        }
    }

    /// All files that a source path stands for, with their digests. `path` is in normal form. A file that the filter
    /// leaves out gives nothing.
    pub(crate) fn select(&self, path: &[u8], filter: &Filter) -> Result<Selection, CopyError> {
        match self {
            Self::Folder(context) => {
                let mut selection = context.select(path, filter)?;
                context.digest(&mut selection)?;
                Ok(selection)
            }
            Self::Tree(tree) => tree.select(path, filter),
        }
    }

    /// Where a path leads, links followed.
    pub(crate) fn leads_to(&self, path: &[u8]) -> Result<Vec<u8>, CopyError> {
        match self {
            Self::Folder(context) => Ok(context.leads_to(path)?),
            Self::Tree(tree) => tree.leads_to(path),
        }
    }

    /// The whole context without digests.
    pub(crate) fn all(&self) -> Result<Selection, CopyError> {
        match self {
            Self::Folder(context) => Ok(context.select(b"", &Filter::default())?),
            Self::Tree(tree) => tree.find(b"", &Filter::default()),
        }
    }

    /// A name in the same folder that differs from a missing one in few letters, or only in case.
    pub(crate) fn similar(&self, path: &[u8]) -> Option<String> {
        let split = path.iter().rposition(|byte| *byte == b'/');
        let (folder, name) = split.map_or((&b""[..], path), |slash| (&path[..slash], &path[slash + 1..]));
        let name = std::str::from_utf8(name).ok()?;
        let names = self.names_in(folder).ok()?;
        let names: Vec<&str> = names.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok()).collect();
        let nearest = dockerfile::nearest(name, names)?;
        Some(lossy(&join(folder, nearest.as_bytes())))
    }
}
