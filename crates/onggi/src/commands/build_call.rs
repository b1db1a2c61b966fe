//! `build --call` and `build --check`: questions about a Dockerfile, answered without a build (D180 to D182, B024).

use engine::BuildOptions;
use engine::calls::{self, Answer, CheckReport};

use crate::cli::build::BuildArgs;
use crate::cli::call::{Call, Format, Method};
use crate::failure::Failure;
use crate::render::calls as render;
use crate::render::problem::Problem;
use crate::session::Session;

/// Something was found (buildx).
const FOUND_STATUS: u8 = 1;

/// What is asked; nothing when there is to be a build.
pub(super) fn chosen(args: &BuildArgs) -> Result<Option<Call>, Failure> {
    let call = match &args.call {
        _ if args.check => Call::CHECK,
        None => return Ok(None),
        Some(text) => text.parse().map_err(|error: String| {
            Failure::new(Problem::error(error).with_hint("write for example `onggi build --call=check,format=json .`"))
        })?,
    };
    Ok((call.method != Method::Build).then_some(call))
}

pub(super) fn run(call: Call, options: &BuildOptions, session: &Session) -> Result<u8, Failure> {
    let is_json = call.format == Format::Json;
    let text = match call.method {
        // Not asked.
        Method::Build => return Ok(0),
        Method::Check => return check(call, options, session),
        Method::Describe if is_json => render::methods_json(),
        Method::Describe => render::methods_text(),
        Method::Outline => {
            let answer = calls::outline(&session.engine()?, options)?;
            if is_json { render::outline_json(&answer) } else { render::outline_text(&answer.found) }
        }
        Method::Targets => {
            let answer = calls::targets(&session.engine()?, options)?;
            if is_json { render::targets_json(&answer) } else { render::targets_text(&answer.found) }
        }
    };
    session.print(&text)?;
    Ok(0)
}

/// Findings on standard output, mistakes where mistakes always are.
fn check(call: Call, options: &BuildOptions, session: &Session) -> Result<u8, Failure> {
    let Answer { found: report, source } = calls::check(&session.engine()?, options)?;
    let CheckReport { warnings, error } = report;
    let is_wrong = error.as_ref().is_some_and(|error| error.problems.iter().any(|problem| problem.is_error));
    let text = match call.format {
        Format::Json => render::check_json(&warnings, error.as_ref().filter(|_| is_wrong), &source),
        Format::Text => render::check_text(&warnings, is_wrong, &source),
    };
    session.print(&text)?;
    if let Some(error) = error.filter(|_| call.format == Format::Text) {
        Failure::from(error).report(session);
    }
    let has_found = is_wrong || !warnings.is_empty();
    Ok(if has_found && !call.ignores_status { FOUND_STATUS } else { 0 })
}
