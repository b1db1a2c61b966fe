//! What a RUN step has mounted, made ready: content found, secrets read, caches taken.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use layer::LayerWriter;
use oci::Digest;
use rustix::fs::Mode;
use store::{CacheAttempt, CacheFolder, CacheUse, Store, WorkFolder};

use crate::bind_tree::{BindTree, BoundFiles};
use crate::build::{BuildError, BuildTools};
use crate::context::Context;
use crate::copy::{self, CopyError};
use crate::executor::{RunMount, RunMountSource};
use crate::failure::{causes, internal};
use crate::plan::{CacheOp, MountOp, MountOpKind, Problem, RunOp, Sharing};
use crate::report::Step;
use crate::source::Selection;
use crate::step_options::{LARGEST_SECRET, Secret, SecretSource, StepOptions};

/// What a mount begins with, found while the step's key was made.
#[derive(Debug, Clone)]
pub(crate) enum MountContent {
    /// Nothing.
    Empty,
    /// Files, with the digest of all that can be seen of them.
    Files { files: BoundFiles, digest: Digest },
}

impl MountContent {
    pub(crate) fn digest(&self) -> Option<Digest> {
        match self {
            Self::Empty => None,
            Self::Files { digest, .. } => Some(*digest),
        }
    }

    fn selection(&self) -> Option<&Arc<Selection>> {
        match self {
            Self::Empty => None,
            Self::Files { files, .. } => Some(&files.selection),
        }
    }

    /// What it takes of a folder of this machine, which may change.
    pub(crate) fn of_folder(&self) -> Option<(&Arc<Context>, &Arc<Selection>)> {
        let selection = self.selection()?;
        Some((selection.context.as_ref()?, selection))
    }
}

impl MountOp {
    /// A cache is a folder, so it begins as one.
    pub(crate) fn check_content(&self, content: MountContent) -> Result<MountContent, BuildError> {
        let is_file = content.selection().is_some_and(|selection| !selection.is_folder());
        if is_file && matches!(self.kind, MountOpKind::Cache(_)) {
            let problem = Problem::error(self.span, "a cache cannot begin with a single file");
            return Err(failed(problem.with_help("name its folder in `source=`"), Vec::new()));
        }
        Ok(content)
    }
}

/// Everything that is held while the command runs.
pub(crate) struct Prepared<'a> {
    pub(crate) mounts: Vec<RunMount<'a>>,
    pub(crate) secret_env: Vec<(String, Secret)>,
}

/// Caches of a step, by the number of their mount; several mounts may be of one cache.
pub(crate) struct Caches {
    folders: Vec<(Vec<usize>, CacheFolder)>,
}

impl Caches {
    /// Takes all caches of a step, in an order that is the same in every build: nobody waits in a circle.
    pub(crate) fn take(
        tools: &BuildTools<'_>,
        op: &RunOp,
        contents: &[MountContent],
        work: &WorkFolder<'_>,
        step: Step<'_, '_>,
    ) -> Result<Self, BuildError> {
        let mut wanted: Vec<Wanted<'_>> = Vec::new();
        for (number, (mount, content)) in op.mounts.iter().zip(contents).enumerate() {
            let MountOpKind::Cache(cache) = &mount.kind else { continue };
            let description = describe(cache, content.digest());
            let key = Digest::of(description.as_bytes());
            match wanted.iter_mut().find(|other| other.key == key) {
                Some(other) => {
                    other.numbers.push(number);
                    other.sharing = other.sharing.max(cache.sharing);
                }
                None => wanted.push(Wanted {
                    key,
                    description,
                    numbers: vec![number],
                    sharing: cache.sharing,
                    cache,
                    content,
                    mount,
                }),
            }
        }
        wanted.sort_by_key(|wanted| wanted.key.hex());
        let mut folders = Vec::new();
        for wanted in wanted {
            let folder = wanted.take(tools, work, step)?;
            folders.push((wanted.numbers, folder));
        }
        Ok(Self { folders })
    }

    fn of(&self, number: usize) -> Option<&CacheFolder> {
        self.folders.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, folder)| folder)
    }
}

struct Wanted<'a> {
    key: Digest,
    description: String,
    numbers: Vec<usize>,
    sharing: Sharing,
    cache: &'a CacheOp,
    content: &'a MountContent,
    mount: &'a MountOp,
}

/// What tells caches apart. As in BuildKit it is more than the ID: one that is to begin otherwise is another one.
fn describe(cache: &CacheOp, initial: Option<Digest>) -> String {
    let initial = initial.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
    let number = |number: Option<u32>| number.unwrap_or(0);
    let mode = cache.mode.unwrap_or(0o755);
    format!(
        "id {}\nmode {mode:o}\nuid {}\ngid {}\nfrom {initial}\n",
        escaped(&cache.id),
        number(cache.uid),
        number(cache.gid)
    )
}

