//! A container that is not tied to whoever started it: a small process of the same binary owns it.
//!
//! The monitor is the container's parent. It tells its own parent by one line on standard output that the container
//! runs, or why not. Its standard input is the socket of the first client, if there is one: so whoever starts a container
//! and attaches to it misses nothing.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio as ProcessStdio};
use std::time::{Duration, Instant};

use runtime::WindowSize;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use super::container::{Container, Ownership};
use super::events;
use super::launch::launch;
use super::record::ContainerState;
use super::restart_policy::Restarts;
use super::run::{ended, note_failure, running, taken};
use super::supervise::Supervisor;
use crate::{Engine, Error, ErrorKind};

/// The hidden command that the monitor is started with: `onggi --root ROOT monitor ID`.
pub const COMMAND: &str = "monitor";
const STARTED: &str = "started";
/// Of a terminal that nobody looks at yet.
const USUAL: WindowSize = WindowSize { columns: 80, rows: 24 };

/// Starts a container under a monitor; returns when it runs. `client` is the monitor's end of the first client's socket.
pub(crate) fn start(engine: &Engine, container: &Container, client: Option<OwnedFd>) -> Result<(), Error> {
    let broken =
        |error: std::io::Error| Error::new(ErrorKind::Internal, "cannot start the container's monitor").because(&error);
    // What our own parent left open (a lock, a pipe of a script) is not the monitor's to keep open for days.
    runtime::close_on_exec_from(3).map_err(broken)?;
    // A program that is executed by nobody in particular is root of nothing any more.
    engine.check_rights()?;
    let mut monitor = Command::new("/proc/self/exe")
        .arg0("onggi")
        .arg("--root")
        .arg(std::path::absolute(engine.store().path()).map_err(broken)?)
        .args([COMMAND, &container.record.id])
        .current_dir("/")
        .stdin(client.map_or_else(ProcessStdio::null, ProcessStdio::from))
        .stdout(ProcessStdio::piped())
        .stderr(ProcessStdio::null())
        .spawn()
        .map_err(broken)?;
    let mut answer = String::new();
    if let Some(stdout) = monitor.stdout.take() {
        BufReader::new(stdout).read_line(&mut answer).map_err(broken)?;
    }
    if answer.trim_end() == STARTED {
        return Ok(());
    }
    // It ends now; with `--rm` it removes the container before.
    monitor.wait().map_err(broken)?;
    match serde_json::from_str::<Answer>(&answer) {
        Ok(answer) => Err(answer.into()),
        Err(_) => Err(broken(std::io::Error::other("it ended without a word"))),
    }
}

/// Both ends of a first client's socket: ours, and the monitor's.
pub(crate) fn socket_pair() -> Result<(OwnedFd, OwnedFd), Error> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|errno| Error::new(ErrorKind::Internal, "cannot connect with the container's monitor").because(&errno))
}

/// Why the container does not run, on its way from the monitor to whoever started it.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    exit_code: Option<u8>,
}

impl From<Answer> for Error {
    fn from(answer: Answer) -> Self {
        let mut error = Self::new(ErrorKind::InvalidInput, answer.message);
        (error.causes, error.hint, error.exit_code) = (answer.causes, answer.hint, answer.exit_code);
        error
    }
}

/// The monitor itself: starts the container, answers through `answer`, stays until the container has ended.
///
/// # Errors
/// When the container is not there or could not start; `answer` has been told by then.
pub fn monitor(engine: &Engine, id: &str, mut answer: impl Write) -> Result<(), Error> {
    // A session of its own: the terminal that we were started from may close.
    rustix::process::setsid().ok();
    let result = own(engine, id, &mut answer);
    if let Err(error) = &result {
        let Error { message, causes, hint, exit_code, .. } = error.clone();
        let line = serde_json::to_string(&Answer { message, causes, hint, exit_code }).unwrap_or_default();
        // Whoever asked may be gone.
        writeln!(answer, "{line}").ok();
    }
    result
}

fn own(engine: &Engine, id: &str, answer: &mut impl Write) -> Result<(), Error> {
    let container = Container::find(engine, id)?;
    let ownership = take_over(&container)?;
    let mut supervisor = Supervisor::new(engine, &container, None).map_err(|error| broken(&error))?;
    let size = first_client().map_or(USUAL, |socket| supervisor.welcome(socket).size.unwrap_or(USUAL));
    let result = live(engine, &container, &mut supervisor, size, answer);
    let result = match container.record.lifetime.auto_remove {
        true => {
            let removed = container.remove(engine);
            events::note(engine, &container, "destroy", &[]);
            result.and_then(|code| removed.map(|()| code))
        }
        false => result,
    };
    // Whoever hears of the end can remove it, or start it again.
    drop(ownership);
    if let Ok(code) = result {
        supervisor.tell_end(code);
        supervisor.see_off();
    }
    result.map(drop)
}

/// One whose owner has just told that it ended is free in a moment.
fn take_over(container: &Container) -> Result<Ownership, Error> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(ownership) = container.own()? {
            return Ok(ownership);
        }
        if container.written_state()?.is_active() || Instant::now() > end {
            return Err(taken(container));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The socket that we were started with, and `/dev/null` in its place.
fn first_client() -> Option<OwnedFd> {
    let stdin = rustix::stdio::stdin();
    let stat = rustix::fs::fstat(stdin).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return None;
    }
    let socket = rustix::io::fcntl_dupfd_cloexec(stdin, 3).ok()?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::stdio::dup2_stdin(&null).ok()?;
    Some(socket)
}

/// Starts it, and starts it again as long as that is wanted. Gives the last exit code.
fn live(
    engine: &Engine,
    container: &Container,
    supervisor: &mut Supervisor<'_>,
    size: WindowSize,
    answer: &mut impl Write,
) -> Result<u8, Error> {
    let mut restarts = Restarts::new(container.record.lifetime.restart);
    let mut is_told = false;
    loop {
        let stdio = supervisor.open_streams().map_err(|error| broken(&error))?;
        let terminal = container.record.tty.then_some(size);
        let launched = match launch(engine, container, terminal, stdio) {
            Ok(launched) => launched,
            Err(error) => {
                note_failure(engine, container, &error)?;
                return Err(error);
            }
        };
        let began = Instant::now();
        container.write_state(&ContainerState { restarts: restarts.count(), ..running(engine, &launched) })?;
        events::note(engine, container, "start", &[]);
        if !is_told {
            is_told = true;
            // Whoever asked may have been killed meanwhile: the container was started, and it stays.
            writeln!(answer, "{STARTED}").and_then(|()| answer.flush()).ok();
        }
        let code = supervisor.attend(&launched.process).map_err(|error| broken(&error))?;
        // Its ports are free before anybody learns that it has ended.
        drop(launched.network);
        events::note_end(engine, container, code);
        if let Ok(Some(now)) = Container::open(engine, &container.record.id) {
            restarts.obey(now.record.lifetime.restart);
        }
        let next = restarts.next(code, began.elapsed()).filter(|_| !supervisor.is_held());
        let Some(delay) = next else {
            container.write_state(&ended(engine, container, &launched.process, code)?)?;
            return Ok(code);
        };
        let state = ended(engine, container, &launched.process, code)?;
        container.write_state(&ContainerState { is_restarting: true, restarts: restarts.count(), ..state.clone() })?;
        supervisor.tell_end(code);
        if !supervisor.pause(delay).map_err(|error| broken(&error))? {
            container.write_state(&state)?;
            return Ok(code);
        }
    }
}

fn broken(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "cannot keep the container's output").because(error)
}
