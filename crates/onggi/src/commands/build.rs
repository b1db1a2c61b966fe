//! `build`.

mod annotations;
mod caches;
mod context;
mod metadata;
mod outputs;
mod steps;
mod view;

pub(super) use steps::ulimit;

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use engine::{
    BuildOptions, BuildOutcome, ContextSource, DockerfileSource, NamedContext, NetworkMode, Runtime, TimeOptions,
};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::build_call;
use crate::cli::build::{BuildArgs, BuildCommand, BuildNetwork, Progress};
use crate::cli::env_list;
use crate::docker_config;
use crate::failure::Failure;
use crate::progress::{self, Display};
use crate::render::problem::Problem;
use crate::session::{self, Session, variable};
use view::{Chosen, Wishes};

/// What the views show as the builder's name: this program, and its only way of building.
const BUILDER: &str = "onggi:default";

/// The variable that stands for the clock (reproducible-builds.org).
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Word for "from standard input".
const STDIN: &str = "-";

pub(super) fn run(args: &BuildArgs, session: &Session) -> Result<u8, Failure> {
    match &args.command {
        Some(BuildCommand::Context(args)) => return context::run(args, session),
        Some(BuildCommand::Debug(args)) => return super::build_debug::run(args, session),
        Some(BuildCommand::Logs(args)) => return super::build_logs::run(args, session),
        None => {}
    }
    if args.context.is_none() {
        session.note("warning: no build context given: using the current folder `.`");
    }
    if let Some(call) = build_call::chosen(args)? {
        return build_call::run(call, &options(args, &variable, &read_stdin, &stdout)?.0, session);
    }
    let chosen = chosen(args, session)?;
    let (options, uses_stdout) = options(args, &variable, &read_stdin, &stdout)?;
    if uses_stdout && (args.quiet || chosen.view == Progress::Classic) {
        let problem = Problem::error("standard output cannot take both an output and what the build says");
        return Err(Failure::new(problem.with_hint("use `--progress quiet --iidfile FILE`")));
    }
    let options = BuildOptions { is_classic: chosen.is_classic, ..options };
    let engine = session.engine()?;
    let display = match chosen.view {
        // Scripts read it there, as they do with Docker.
        Progress::Classic => Display::start(progress::classic(session::stdout()), std::io::stdout()),
        view => Display::start(progress::view(view, session.terminal, session.now, BUILDER), std::io::stderr()),
    };
    let cancelled = cancel_on_interrupt()?;
    let built = engine::build(&engine, &options, &|event| display.send(event), &cancelled);
    let remarks = display.finish();
    if !remarks.is_empty() {
        session.note(remarks.trim_end_matches('\n'));
    }
    report(&built?, args, session)
}

/// Says what was built in all the ways that were asked for.
fn report(built: &BuildOutcome, args: &BuildArgs, session: &Session) -> Result<u8, Failure> {
    let image = built.image.to_string();
    if let Some(path) = &args.output.iidfile {
        std::fs::write(path, &image).map_err(|error| unwritable("the image's ID", path, &error))?;
    }
    if let Some(path) = &args.output.metadata_file {
        std::fs::write(path, metadata::json(built)).map_err(|error| unwritable("the metadata", path, &error))?;
    }
    if args.quiet {
        session.print(&format!("{image}\n"))?;
    }
    Ok(0)
}

fn chosen(args: &BuildArgs, session: &Session) -> Result<Chosen, Failure> {
    let (buildkit_progress, docker_buildkit) = (variable("BUILDKIT_PROGRESS"), variable("DOCKER_BUILDKIT"));
    let wishes = Wishes {
        flag: args.progress,
        is_quiet: args.quiet,
        buildkit_progress: buildkit_progress.as_deref(),
        docker_buildkit: docker_buildkit.as_deref(),
    };
    view::choose(&wishes, session.terminal.is_terminal)
}

/// Set by the first Ctrl-C, so that running steps are killed and finished ones kept; the second one ends us at once.
fn cancel_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    const INTERRUPTED: i32 = 130;
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&cancelled))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&cancelled)))
            .map_err(|error| Failure::new(Problem::error(format!("cannot catch signals: {error}"))))?;
    }
    Ok(cancelled)
}

/// Standard output for data, unless it is a terminal.
fn stdout() -> Result<Option<File>, Failure> {
    let stdout = std::io::stdout();
    if stdout.is_terminal() {
        return Ok(None);
    }
    stdout.as_fd().try_clone_to_owned().map(|stdout| Some(File::from(stdout))).map_err(Failure::Output)
}

