//! What was mounted for a command that failed: where it came from, never what is secret of it; and how it is found again.
//!
//! Files are looked for where they were: what is there now is shown. Caches are the same ones, memory is empty again, and
//! secrets and agents come from the caller. What is not there any more is told, and left out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dockerfile::IgnoreFile;
use image::Stack;
use oci::{DiffId, Digest};
use serde::{Deserialize, Serialize};
use store::{CacheAttempt, CacheFolder, Failure, Store, WorkFolder};

use crate::bind_tree::{BindTree, BindTreeError, BoundFiles};
use crate::context::Context;
use crate::executor::{RunMount, RunMountSource};
use crate::failed_step::FailedStep;
use crate::filter::Filter;
use crate::path::{lossy, name};
use crate::plan::{Access, CacheOp, MountOpKind, RunOp, SecretVariable, Sharing};
use crate::run_mounts::{MountContent, cache_key, read_secret};
use crate::source::Selection;
use crate::step_options::{Secret, SecretSource, StepOptions};
use crate::tree_source;

/// One thing that was mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedMount {
    /// Its place among all mounts of the command.
    number: usize,
    /// Absolute path in the container.
    target: String,
    /// The command could not change it.
    read_only: bool,
    source: MountedFrom,
}

/// Where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MountedFrom {
    /// A folder or file of a build context.
    Folder {
        folder: PathBuf,
        path: String,
        ignore: Vec<String>,
    },
    /// Files in layers, which are held by what is kept.
    Layers {
        layers: Vec<DiffId>,
        path: String,
    },
    Cache {
        key: Digest,
        sharing: Sharing,
    },
    Tmpfs {
        size: Option<u64>,
    },
    Secret {
        id: String,
        place: SecretPlace,
        access: Access,
    },
    /// A here-document that the command executes.
    Script {
        text: String,
    },
    Agent {
        socket: PathBuf,
        access: Access,
    },
}

/// Where the value of a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SecretPlace {
    File(PathBuf),
    Variable(String),
}

/// A variable whose value is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedVariable {
    name: String,
    id: String,
    place: SecretPlace,
}

/// Notes the mounts of a command. `tell` hears of what cannot be kept.
pub(crate) fn record(
    op: &RunOp,
    contents: &[MountContent],
    options: &StepOptions,
    store: &Store,
    work: &WorkFolder<'_>,
    tell: &dyn Fn(String),
) -> Vec<FailedMount> {
    let mut mounts = Vec::new();
    for (number, (mount, content)) in op.mounts.iter().zip(contents).enumerate() {
        let source = match &mount.kind {
            MountOpKind::Bind(_) => match bound(number, content, store, work) {
                Ok(source) => source,
                Err(error) => {
                    tell(format!("what is mounted on {} cannot be kept: {error}", mount.target));
                    None
                }
            },
            MountOpKind::Cache(cache) => Some(cached(cache, content)),
            MountOpKind::Tmpfs { size } => Some(MountedFrom::Tmpfs { size: *size }),
            MountOpKind::Secret { id, access, .. } => {
                SecretPlace::of(options, id).map(|place| MountedFrom::Secret { id: id.clone(), place, access: *access })
            }
            MountOpKind::Agent { id, access, .. } => {
                options.agents.get(id).map(|socket| MountedFrom::Agent { socket: absolute(socket), access: *access })
            }
        };
        let (target, read_only) = (mount.target.clone(), mount.read_only);
        mounts.extend(source.map(|source| FailedMount { number, target, read_only, source }));
    }
    let script = op.script.as_ref().map(|script| FailedMount {
        number: op.mounts.len(),
        target: script.path.clone(),
        read_only: true,
        source: MountedFrom::Script { text: script.text.clone() },
    });
    mounts.extend(script);
    mounts
}

/// Notes the variables of a command that are secrets.
pub(crate) fn record_variables(variables: &[SecretVariable], options: &StepOptions) -> Vec<FailedVariable> {
    let note = |variable: &SecretVariable| {
        let place = SecretPlace::of(options, &variable.id)?;
        Some(FailedVariable { name: variable.name.clone(), id: variable.id.clone(), place })
    };
    variables.iter().filter_map(note).collect()
}

impl SecretPlace {
    fn of(options: &StepOptions, id: &str) -> Option<Self> {
        Some(match options.secrets.get(id)? {
            SecretSource::File(path) => Self::File(absolute(path)),
            SecretSource::Variable { name, .. } => Self::Variable(name.clone()),
        })
    }
}

