//! `run`: a container of an image, in front of the user or in the background.

use std::io::IsTerminal;

use runtime::Process;

use super::attach::{AttachOptions, Attached, Client};
use super::container::Container;
use super::create::{CreateOptions, create};
use super::events;
use super::launch::{Launched, launch};
use super::monitor;
use super::record::ContainerState;
use super::supervise::{Console, Supervisor, can_be_in_front, hello};
use crate::detach_keys::DetachKeys;
use crate::{Engine, Error, ErrorKind};

/// What `run` was asked for.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The container.
    pub create: CreateOptions,
    /// Run in the background.
    pub detach: bool,
    /// Signals that we get go to the container.
    pub sig_proxy: bool,
    /// What leaves a container with a terminal running.
    pub detach_keys: DetachKeys,
}

/// How `run` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// In the background: the container's ID.
    Detached(String),
    /// In front: the exit code, as Docker counts.
    Exited(u8),
    /// It was left running by the detach keys.
    Left,
}

/// Makes a container and runs it.
///
/// # Errors
/// With exit code 125 for what is wrong before the program runs, 126 and 127 when it cannot be run.
pub fn run(engine: &Engine, options: &RunOptions) -> Result<RunOutcome, Error> {
    check(options)?;
    let container = create(engine, &options.create).map_err(with_code_125)?;
    let outcome = if options.detach {
        monitor::start(engine, &container, None).map(|()| RunOutcome::Detached(container.record.id.clone()))
    } else if can_be_in_front(&container.record) && options.sig_proxy {
        in_front(engine, &container)
    } else {
        attached(engine, &container, options)
    };
    outcome.map_err(with_code_125)
}

/// Runs it as its owner, and removes it afterwards where that was asked for.
fn in_front(engine: &Engine, container: &Container) -> Result<RunOutcome, Error> {
    let _ownership = container.own()?.ok_or_else(|| taken(container))?;
    let outcome = foreground(engine, container).map(RunOutcome::Exited);
    if container.record.lifetime.auto_remove {
        let removed = container.remove(engine);
        events::note(engine, container, "destroy", &[]);
        // How it ended matters more than what could not be tidied up.
        return outcome.and_then(|outcome| removed.map(|()| outcome));
    }
    outcome
}

/// Somebody else runs or removes it.
pub(crate) fn taken(container: &Container) -> Error {
    Error::new(ErrorKind::Conflict, format!("container {} is in use by another process", container.record.name))
}

fn with_code_125(mut error: Error) -> Error {
    error.exit_code.get_or_insert(125);
    error
}

fn check(options: &RunOptions) -> Result<(), Error> {
    options.create.check()?;
    let is_typed = options.create.interactive && !options.detach && options.create.streams.stdin;
    check_terminal(options.create.tty && is_typed)
}

/// A container with a terminal is typed into from a terminal.
pub(super) fn check_terminal(is_needed: bool) -> Result<(), Error> {
    if is_needed && !std::io::stdin().is_terminal() {
        let error = Error::new(ErrorKind::InvalidInput, "the input device is not a TTY");
        return Err(error.with_hint("leave `-t` out when standard input is a file or a pipe").with_exit_code(1));
    }
    Ok(())
}

fn foreground(engine: &Engine, container: &Container) -> Result<u8, Error> {
    let broken = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "cannot connect the container's streams").because(&error)
    };
    let console = Console::new(&container.record);
    let mut supervisor = Supervisor::new(engine, container, Some(console)).map_err(broken)?;
    let stdio = supervisor.open_streams().map_err(broken)?;
    let launched = match launch(engine, container, None, stdio) {
        Ok(launched) => launched,
        Err(error) => {
            note_failure(engine, container, &error)?;
            return Err(error);
        }
    };
    container.write_state(&running(engine, &launched))?;
    events::note(engine, container, "attach", &[]);
    events::note(engine, container, "start", &[]);
    let code = supervisor.attend(&launched.process).map_err(broken)?;
    // Its ports are free before anybody learns that it has ended.
    drop(launched.network);
    container.write_state(&ended(engine, container, &launched.process, code)?)?;
    events::note_end(engine, container, code);
    supervisor.tell_end(code);
    supervisor.see_off();
    Ok(code)
}

/// Under a monitor, with us as its first client.
fn attached(engine: &Engine, container: &Container, options: &RunOptions) -> Result<RunOutcome, Error> {
    let record = &container.record;
    let (ours, theirs) = monitor::socket_pair()?;
    let attach = AttachOptions {
        no_stdin: !record.streams.stdin,
        sig_proxy: options.sig_proxy,
        detach_keys: options.detach_keys.clone(),
    };
    let client = Client::new(ours, hello(record), record.tty, &attach).ending_unread();
    monitor::start(engine, container, Some(theirs))?;
    Ok(match client.attend(container)? {
        Attached::Ended(code) => RunOutcome::Exited(code),
        Attached::Left | Attached::Unread => RunOutcome::Left,
        Attached::InputEnded => RunOutcome::Detached(record.id.clone()),
    })
}

/// The state of a container that has just started.
pub(crate) fn running(engine: &Engine, launched: &Launched) -> ContainerState {
    let pid = u32::try_from(launched.process.pid()).unwrap_or_default();
    ContainerState {
        started: engine.now().to_string(),
        process: store::ProcessIdentity::of(pid).map(|process| (process.pid, process.start)),
        ..ContainerState::default()
    }
}

/// The state of a container that has just ended.
pub(crate) fn ended(
    engine: &Engine,
    container: &Container,
    process: &Process,
    code: u8,
) -> Result<ContainerState, Error> {
    // The owner's own note, which is outdated by now: that is what this is about.
    let state = container.written_state()?;
    runtime::remove_control_group(&container.record.id);
    let finished = engine.now().to_string();
    let oom_killed = process.was_out_of_memory();
    Ok(ContainerState { finished, process: None, exit_code: Some(code), oom_killed, ..state })
}

/// Notes that a container could not start.
pub(crate) fn note_failure(engine: &Engine, container: &Container, error: &Error) -> Result<(), Error> {
    let now = engine.now().to_string();
    container.write_state(&ContainerState {
        finished: now,
        exit_code: error.exit_code.or(Some(125)),
        error: std::iter::once(&error.message).chain(&error.causes).cloned().collect::<Vec<_>>().join(": "),
        ..ContainerState::default()
    })
}
