//! Runs the commands of RUN steps in containers of the runtime.

mod agent;
mod folder;
mod limits;
mod mounts;

use std::ffi::OsString;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use builder::{CannotRun, ExecutorError, HostAddress, RunNetwork, RunRequest, StepExecutor, Stream};
use image::{RootfsOptions, Writable};
use runtime::network::{BuildNetwork, NetworkError, Owner, prepare_build_network};
use runtime::{
    BindMount, BindSource, Chroot, ContainerSpec, Executor, Mount, NetworkNamespace, Process, StartError, Stdio,
    StdioStream,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use store::StoreError;

pub(crate) use self::agent::AgentProxy;
pub(crate) use self::limits::{PARENT, PERIOD};
use self::mounts::StepMounts;
use crate::network::{HostFiles, NetworkMode};
use crate::{Engine, Error};

/// What RUN's commands see as their host's name, as in BuildKit: the same each time, so that it does not leak into
/// layers as a difference.
const HOSTNAME: &str = "buildkitsandbox";

/// Runs steps for one build. All steps share one network namespace, made when the first of them needs it.
#[derive(Debug)]
pub(crate) struct BuildExecutor<'a> {
    engine: &'a Engine,
    runtime: Box<dyn Executor>,
    /// Nothing can be mounted: the roots of steps are folders.
    in_folder: bool,
    /// We are root in a container that has given us nothing but that.
    is_nested: bool,
    host: OnceLock<HostFiles>,
    network: OnceLock<Result<BuildNetwork, String>>,
    next: AtomicU32,
}

impl<'a> BuildExecutor<'a> {
    /// `runtime` starts the commands, if namespaces can be made.
    pub(crate) fn new(engine: &'a Engine, runtime: Box<dyn Executor>) -> Self {
        let in_folder = engine.is_without_namespaces();
        let runtime = if in_folder { Box::new(Chroot) } else { runtime };
        let is_nested = engine.is_nested();
        Self {
            engine,
            runtime,
            in_folder,
            is_nested,
            host: OnceLock::new(),
            network: OnceLock::new(),
            next: AtomicU32::new(0),
        }
    }

    pub(crate) fn start(&self, spec: ContainerSpec, stdio: Stdio) -> Result<Process, StartError> {
        self.runtime.start(spec, stdio)
    }

    fn host(&self) -> &HostFiles {
        self.host.get_or_init(HostFiles::read)
    }

    fn network(&self) -> Result<&BuildNetwork, ExecutorError> {
        let prepare = || -> Result<BuildNetwork, String> {
            let failed = |error: NetworkError| chain(&error);
            let whole = |error: Error| [&[error.message], &error.causes[..]].concat().join(": ");
            let ground = self.engine.ground().map_err(whole)?;
            let config = self.engine.default_bridge(self.host()).map_err(whole)?;
            let owner = Owner::this_process(&format!("build-{}", std::process::id())).map_err(failed)?;
            let network = ground.run(|| prepare_build_network(&config, &owner)).map_err(failed)?;
            ground.wait().map_err(failed)?;
            Ok(network)
        };
        let network = self.network.get_or_init(prepare);
        network.as_ref().map_err(|error| format!("no network for RUN: {error}").into())
    }

    /// The container that a request asks for, not started yet, and the ends of sockets that it needs until it ends.
    pub(crate) fn spec(&self, request: &RunRequest<'_>) -> Result<(ContainerSpec, Vec<AgentProxy>), ExecutorError> {
        request.platform.map_or(Ok(()), crate::emulation::check)?;
        match request.written {
            None => drop(image::prepare_upper(self.engine.store(), request.stack, request.upper)?),
            Some(written) => image::continue_upper(self.engine.store(), written, request.upper)?,
        }
        let writable = Writable { upper: request.upper, work: request.work, below: request.written, volatile: true };
        let points = mounts::points(request)?;
        let points = points.as_ref().map(AsFd::as_fd);
        let options = RootfsOptions { writable: Some(writable), points, with_stubs: true, rung: None };
        let rootfs = image::mount_stack(self.engine.store(), request.stack, options)?;
        let mut spec = self.bare_spec(request, rootfs)?;
        let mode = match request.network {
            // A container without the right to make a bridge has a network of its own, which serves its steps.
            RunNetwork::Default if self.is_nested && self.network().is_err() => {
                spec.use_host_network();
                NetworkMode::Host
            }
            RunNetwork::Default => {
                spec.network = NetworkNamespace::Join(self.network()?.namespace.as_fd().try_clone_to_owned()?);
                NetworkMode::Bridge
            }
            RunNetwork::None => NetworkMode::None,
            RunNetwork::Host => {
                spec.use_host_network();
                NetworkMode::Host
            }
        };
        self.mount_files(&mut spec, request, mode)?;
        let StepMounts { mounts, agents } = mounts::mounts(request)?;
        spec.mounts.extend(mounts);
        limits::apply(&mut spec, request.limits);
        Ok((spec, agents))
    }

