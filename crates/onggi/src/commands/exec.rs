//! `exec`.

use engine::ExecOptions;

use super::create::environment;
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
        env: environment(&args.env_files, &args.env, &variable)?,
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        privileged: args.privileged,
    };
    Ok(engine::exec(&session.engine()?, &options)?)
}