/// Names a cache in the store.
pub(crate) fn cache_key(cache: &CacheOp, initial: Option<Digest>) -> Digest {
    Digest::of(describe(cache, initial).as_bytes())
}

/// One line.
fn escaped(id: &str) -> String {
    id.replace('\\', "\\\\").replace('\n', "\\n")
}

impl Sharing {
    pub(crate) fn usage(self) -> CacheUse {
        match self {
            Self::Shared => CacheUse::Shared,
            Self::Private => CacheUse::Private,
            Self::Locked => CacheUse::Locked,
        }
    }
}

impl Wanted<'_> {
    fn take(
        &self,
        tools: &BuildTools<'_>,
        work: &WorkFolder<'_>,
        step: Step<'_, '_>,
    ) -> Result<CacheFolder, BuildError> {
        let usage = self.sharing.usage();
        let mut pause = Duration::from_millis(1);
        let mut attempts = 0;
        loop {
            match tools.store.try_cache(self.key, usage)? {
                CacheAttempt::Ready(folder) => return Ok(folder),
                CacheAttempt::Missing(number) => {
                    attempts += 1;
                    let name = format!("cache-{}-{attempts}", self.numbers[0]);
                    self.fill(tools.store, work, &name)?;
                    tools.store.add_cache(self.key, number, &self.description, work, &name)?;
                }
                CacheAttempt::Busy => {
                    if tools.cancelled.load(Ordering::Relaxed) {
                        return Err(BuildError::Cancelled);
                    }
                    if pause == Duration::from_millis(1) {
                        step.status(format!("waiting for the cache on {}, which another step uses", self.mount.target));
                    }
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
            }
        }
    }

    /// Makes the folder of a new cache.
    fn fill(&self, store: &Store, work: &WorkFolder<'_>, name: &str) -> Result<(), BuildError> {
        store.want_identities()?;
        let folder = work.subfolder(name, self.cache.mode.unwrap_or(0o755))?;
        if let Some(selection) = self.content.selection() {
            let failed = |error: CopyError| crate::failure::copy_problem(self.mount.span, &error);
            let sink = store.layer_sink()?;
            let doing = "fill a new cache";
            let tar = sink.file().map_err(|error| internal(doing, &error))?;
            let mut writer = LayerWriter::new(tar.try_clone().map_err(|error| internal(doing, &error))?);
            copy::write_alone(selection, b"", &mut writer).map_err(failed)?;
            let finished = writer.finish().map_err(|error| internal(doing, &error))?;
            let index = layer::Index::from_bytes(finished.index).map_err(|error| internal(doing, &error))?;
            let layer = layer::Layer { index: Arc::new(index), tar: Arc::new(tar) };
            layer::extract(&layer, folder.as_fd(), &layer::ExtractOptions { user_xattrs: store.user_xattrs() })
                .map_err(|error| internal(doing, &error))?;
        }
        let Some((mode, uid, gid)) = self.root() else { return Ok(()) };
        if (uid, gid) != (0, 0) {
            store.want_identities()?;
        }
        // Without root, as in tests of planning, the folder stays ours.
        if (uid, gid) != (0, 0) || rustix::process::geteuid().is_root() {
            layer::give(folder.as_fd(), uid, gid).map_err(|error| internal("give a new cache its owner", &error))?;
        }
        rustix::fs::fchmod(&folder, Mode::from_raw_mode(mode))
            .map_err(|error| internal("give a new cache its mode", &error))
    }

    /// Mode and owner of the folder; `None` if they are those of the files that it begins with.
    fn root(&self) -> Option<(u32, u32, u32)> {
        let CacheOp { mode, uid, gid, .. } = *self.cache;
        let is_said = mode.is_some() || uid.is_some() || gid.is_some();
        let is_filled = self.content.selection().is_some();
        (is_said || !is_filled).then(|| (mode.unwrap_or(0o755), uid.unwrap_or(0), gid.unwrap_or(0)))
    }
}

