//! `config explain`.

use engine::registries::{Purpose, explain_route};

use crate::cli::login::{ConfigCommand, ExplainArgs};
use crate::failure::Failure;
use crate::render::{inspect, registries};
use crate::session::Session;

pub(super) fn run(command: &ConfigCommand, session: &Session) -> Result<u8, Failure> {
    match command {
        ConfigCommand::Explain(args) => explain(args, session),
    }
}

fn explain(args: &ExplainArgs, session: &Session) -> Result<u8, Failure> {
    let purpose = if args.push { Purpose::Push } else { Purpose::Pull };
    let name = explain_route(&session.registry_settings(), &args.image, purpose)?;
    let text = match args.format.as_deref() {
        None | Some("") => registries::text(&name),
        Some(format) => inspect::render_one(format, &registries::data(&name))
            .map_err(|error| Failure::in_format(error, Some(format)))?,
    };
    session.print(&text)?;
    Ok(0)
}
