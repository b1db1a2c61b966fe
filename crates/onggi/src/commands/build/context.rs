//! `build context ls`: what a build may use, and which line of the ignore file says so (N004).

use std::path::PathBuf;

use engine::{ContextOptions, DockerfileSource};

use super::{context_source, steps};
use crate::cli::build::{BuildContextArgs, BuildContextCommand, BuildContextLsArgs};
use crate::failure::Failure;
use crate::render::context;
use crate::render::problem::Problem;
use crate::session::{Session, fetch_surroundings, variable};

pub(super) fn run(args: &BuildContextArgs, session: &Session) -> Result<u8, Failure> {
    match &args.command {
        Some(BuildContextCommand::Ls(args)) => list(args, session),
        None => {
            let problem = Problem::error("`onggi build context` does not say what to do with the context");
            let hint = "`onggi build context ls` lists its files; `onggi build ./context` builds a folder of that name";
            Err(Failure::new(problem.with_hint(hint)))
        }
    }
}

fn list(args: &BuildContextLsArgs, session: &Session) -> Result<u8, Failure> {
    let dockerfile = args.file.as_ref().map(PathBuf::from);
    let options = ContextOptions {
        context: context_source(args.context.as_deref().unwrap_or("."))?,
        dockerfile: dockerfile.map_or(DockerfileSource::Default, DockerfileSource::File),
        surroundings: fetch_surroundings(&variable),
        credentials: steps::credentials(&args.secrets, &args.ssh, &variable)?,
    };
    let engine = session.engine()?;
    if let Some(path) = &args.why {
        let reason = engine::explain_in_context(&engine, &options, path)?;
        session.print(&context::reason(&reason))?;
        return Ok(0);
    }
    let entries = engine::list_context(&engine, &options)?;
    let format = args.format.as_deref();
    let text = context::list(&entries, format).map_err(|error| Failure::in_format(error, format))?;
    session.print(&text)?;
    if format.is_none() {
        session.note(&context::total(&entries));
    }
    Ok(0)
}