/// Makes the mounts of a step ready. Secrets and agents that nobody gave, and that nobody requires, are left out.
pub(crate) fn prepare<'a>(
    store: &'a Store,
    options: &'a StepOptions,
    op: &'a RunOp,
    contents: &[MountContent],
    caches: &'a Caches,
    work: &'a WorkFolder<'a>,
) -> Result<Prepared<'a>, BuildError> {
    let mut mounts = Vec::new();
    for (number, (mount, content)) in op.mounts.iter().zip(contents).enumerate() {
        let source = match (&mount.kind, content) {
            (MountOpKind::Bind(_), MountContent::Files { files, .. }) => {
                RunMountSource::Bind(BindTree::new(store, work, number, files.clone()))
            }
            (MountOpKind::Bind(_), MountContent::Empty) => continue,
            (MountOpKind::Cache(_), _) => {
                let folder = caches.of(number).expect("all caches of the step were taken");
                RunMountSource::Cache(folder.as_fd())
            }
            (MountOpKind::Tmpfs { size }, _) => RunMountSource::Tmpfs { size: *size },
            (MountOpKind::Secret { id, access, .. }, _) => {
                let Some(content) = secret(options, id, mount.span)? else { continue };
                let (mode, uid, gid) = (access.mode, access.uid, access.gid);
                RunMountSource::File { content, mode, uid, gid, executable: false }
            }
            (MountOpKind::Agent { id, access, .. }, _) => {
                let Some(socket) = options.agents.get(id) else { continue };
                let (mode, uid, gid) = (access.mode, access.uid, access.gid);
                RunMountSource::Agent { socket: socket.as_path(), mode, uid, gid }
            }
        };
        mounts.push(RunMount { target: &mount.target, read_only: mount.read_only, source });
    }
    if let Some(script) = &op.script {
        let content = Secret::new(script.text.as_bytes());
        let source = RunMountSource::File { content, mode: 0o755, uid: 0, gid: 0, executable: true };
        mounts.push(RunMount { target: &script.path, read_only: true, source });
    }
    let mut secret_env = Vec::new();
    for variable in &op.secret_variables {
        if let Some(value) = secret(options, &variable.id, variable.span)? {
            if value.expose().contains(&0) {
                let message = format!("the secret `{}` has a NUL byte in it, which no variable can hold", variable.id);
                let problem = Problem::error(variable.span, message);
                let help = format!("mount it as a file: `--mount=type=secret,id={}`", variable.id);
                return Err(failed(problem.with_help(help), Vec::new()));
            }
            secret_env.push((variable.name.clone(), value));
        }
    }
    Ok(Prepared { mounts, secret_env })
}

/// A step that is taken from the cache asks for nothing; one that runs gets all that it requires, or does not run.
pub(crate) fn check_given(options: &StepOptions, op: &RunOp) -> Result<(), BuildError> {
    let secrets = op.mounts.iter().filter_map(|mount| match &mount.kind {
        MountOpKind::Secret { id, is_required: true, .. } => Some((id, mount.span)),
        _ => None,
    });
    let variables = op.secret_variables.iter().filter(|variable| variable.is_required);
    let mut secrets = secrets.chain(variables.map(|variable| (&variable.id, variable.span)));
    if let Some((id, span)) = secrets.find(|(id, _)| !options.secrets.contains_key(*id)) {
        let problem = Problem::error(span, format!("the secret `{id}` was not given"));
        let help = format!("build with `--secret id={id},src=FILE`, or with `env=VARIABLE`");
        return Err(failed(problem.with_help(help), Vec::new()));
    }
    let mut agents = op.mounts.iter().filter_map(|mount| match &mount.kind {
        MountOpKind::Agent { id, is_required: true, .. } => Some((id, mount.span)),
        _ => None,
    });
    if let Some((id, span)) = agents.find(|(id, _)| !options.agents.contains_key(*id)) {
        let flag = if id == "default" { "--ssh default".to_owned() } else { format!("--ssh {id}=$SSH_AUTH_SOCK") };
        let problem = Problem::error(span, format!("the SSH agent `{id}` was not given"));
        let help = format!("build with `{flag}`; `eval $(ssh-agent)` starts an agent");
        return Err(failed(problem.with_help(help), Vec::new()));
    }
    Ok(())
}

/// The value of a secret, read now; `None` if it was not given.
fn secret(options: &StepOptions, id: &str, span: dockerfile::Span) -> Result<Option<Secret>, BuildError> {
    let value = match options.secrets.get(id) {
        None => return Ok(None),
        Some(SecretSource::Variable { value, .. }) => value.clone(),
        Some(SecretSource::File(path)) => read_secret(path).map_err(|error| {
            let problem = Problem::error(span, format!("cannot read the secret `{id}` from {}", path.display()));
            let problem = problem.with_help(format!("check the file of `--secret id={id},src={}`", path.display()));
            failed(problem, [vec![error.to_string()], causes(&error)].concat())
        })?,
    };
    if value.expose().len() > LARGEST_SECRET {
        let problem = Problem::error(span, format!("the secret `{id}` is larger than {LARGEST_SECRET} bytes"));
        return Err(failed(problem.with_help("bring large files in with a bind mount"), Vec::new()));
    }
    Ok(Some(value))
}

/// At most a byte more than is allowed.
pub(crate) fn read_secret(path: &Path) -> std::io::Result<Secret> {
    use std::io::Read as _;
    let mut value = Vec::new();
    std::fs::File::open(path)?.take(LARGEST_SECRET as u64 + 1).read_to_end(&mut value)?;
    Ok(Secret::new(value))
}

fn failed(problem: Problem, causes: Vec<String>) -> BuildError {
    BuildError::Step { problem, causes, exit_code: None, kept: None }
}
