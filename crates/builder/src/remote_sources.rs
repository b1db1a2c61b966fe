//! What ADD takes from servers: found out about while other steps run, got when a step needs it (D085 to D092).

use std::collections::HashMap;
use std::sync::OnceLock;

use layer::Tree;
use oci::Digest;

use crate::StepOutcome;
use crate::build::BuildTools;
use crate::fetch::{FetchError, GitCommit};
use crate::fetched::{self, FetchedFile};
use crate::filter::Filter;
use crate::plan::{Op, Plan, RemoteOp};
use crate::remote::{GitSource, Remote};
use crate::source::Selection;
use crate::tree_source;

/// What identifies a remote source's content, as far as that can be said without getting it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    /// Pinned, and neither got nor needed by now.
    Pinned(Digest),
    File(Box<FetchedFile>),
    Commit(GitCommit),
}

/// One remote source, however many steps take it.
#[derive(Debug, Default)]
struct Slot {
    identity: OnceLock<Result<Identity, FetchError>>,
    content: OnceLock<Result<Tree, FetchError>>,
}

/// All remote sources of a plan.
#[derive(Debug)]
pub(crate) struct RemoteSources<'p> {
    slots: HashMap<&'p RemoteOp, Slot>,
}

impl<'p> RemoteSources<'p> {
    pub(crate) fn of(plan: &'p Plan) -> Self {
        let steps = plan.stages.iter().flatten().flat_map(|stage| &stage.steps);
        let sources = steps.filter_map(|planned| match &planned.op {
            Op::Copy(op) => Some(op.sources.iter().filter_map(|source| source.remote.as_ref())),
            _ => None,
        });
        Self { slots: sources.flatten().map(|op| (op, Slot::default())).collect() }
    }

