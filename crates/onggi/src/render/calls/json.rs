//! The JSON of BuildKit's subrequests (`frontend/subrequests` in moby/buildkit): names, order and what is left out.

use engine::calls::{Answer, Location, Outline, OutlineArg, OutlineMount, Target, Warning};
use engine::{Error, SourceText};
use serde::Serialize;

use super::{METHODS, VERSION};
use crate::ui::base64::base64;

#[derive(Serialize)]
struct Lint<'a> {
    warnings: Vec<LintWarning<'a>>,
    sources: [Source<'a>; 1],
    #[serde(rename = "buildError", skip_serializing_if = "Option::is_none")]
    error: Option<BuildError<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LintWarning<'a> {
    rule_name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    detail: &'a str,
    location: Place,
}

#[derive(Serialize)]
struct BuildError<'a> {
    message: &'a str,
    location: Place,
}

#[derive(Serialize)]
struct Source<'a> {
    filename: &'a str,
    /// Base64, as Go writes bytes.
    data: String,
    language: &'static str,
}

/// BuildKit's `pb.Location`.
#[derive(Serialize)]
struct Place {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ranges: Vec<Range>,
}

#[derive(Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Serialize)]
struct Position {
    line: usize,
}

impl Place {
    /// Each line is a range of its own.
    fn new(location: Location) -> Self {
        let range = |line| Range { start: Position { line }, end: Position { line } };
        Self { ranges: (location.first_line..=location.last_line).map(range).collect() }
    }
}

#[derive(Serialize)]
struct OutlineBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Arg<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<Mount<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ssh: Vec<Mount<'a>>,
    sources: [String; 1],
}

#[derive(Serialize)]
struct Arg<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    value: &'a str,
    location: Place,
}

#[derive(Serialize)]
struct Mount<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    required: bool,
    location: Place,
}

#[derive(Serialize)]
struct TargetsBody<'a> {
    targets: Vec<TargetBody<'a>>,
    sources: [String; 1],
}

#[derive(Serialize)]
struct TargetBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    default: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    base: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    platform: &'a str,
    location: Place,
}

#[derive(Serialize)]
struct MethodBody {
    name: &'static str,
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    description: &'static str,
    opts: Option<()>,
    metadata: [Named; 2],
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
}

/// What the checks found, and the first mistake if there is one.
pub(crate) fn check_json(warnings: &[Warning], error: Option<&Error>, source: &SourceText) -> String {
    to_text(&Lint {
        warnings: warnings.iter().map(lint_warning).collect(),
        sources: [Source { filename: &source.name, data: base64(&source.text), language: "Dockerfile" }],
        error: error.map(|error| build_error(error, source)),
    })
}

fn lint_warning(warning: &Warning) -> LintWarning<'_> {
    LintWarning {
        rule_name: warning.rule.name,
        description: warning.rule.description,
        url: warning.rule.url(),
        detail: &warning.message,
        location: Place::new(warning.location),
    }
}

fn build_error<'a>(error: &'a Error, source: &SourceText) -> BuildError<'a> {
    let first = error.problems.iter().find(|problem| problem.is_error);
    let line = |place: usize| {
        let before = source.text.get(..place).unwrap_or(&source.text);
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    let location = first.map(|problem| {
        let last = problem.span.end.saturating_sub(1).max(problem.span.start);
        Place::new(Location { first_line: line(problem.span.start), last_line: line(last) })
    });
    BuildError {
        message: first.map_or(&error.message, |problem| &problem.message),
        location: location.unwrap_or(Place { ranges: Vec::new() }),
    }
}

/// What a target takes.
pub(crate) fn outline_json(answer: &Answer<Outline>) -> String {
    let outline = &answer.found;
    to_text(&OutlineBody {
        name: &outline.name,
        description: &outline.description,
        args: outline.args.iter().map(arg).collect(),
        secrets: outline.secrets.iter().map(mount).collect(),
        ssh: outline.ssh.iter().map(mount).collect(),
        sources: [base64(&answer.source.text)],
    })
}

fn arg(arg: &OutlineArg) -> Arg<'_> {
    Arg { name: &arg.name, description: &arg.description, value: &arg.value, location: Place::new(arg.location) }
}

fn mount(mount: &OutlineMount) -> Mount<'_> {
    Mount { name: &mount.name, required: mount.is_required, location: Place::new(mount.location) }
}

/// The targets.
pub(crate) fn targets_json(answer: &Answer<Vec<Target>>) -> String {
    to_text(&TargetsBody { targets: answer.found.iter().map(target).collect(), sources: [base64(&answer.source.text)] })
}

fn target(target: &Target) -> TargetBody<'_> {
    TargetBody {
        name: &target.name,
        default: target.is_default,
        description: &target.description,
        base: &target.base,
        platform: &target.platform,
        location: Place::new(target.location),
    }
}

/// What can be asked.
pub(crate) fn methods_json() -> String {
    let method = |method: &super::Method| MethodBody {
        name: method.name,
        version: VERSION,
        kind: "rpc",
        description: method.description,
        opts: None,
        metadata: [Named { name: "result.json" }, Named { name: "result.txt" }],
    };
    to_text(&METHODS.iter().map(method).collect::<Vec<_>>())
}

fn to_text(body: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(body).expect("the keys are texts, and nothing fails to serialize");
    text.push('\n');
    text
}
