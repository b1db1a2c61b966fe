//! `build`: a Dockerfile and a context become an image.

mod built_in;
pub(crate) mod find;
mod outcome;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use builder::{
    BuildContext, BuildError, BuildRequest, BuildTools, ClassicRequest, OpenedStream, Remote, RemoteError, Reporter,
    RunNetwork,
};

pub use builder::{
    ArchiveDestination, ArchiveOutput, CacheExport, CacheImport, CacheMode, DEFAULT_CACHE_TAG, Destination,
    FolderOutput, HostAddress, ImageOutput, LARGEST_SECRET, NamedContext, Output, RunLimits, RunResources, Secret,
    SecretSource, StepOptions, TarOutput, TimeOptions, Ulimit, parse_memory_size,
};
pub use fetch::Surroundings;
use find::Found;
pub use outcome::BuildOutcome;

use crate::build_log::{BuildRecord, Recorder};
use crate::executor::BuildExecutor;
use crate::fetcher::Fetcher;
use crate::network::NetworkMode;
use crate::progress::Event;
use crate::tag::new_name;
use crate::{Engine, Error, ErrorKind, Platform, Runtime};

/// What `build` was asked for.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Where the Dockerfile is.
    pub dockerfile: DockerfileSource,
    /// Where the context is.
    pub context: ContextSource,
    /// What stands in the place of stages and images.
    pub named_contexts: Vec<NamedContext>,
    /// Names for the image.
    pub tags: Vec<String>,
    /// What becomes of the result; an image of the store if this is empty.
    pub outputs: Vec<Output>,
    /// Say of an image of the store what its manifest would be.
    pub describes: bool,
    /// What to build for; this machine if this is empty.
    pub platforms: Vec<Platform>,
    /// Stage to stop at.
    pub target: Option<String>,
    /// Build arguments with their values.
    pub build_args: Vec<(String, String)>,
    /// Labels to add.
    pub labels: Vec<(String, String)>,
    /// Run every step again.
    pub no_cache: bool,
    /// Caches that are asked for results that the store has not.
    pub cache_from: Vec<CacheImport>,
    /// Folders that results are written to.
    pub cache_to: Vec<CacheExport>,
    /// One layer in the place of all that the build makes.
    pub squash: bool,
    /// Stages whose steps are run again.
    pub no_cache_filter: Vec<String>,
    /// Which times are written.
    pub times: TimeOptions,
    /// Network of RUN.
    pub network: NetworkMode,
    /// An image for each instruction, told as the classic builder does.
    pub is_classic: bool,
    /// Secrets, agents, hosts, limits and permissions of RUN.
    pub steps: StepOptions,
    /// Say why steps were not cached.
    pub explain: bool,
    /// Which runtime runs the steps.
    pub runtime: Runtime,
    /// What of the environment fetching depends on.
    pub surroundings: Surroundings,
    /// What says where registries are; `None` asks none.
    pub registries: Option<registry::config::Settings>,
    /// Registries are asked for newer base images than those that are here.
    pub pull: bool,
}

/// Where a context comes from.
#[derive(Debug, Clone)]
pub enum ContextSource {
    /// There is none.
    None,
    /// A folder.
    Folder(PathBuf),
    /// `-`: a tar of the context, or a Dockerfile alone.
    Stdin(Arc<File>),
    /// A git repository, an archive or a Dockerfile of a server.
    Remote(String),
}

impl ContextSource {
    /// For the build's log: the folder wherever one stands later.
    fn shown(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Folder(folder) => {
                Some(std::path::absolute(folder).unwrap_or_else(|_| folder.clone()).display().to_string())
            }
            Self::Stdin(_) => Some("-".to_owned()),
            Self::Remote(text) => Remote::parse_context(text).ok().map(|remote| remote.shown()),
        }
    }
}

/// Where a Dockerfile comes from.
#[derive(Debug, Clone)]
pub enum DockerfileSource {
    /// `Dockerfile` in the context, or `dockerfile` (S084).
    Default,
    /// `-f PATH`, from the current folder.
    File(PathBuf),
    /// `-f -`: its bytes.
    Bytes(Vec<u8>),
    /// `-f URL`.
    Url(String),
}

