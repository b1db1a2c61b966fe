//! `build context`: what a context holds, and why (N004).

use std::sync::atomic::AtomicBool;

use builder::{BuildContext, BuildTools, Document, Reporter};

pub use builder::{ContextEntry, ContextEntryKind, ContextReason};
pub use dockerfile::Rule;

use crate::build::find;
use crate::build::{Opened, open_context};
use crate::executor::BuildExecutor;
use crate::fetcher::Fetcher;
use crate::{ContextSource, DockerfileSource, Engine, Error, ErrorKind, Runtime, StepOptions, Surroundings};

/// Which context is meant.
#[derive(Debug, Clone)]
pub struct ContextOptions {
    /// Where it is.
    pub context: ContextSource,
    /// The Dockerfile, whose own ignore file wins over the context's.
    pub dockerfile: DockerfileSource,
    /// What of the environment fetching depends on.
    pub surroundings: Surroundings,
    /// Secrets and agents, for servers that want to know who asks.
    pub credentials: StepOptions,
}

/// All that a build finds in a context, in the order of the paths.
///
/// # Errors
/// When the context cannot be had, or its ignore file has mistakes.
pub fn list_context(engine: &Engine, options: &ContextOptions) -> Result<Vec<ContextEntry>, Error> {
    let (context, ignore_file) = open(engine, options)?;
    builder::list_context(&context, ignore_file, engine.store()).map_err(|error| Error::from_build(error, "", b""))
}

/// Which line of the ignore file decides over a path of the context.
///
/// # Errors
/// When the context cannot be had, its ignore file has mistakes, or there is nothing of that name.
pub fn explain_in_context(engine: &Engine, options: &ContextOptions, path: &str) -> Result<ContextReason, Error> {
    let (context, ignore_file) = open(engine, options)?;
    builder::explain_in_context(&context, ignore_file, path, engine.store())
        .map_err(|error| Error::from_build(error, "", b""))
}

fn open(engine: &Engine, options: &ContextOptions) -> Result<(BuildContext, Option<Document>), Error> {
    let executor = BuildExecutor::new(engine, Runtime::default().executor(engine.store())?);
    let reporter = Reporter::new(&|_| ());
    let clock = || engine.now();
    let cancelled = AtomicBool::new(false);
    let fetcher = Fetcher::new(&options.surroundings, &options.credentials);
    let tools = BuildTools {
        store: engine.store(),
        executor: &executor,
        fetch: &fetcher,
        secrets: &|id| fetcher.secret(id),
        progress: &reporter,
        clock: &clock,
        cancelled: &cancelled,
    };
    match open_context(&options.context, &[], &tools)? {
        Some(Opened::Context(context)) => {
            let ignore_file = find::ignore_file(&options.dockerfile, &context, &tools)?;
            Ok((context, ignore_file))
        }
        Some(Opened::Dockerfile(_)) | None => {
            let message = "what was given as the build context is a Dockerfile, and holds no files";
            Err(Error::new(ErrorKind::InvalidInput, message).with_hint("give a folder, an archive or a repository"))
        }
    }
}
