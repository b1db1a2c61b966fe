//! `build --call`: what a Dockerfile can be asked without being built.

use std::sync::atomic::AtomicBool;

use builder::{BuildError, BuildRequest, BuildTools, Reporter};

use crate::build::{BuildOptions, open, request};
use crate::executor::BuildExecutor;
use crate::fetcher::Fetcher;
use crate::{Engine, Error, SourceText};

pub use dockerfile::{Location, Outline, OutlineArg, OutlineMount, Target, Warning};

/// An answer, with the Dockerfile that it is about.
#[derive(Debug)]
pub struct Answer<T> {
    /// What was asked for.
    pub found: T,
    /// The Dockerfile.
    pub source: SourceText,
}

/// What the checks say.
#[derive(Debug)]
pub struct CheckReport {
    /// Findings of the checks, in the order of the file.
    pub warnings: Vec<Warning>,
    /// Mistakes, for which there would be no build.
    pub error: Option<Error>,
}

/// Runs the checks on a Dockerfile, and looks for mistakes.
///
/// # Errors
/// When the Dockerfile cannot be had, or an option is wrong. Mistakes of the Dockerfile are part of the answer.
pub fn check(engine: &Engine, options: &BuildOptions) -> Result<Answer<CheckReport>, Error> {
    ask(engine, options, |request| {
        let report = builder::check(request, engine.store())?;
        let has_problems = !report.problems.is_empty();
        let error = has_problems.then(|| {
            let error = BuildError::Dockerfile(report.problems);
            Error::from_build(error, &request.dockerfile_name, &request.dockerfile)
        });
        Ok(CheckReport { warnings: report.warnings, error })
    })
}

/// What a target can be given.
///
/// # Errors
/// When the Dockerfile cannot be had or has mistakes, or there is no such target.
pub fn outline(engine: &Engine, options: &BuildOptions) -> Result<Answer<Outline>, Error> {
    ask(engine, options, |request| builder::outline(request, engine.store()))
}

/// Which targets there are.
///
/// # Errors
/// When the Dockerfile cannot be had or has mistakes.
pub fn targets(engine: &Engine, options: &BuildOptions) -> Result<Answer<Vec<Target>>, Error> {
    ask(engine, options, builder::targets)
}

fn ask<T>(
    engine: &Engine,
    options: &BuildOptions,
    question: impl FnOnce(&BuildRequest) -> Result<T, BuildError>,
) -> Result<Answer<T>, Error> {
    let executor = BuildExecutor::new(engine, options.runtime.executor(engine.store())?);
    let reporter = Reporter::new(&|_| ());
    let clock = || engine.now();
    let cancelled = AtomicBool::new(false);
    let fetcher = Fetcher::new(&options.surroundings, &options.steps);
    let tools = BuildTools {
        store: engine.store(),
        executor: &executor,
        fetch: &fetcher,
        secrets: &|id| fetcher.secret(id),
        progress: &reporter,
        clock: &clock,
        cancelled: &cancelled,
    };
    let (context, found) = open(options, &tools)?;
    let request = request(options, context, found);
    let found =
        question(&request).map_err(|error| Error::from_build(error, &request.dockerfile_name, &request.dockerfile))?;
    Ok(Answer { found, source: SourceText { name: request.dockerfile_name, text: request.dockerfile } })
}