    /// Program, environment and user, in a container like any other.
    fn bare_spec(&self, request: &RunRequest<'_>, rootfs: OwnedFd) -> Result<ContainerSpec, ExecutorError> {
        let args = request.command.iter().map(OsString::from).collect();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("build-{}-{number}", std::process::id());
        let mut spec = ContainerSpec::docker_defaults(&id, rootfs, args);
        let user = image::users::resolve(&request.stack.tree(), request.user)?;
        request.hostname.unwrap_or(HOSTNAME).clone_into(&mut spec.hostname);
        spec.env = environment(request.env, user.home.as_deref());
        add_secrets(&mut spec.env, request);
        spec.user = runtime::User { uid: user.uid, gid: user.gid, additional_gids: user.additional_gids };
        spec.cwd = PathBuf::from(request.working_dir);
        spec.die_with_parent = true;
        Ok(spec)
    }

    /// Names that were asked for. Without a network there is no way to the host, and no name for it.
    fn added_hosts(&self, request: &RunRequest<'_>, gateway: Option<Ipv4Addr>) -> Vec<(String, IpAddr)> {
        let host = |(name, address): &(String, HostAddress)| match address {
            HostAddress::Address(address) => Some((name.clone(), *address)),
            HostAddress::Gateway => Some((name.clone(), self.engine.host_address(gateway?))),
        };
        request.hosts.iter().filter_map(host).collect()
    }

    /// `/etc/hosts` and `/etc/resolv.conf` are mounted, so that they never reach the layer (D112).
    fn mount_files(
        &self,
        spec: &mut ContainerSpec,
        request: &RunRequest<'_>,
        mode: NetworkMode,
    ) -> Result<(), ExecutorError> {
        let (address, gateway) = match mode {
            NetworkMode::Bridge => {
                let attachment = &self.network()?.attachment;
                (Some(attachment.address), Some(attachment.gateway))
            }
            NetworkMode::Host => (None, Some(Ipv4Addr::LOCALHOST)),
            NetworkMode::None | NetworkMode::Container(_) | NetworkMode::Named(_) => (None, None),
        };
        let added = self.added_hosts(request, gateway);
        let files = [
            ("hosts", self.host().hosts(&mode, request.hostname.unwrap_or(HOSTNAME), address, &added)),
            ("resolv.conf", self.host().resolv_conf(self.engine, &mode)),
        ];
        for (name, text) in files {
            let path = request.scratch.join(name);
            std::fs::write(&path, text)?;
            // For all users in the container, whatever our umask is.
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
            let target = Path::new("/etc").join(name);
            let bind = BindMount { source: BindSource::Path(path), target, read_only: false, recursive: false };
            spec.mounts.push(Mount::Bind(bind));
        }
        Ok(())
    }
}

/// Variables that are secrets, in place of those of the same name.
fn add_secrets(env: &mut Vec<OsString>, request: &RunRequest<'_>) {
    for (name, value) in request.secret_env {
        let prefix = [name.as_bytes(), b"="].concat();
        env.retain(|pair| !pair.as_encoded_bytes().starts_with(&prefix));
        env.push(OsString::from_vec([&prefix, value.expose()].concat()));
    }
}

