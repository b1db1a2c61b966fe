//! `top`, `stats` and `update`.

use std::io::IsTerminal;
use std::time::Duration;

use engine::{Sample, UpdateOptions};

use super::create::limits::live_limits;
use crate::cli::watch::{StatsArgs, TopArgs, UpdateArgs};
use crate::docker_config;
use crate::failure::Failure;
use crate::render::stats;
use crate::session::{Session, variable};
use crate::ui::printable::printable;
use crate::ui::table::align_with;

/// Between two looks at what is used.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn top(args: &TopArgs, session: &Session) -> Result<u8, Failure> {
    let table = engine::top(&session.engine()?, &args.container, &args.options, &session.zone())?;
    let lines = std::iter::once(&table.titles).chain(&table.rows);
    let line = |fields: &Vec<String>| {
        let fields: Vec<_> = fields.iter().map(|field| printable(field)).collect();
        fields.join("\t") + "\n"
    };
    let text: String = lines.map(line).collect();
    session.print(&align_with(&text, 20, 3))?;
    Ok(0)
}

pub(super) fn stats(args: &StatsArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    let format = docker_config::format("statsFormat", args.format.as_deref(), false, &variable);
    let clears = !args.no_stream && format.is_none() && std::io::stdout().is_terminal();
    let mut before = engine::usage(&engine, &args.containers, args.all)?;
    loop {
        std::thread::sleep(INTERVAL);
        let now = engine::usage(&engine, &args.containers, args.all)?;
        session.print(&shown(&before, &now, format.as_deref(), args.no_trunc, clears)?)?;
        if args.no_stream {
            return Ok(0);
        }
        before = now;
    }
}

fn shown(
    before: &[Sample],
    now: &[Sample],
    format: Option<&str>,
    in_full: bool,
    clears: bool,
) -> Result<String, Failure> {
    /// Home, and nothing below.
    const CLEAR: &str = "\x1b[H\x1b[J";
    let text = stats::render(before, now, format, in_full).map_err(|error| Failure::in_format(error, format))?;
    Ok(if clears { format!("{CLEAR}{text}") } else { text })
}

pub(super) fn update(args: &UpdateArgs, session: &Session) -> Result<u8, Failure> {
    let restart = args.restart.as_deref().map(str::parse).transpose()?;
    let options = UpdateOptions { limits: live_limits(&args.limits)?, restart };
    let engine = session.engine()?;
    let mut warnings = Vec::new();
    let code = super::for_each(&args.containers, session, |name| {
        warnings.extend(engine::update(&engine, name, &options)?);
        Ok(name.to_owned())
    });
    for warning in warnings {
        session.note(&format!("warning: {warning}"));
    }
    code
}
