//! `exec`: one more process in a running container.
//!
//! It is our child and nobody else has to know of it: no monitor is asked, and nothing is written down. In the container its
//! parent is process 0, as Docker's is. One that goes on in the background is left to the host's process 1, which waits
//! for orphans; it ends with the container at the latest, for that is when the kernel ends the PID namespace.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use image::users::{LIMIT, UserError};
use runtime::{Process, ProcessSpec, RootView, StartError, Stdio, WindowSize};

use super::container::Container;
use super::events;
use super::pause::{not_running, running};
use super::record::{ContainerState, ContainerStatus};
use crate::detach_keys::DetachKeys;
use crate::executor::environment;
use crate::front::{Attended, Front};
use crate::terminal_holder;
use crate::{Engine, Error, ErrorKind};

/// How `exec` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecOutcome {
    /// The command's exit code, as Docker counts.
    Exited(u8),
    /// It runs in the background, as was asked.
    Detached,
    /// It was left running by the detach keys.
    Left,
}

/// What to run in a container.
#[derive(Debug, Clone, Default)]
pub struct ExecOptions {
    /// The container.
    pub container: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Hand standard input on.
    pub interactive: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// Do not wait for it.
    pub detach: bool,
    /// What leaves a command with a terminal running.
    pub detach_keys: DetachKeys,
    /// `KEY=VALUE`, or `KEY` to take a variable away; later ones win.
    pub env: Vec<String>,
    /// In place of the container's user.
    pub user: Option<String>,
    /// In place of the container's working folder.
    pub working_dir: Option<String>,
    /// With all capabilities.
    pub privileged: bool,
}

/// Runs a command in a running container; gives its exit code, 0 for one in the background.
///
/// # Errors
/// When the container does not run or is paused (exit code 1), when the program cannot be executed (126) or is not there (127).
pub fn exec(engine: &Engine, options: &ExecOptions) -> Result<ExecOutcome, Error> {
    let container = Container::find(engine, &options.container)?;
    let state = container.state()?;
    match state.status() {
        ContainerStatus::Running => {}
        ContainerStatus::Paused => {
            let message = format!("container {} is paused, unpause the container before exec", container.record.id);
            let hint = format!("use `onggi unpause {}`", options.container);
            return Err(Error::new(ErrorKind::Conflict, message).with_hint(hint));
        }
        _ => return Err(not_running(&container)),
    }
    if options.tty && options.interactive && !options.detach && !std::io::stdin().is_terminal() {
        let error = Error::new(ErrorKind::InvalidInput, "the input device is not a TTY");
        return Err(error.with_hint("leave `-t` out when standard input is a file or a pipe"));
    }
    let mut spec = process(&container, &state, options)?;
    let broken = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "cannot connect the streams of the command").because(&error)
    };
    if options.detach {
        // A terminal that nobody ever looks at would end with us.
        let process = start(&container, &state, spec, None, Stdio::null(), options)?;
        note_start(engine, &container, options);
        process.leave();
        return Ok(ExecOutcome::Detached);
    }
    // One that can be left must be able to outlive us.
    spec.die_with_parent = !(options.tty && options.interactive);
    let (front, ends) = Front::prepare(options.tty, options.interactive).map_err(broken)?;
    let process = start(&container, &state, spec, ends.terminal, ends.stdio, options)?;
    note_start(engine, &container, options);
    let code = match front.attend(&process, Some(&options.detach_keys)).map_err(broken)? {
        Attended::Ended(status) => status.docker_code(),
        Attended::Left => {
            process.terminal().map(terminal_holder::hand_over).transpose().map_err(broken)?;
            process.leave();
            return Ok(ExecOutcome::Left);
        }
    };
    events::note(engine, &container, "exec_die", &[("exitCode", &code.to_string())]);
    Ok(ExecOutcome::Exited(code))
}

fn note_start(engine: &Engine, container: &Container, options: &ExecOptions) {
    events::note(engine, container, &format!("exec_start: {}", options.command.join(" ")), &[]);
}