fn absolute(path: &Path) -> PathBuf {
    // Fails only for an empty path, or where there is no current folder: then it is found no more.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn bound(
    number: usize,
    content: &MountContent,
    store: &Store,
    work: &WorkFolder<'_>,
) -> Result<Option<MountedFrom>, BindTreeError> {
    let MountContent::Files { files, .. } = content else { return Ok(None) };
    let selection = &files.selection;
    Ok(Some(match (&files.layers, &selection.context) {
        (Some((stack, path)), _) => MountedFrom::Layers { layers: stack.diff_ids().to_vec(), path: lossy(path) },
        (None, Some(context)) => MountedFrom::Folder {
            folder: absolute(context.path()),
            path: lossy(&selection.root),
            ignore: context.patterns(),
        },
        // A context that came as a stream is nowhere else.
        (None, None) => {
            let (layer, path) = BindTree::new(store, work, number, files.clone()).store_copy()?;
            MountedFrom::Layers { layers: vec![layer], path: path.to_owned() }
        }
    }))
}

fn cached(cache: &CacheOp, content: &MountContent) -> MountedFrom {
    MountedFrom::Cache { key: cache_key(cache, content.digest()), sharing: cache.sharing }
}

/// Stacks of layers that mounts show, to be held as long as the step is kept.
pub(crate) fn stacks(mounts: &[FailedMount]) -> impl Iterator<Item = &[DiffId]> {
    mounts.iter().filter_map(|mount| match &mount.source {
        MountedFrom::Layers { layers, .. } => Some(layers.as_slice()),
        _ => None,
    })
}

/// Names of folders in a step's working folder that hold what was written to its mounts.
pub(crate) fn written_folders(op: &RunOp) -> Vec<String> {
    let writable = op.mounts.iter().enumerate().filter(|(_, mount)| !mount.read_only);
    writable.flat_map(|(number, _)| BindTree::written_folders(number)).collect()
}

/// What mounts are found again in, and whom to ask and tell.
pub struct Surroundings<'a> {
    /// The store.
    pub store: &'a Store,
    /// For what is made anew.
    pub work: &'a WorkFolder<'a>,
    /// What the command had written.
    pub failure: &'a Failure,
    /// The caller's environment.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
    /// Hears of what is not there any more.
    pub tell: &'a dyn Fn(&str),
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("failure", &self.failure.id).finish_non_exhaustive()
    }
}

/// The mounts and secret variables of a step that failed, found again.
#[derive(Debug)]
pub struct FoundMounts<'a> {
    surroundings: &'a Surroundings<'a>,
    found: Vec<(&'a FailedMount, Found<'a>)>,
    variables: Vec<(String, Secret)>,
}

#[derive(Debug)]
enum Found<'a> {
    Bound { number: usize, files: BoundFiles },
    Cache(Arc<CacheFolder>),
    Folder(OwnedFd),
    Tmpfs(Option<u64>),
    File { content: Secret, access: Access, executable: bool },
    Agent { socket: PathBuf, access: &'a Access },
}

impl<'a> FoundMounts<'a> {
    /// Looks for everything.
    pub fn find(step: &'a FailedStep, surroundings: &'a Surroundings<'a>) -> Self {
        let mut found = Vec::new();
        let caches = RefCell::new(BTreeMap::new());
        for mount in &step.mounts {
            match surroundings.find(mount, &caches) {
                Ok(what) => found.push((mount, what)),
                Err(reason) => (surroundings.tell)(&format!("{} is not mounted: {reason}", mount.target)),
            }
        }
        let mut variables = Vec::new();
        for variable in &step.secret_variables {
            match surroundings.secret(&variable.id, &variable.place) {
                Ok(value) if value.expose().contains(&0) => {}
                Ok(value) => variables.push((variable.name.clone(), value)),
                Err(reason) => (surroundings.tell)(&format!("{} is not set: {reason}", variable.name)),
            }
        }
        Self { surroundings, found, variables }
    }

    /// What to mount.
    pub fn mounts(&self) -> Vec<RunMount<'_>> {
        self.found.iter().map(|(mount, found)| self.mount(mount, found)).collect()
    }

    fn mount<'m>(&'m self, mount: &'m FailedMount, found: &'m Found<'_>) -> RunMount<'m> {
        let Surroundings { store, work, failure, .. } = self.surroundings;
        let source = match found {
            Found::Bound { number, files } => {
                let tree = BindTree::new(store, work, *number, files.clone());
                RunMountSource::Bind(tree.on_top_of(failure))
            }
            Found::Cache(folder) => RunMountSource::Cache(folder.as_fd()),
            Found::Folder(folder) => RunMountSource::Cache(folder.as_fd()),
            Found::Tmpfs(size) => RunMountSource::Tmpfs { size: *size },
            Found::File { content, access: Access { mode, uid, gid }, executable } => RunMountSource::File {
                content: content.clone(),
                mode: *mode,
                uid: *uid,
                gid: *gid,
                executable: *executable,
            },
            Found::Agent { socket, access: Access { mode, uid, gid } } => {
                RunMountSource::Agent { socket, mode: *mode, uid: *uid, gid: *gid }
            }
        };
        RunMount { target: &mount.target, read_only: mount.read_only, source }
    }

    /// Variables that are secrets.
    pub fn variables(&self) -> &[(String, Secret)] {
        &self.variables
    }
}

