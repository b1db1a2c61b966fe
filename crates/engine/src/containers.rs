//! `ps`, `rm`, `stop`, `kill`, `wait`: containers that are there.

use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};
use serde_json::{Value, json};

use crate::container::{Container, ContainerStatus};
use crate::{ContainerRecord, ContainerState, Engine, Error, ErrorKind};

/// One container for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    /// How it was made.
    pub record: ContainerRecord,
    /// How it is doing.
    pub state: ContainerState,
    /// What it does now.
    pub status: ContainerStatus,
}

/// Containers, newest first; only running ones unless `all`.
///
/// # Errors
/// When the store cannot be read.
pub fn containers(engine: &Engine, all: bool) -> Result<Vec<ContainerSummary>, Error> {
    let mut rows = Vec::new();
    for container in Container::all(engine)? {
        let state = container.state()?;
        let status = state.status();
        if all || status == ContainerStatus::Running {
            rows.push(ContainerSummary { record: container.record, state, status });
        }
    }
    Ok(rows)
}

/// Removes a container; a running one only by force. Gives its name as typed.
///
/// # Errors
/// When it runs and `force` is not given.
pub fn remove_container(engine: &Engine, name: &str, force: bool) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let id = &container.record.id;
    let deadline = Instant::now() + PATIENCE_AFTER_KILL;
    loop {
        // Held until it is gone, so that nobody starts what is being removed.
        let ownership = container.own()?;
        let state = ownership.as_ref().map_or_else(|| container.state(), |own| container.owned_state(own))?;
        let is_running = state.status() == ContainerStatus::Running;
        if ownership.is_some() && !is_running {
            return container.remove(engine);
        }
        drop(ownership);
        if Container::open(engine, id)?.is_none() {
            return Ok(());
        }
        if !force {
            let message = format!("cannot remove running container {id}");
            return Err(Error::new(ErrorKind::Conflict, message)
                .with_hint(format!("stop it with `onggi stop {name}`, or remove it by force: `onggi rm -f {name}`")));
        }
        if Instant::now() > deadline {
            let message = format!("cannot remove container {id}: it does not end");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if is_running {
            unless_ended(send(&container, Signal::KILL))?;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// So long a killed container may take to end.
const PATIENCE_AFTER_KILL: Duration = Duration::from_secs(10);

/// A container that ended by itself just before it was told to is no failure.
fn unless_ended(sent: Result<(), Error>) -> Result<(), Error> {
    match sent {
        Err(error) if error.kind == ErrorKind::Conflict => Ok(()),
        other => other,
    }
}

/// Sends a signal.
///
/// # Errors
/// When the container does not run, or the signal does not exist.
pub fn kill(engine: &Engine, name: &str, signal: &str) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    send(&container, parse_signal(signal)?)
}

/// Asks a container to end, and kills it when it has not after `grace`.
///
/// # Errors
/// When it cannot be signalled.
pub fn stop(engine: &Engine, name: &str, grace: Duration) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    if container.state()?.status() != ContainerStatus::Running {
        return Ok(());
    }
    let signal = parse_signal(container.record.stop_signal.as_deref().unwrap_or("TERM"))?;
    unless_ended(send(&container, signal))?;
    if wait_until_ended(engine, &container, grace)? == Waited::TimedOut {
        unless_ended(send(&container, Signal::KILL))?;
        wait_until_ended(engine, &container, PATIENCE_AFTER_KILL)?;
    }
    Ok(())
}

/// Waits for the end of a container; gives its exit code.
///
/// # Errors
/// When there is no such container, or it was removed before it could be asked how it ended.
pub fn wait(engine: &Engine, name: &str) -> Result<u8, Error> {
    let container = Container::find(engine, name)?;
    let _reader = container.keep()?;
    match wait_until_ended(engine, &container, Duration::from_secs(u64::from(u32::MAX)))? {
        Waited::Ended(state) => Ok(state.exit_code.unwrap_or_default()),
        Waited::Removed | Waited::TimedOut => {
            Err(Error::new(ErrorKind::NotFound, format!("container {name} was removed")))
        }
    }
}

fn parse_signal(text: &str) -> Result<Signal, Error> {
    let number = dockerfile::parse_signal(text).and_then(|number| Signal::from_named_raw(i32::from(number)));
    number.ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, format!("invalid signal: {text}"))
            .with_hint("use a name such as `TERM` or a number such as `15`")
    })
}

