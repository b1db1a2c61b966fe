//! `pause` and `unpause`.

use crate::cli::pause::{PauseArgs, UnpauseArgs};
use crate::failure::Failure;
use crate::session::Session;

pub(super) fn pause(args: &PauseArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    super::for_each(&args.containers, session, |name| engine::pause(&engine, name).map(|()| name.to_owned()))
}

pub(super) fn unpause(args: &UnpauseArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    super::for_each(&args.containers, session, |name| engine::unpause(&engine, name).map(|()| name.to_owned()))
}
