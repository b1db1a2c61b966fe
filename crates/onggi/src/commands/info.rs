//! `info`.

use engine::{Backend, Info};

use crate::cli::system::InfoArgs;
use crate::failure::Failure;
use crate::render::inspect;
use crate::session::Session;
use crate::ui::size::human_size;

pub(super) fn run(args: &InfoArgs, session: &Session) -> Result<u8, Failure> {
    let info = engine::info(&session.engine()?)?;
    let text = match args.format.as_deref() {
        None | Some("") => describe(&info),
        format => {
            let data = serde_json::to_value(&info).expect("the description has text keys only, so it is always JSON");
            inspect::render(format, &[data]).map_err(|error| Failure::in_format(error, format))?
        }
    };
    session.print(&text)?;
    Ok(0)
}

/// One fact a line.
fn describe(info: &Info) -> String {
    let backend = match (info.backend, &info.backend_reason) {
        (Backend::Erofs, _) => "erofs (the kernel mounts the layers' tars)".to_owned(),
        (Backend::Extracted, None) => "extracted folders".to_owned(),
        (Backend::Extracted, Some(reason)) => format!("extracted folders ({reason})"),
    };
    let facts = [
        ("Version", info.version.clone()),
        ("Store", info.store.display().to_string()),
        ("Layers", backend),
        ("Images", info.images.to_string()),
        ("Containers", info.containers.to_string()),
        (" Running", info.containers_running.to_string()),
        (" Paused", info.containers_paused.to_string()),
        (" Stopped", info.containers_stopped.to_string()),
        ("Runtimes", info.runtimes.join(" ")),
        ("Published Ports", format!("on {}", info.publish_address)),
        ("Cgroup Version", info.cgroup_version.clone()),
        ("Kernel Version", info.kernel.clone()),
        ("OS/Arch", format!("{}/{}", info.operating_system, info.architecture)),
        ("CPUs", info.cpus.to_string()),
        ("Total Memory", human_size(info.memory, 4)),
        ("Name", info.hostname.clone()),
        ("Root", if info.is_root { "yes" } else { "no" }.to_owned()),
    ];
    facts.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}