impl StepExecutor for BuildExecutor<'_> {
    fn run(&self, request: &RunRequest<'_>, log: &mut dyn FnMut(Stream, &[u8])) -> Result<u8, ExecutorError> {
        match self.engine.store().want_identities() {
            Err(StoreError::NoIdentities { reason, remedy }) => {
                return Err(CannotRun { message: reason, hint: remedy }.into());
            }
            wanted => wanted?,
        }
        if self.in_folder {
            let (mut spec, placed) = self.folder_spec(request)?;
            limits::apply(&mut spec, request.limits);
            if spec.cgroup.is_some() {
                log(Stream::Stderr, b"warning: limits of memory and processors cannot be set here\n");
            }
            let ended = self.run_spec(spec, request, log);
            placed.take_out()?;
            return ended;
        }
        // The agents' sockets are there until the command has ended.
        let (spec, _agents) = self.spec(request)?;
        self.run_spec(spec, request, log)
    }
}

impl BuildExecutor<'_> {
    fn run_spec(
        &self,
        spec: ContainerSpec,
        request: &RunRequest<'_>,
        log: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<u8, ExecutorError> {
        let has_user = self.engine.has_ids(spec.user.uid, spec.user.gid).unwrap_or(true);
        let (out, out_end) = pipe()?;
        let (err, err_end) = pipe()?;
        let stdio =
            Stdio { stdin: StdioStream::Null, stdout: StdioStream::Fd(out_end), stderr: StdioStream::Fd(err_end) };
        let process = match self.runtime.start(spec, stdio) {
            Ok(process) => process,
            // The command is wrong, not the host: as if a shell had said so.
            Err(error) if matches!(error.docker_code(), 126 | 127) => {
                log(Stream::Stderr, format!("{}\n", chain(&error)).as_bytes());
                return Ok(error.docker_code());
            }
            Err(error) => return Err(error.into()),
        };
        for warning in process.warnings() {
            log(Stream::Stderr, format!("warning: {warning}\n").as_bytes());
        }
        if let Some(remedy) = (!has_user).then(|| self.engine.lacking_ids()).flatten() {
            log(Stream::Stderr, format!("hint: {remedy}\n").as_bytes());
        }
        relay(&process, out.into(), err.into(), request, log)?;
        Ok(process.wait()?.docker_code())
    }
}

/// Hands output on until both ends are closed; kills the command when the build is over.
fn relay(
    process: &Process,
    out: std::fs::File,
    err: std::fs::File,
    request: &RunRequest<'_>,
    log: &mut dyn FnMut(Stream, &[u8]),
) -> Result<(), ExecutorError> {
    const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let mut open = vec![(Stream::Stdout, out), (Stream::Stderr, err)];
    let mut buffer = vec![0; 32 << 10];
    let mut killed = false;
    while !open.is_empty() {
        let ready: Vec<bool> = {
            let mut polled: Vec<PollFd<'_>> = open.iter().map(|(_, file)| PollFd::new(file, PollFlags::IN)).collect();
            match rustix::event::poll(&mut polled, Some(&LOOK)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            polled.iter().map(|poll| !poll.revents().is_empty()).collect()
        };
        let mut closed = Vec::new();
        for (place, _) in ready.iter().enumerate().filter(|(_, ready)| **ready) {
            let (stream, file) = &mut open[place];
            match file.read(&mut buffer)? {
                0 => closed.push(place),
                count => log(*stream, &buffer[..count]),
            }
        }
        for place in closed.into_iter().rev() {
            drop(open.remove(place));
        }
        if !killed && request.cancelled.load(Ordering::Relaxed) {
            killed = true;
            process.signal(rustix::process::Signal::KILL.as_raw())?;
        }
    }
    Ok(())
}

fn pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// The image's environment, with HOME from passwd where the image says nothing.
pub(crate) fn environment(env: &[String], home: Option<&str>) -> Vec<OsString> {
    let mut all: Vec<OsString> = env.iter().map(OsString::from).collect();
    if !env.iter().any(|pair| pair.starts_with("HOME=")) {
        all.push(format!("HOME={}", home.unwrap_or("/")).into());
    }
    all
}

/// An error and what is behind it, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let parts: Vec<String> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    parts.join(": ")
}
