//! `info`: the machine, and what is kept on it.

use engine::{Backend, Info};
use serde_json::{Value, json};

use crate::cli::system::InfoArgs;
use crate::failure::Failure;
use crate::render::inspect;
use crate::session::Session;
use crate::ui::size::binary_size;

/// Writes the logs of containers unless another is asked for.
const LOG_DRIVER: &str = "json-file";

pub(super) fn run(args: &InfoArgs, session: &Session) -> Result<u8, Failure> {
    let info = engine::info(&session.engine()?)?;
    let text = match args.format.as_deref() {
        None | Some("") => describe(&info),
        Some(format) => inspect::render_one(format, &data(&info))
            .map_err(|error| Failure::in_format(error, args.format.as_deref()))?,
    };
    session.print(&text)?;
    Ok(0)
}

/// One fact a line, called as Docker calls it.
fn describe(info: &Info) -> String {
    let backend = match info.backend {
        Backend::Erofs => "erofs (the kernel mounts the layers' tars)".to_owned(),
        Backend::Extracted => with_reason("extracted folders", info),
        Backend::Copied => with_reason("a copy for each root", info),
        Backend::Folder => with_reason("a copy for each RUN, which is run in a folder; no containers", info),
        Backend::Nothing => with_reason("no containers and no RUN", info),
    };
    let facts = [
        ("Containers", info.containers.to_string()),
        (" Running", info.containers_running.to_string()),
        (" Paused", info.containers_paused.to_string()),
        (" Stopped", info.containers_stopped.to_string()),
        ("Images", info.images.to_string()),
        ("Server Version", info.version.clone()),
        ("Storage Driver", "onggi".to_owned()),
        (" Layers", backend),
        ("Store", info.store.display().to_string()),
        ("Logging Driver", LOG_DRIVER.to_owned()),
        ("Cgroup Version", info.cgroup_version.clone()),
        ("Runtimes", info.runtimes.join(" ")),
        ("Default Runtime", info.runtimes.first().cloned().unwrap_or_default()),
        ("Published Ports", format!("on {}", info.publish_address)),
        ("Kernel Version", info.kernel.clone()),
        ("Operating System", info.operating_system.clone()),
        ("OSType", info.os.clone()),
        ("Architecture", info.machine.clone()),
        ("CPUs", info.cpus.to_string()),
        ("Total Memory", binary_size(info.memory)),
        ("Name", info.hostname.clone()),
        ("Root", if info.is_root { "yes" } else { "no" }.to_owned()),
    ];
    facts.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

fn with_reason(what: &str, info: &Info) -> String {
    info.backend_reason.as_ref().map_or_else(|| what.to_owned(), |reason| format!("{what} ({reason})"))
}

/// The same with the names of Docker's API, where it has one, so that scripts find what they ask for (C314).
fn data(info: &Info) -> Value {
    let runtimes: serde_json::Map<_, _> =
        info.runtimes.iter().map(|name| (name.clone(), json!({ "path": name }))).collect();
    let layers = match info.backend {
        Backend::Erofs => "erofs",
        Backend::Extracted => "extracted",
        Backend::Copied => "copied",
        Backend::Folder => "folder",
        Backend::Nothing => "none",
    };
    json!({
        "Containers": info.containers,
        "ContainersRunning": info.containers_running,
        "ContainersPaused": info.containers_paused,
        "ContainersStopped": info.containers_stopped,
        "Images": info.images,
        "Driver": "onggi",
        "DriverStatus": [["Layers", layers]],
        "LayersReason": info.backend_reason,
        "Store": info.store,
        "DockerRootDir": info.store,
        "LoggingDriver": LOG_DRIVER,
        // Docker knows 1 and 2 only.
        "CgroupVersion": info.cgroup_version.split(' ').next(),
        "CgroupDriver": "cgroupfs",
        "KernelVersion": info.kernel,
        "OperatingSystem": info.operating_system,
        "OSVersion": info.os_version,
        "OSType": info.os,
        "Architecture": info.machine,
        "NCPU": info.cpus,
        "MemTotal": info.memory,
        "Name": info.hostname,
        "ServerVersion": info.version,
        "Runtimes": runtimes,
        "DefaultRuntime": info.runtimes.first(),
        "PublishAddress": info.publish_address,
        "IsRoot": info.is_root,
        "SecurityOptions": ["name=seccomp,profile=builtin"],
        "Swarm": { "LocalNodeState": "inactive" },
        "ClientInfo": { "Version": info.version, "Os": info.os, "Arch": info.architecture, "Context": "default" },
    })
}
