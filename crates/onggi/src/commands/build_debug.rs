//! `build debug`.

use engine::{COMMAND_VARIABLE, DebugEvent, DebugOptions, FailedStep, Runtime};

use crate::cli::build::BuildDebugArgs;
use crate::failure::Failure;
use crate::session::{Session, variable};
use crate::ui::printable::printable;

/// What it ends with when nothing was run, as `run` does (C210).
const NOT_RUN: u8 = 125;

pub(super) fn run(args: &BuildDebugArgs, session: &Session) -> Result<u8, Failure> {
    let options = DebugOptions {
        failure: args.id.clone(),
        command: args.command.clone(),
        runtime: Runtime::from_name(args.runtime.as_deref()),
        lookup: variable,
    };
    let tell = |event: DebugEvent<'_>| match event {
        DebugEvent::Warning(text) => session.note(&format!("warning: {}", printable(text))),
        DebugEvent::Shell { step, tools } => session.note(&introduction(step, tools)),
    };
    let ended = session.engine().and_then(|engine| Ok(engine::debug(&engine, &options, &tell)?));
    ended.map_err(|failure| failure.or_status(NOT_RUN))
}

/// Where one is, and what can be done there.
fn introduction(step: &FailedStep, tools: Option<&str>) -> String {
    let mut lines = vec![format!("{}:{}: {}", step.dockerfile, step.line, step.message)];
    let first = match step.command.is_empty() {
        true => "these are the files that it is about".to_owned(),
        false => format!("eval \"${COMMAND_VARIABLE}\" runs it again"),
    };
    lines.push(format!("{first}; what is changed here goes when the shell ends"));
    if let Some(folder) = tools {
        lines.push(format!("no shell of the image works: this one, and tools, are lent in {folder}"));
    }
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
