//! `stop`, `kill`, `wait`: ending a container, and seeing how it ended.

use std::time::{Duration, Instant};

use rustix::net::SendFlags;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::container::Container;
use super::events;
use super::lifetime::grace;
use super::pause::running;
use super::record::{ContainerRecord, ContainerState};
use super::supervise::connect;
use super::wire::{self, Decoder};
use crate::streams::Queue;
use crate::{Engine, Error, ErrorKind};

/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(1);
/// So long a killed container may take to end.
pub(crate) const PATIENCE_AFTER_KILL: Duration = Duration::from_secs(10);

/// As good as for ever: 136 years.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// A container that ended by itself just before it was told to is no failure.
pub(crate) fn unless_ended(sent: Result<(), Error>) -> Result<(), Error> {
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
    let signal = parse_signal(signal)?;
    let container = Container::find(engine, name)?;
    let asks_to_end = stop_signal(&container.record).is_ok_and(|asked| asked == signal);
    if signal == Signal::KILL || asks_to_end || container.record.lifetime.stop_signal.is_none() {
        hold(&container)?;
    }
    send(&container, signal)?;
    events::note(engine, &container, "kill", &[("signal", &signal.as_raw().to_string())]);
    Ok(())
}

/// How to stop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StopOptions {
    /// Seconds until it is killed; for ever if negative, as the container was made to otherwise.
    pub timeout: Option<i64>,
    /// In place of the container's stop signal.
    pub signal: Option<String>,
}

/// Asks a container to end, and kills it when it has not after a while. It is not started again then, and with `--rm`
/// it is gone afterwards.
///
/// # Errors
/// When it cannot be signalled.
pub fn stop(engine: &Engine, name: &str, options: &StopOptions) -> Result<(), Error> {
    stop_container(engine, &Container::find(engine, name)?, options)
}

pub(super) fn stop_container(engine: &Engine, container: &Container, options: &StopOptions) -> Result<(), Error> {
    let signal = match &options.signal {
        Some(signal) => parse_signal(signal)?,
        None => stop_signal(&container.record)?,
    };
    if !container.state()?.is_active() {
        return Ok(());
    }
    hold(container)?;
    let grace = options.timeout.map_or_else(|| container.record.lifetime.grace(), grace);
    unless_ended(send(container, signal))?;
    if wait_until_ended(engine, container, grace.unwrap_or(FOR_EVER))? == Waited::TimedOut {
        unless_ended(send(container, Signal::KILL))?;
        wait_until_ended(engine, container, PATIENCE_AFTER_KILL)?;
    }
    events::note(engine, container, "stop", &[]);
    if container.record.lifetime.auto_remove { wait_until_removed(engine, container) } else { Ok(()) }
}

/// With `--rm` its owner removes a container a moment after its end; then its name is free for the next command. Should
/// that take long, nobody waits for it.
fn wait_until_removed(engine: &Engine, container: &Container) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE_AFTER_KILL;
    while Instant::now() < deadline && Container::open(engine, &container.record.id)?.is_some() {
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// What asks a container to end.
pub(super) fn stop_signal(record: &ContainerRecord) -> Result<Signal, Error> {
    parse_signal(record.lifetime.stop_signal.as_deref().unwrap_or("TERM"))
}

/// Tells the owner of a container that is started again when it ends that it is not to be.
pub(super) fn hold(container: &Container) -> Result<(), Error> {
    if !container.record.lifetime.restart.restarts() {
        return Ok(());
    }
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, format!("cannot stop container {}", container.record.name)).because(&error)
    };
    let Some(socket) = connect(container).map_err(failed)? else { return Ok(()) };
    let mut queue = Queue::default();
    wire::push(&mut queue, wire::HOLD, &[]);
    // Where the owner has just gone, nothing is started again either.
    if queue.write(|bytes| rustix::net::send(&socket, bytes, SendFlags::NOSIGNAL)).is_ok() {
        let mut answers = Decoder::default();
        while answers.fill(&socket, true).is_ok() {
            while let Ok(Some((kind, _))) = answers.next_frame() {
                if kind == wire::HELD {
                    return Ok(());
                }
            }
        }
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
    match wait_until_ended(engine, &container, FOR_EVER)? {
        Waited::Ended(state) => Ok(state.exit_code.unwrap_or_default()),
        Waited::Removed | Waited::TimedOut => {
            Err(Error::new(ErrorKind::NotFound, format!("container {name} was removed")))
        }
    }
}

pub(super) fn parse_signal(text: &str) -> Result<Signal, Error> {
    let number = dockerfile::parse_signal(text).and_then(|number| Signal::from_named_raw(i32::from(number)));
    number.ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, format!("invalid signal: {text}"))
            .with_hint("use a name such as `TERM` or a number such as `15`")
    })
}

pub(crate) fn send(container: &Container, signal: Signal) -> Result<(), Error> {
    let state = container.state()?;
    let not_running = || Error::new(ErrorKind::Conflict, format!("container {} is not running", container.record.id));
    let Some((pid, _)) = state.process else { return Err(not_running()) };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(not_running)?;
    let failed = |errno: rustix::io::Errno| {
        Error::new(ErrorKind::Internal, format!("cannot signal container {}", container.record.id)).because(&errno)
    };
    // By descriptor: the number could be another process's by now, so look again once it is held.
    let process = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Err(not_running()),
        opened => opened.map_err(failed)?,
    };
    if !container.state()?.is_running() {
        return Err(not_running());
    }
    match rustix::process::pidfd_send_signal(&process, signal) {
        Err(rustix::io::Errno::SRCH) => Err(not_running()),
        sent => sent.map_err(failed),
    }?;
    // What ends a container ends a paused one too; any other signal waits until it goes on.
    let ends = signal == Signal::KILL
        || parse_signal(container.record.lifetime.stop_signal.as_deref().unwrap_or("TERM"))? == signal;
    match running(container, &state) {
        Some(paused) if ends && state.paused => paused.thaw().or_else(|error| match container.state()?.is_running() {
            true => Err(Error::new(ErrorKind::Internal, format!("cannot unpause container {}", container.record.id))
                .because(&error)),
            false => Ok(()),
        }),
        _ => Ok(()),
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
        if !state.is_active() {
            return Ok(Waited::Ended(Box::new(state)));
        }
        let Some(left) = deadline.checked_duration_since(Instant::now()) else { return Ok(Waited::TimedOut) };
        let pid = state.process.and_then(|(pid, _)| Pid::from_raw(i32::try_from(pid).ok()?));
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