/// The engine's options; `lookup` gives the environment's variables, `stdin` all of standard input, `stdout` standard
/// output unless it is a terminal. Also says whether an output goes there.
fn options(
    args: &BuildArgs,
    lookup: &dyn Fn(&str) -> Option<String>,
    stdin: &dyn Fn() -> Result<Vec<u8>, Failure>,
    stdout: &dyn Fn() -> Result<Option<File>, Failure>,
) -> Result<(BuildOptions, bool), Failure> {
    let (context, dockerfile) = source(args, stdin)?;
    let folder = std::env::current_dir().unwrap_or_default();
    let surroundings = outputs::Surroundings { stdout, folder: &folder, allowed: &args.steps.allow };
    let outputs::Outputs { outputs, rewrites_times, uses_stdout } = outputs::outputs(&args.output, &surroundings)?;
    let build_args = args.build_args.iter().map(|text| env_list::variable(text, lookup));
    let build_args = build_args.collect::<Result<Vec<_>, _>>().map_err(|error| wrong("--build-arg", &error))?;
    let mut build_args: Vec<_> = build_args.into_iter().flatten().collect();
    let names: Vec<_> = args.build_args.iter().map(|text| text.split('=').next().unwrap_or(text)).collect();
    build_args.extend(docker_config::proxies(&names, lookup));
    // Handed on from the environment by itself, as buildx does (B093).
    if !build_args.iter().any(|(name, _)| name == SOURCE_DATE_EPOCH) {
        build_args.extend(lookup(SOURCE_DATE_EPOCH).map(|value| (SOURCE_DATE_EPOCH.to_owned(), value)));
    }
    let labels = args.labels.iter().map(|text| env_list::variable(text, &|_| Some(String::new())));
    let labels = labels.collect::<Result<Vec<_>, _>>().map_err(|error| wrong("--label", &error))?;
    let (cache_from, cache_to) = caches::caches(&args.cache)?;
    let options = BuildOptions {
        dockerfile,
        context,
        named_contexts: named_contexts(&args.build_contexts)?,
        tags: args.tags.clone(),
        outputs,
        platforms: super::platforms::platforms(&args.output.platforms)?,
        describes: args.output.metadata_file.is_some(),
        target: args.target.clone(),
        build_args,
        labels: labels.into_iter().flatten().collect(),
        no_cache: args.cache.no_cache,
        cache_from,
        cache_to,
        squash: args.output.squash,
        no_cache_filter: args.cache.no_cache_filter.clone(),
        times: TimeOptions {
            is_reproducible: args.output.reproducible || rewrites_times == Some(true),
            keeps_file_times: rewrites_times == Some(false),
        },
        network: match args.network {
            BuildNetwork::Default => NetworkMode::Bridge,
            BuildNetwork::None => NetworkMode::None,
            BuildNetwork::Host => NetworkMode::Host,
        },
        is_classic: false,
        steps: steps::options(&args.steps, lookup)?,
        explain: args.explain,
        runtime: Runtime::from_name(args.runtime.as_deref()),
        surroundings: session::fetch_surroundings(lookup),
        registries: Some(session::registry_settings(lookup)),
        pull: args.cache.pull,
    };
    Ok((options, uses_stdout))
}

/// Where context and Dockerfile are (S081 to S085; a context of `-` is a tar or, without a context, a Dockerfile).
fn source(
    args: &BuildArgs,
    stdin: &dyn Fn() -> Result<Vec<u8>, Failure>,
) -> Result<(ContextSource, DockerfileSource), Failure> {
    let context = args.context.as_deref().unwrap_or(".");
    let dockerfile = match (args.file.as_deref(), context) {
        (Some(STDIN), STDIN) => {
            let problem = Problem::error("standard input cannot be both the Dockerfile and the context");
            return Err(Failure::new(problem.with_hint("give the context as a folder: `onggi build -f - .`")));
        }
        (Some(STDIN), _) => DockerfileSource::Bytes(stdin()?),
        (Some(url), _) if url.starts_with("http://") || url.starts_with("https://") => {
            DockerfileSource::Url(url.to_owned())
        }
        (Some(path), _) => DockerfileSource::File(PathBuf::from(path)),
        (None, _) => DockerfileSource::Default,
    };
    Ok((context_source(context)?, dockerfile))
}

fn context_source(context: &str) -> Result<ContextSource, Failure> {
    match context {
        STDIN => Ok(ContextSource::Stdin(Arc::new(open_stdin()?))),
        context if engine::is_remote(context) => Ok(ContextSource::Remote(context.to_owned())),
        folder => Ok(ContextSource::Folder(PathBuf::from(folder))),
    }
}

/// `--build-context`, in order.
fn named_contexts(texts: &[String]) -> Result<Vec<NamedContext>, Failure> {
    let read = |text: &String| {
        NamedContext::parse(text).map_err(|error| Failure::new(Problem::error(error.message).with_hint(error.hint)))
    };
    texts.iter().map(read).collect()
}

/// Standard input as a file of our own: how much of it is read is the engine's matter.
fn open_stdin() -> Result<File, Failure> {
    let cloned = std::io::stdin().as_fd().try_clone_to_owned();
    let unreadable = |error: std::io::Error| {
        let problem = Problem::error("cannot read the build context from standard input");
        Failure::new(Problem { causes: vec![error.to_string()], ..problem })
    };
    cloned.map(File::from).map_err(unreadable)
}

fn read_stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let unreadable = |error: std::io::Error| {
        let problem = Problem::error("cannot read the Dockerfile from standard input");
        Failure::new(Problem { causes: vec![error.to_string()], ..problem })
    };
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn wrong(flag: &str, error: &env_list::EnvError) -> Failure {
    Failure::new(Problem::error(format!("{error}")).with_hint(format!("write `{flag} NAME=VALUE`")))
}

fn unwritable(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    let mut problem = Problem::error(format!("cannot write {what} to {}", path.display()));
    problem.causes = vec![error.to_string()];
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        Some(folder) => Failure::new(problem.with_hint(format!("make the folder: `mkdir -p {}`", folder.display()))),
        None => Failure::new(problem),
    }
}

#[cfg(test)]
mod tests;