/// Caches that were taken: a step may have several mounts of one.
type Caches = RefCell<BTreeMap<String, Arc<CacheFolder>>>;

impl Surroundings<'_> {
    fn find<'m>(&self, mount: &'m FailedMount, caches: &Caches) -> Result<Found<'m>, String> {
        let number = mount.number;
        Ok(match &mount.source {
            MountedFrom::Folder { folder, path, ignore } => Found::Bound {
                number,
                files: self.folder(folder, path, ignore).map_err(|error| chain(error.as_ref()))?,
            },
            MountedFrom::Layers { layers, path } => {
                Found::Bound { number, files: self.layers(layers, path).map_err(|error| chain(error.as_ref()))? }
            }
            MountedFrom::Cache { key, sharing } => self.cache(mount, (*key, *sharing), caches)?,
            MountedFrom::Tmpfs { size } => Found::Tmpfs(*size),
            MountedFrom::Secret { id, place, access } => {
                Found::File { content: self.secret(id, place)?, access: *access, executable: false }
            }
            MountedFrom::Script { text } => {
                let access = Access { mode: 0o755, uid: 0, gid: 0 };
                Found::File { content: Secret::new(text.as_bytes()), access, executable: true }
            }
            MountedFrom::Agent { socket, access } => Found::Agent { socket: self.agent(socket)?, access },
        })
    }

    fn folder(&self, folder: &Path, path: &str, ignore: &[String]) -> Result<BoundFiles, Box<dyn std::error::Error>> {
        let ignore = IgnoreFile::from_patterns(ignore.iter().map(String::as_str))?;
        let context = Arc::new(Context::open(self.store, folder, ignore)?);
        let selection = context.select(path.as_bytes(), &Filter::default())?;
        Ok(BoundFiles { selection: Arc::new(selection), layers: None })
    }

    fn layers(&self, layers: &[DiffId], path: &str) -> Result<BoundFiles, Box<dyn std::error::Error>> {
        let stack = Stack::open(self.store, layers)?;
        let tree = stack.tree();
        let node = tree.resolve(path.as_bytes(), true)?.node;
        let node = node.ok_or_else(|| format!("`/{path}` is not in its layers"))?;
        let entries = vec![tree_source::source_entry(&tree, &node, Vec::new())?];
        let name = name(path.as_bytes()).to_vec();
        let selection = Selection { context: None, name, root: Vec::new(), is_unpacked: false, entries };
        Ok(BoundFiles { selection: Arc::new(selection), layers: Some((stack, path.as_bytes().to_vec())) })
    }

    /// The cache, or an empty folder in its place.
    fn cache<'m>(
        &self,
        mount: &FailedMount,
        (key, sharing): (Digest, Sharing),
        caches: &Caches,
    ) -> Result<Found<'m>, String> {
        let mut caches = caches.borrow_mut();
        if let Some(known) = caches.get(&key.hex()) {
            return Ok(Found::Cache(Arc::clone(known)));
        }
        let attempt = self.store.try_cache(key, sharing.usage()).map_err(|error| chain(&error))?;
        let reason = match attempt {
            CacheAttempt::Ready(folder) => {
                let folder = Arc::new(folder);
                caches.insert(key.hex(), Arc::clone(&folder));
                return Ok(Found::Cache(folder));
            }
            CacheAttempt::Missing(_) => "is gone",
            CacheAttempt::Busy => "is in use by a build",
        };
        (self.tell)(&format!("the cache on {} {reason}: an empty folder stands in for it", mount.target));
        let folder =
            self.work.subfolder(&format!("stand-in-{}", mount.number), 0o755).map_err(|error| chain(&error))?;
        Ok(Found::Folder(folder))
    }

    fn secret(&self, id: &str, place: &SecretPlace) -> Result<Secret, String> {
        match place {
            SecretPlace::File(path) => read_secret(path)
                .map_err(|error| format!("cannot read the secret `{id}` from {}: {error}", path.display())),
            SecretPlace::Variable(name) => match (self.lookup)(name) {
                Some(value) => Ok(Secret::new(value)),
                None => Err(format!("the secret `{id}` was in the variable {name}, which is not set now")),
            },
        }
    }

    /// The agent of the build, or that of today.
    fn agent(&self, socket: &Path) -> Result<PathBuf, String> {
        const VARIABLE: &str = "SSH_AUTH_SOCK";
        let answers = |socket: &Path| UnixStream::connect(socket).is_ok();
        if answers(socket) {
            return Ok(socket.to_owned());
        }
        let other = (self.lookup)(VARIABLE).map(PathBuf::from).filter(|socket| answers(socket));
        other.ok_or_else(|| format!("the SSH agent {} is gone, and {VARIABLE} names no other", socket.display()))
    }
}

/// An error and what is behind it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = crate::failure::causes(error);
    std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ")
}
