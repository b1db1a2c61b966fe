//! From a container's record to its running process.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use image::{Stack, Writable};
use runtime::{ContainerSpec, NetworkNamespace, Process, Stdio, WindowSize};

use super::container::Container;
use super::mounts::bind;
use super::record::ContainerRecord;
use crate::executor::environment;
use crate::network::{Connection, HostFiles, NetworkMode, Prepared, connect};
use crate::{Engine, Error, ErrorKind, Runtime};

/// A started container.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) process: Process,
    /// Its connection to the world, which ends when this is dropped.
    pub(crate) network: Connection,
}

/// Mounts, connects and starts.
pub(crate) fn launch(
    engine: &Engine,
    container: &Container,
    terminal: Option<WindowSize>,
    stdio: Stdio,
) -> Result<Launched, Error> {
    attempt(engine, container, terminal, stdio).map_err(|error| engine.with_remedy(error))
}

fn attempt(
    engine: &Engine,
    container: &Container,
    terminal: Option<WindowSize>,
    stdio: Stdio,
) -> Result<Launched, Error> {
    let record = &container.record;
    if record.network.mode.has_endpoints() {
        // What it needs to reach the world comes up meanwhile.
        engine.ground().map_err(|error| error.with_exit_code(125))?;
    }
    let config = engine.store().image(record.image)?;
    let stack = Stack::open(engine.store(), &config.rootfs.diff_ids)?;
    let mut spec = spec(engine, container, &stack)?;
    spec.terminal = terminal;
    record.limits.apply(&mut spec);
    record.security.apply(engine, &stack, &mut spec)?;
    let mode = &record.network.mode;
    let host = HostFiles::read();
    let Prepared { namespace, connection: mut network, shared_with } = connect(engine, container, &host)?;
    match namespace {
        Some(namespace) => spec.network = NetworkNamespace::Join(namespace),
        None if *mode == NetworkMode::Host => spec.use_host_network(),
        None => {}
    }
    let files = match &shared_with {
        Some(_) => Vec::new(),
        None => vec![
            ("hosts", host.hosts_of(engine, container, &network.state)?),
            ("resolv.conf", host.resolv_conf_of(engine, &record.network, network.state.has_name_server)),
            ("hostname", format!("{}\n", record.hostname)),
        ],
    };
    for (name, text) in files {
        container.folder.write(name, text.as_bytes())?;
        let path = container.folder.path().join(name);
        // For all users in the container, whatever our umask is.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
            .map_err(|error| failed(record, "cannot prepare the container's files", &error))?;
        spec.mounts.push(bind(path, &Path::new("/etc").join(name), false));
    }
    if let Some(target) = shared_with {
        for name in ["hosts", "resolv.conf", "hostname"] {
            spec.mounts.push(bind(target.folder.path().join(name), &Path::new("/etc").join(name), false));
        }
    }
    if let Some(domain) = &record.network.domain {
        spec.sysctls.push(("kernel.domainname".to_owned(), domain.clone()));
    }
    record.mounts.add(engine, &stack, &mut spec)?;
    network.wait(container)?;
    let runtime = Runtime::from_name(record.runtime.as_deref()).executor(engine.store())?;
    let process = runtime.start(spec, stdio).map_err(|error| {
        let code = error.docker_code();
        let message = format!("cannot start container {}", record.name);
        let error = Error::new(ErrorKind::InvalidInput, message).because(&error).with_exit_code(code);
        match code {
            127 => error.with_hint(format!(
                "see what is in the image: `onggi run --rm --entrypoint sh {} -c ls`",
                record.image_name
            )),
            _ => error,
        }
    })?;
    network.started(container)?;
    Ok(Launched { process, network })
}

fn spec(engine: &Engine, container: &Container, stack: &Stack) -> Result<ContainerSpec, Error> {
    let record = &container.record;
    let tree = stack.tree();
    let user = image::users::resolve(&tree, &record.user)
        .map_err(|error| failed(record, "cannot find the container's user", &error))?;
    let (upper, work) = (container.folder.subfolder("upper")?, container.folder.subfolder("work")?);
    // Later on, what the container made of its root stays.
    if container.written_state()?.started.is_empty() {
        image::prepare_upper(engine.store(), stack, upper.as_fd())
            .map_err(|error| failed(record, "cannot prepare the container's folder", &error))?;
    }
    let writable =
        Writable { upper: upper.as_fd(), work: work.as_fd(), below: None, volatile: record.lifetime.auto_remove };
    let rootfs = image::mount_rootfs(engine.store(), stack, writable)
        .map_err(|error| failed(record, "cannot mount the container's file system", &error))?;
    let args: Vec<OsString> = record.entrypoint.iter().chain(&record.cmd).map(OsString::from).collect();
    let mut spec = ContainerSpec::docker_defaults(&record.id, rootfs, args);
    spec.hostname.clone_from(&record.hostname);
    spec.env = environment(&record.environment(), user.home.as_deref());
    spec.cwd = PathBuf::from(&record.working_dir);
    spec.user = runtime::User { uid: user.uid, gid: user.gid, additional_gids: user.additional_gids };
    spec.die_with_parent = true;
    Ok(spec)
}

fn failed(record: &ContainerRecord, message: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(ErrorKind::Internal, format!("{message} ({})", record.name)).because(error).with_exit_code(125)
}
