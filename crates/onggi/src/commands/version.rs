//! `version`.

use serde_json::{Value, json};

use crate::cli::system::VersionArgs;
use crate::failure::Failure;
use crate::render::inspect;
use crate::session::Session;

pub(super) fn run(args: &VersionArgs, session: &Session) -> Result<u8, Failure> {
    let text = match args.format.as_deref() {
        None | Some("") => about(),
        format => inspect::render(format, &[data()]).map_err(|error| Failure::in_format(error, format))?,
    };
    session.print(&text)?;
    Ok(0)
}

fn about() -> String {
    let version = engine::version();
    format!("Onggi:\n Version:   {}\n OS/Arch:   {}/{}\n", version.version, version.os, version.architecture)
}

/// Scripts ask Docker for `.Client.Version` and `.Server.Version`; here both are this one program.
fn data() -> Value {
    let version = engine::version();
    let program = json!({"Version": version.version, "Os": version.os, "Arch": version.architecture});
    json!({"Client": program, "Server": program})
}
