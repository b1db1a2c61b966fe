//! The checks of a build: what `dockerfile` needs for them is handed in, what they find is told, and where the
//! Dockerfile wants it so the build ends there.

use dockerfile::{BaseFacts, Checks, Dockerfile, IgnoreFile, LintInput, Surroundings, Warning};
use oci::{ImageConfig, Platform, Reference};

use crate::build::{BuildError, BuildRequest};
use crate::plan::{Base, Plan};
use crate::report::Reporter;
use crate::variables::Arguments;

/// The build argument that counts instead of `# check=`.
const ARGUMENT: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// Checks what plans are about, one for each platform, and tells what was found, each finding once.
pub(crate) fn run(
    request: &BuildRequest,
    reporter: &Reporter<'_>,
    dockerfile: &Dockerfile,
    plans: &[Plan],
    ignore: &IgnoreFile,
) -> Result<(), BuildError> {
    let checks = choice(request, dockerfile)?;
    let mut warnings: Vec<Warning> = Vec::new();
    for plan in plans {
        let needed: Vec<usize> =
            plan.stages.iter().enumerate().filter_map(|(index, stage)| stage.as_ref().map(|_| index)).collect();
        let bases = |index: usize, _: &str| match &plan.stages.get(index)?.as_ref()?.base {
            Base::Image { image, .. } => Some(facts(&image.config)),
            Base::Scratch | Base::Stage(_) => None,
        };
        let found = lint(request, &plan.platform, dockerfile, Some(&needed), ignore, &bases, &checks, false);
        let new: Vec<Warning> = found.into_iter().filter(|warning| !warnings.contains(warning)).collect();
        warnings.extend(new);
    }
    let rules = names(&warnings);
    warnings.into_iter().for_each(|warning| reporter.check(warning));
    match checks.warnings_are_errors && !rules.is_empty() {
        true => Err(BuildError::Checks { rules }),
        false => Ok(()),
    }
}

/// Runs the checks; `bases` says what is known of base images.
#[expect(clippy::too_many_arguments, reason = "what checks look at comes from as many places")]
pub(crate) fn lint(
    request: &BuildRequest,
    platform: &Platform,
    dockerfile: &Dockerfile,
    stages: Option<&[usize]>,
    ignore: &IgnoreFile,
    bases: &dyn Fn(usize, &str) -> Option<BaseFacts>,
    checks: &Checks,
    has_errors: bool,
) -> Vec<Warning> {
    let platform_args = platform_arguments(platform);
    let input = LintInput {
        dockerfile,
        stages,
        around: Surroundings { build_args: &request.build_args, platform_args: &platform_args, bases },
        target_platform: &platform.to_string(),
        ignore_file: Some(ignore),
        is_image_name: &is_image_name,
        has_errors,
    };
    dockerfile::lint(&input, checks)
}

/// Which checks run, and what comes of their findings: the build argument's word, or else the directive's.
pub(crate) fn choice(request: &BuildRequest, dockerfile: &Dockerfile) -> Result<Checks, BuildError> {
    let given = request.build_args.iter().rev().find(|(name, _)| name == ARGUMENT);
    match given {
        Some((_, value)) => Checks::parse(value).map_err(|error| BuildError::CheckOption { option: error.0 }),
        None => Ok(dockerfile.directives.check.clone().unwrap_or_default()),
    }
}

/// Arguments that are there before the first ARG.
pub(crate) fn platform_arguments(platform: &Platform) -> Vec<(String, String)> {
    Arguments::new(&[], platform, &Platform::host()).global.into_iter().collect()
}

/// What a stage takes over from an image.
pub(crate) fn facts(config: &ImageConfig) -> BaseFacts {
    let variant = config.variant.as_ref().map_or_else(String::new, |variant| format!("/{variant}"));
    BaseFacts {
        env: config.config.env.clone(),
        has_shell: !config.config.shell.is_empty(),
        on_build: config.config.on_build.clone(),
        platform: format!("{}/{}{variant}", config.os, config.architecture),
    }
}

/// Whether a base could be called that. An ID can be a base too; no default is one.
fn is_image_name(name: &str) -> bool {
    name.parse::<Reference>().is_ok()
}

/// Names of the rules that were broken, each once.
fn names(warnings: &[Warning]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for warning in warnings {
        if !names.contains(&warning.rule.name) {
            names.push(warning.rule.name);
        }
    }
    names
}
