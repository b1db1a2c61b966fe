//! `run`.

use engine::{RunOptions, RunOutcome};

use crate::cli::env_list;
use crate::cli::run::RunArgs;
use crate::failure::Failure;
use crate::render::problem::Problem;
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
    let mut words = args.words.iter().cloned();
    let network = args.network.as_deref().unwrap_or_default().parse()?;
    Ok(RunOptions {
        image: words.next().unwrap_or_default(),
        command: words.collect(),
        detach: args.detach,
        interactive: args.interactive,
        tty: args.tty,
        rm: args.rm,
        name: args.name.clone(),
        env: environment(args, lookup)?,
        working_dir: args.workdir.clone(),
        user: args.user.clone(),
        entrypoint: args.entrypoint.clone(),
        volumes: args.volumes.clone(),
        network,
        hostname: args.hostname.clone(),
        runtime: args.runtime.clone(),
    })
}

/// Files first, so that `--env` wins over them.
fn environment(args: &RunArgs, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, Failure> {
    let wrong = |error: env_list::EnvError| Failure::new(Problem::error(error.to_string()));
    let mut variables = Vec::new();
    for path in &args.env_files {
        let bytes = std::fs::read(path).map_err(|error| {
            let problem = Problem::error(format!("cannot read the variables in {}", path.display()));
            Failure::new(Problem { causes: vec![error.to_string()], ..problem })
        })?;
        let lines = env_list::file(path, &bytes, lookup).map_err(wrong)?;
        variables.extend(lines.into_iter().map(|(name, value)| format!("{name}={value}")));
    }
    for text in &args.env {
        match env_list::variable(text, lookup).map_err(wrong)? {
            Some((name, value)) => variables.push(format!("{name}={value}")),
            // Not set here: the container does not get the image's either.
            None => variables.push(text.clone()),
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests;
