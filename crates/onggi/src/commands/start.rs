//! `start`, `restart`, `attach` and `rename`.

use engine::{AttachOptions, Attached, DetachKeys, StartOptions, StopOptions};

use crate::cli::start::{AttachArgs, RenameArgs, RestartArgs, StartArgs};
use crate::docker_config;
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::{Session, variable};

pub(super) fn start(args: &StartArgs, session: &Session) -> Result<u8, Failure> {
    let attaches = args.attach || args.interactive;
    if attaches && args.containers.len() > 1 {
        return Err(Failure::new(Problem::error("you cannot start and attach multiple containers at once")));
    }
    let detach_keys = detach_keys(args.detach_keys.as_deref(), attaches, &variable)?;
    let options = StartOptions { attach: args.attach, interactive: args.interactive, detach_keys };
    let engine = session.engine()?;
    if attaches {
        return match engine::start(&engine, &args.containers[0], &options)? {
            Some(attached) => outcome(attached, session),
            None => Ok(0),
        };
    }
    super::for_each(&args.containers, session, |name| engine::start(&engine, name, &options).map(|_| name.to_owned()))
}

pub(super) fn restart(args: &RestartArgs, session: &Session) -> Result<u8, Failure> {
    let options = StopOptions { timeout: args.timeout, signal: args.signal.clone() };
    let engine = session.engine()?;
    super::for_each(&args.containers, session, |name| {
        engine::restart(&engine, name, &options).map(|()| name.to_owned())
    })
}

pub(super) fn attach(args: &AttachArgs, session: &Session) -> Result<u8, Failure> {
    let detach_keys = detach_keys(args.detach_keys.as_deref(), !args.no_stdin, &variable)?;
    let options = AttachOptions { no_stdin: args.no_stdin, sig_proxy: args.sig_proxy, detach_keys };
    outcome(engine::attach(&session.engine()?, &args.container, &options)?, session)
}

/// Silent on success.
pub(super) fn rename(args: &RenameArgs, session: &Session) -> Result<u8, Failure> {
    engine::rename(&session.engine()?, &args.container, &args.name)?;
    Ok(0)
}

fn outcome(attached: Attached, session: &Session) -> Result<u8, Failure> {
    match attached {
        Attached::Ended(code) => Ok(code),
        Attached::Left => left(session),
        Attached::InputEnded | Attached::Unread => Ok(0),
    }
}

/// What Docker says when the detach keys were typed (S051).
pub(super) fn left(session: &Session) -> Result<u8, Failure> {
    session.note("read escape sequence");
    Ok(0)
}

/// As typed, or as Docker's configuration says, which is read only `if_asked`.
pub(super) fn detach_keys(
    typed: Option<&str>,
    if_asked: bool,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<DetachKeys, Failure> {
    let configured = (typed.is_none() && if_asked).then(|| docker_config::text("detachKeys", lookup)).flatten();
    Ok(typed.or(configured.as_deref()).unwrap_or_default().parse()?)
}
