//! `run`.

use engine::{RunOptions, RunOutcome};

use super::create;
use crate::cli::run::RunArgs;
use crate::failure::Failure;
use crate::session::{Session, variable};

/// What `run` ends with when the container did not run (C210).
const NOT_RUN: u8 = 125;

pub(super) fn run(args: &RunArgs, session: &Session) -> Result<u8, Failure> {
    let outcome = options(args, &variable).and_then(|options| Ok(engine::run(&session.engine()?, &options)?));
    match outcome.map_err(|failure| failure.or_status(NOT_RUN))? {
        RunOutcome::Detached(id) => session.print(&format!("{id}\n")).map(|()| 0),
        RunOutcome::Exited(code) => Ok(code),
    }
}

/// The engine's options; `lookup` gives the environment's variables.
fn options(args: &RunArgs, lookup: &dyn Fn(&str) -> Option<String>) -> Result<RunOptions, Failure> {
    Ok(RunOptions { create: create::options(&args.create, lookup)?, detach: args.detach })
}

#[cfg(test)]
mod tests;