/// Builds an image.
///
/// # Errors
/// Mistakes of the Dockerfile come all at once, with their places.
pub fn build(
    engine: &Engine,
    options: &BuildOptions,
    progress: &(dyn Fn(Event) + Sync),
    cancelled: &AtomicBool,
) -> Result<BuildOutcome, Error> {
    let tags = options.tags.iter().map(|tag| new_name(tag)).collect::<Result<Vec<_>, _>>()?;
    let executor = BuildExecutor::new(engine, options.runtime.executor(engine.store())?);
    let clock = || engine.now();
    let about = BuildRecord {
        context: options.context.shown(),
        target: options.target.clone(),
        tags: options.tags.clone(),
        ..BuildRecord::begun(engine.now())
    };
    let recorder = Recorder::new(engine, about, progress);
    let progress = |event| recorder.take(event);
    let reporter = Reporter::new(&progress);
    let fetcher = Fetcher::new(&options.surroundings, &options.steps).with_images(engine, options.registries.as_ref());
    let tools = BuildTools {
        store: engine.store(),
        executor: &executor,
        fetch: &fetcher,
        secrets: &|id| fetcher.secret(id),
        progress: &reporter,
        clock: &clock,
        cancelled,
    };
    let (context, found) = open(options, &tools)?;
    let dockerfile_path = options.is_classic.then(|| find::path_in_context(options, &found.dockerfile.name)).flatten();
    let classic = options.is_classic.then_some(ClassicRequest { dockerfile_path });
    let build_args = built_in::with_time_of_context(&options.build_args, context.as_ref())?;
    let hostname = built_in::hostname(&build_args)?;
    let plain = request(options, context, found);
    let run = StepOptions { hostname, ..plain.run };
    let request = BuildRequest { tags, classic, build_args, run, ..plain };
    recorder.name_dockerfile(&request.dockerfile_name);
    let built = builder::build(&request, &tools).map_err(|error| {
        let code = exit_code(&error).filter(|_| options.is_classic);
        let error = engine.with_remedy(Error::from_build(error, &request.dockerfile_name, &request.dockerfile));
        // A classic build ends as the command did.
        match code {
            Some(code) => error.with_exit_code(code),
            None => error,
        }
    });
    let kept = recorder.finish(built.as_ref().map(|built| &built.image));
    let built = built.map_err(|error| match kept {
        Some((build, step)) => {
            error.with_further_hint(format!("`onggi build logs {build} {step}` shows all of its output"))
        }
        None => error,
    })?;
    BuildOutcome::new(engine, options, &request, built, recorder.log())
}

/// How the command of a RUN ended.
fn exit_code(error: &BuildError) -> Option<u8> {
    match error {
        BuildError::Step { exit_code, .. } => *exit_code,
        _ => None,
    }
}

/// The builder's request, without names for the result.
pub(crate) fn request(options: &BuildOptions, context: Option<BuildContext>, found: Found) -> BuildRequest {
    BuildRequest {
        dockerfile_name: found.dockerfile.name,
        dockerfile: found.dockerfile.bytes,
        context,
        named_contexts: options.named_contexts.clone(),
        ignore_file: found.ignore_file,
        tags: Vec::new(),
        outputs: options.outputs.clone(),
        platforms: options.platforms.clone(),
        target: options.target.clone(),
        build_args: options.build_args.clone(),
        labels: options.labels.clone(),
        no_cache: options.no_cache,
        cache_from: options.cache_from.clone(),
        cache_to: options.cache_to.clone(),
        squash: options.squash,
        no_cache_filter: options.no_cache_filter.clone(),
        times: options.times,
        network: match &options.network {
            // Builds know no others.
            NetworkMode::Bridge | NetworkMode::Container(_) | NetworkMode::Named(_) => RunNetwork::Default,
            NetworkMode::None => RunNetwork::None,
            NetworkMode::Host => RunNetwork::Host,
        },
        classic: None,
        run: options.steps.clone(),
        explain: options.explain,
        pull: options.pull,
    }
}

/// Opens the context and finds the Dockerfile, which may be in it.
pub(crate) fn open(options: &BuildOptions, tools: &BuildTools<'_>) -> Result<(Option<BuildContext>, Found), Error> {
    let context = match open_context(&options.context, &options.build_args, tools)? {
        None => None,
        Some(Opened::Context(context)) => Some(context),
        Some(Opened::Dockerfile(text)) => return Ok((None, find::alone(options, text)?)),
    };
    let found = find::dockerfile(&options.dockerfile, context.as_ref(), tools)?;
    Ok((context, found))
}

/// What stood where a context is.
pub(crate) enum Opened {
    Context(BuildContext),
    /// A Dockerfile alone.
    Dockerfile(Vec<u8>),
}

pub(crate) fn open_context(
    source: &ContextSource,
    build_args: &[(String, String)],
    tools: &BuildTools<'_>,
) -> Result<Option<Opened>, Error> {
    let opened = match source {
        ContextSource::None => return Ok(None),
        ContextSource::Folder(folder) => return Ok(Some(Opened::Context(BuildContext::Folder(folder.clone())))),
        ContextSource::Stdin(input) => builder::open_stdin(input, tools),
        ContextSource::Remote(text) => {
            let remote = Remote::parse_context(text).map_err(wrong_remote)?;
            builder::open_remote(&remote, built_in::keeps_git_dir(&remote, build_args), tools)
        }
    };
    Ok(Some(match opened.map_err(|error| Error::from_build(error, "", b""))? {
        OpenedStream::Context(tree) => Opened::Context(BuildContext::Tree(tree)),
        OpenedStream::Dockerfile(text) => Opened::Dockerfile(text),
    }))
}

/// Whether a context is meant to come from a server. A folder of such a name is written with `./` before it.
pub fn is_remote(context: &str) -> bool {
    Remote::is_meant_as_context(context)
}

fn wrong_remote(error: RemoteError) -> Error {
    Error::new(ErrorKind::InvalidInput, error.message).with_hint(error.hint)
}
