//! What a Dockerfile can be asked without being built: its checks, what a target can be given, which targets there are.
//!
//! Nothing runs and nothing is written. Base images that are not in the store do not matter: what they would add is
//! taken as not known.

use std::cell::RefCell;
use std::collections::HashMap;

use dockerfile::{BaseFacts, Dockerfile, Outline, Surroundings, Target, Warning};
use oci::{Digest, ImageConfig, ImageId, Platform};
use store::Store;

use crate::build::{BuildError, BuildRequest, canonical, stored_image};
use crate::checks;
use crate::epoch;
use crate::ignore_file;
use crate::named;
use crate::plan::{BaseImage, FindImage, ImageFailure, Planner, Problem};

/// What the checks found.
#[derive(Debug)]
pub struct CheckReport {
    /// Findings of the checks.
    pub warnings: Vec<Warning>,
    /// Mistakes, for which there would be no build.
    pub problems: Vec<Problem>,
}

/// Looks for mistakes, and for what the checks find; in all stages unless a target is named.
///
/// # Errors
/// When the ignore file, an option of the checks or the target is wrong.
pub fn check(request: &BuildRequest, store: &Store) -> Result<CheckReport, BuildError> {
    epoch::check(&request.build_args)?;
    let ignore = ignore_file::find(request).map_err(BuildError::from).and_then(ignore_file::parse)?;
    let parsed = named::parse(request);
    let dockerfile = &parsed.dockerfile;
    let choice = checks::choice(request, dockerfile)?;
    let has_errors = parsed.has_errors();
    let target = match request.target.as_deref().filter(|_| !has_errors) {
        Some(name) => Some(dockerfile.target(Some(name)).map_err(BuildError::Target)?),
        None => None,
    };
    let images = Images { store, known: RefCell::default() };
    let platform = request.first_platform();
    let find = |name: &str, platform: &Platform| {
        images.find(name).map(|found| Some(found.unwrap_or_else(|| stand_in(platform))))
    };
    let planner = planner(request, dockerfile, &platform, &find);
    let mut problems: Vec<Problem> = parsed.diagnostics.into_iter().map(Problem::from).collect();
    if !has_errors {
        problems.extend(planning_problems(&planner, &request.dockerfile, target, &images));
    }
    let bases = |_: usize, name: &str| images.facts(name);
    let stages = target.map(|target| planner.needed(target));
    let warnings =
        checks::lint(request, &platform, dockerfile, stages.as_deref(), &ignore, &bases, &choice, has_errors);
    Ok(CheckReport { warnings, problems })
}

/// What a target can be given.
///
/// # Errors
/// When the Dockerfile has mistakes, or the target is none.
pub fn outline(request: &BuildRequest, store: &Store) -> Result<Outline, BuildError> {
    let dockerfile = parse(request)?;
    let target = dockerfile.target(request.target.as_deref()).map_err(BuildError::Target)?;
    let images = Images { store, known: RefCell::default() };
    let platform_args = checks::platform_arguments(&request.first_platform());
    let bases = |_: usize, name: &str| images.facts(name);
    let around = Surroundings { build_args: &request.build_args, platform_args: &platform_args, bases: &bases };
    Ok(dockerfile::outline(&dockerfile, target, around))
}

/// All targets.
///
/// # Errors
/// When the Dockerfile has mistakes.
pub fn targets(request: &BuildRequest) -> Result<Vec<Target>, BuildError> {
    Ok(dockerfile::targets(&parse(request)?))
}

fn parse(request: &BuildRequest) -> Result<Dockerfile, BuildError> {
    let parsed = named::parse(request);
    match parsed.has_errors() {
        true => Err(BuildError::Dockerfile(parsed.diagnostics.into_iter().map(Problem::from).collect())),
        false => Ok(parsed.dockerfile),
    }
}

/// What planning finds wrong, as far as it can be known.
fn planning_problems(planner: &Planner<'_>, text: &[u8], target: Option<usize>, images: &Images<'_>) -> Vec<Problem> {
    let unknown = planner.unknown_bases(&|name| images.find(name).is_ok_and(|found| found.is_some()));
    let stages = &planner.dockerfile.stages;
    let is_certain = |problem: &Problem| {
        let stage = stages.iter().rposition(|stage| stage.span.start <= problem.span.start);
        let place = text.get(problem.span.start..problem.span.end).unwrap_or_default();
        // A variable may be one that the image brings along.
        stage.is_none_or(|stage| unknown.get(stage) == Some(&false)) || !place.contains(&b'$')
    };
    let mut problems = planner.problems(target);
    problems.retain(is_certain);
    problems
}

fn planner<'a>(
    request: &'a BuildRequest,
    dockerfile: &'a Dockerfile,
    platform: &'a Platform,
    find: FindImage<'a>,
) -> Planner<'a> {
    Planner {
        no_cache_filter: &[],
        dockerfile,
        build_args: &request.build_args,
        labels: &request.labels,
        platform,
        shows_platform: false,
        network: request.network,
        times: request.times,
        is_classic: false,
        run: None,
        find_image: find,
        named: &request.named_contexts,
        find_layout: &|_, _, _| Ok(stand_in(&Platform::host())),
        // It is not asked for: every image is found.
        similar_image: &|_| None,
    }
}

/// An image in the place of one that is not there: it can be planned with, and nothing else.
fn stand_in(platform: &Platform) -> BaseImage {
    let nothing = Digest::of(b"");
    BaseImage { id: ImageId(nothing), config: ImageConfig::scratch(platform), manifest: nothing }
}

/// Images of the store, each looked up once.
struct Images<'a> {
    store: &'a Store,
    known: RefCell<HashMap<String, Result<Option<BaseImage>, ImageFailure>>>,
}

impl Images<'_> {
    fn find(&self, name: &str) -> Result<Option<BaseImage>, ImageFailure> {
        let mut known = self.known.borrow_mut();
        known.entry(canonical(name)).or_insert_with(|| stored_image(self.store, name)).clone()
    }

    fn facts(&self, name: &str) -> Option<BaseFacts> {
        Some(checks::facts(&self.find(name).ok()??.config))
    }
}
