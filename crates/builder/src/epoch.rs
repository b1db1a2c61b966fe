//! `SOURCE_DATE_EPOCH`: one moment in the place of all times that a build would take from the clock or from files
//! (reproducible-builds.org/specs/source-date-epoch; features B093, B094).
//!
//! It comes from `--build-arg`, or from an ARG before the first FROM, and is part of every cache key: a result made with
//! it never stands for one made without.

use dockerfile::{Dockerfile, InstructionKind};
use layer::Timestamp;

use crate::plan::Problem;
use crate::variables::Arguments;

/// The variable's name.
pub(crate) const NAME: &str = "SOURCE_DATE_EPOCH";

/// What `--reproducible` takes where nobody gives a moment: the same on every machine, which no time of a file is.
const DEFAULT: &str = "0";

/// The last second that RFC 3339 can write.
const LAST: i64 = 253_402_300_799;

const HELP: &str = "give seconds since 1970, as in `SOURCE_DATE_EPOCH=$(git log -1 --pretty=%ct)`";

/// Which times a build writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeOptions {
    /// `--reproducible`: where nothing else says so, `SOURCE_DATE_EPOCH` is 0.
    pub is_reproducible: bool,
    /// `rewrite-timestamp=false`: the moment is that of the image and its history, files keep theirs.
    pub keeps_file_times: bool,
}

/// The moment of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch {
    seconds: i64,
    keeps_file_times: bool,
}

impl Epoch {
    /// As RFC 3339 has it: of the image, and of rows of its history.
    pub(crate) fn text(self) -> String {
        let time = jiff::Timestamp::from_second(self.seconds);
        time.expect("the range was checked when it was read").to_string()
    }

    /// The latest time that a file of a new layer may have.
    pub(crate) fn ceiling(self) -> Option<Timestamp> {
        (!self.keeps_file_times).then_some(Timestamp { secs: self.seconds, nanos: 0 })
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a value of SOURCE_DATE_EPOCH")]
pub struct EpochError {
    /// As it was given.
    pub value: String,
}

impl EpochError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        HELP
    }
}

/// Looks at a value that was given on the command line before the Dockerfile is.
pub(crate) fn check(build_args: &[(String, String)]) -> Result<(), EpochError> {
    let given = build_args.iter().rev().find(|(name, _)| name == NAME);
    given.map_or(Ok(()), |(_, value)| parse(value).map(drop))
}

/// The build's moment: of the arguments before the first FROM, whose values are known by now.
pub(crate) fn resolve(
    options: TimeOptions,
    dockerfile: &Dockerfile,
    arguments: &mut Arguments,
    problems: &mut Vec<Problem>,
) -> Option<Epoch> {
    let value = arguments.given.get(NAME).or_else(|| arguments.global.get(NAME)).cloned();
    if value.as_deref() == Some(CONTEXT) {
        arguments.given.remove(NAME);
        arguments.global.remove(NAME);
    }
    let value = value.filter(|value| !value.is_empty() && value != CONTEXT);
    let text = match value {
        Some(value) => value,
        None if options.is_reproducible => {
            // Commands that know the variable shall see it, too.
            arguments.given.insert(NAME.to_owned(), DEFAULT.to_owned());
            DEFAULT.to_owned()
        }
        None => return None,
    };
    match parse(&text) {
        Ok(seconds) => seconds.map(|seconds| Epoch { seconds, keeps_file_times: options.keeps_file_times }),
        Err(error) => {
            problems.push(Problem::error(declaration(dockerfile), error.to_string()).with_help(HELP));
            None
        }
    }
}

/// The time of the context itself. A folder has none, so that the variable counts as not set (BuildKit 0.31).
const CONTEXT: &str = "context";

/// `None` for a value that means no moment: empty, or that of a context which has none.
fn parse(value: &str) -> Result<Option<i64>, EpochError> {
    if value.is_empty() || value == CONTEXT {
        return Ok(None);
    }
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = value.parse().ok().filter(|seconds| is_number && *seconds <= LAST);
    seconds.map(Some).ok_or_else(|| EpochError { value: value.chars().take(80).collect() })
}

/// Where the Dockerfile gives the variable a value.
fn declaration(dockerfile: &Dockerfile) -> dockerfile::Span {
    let declarations = dockerfile.global_args.iter().filter_map(|instruction| match &instruction.kind {
        InstructionKind::Arg(declarations) => Some(declarations),
        _ => None,
    });
    let own = declarations.flatten().rfind(|declaration| declaration.name.text == NAME);
    own.map_or_else(dockerfile::Span::default, |own| own.default.as_ref().unwrap_or(&own.name).span)
}

#[cfg(test)]
mod tests;