    /// Those that have to be asked about whatever the cache holds.
    pub(crate) fn to_ask(&self) -> impl Iterator<Item = &'p RemoteOp> {
        self.slots.keys().copied().filter(|op| op.pinned().is_none())
    }

    /// Finds out about a source before a step waits for that.
    pub(crate) fn ask(&self, op: &RemoteOp, tools: &BuildTools<'_>) {
        drop(self.identity(op, tools));
    }

    /// What goes into a step's key: the content, and the name that a file will have.
    pub(crate) fn key(&self, op: &RemoteOp, tools: &BuildTools<'_>) -> Result<String, FetchError> {
        let identity = self.identity(op, tools)?;
        let name = self.name(op, &identity)?.unwrap_or_default();
        let unpacked = if op.unpack { " unpacked" } else { "" };
        Ok(match (&identity, &op.remote) {
            (Identity::Pinned(digest), _) => format!("file {digest} {name:?}{unpacked}"),
            (Identity::File(file), _) => format!("file {} {name:?}{unpacked}", file.digest),
            (Identity::Commit(commit), Remote::Git(source)) => fetched::tree_name(source, commit, op.keep_git_dir),
            (Identity::Commit(commit), Remote::Http(_)) => commit.digest.clone(),
        })
    }

    /// The files themselves, got now if they are not here; without entries where `--exclude` leaves nothing.
    pub(crate) fn select(
        &self,
        op: &RemoteOp,
        excludes: &[String],
        tools: &BuildTools<'_>,
    ) -> Result<Selection, FetchError> {
        let slot = self.slot(op);
        let tree = slot.content.get_or_init(|| self.get(op, tools)).clone()?;
        let shown = op.remote.shown();
        let unreadable =
            |error: crate::CopyError| FetchError::because(format!("cannot read what `{shown}` holds"), &error);
        let filter = Filter::new(None, excludes).map_err(unreadable)?;
        let (path, name) = match &op.remote {
            Remote::Git(_) => (&b""[..], String::new()),
            Remote::Http(_) => {
                let name = self.name(op, &self.identity(op, tools)?)?;
                (fetched::FILE, name.unwrap_or_else(|| "file".to_owned()))
            }
        };
        let node = tree.lookup(path).map_err(|error| unreadable(error.into()))?;
        match node {
            Some(node) => tree_source::select(&tree, &node, name.as_bytes(), &filter).map_err(unreadable),
            None => Err(FetchError::new(format!("what `{shown}` holds is not what was kept"), None)),
        }
    }

    /// The name of a file where it is copied into a folder: the URL's (D085), or else the server's. Where the
    /// destination is not written as a folder, only the URL's: nobody should have to ask for it.
    fn name(&self, op: &RemoteOp, identity: &Identity) -> Result<Option<String>, FetchError> {
        let Remote::Http(url) = &op.remote else { return Ok(None) };
        let given = match identity {
            Identity::File(file) if op.names_file => file.name.clone(),
            _ => None,
        };
        match url.file_name().or(given) {
            None if op.names_file => Err(FetchError::new(
                format!("`{url}` does not say how its file is called"),
                Some("write the name of the file as the destination, without a slash at its end".to_owned()),
            )),
            name => Ok(name),
        }
    }

    fn slot(&self, op: &RemoteOp) -> &Slot {
        self.slots.get(op).expect("the sources are those of the plan")
    }

    /// Finds out what a source is now. Whoever asks second waits for the first.
    fn identity(&self, op: &RemoteOp, tools: &BuildTools<'_>) -> Result<Identity, FetchError> {
        let slot = self.slot(op);
        let identity = slot.identity.get_or_init(|| match (&op.remote, op.pinned()) {
            (Remote::Http(_), Some(digest)) => Ok(Identity::Pinned(digest)),
            (Remote::Git(source), Some(_)) => fetched::commit(tools, source).map(Identity::Commit),
            (remote, None) => shown(tools, remote, |step| match remote {
                Remote::Http(url) => {
                    fetched::file(tools, url, op.checksum, step).map(|file| Identity::File(Box::new(file)))
                }
                Remote::Git(source) => fetched::commit(tools, source).map(Identity::Commit),
            }),
        });
        identity.clone()
    }

    fn get(&self, op: &RemoteOp, tools: &BuildTools<'_>) -> Result<Tree, FetchError> {
        let layer = match (self.identity(op, tools)?, &op.remote) {
            (Identity::File(file), _) => file.layer,
            (Identity::Commit(commit), Remote::Git(source)) => {
                shown(tools, &op.remote, |_| fetched::tree(tools, source, &commit, op.keep_git_dir))?.layer
            }
            (_, Remote::Http(url)) => {
                shown(tools, &op.remote, |step| fetched::file(tools, url, op.checksum, step))?.layer
            }
            (Identity::Pinned(_), Remote::Git(source)) => return Err(unresolved(source)),
        };
        fetched::open(tools.store, layer)
    }
}

impl RemoteOp {
    /// The digest by which the content is known without asking anybody. The name that a server gives a file is not:
    /// where it is wanted, the server is asked once, and its answer kept with the file.
    fn pinned(&self) -> Option<Digest> {
        match &self.remote {
            Remote::Http(_) => self.checksum.filter(|_| !self.names_file),
            Remote::Git(source) => {
                let is_whole = |text: &String| matches!(text.len(), 40 | 64);
                let is_pinned = source.reference.as_ref().is_some_and(is_whole)
                    || source.fetch_by_commit && source.checksum.as_ref().is_some_and(is_whole);
                is_pinned.then(|| Digest::of(source.remote.as_bytes()))
            }
        }
    }
}

/// A fetch as a step of its own on the screen.
fn shown<T>(
    tools: &BuildTools<'_>,
    remote: &Remote,
    fetch: impl FnOnce(crate::report::Step<'_, '_>) -> Result<T, FetchError>,
) -> Result<T, FetchError> {
    let step = tools.progress.start(remote.shown());
    let fetched = fetch(step);
    step.finish(match &fetched {
        Ok(_) => StepOutcome::Done,
        Err(error) if error.is_cancelled => StepOutcome::Canceled,
        Err(error) => StepOutcome::Failed(error.to_string()),
    });
    fetched
}

fn unresolved(source: &GitSource) -> FetchError {
    FetchError::new(format!("`{}` was not looked up", source.shown()), None)
}
