//! A context that came as a stream: its files are in one tar, and are read by its index. Nothing is unpacked.
//!
//! It is what [`Context`](crate::context::Context) is for a folder, with the same rules: paths stay within, ignore rules speak of
//! paths without links, everything belongs to root whoever owned it elsewhere.

use std::io::Read;
use std::sync::Arc;

use dockerfile::{IgnoreFile, Verdict};
use layer::{Node, Tree, TreeError};
use oci::Digest;

use crate::context::{self, ContextError};
use crate::copy::CopyError;
use crate::filter::Filter;
use crate::path::{join, lossy, name};
use crate::pattern::Name;
use crate::source::Selection;
use crate::tree_source;

/// Longest document of a context that is read into memory: Dockerfile, ignore file.
pub(crate) const LONGEST_DOCUMENT: u64 = 8 << 20;

/// Files in a tar that is open.
#[derive(Debug, Clone)]
pub struct ContextTree {
    tree: Tree,
    /// Names what the context is, for the records of its builds.
    key: Digest,
    /// As shown: `standard input`, a URL.
    origin: Arc<str>,
    /// When it was made, in seconds since 1970, if whoever gave it says so.
    time: Option<i64>,
}

impl ContextTree {
    pub(crate) fn new(tree: Tree, key: Digest, origin: &str) -> Self {
        Self { tree, key, origin: origin.into(), time: None }
    }

    pub(crate) fn with_time(mut self, time: Option<i64>) -> Self {
        self.time = time;
        self
    }

    /// When it was made, in seconds since 1970: a commit's time, or what a server says (D035).
    pub fn time(&self) -> Option<i64> {
        self.time
    }

    /// Where it came from, as shown.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Reads a document, whatever the ignore file says; `None` when there is none, or no regular file.
    ///
    /// # Errors
    /// When it is too long, or cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, ContextError> {
        let failed = |source: std::io::Error| ContextError::Read { path: path.to_owned(), source };
        let other = |error: TreeError| failed(std::io::Error::other(error));
        let node = match self.tree.resolve(path.as_bytes(), true) {
            Ok(found) => found.node,
            Err(TreeError::NotDirectory { .. }) => None,
            Err(TreeError::TooManyLinks { path }) => return Err(ContextError::TooManyLinks { path }),
            Err(error) => return Err(other(error)),
        };
        let Some(node) = node.filter(Node::is_file) else { return Ok(None) };
        let mut bytes = Vec::new();
        let reader = self.tree.open(&node).map_err(other)?;
        reader.take(LONGEST_DOCUMENT + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LONGEST_DOCUMENT {
            let message = format!("it is longer than {} MiB", LONGEST_DOCUMENT >> 20);
            return Err(failed(std::io::Error::other(message)));
        }
        Ok(Some(bytes))
    }

    /// Paths of regular files at the root, sorted; for hints.
    pub fn names(&self) -> Vec<String> {
        let root = self.tree.root().ok().flatten();
        let names = root.and_then(|root| self.tree.read_dir(&root).ok()).unwrap_or_default();
        names.into_iter().filter(|(_, node)| node.is_file()).map(|(name, _)| lossy(&name)).collect()
    }
}

/// The same with rules of what is left out.
#[derive(Debug)]
pub(crate) struct IgnoringTree {
    pub(crate) files: ContextTree,
    pub(crate) ignore: IgnoreFile,
}

impl IgnoringTree {
    pub(crate) fn key(&self) -> Digest {
        self.files.key
    }

    /// Names in a folder that the ignore file leaves in, sorted; for wildcards.
    pub(crate) fn names_in(&self, folder: &[u8]) -> Result<Vec<Name>, CopyError> {
        let tree = &self.files.tree;
        let found = match tree.resolve(folder, true) {
            Ok(found) => found,
            Err(TreeError::NotDirectory { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let Some(node) = found.node.filter(Node::is_directory) else { return Ok(Vec::new()) };
        let visible = |(name, child): (Vec<u8>, Node)| {
            let is_folder = child.is_directory();
            let verdict = self.ignore.matches(&join(&found.path, &name), is_folder);
            let visible = verdict == Verdict::Included || is_folder && verdict == Verdict::Ignored;
            visible.then_some((name, is_folder))
        };
        Ok(tree.read_dir(&node)?.into_iter().filter_map(visible).collect())
    }

    /// What a path leads to, links followed, if the ignore file leaves it in; with what it says of it.
    fn visible(&self, path: &[u8]) -> Result<(Vec<u8>, Node, Verdict), CopyError> {
        let missing = || CopyError::Context(ContextError::NotFound { path: lossy(path) });
        let found = match self.files.tree.resolve(path, true) {
            Ok(found) => found,
            Err(TreeError::NotDirectory { .. }) => return Err(missing()),
            Err(TreeError::TooManyLinks { .. }) => {
                return Err(ContextError::TooManyLinks { path: lossy(path) }.into());
            }
            Err(error) => return Err(error.into()),
        };
        let node = found.node.ok_or_else(missing)?;
        let is_folder = node.is_directory();
        let verdict = match found.path.as_slice() {
            b"" => Verdict::Included,
            path => self.ignore.matches(path, is_folder),
        };
        if verdict == Verdict::Skipped || verdict == Verdict::Ignored && !is_folder {
            return Err(ignored(path));
        }
        Ok((found.path, node, verdict))
    }

    /// Where a path leads, links followed.
    pub(crate) fn leads_to(&self, path: &[u8]) -> Result<Vec<u8>, CopyError> {
        self.visible(path).map(|(path, ..)| path)
    }

    /// All files that a source path stands for, with their digests. `path` is in normal form. A file that the filter
    /// leaves out gives nothing.
    pub(crate) fn select(&self, path: &[u8], filter: &Filter) -> Result<Selection, CopyError> {
        let mut selection = self.find(path, filter)?;
        tree_source::digest(&mut selection.entries)?;
        Ok(selection)
    }

    /// The same without digests.
    pub(crate) fn find(&self, path: &[u8], filter: &Filter) -> Result<Selection, CopyError> {
        let (root, node, verdict) = self.visible(path)?;
        let mut entries = Vec::new();
        if node.is_directory() || filter.takes_file(name(path)) {
            let folder = context::matched(&self.ignore, &root);
            let rules = tree_source::Rules { ignore: &self.ignore, root: &root, folder };
            let collector = tree_source::Collector { tree: &self.files.tree, rules: Some(rules), filter };
            entries = collector.collect(&node)?;
        }
        if verdict == Verdict::Ignored && entries.len() == 1 && filter.takes_all() {
            return Err(ignored(path));
        }
        for entry in &mut entries {
            (entry.metadata.uid, entry.metadata.gid) = (0, 0);
        }
        let name = name(path).to_vec();
        Ok(Selection { context: None, name, root, is_unpacked: false, entries })
    }
}

fn ignored(path: &[u8]) -> CopyError {
    CopyError::Context(ContextError::Ignored { path: lossy(path) })
}
