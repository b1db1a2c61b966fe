//! `exec`.

use engine::{ExecOptions, ExecOutcome};

use super::create::environment;
use super::start;
use crate::cli::exec::ExecArgs;
use crate::failure::Failure;
use crate::session::{Session, variable};

/// The command's own exit code.
pub(super) fn run(args: &ExecArgs, session: &Session) -> Result<u8, Failure> {
    let options = ExecOptions {
        container: args.container.clone(),
        command: args.command.clone(),
        interactive: args.interactive,
        tty: args.tty,
        detach: args.detach,
        detach_keys: start::detach_keys(args.detach_keys.as_deref(), args.tty && args.interactive, &variable)?,
        env: environment(&args.env_files, &args.env, &variable)?,
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        privileged: args.privileged,
    };
    match engine::exec(&session.engine()?, &options)? {
        ExecOutcome::Exited(code) => Ok(code),
        ExecOutcome::Detached => Ok(0),
        ExecOutcome::Left => start::left(session),
    }
}

/// The process behind a terminal that somebody left.
pub(super) fn hold() -> Result<u8, Failure> {
    engine::terminal_holder::hold().map(|()| 0).map_err(Failure::Output)
}
