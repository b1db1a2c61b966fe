//! `version`.

use engine::Version;
use serde_json::{Value, json};

use crate::cli::system::VersionArgs;
use crate::failure::Failure;
use crate::render::inspect;
use crate::session::Session;

pub(super) fn run(args: &VersionArgs, session: &Session) -> Result<u8, Failure> {
    let version = engine::version();
    let text = match args.format.as_deref() {
        None | Some("") => {
            let Version { version, os, architecture, .. } = version;
            format!("Onggi:\n Version:   {version}\n OS/Arch:   {os}/{architecture}\n")
        }
        Some(format) => inspect::render_one(format, &data(&version))
            .map_err(|error| Failure::in_format(error, args.format.as_deref()))?,
    };
    session.print(&text)?;
    Ok(0)
}

/// Scripts ask Docker for `.Client.Version` and `.Server.Version`; here both are this one program (C314).
fn data(version: &Version) -> Value {
    let Version { version, os, architecture, kernel } = version;
    let details = json!({ "Arch": architecture, "KernelVersion": kernel, "Os": os });
    json!({
        "Client": { "Version": version, "Os": os, "Arch": architecture, "Context": "default" },
        "Server": {
            "Platform": { "Name": "Onggi" },
            "Components": [{ "Name": "Engine", "Version": version, "Details": details }],
            "Version": version,
            "Os": os,
            "Arch": architecture,
            "KernelVersion": kernel,
            "Experimental": false,
        },
    })
}