fn send(container: &Container, signal: Signal) -> Result<(), Error> {
    let state = container.state()?;
    let not_running = || Error::new(ErrorKind::Conflict, format!("container {} is not running", container.record.id));
    let (ContainerStatus::Running, Some((pid, _))) = (state.status(), state.process) else { return Err(not_running()) };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(not_running)?;
    let failed = |errno: rustix::io::Errno| {
        Error::new(ErrorKind::Internal, format!("cannot signal container {}", container.record.id)).because(&errno)
    };
    // By descriptor: the number could be another process's by now, so look again once it is held.
    let process = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Err(not_running()),
        opened => opened.map_err(failed)?,
    };
    if container.state()?.status() != ContainerStatus::Running {
        return Err(not_running());
    }
    match rustix::process::pidfd_send_signal(&process, signal) {
        Err(rustix::io::Errno::SRCH) => Err(not_running()),
        sent => sent.map_err(failed),
    }
}

/// What came of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Waited {
    /// It does not run any more, and this is how it ended.
    Ended(Box<ContainerState>),
    /// With `--rm` a container goes when it has ended.
    Removed,
    /// It still runs.
    TimedOut,
}

/// Waits until the container ended and its owner wrote that down, or the patience is at its end.
fn wait_until_ended(engine: &Engine, container: &Container, patience: Duration) -> Result<Waited, Error> {
    let deadline = Instant::now() + patience;
    loop {
        let Some(container) = Container::open(engine, &container.record.id)? else { return Ok(Waited::Removed) };
        let state = container.state()?;
        let Some((pid, _)) = state.process else { return Ok(Waited::Ended(Box::new(state))) };
        let Some(left) = deadline.checked_duration_since(Instant::now()) else { return Ok(Waited::TimedOut) };
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let Some(process) = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()) {
            let mut polled = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
            let timeout = rustix::event::Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            rustix::event::poll(&mut polled, Some(&timeout)).ok();
        }
        // From the end of the process until its owner has written that down.
        std::thread::sleep(PAUSE);
    }
}

/// Containers in Docker's shape.
///
/// # Errors
/// When one of them is not there.
pub fn inspect_containers(engine: &Engine, names: &[String]) -> Result<Value, Error> {
    names.iter().map(|name| inspect(engine, name)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn inspect(engine: &Engine, name: &str) -> Result<Value, Error> {
    let container = Container::find(engine, name)?;
    let state = container.state()?;
    let record = &container.record;
    let status = match state.status() {
        ContainerStatus::Created => "created",
        ContainerStatus::Running => "running",
        ContainerStatus::Exited => "exited",
    };
    let never = "0001-01-01T00:00:00Z";
    let or_never = |time: &str| if time.is_empty() { never.to_owned() } else { time.to_owned() };
    let mut words = record.entrypoint.iter().chain(&record.cmd).cloned();
    let (path, args) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
    let running = status == "running";
    Ok(json!({
        "Id": record.id,
        "Created": record.created,
        "Path": path,
        "Args": args,
        "State": {
            "Status": status,
            "Running": running,
            "Paused": false,
            "Restarting": false,
            "OOMKilled": false,
            "Dead": false,
            "Pid": if running { state.process.map_or(0, |(pid, _)| pid) } else { 0 },
            "ExitCode": state.exit_code.unwrap_or_default(),
            "Error": state.error,
            "StartedAt": or_never(&state.started),
            "FinishedAt": or_never(&state.finished),
        },
        "Image": record.image.to_string(),
        "Name": format!("/{}", record.name),
        "HostConfig": {
            "Binds": record.binds,
            "NetworkMode": record.network,
            "AutoRemove": record.auto_remove,
            "Runtime": record.runtime.clone().unwrap_or_else(|| "onggi".to_owned()),
        },
        "Config": {
            "Hostname": record.hostname,
            "User": record.user,
            "Tty": record.tty,
            "OpenStdin": record.interactive,
            "Env": record.env,
            "Cmd": record.cmd,
            "Image": record.image_name,
            "WorkingDir": record.working_dir,
            "Entrypoint": record.entrypoint,
            "Labels": record.labels,
        },
        "NetworkSettings": {
            "IPAddress": state.address.clone().unwrap_or_default(),
            "Networks": { record.network.clone(): { "IPAddress": state.address.unwrap_or_default() } },
        },
    }))
}