/// Starts a process in a container, as `exec` and health probes do.
pub(crate) fn start(
    container: &Container,
    state: &ContainerState,
    spec: ProcessSpec,
    terminal: Option<WindowSize>,
    stdio: Stdio,
    options: &ExecOptions,
) -> Result<Process, Error> {
    let Some(running) = running(container, state) else { return Err(not_running(container)) };
    let started = runtime::exec(running, || state.is_process_alive(), spec, terminal, stdio);
    let process = started.map_err(|error| explain(&error, container, options))?;
    process.ok_or_else(|| not_running(container))
}

/// In Docker's words: 127 for what is not there, 126 for all else.
fn explain(error: &StartError, container: &Container, options: &ExecOptions) -> Error {
    let code = error.docker_code().max(126);
    let program = options.command.first().map(String::as_str).unwrap_or_default();
    let message = format!("cannot execute {program} in container {}", container.record.name);
    let explained = Error::new(ErrorKind::InvalidInput, message).because(error).with_exit_code(code);
    match error {
        StartError::WorkingDirectory { .. } => {
            explained.with_hint(format!("see which folders it has: `onggi exec -w / {} ls`", options.container))
        }
        _ => explained,
    }
}

/// The process as it is to be: the container's own surroundings, and what the options say otherwise.
pub(crate) fn process(
    container: &Container,
    state: &ContainerState,
    options: &ExecOptions,
) -> Result<ProcessSpec, Error> {
    let record = &container.record;
    let user = user(container, state, options)?;
    let mut env = record.environment();
    if options.tty && !record.tty {
        set(&mut env, "TERM=xterm");
    }
    for pair in &options.env {
        match pair.split_once('=') {
            Some(_) => set(&mut env, pair),
            None => env.retain(|known| known.split('=').next() != Some(pair)),
        }
    }
    let working_dir = options.working_dir.as_deref().filter(|folder| !folder.is_empty());
    let working_dir = PathBuf::from(working_dir.unwrap_or(&record.working_dir));
    if !working_dir.is_absolute() {
        let message = format!("the working directory `{}` is not an absolute path", working_dir.display());
        return Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(126));
    }
    let (capabilities, seccomp, no_new_privileges) = record.security.process(options.privileged)?;
    Ok(ProcessSpec {
        args: options.command.iter().map(OsString::from).collect(),
        env: environment(&env, user.home.as_deref()),
        cwd: working_dir,
        user: runtime::User { uid: user.uid, gid: user.gid, additional_gids: user.additional_gids },
        capabilities,
        no_new_privileges,
        seccomp,
        rlimits: record.limits.rlimits(),
        oom_score_adj: record.limits.oom_score_adj.filter(|score| *score != 0),
        die_with_parent: false,
        is_attended: !options.detach,
    })
}

/// Names are looked up in what the container sees now, which may differ from its image.
fn user(container: &Container, state: &ContainerState, options: &ExecOptions) -> Result<image::users::User, Error> {
    let text = options.user.as_deref().unwrap_or(&container.record.user);
    let failed = |message: &str, error: &(dyn std::error::Error + 'static)| {
        let message = format!("{message} ({})", container.record.name);
        Error::new(ErrorKind::InvalidInput, message).because(error).with_exit_code(126)
    };
    let (pid, _) = state.process.ok_or_else(|| not_running(container))?;
    let view = RootView::of_process(pid, || state.is_process_alive())
        .map_err(|error| failed("cannot look at the container's files", &error))?
        .ok_or_else(|| not_running(container))?;
    let read = |file: &'static str| {
        let content = view.read_file(Path::new(file), LIMIT + 1);
        image::users::text(file, &content.map_err(|source| UserError::Read { file, source })?.unwrap_or_default())
    };
    image::users::resolve_in(read, text).map_err(|error| failed("cannot find the user", &error))
}

fn set(env: &mut Vec<String>, pair: &str) {
    let name = pair.split('=').next();
    match env.iter_mut().find(|known| known.split('=').next() == name) {
        Some(known) => pair.clone_into(known),
        None => env.push(pair.to_owned()),
    }
}
