//! `run`.

use engine::{RunOptions, RunOutcome, StreamSettings};

use super::{create, start};
use crate::cli::run::RunArgs;
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::{Session, variable};

/// What `run` ends with when the container did not run (C210).
const NOT_RUN: u8 = 125;

pub(super) fn run(args: &RunArgs, session: &Session) -> Result<u8, Failure> {
    let outcome = options(args, &variable).and_then(|options| {
        create::warn(&options.create, session);
        let engine = session.engine()?;
        create::provide(&engine, &options.create, args.create.quiet, session)?;
        create::warn_of_user(&engine, &options.create, session)?;
        Ok(engine::run(&engine, &options)?)
    });
    match outcome.map_err(|failure| failure.or_status(NOT_RUN))? {
        RunOutcome::Detached(id) => session.print(&format!("{id}\n")).map(|()| 0),
        RunOutcome::Exited(code) => Ok(code),
        RunOutcome::Left => start::left(session),
    }
}

/// The engine's options; `lookup` gives the environment's variables.
fn options(args: &RunArgs, lookup: &dyn Fn(&str) -> Option<String>) -> Result<RunOptions, Failure> {
    let mut create = create::options(&args.create, lookup)?;
    if args.detach {
        if !args.create.streams.attach.is_empty() {
            return Err(Failure::new(Problem::error("conflicting options: cannot specify both --attach and --detach")));
        }
        create.streams = StreamSettings::default();
    }
    let asks_keys = create.tty && create.interactive && !args.detach;
    let detach_keys = start::detach_keys(args.detach_keys.as_deref(), asks_keys, lookup)?;
    Ok(RunOptions { create, detach: args.detach, sig_proxy: args.sig_proxy, detach_keys })
}

#[cfg(test)]
mod tests;
