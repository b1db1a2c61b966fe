//! A container in the background: a small process of the same binary starts it, keeps its output and its exit status.
//!
//! The monitor is the container's parent. It tells its own parent by one line on standard output that the container
//! runs, or why not; then nobody waits for it any more.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio as ProcessStdio};
use std::sync::Mutex;

use runtime::{Stdio, StdioStream, WindowSize};
use serde::{Deserialize, Serialize};

use super::container::Container;
use super::launch::launch;
use super::run::{finished, note_failure, running, taken};
use crate::{Engine, Error, ErrorKind};

/// The hidden command that the monitor is started with: `onggi --root ROOT monitor ID`.
pub const COMMAND: &str = "monitor";
const STARTED: &str = "started";
const LOG: &str = "container.log";

/// Starts a container in the background; returns when it runs.
pub(crate) fn start(engine: &Engine, container: &Container) -> Result<(), Error> {
    let broken =
        |error: std::io::Error| Error::new(ErrorKind::Internal, "cannot start the container's monitor").because(&error);
    // What our own parent left open (a lock, a pipe of a script) is not the monitor's to keep open for days.
    runtime::close_on_exec_from(3).map_err(broken)?;
    let mut monitor = Command::new("/proc/self/exe")
        .arg0("onggi")
        .arg("--root")
        .arg(std::path::absolute(engine.store().path()).map_err(broken)?)
        .args([COMMAND, &container.record.id])
        .current_dir("/")
        .stdin(ProcessStdio::null())
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

/// Why the container does not run, on its way from the monitor to `run`.
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
    let result = supervise(engine, id, &mut answer);
    if let Err(error) = &result {
        let Error { message, causes, hint, exit_code, .. } = error.clone();
        let line = serde_json::to_string(&Answer { message, causes, hint, exit_code }).unwrap_or_default();
        // Whoever asked may be gone.
        writeln!(answer, "{line}").ok();
    }
    result
}

fn supervise(engine: &Engine, id: &str, answer: &mut impl Write) -> Result<(), Error> {
    let container = Container::find(engine, id)?;
    let _ownership = container.own()?.ok_or_else(|| taken(&container))?;
    let result = watch(engine, &container, answer);
    if container.record.lifetime.auto_remove {
        let removed = container.remove(engine);
        return result.and(removed);
    }
    result
}

fn watch(engine: &Engine, container: &Container, answer: &mut impl Write) -> Result<(), Error> {
    let broken =
        |error: std::io::Error| Error::new(ErrorKind::Internal, "cannot keep the container's output").because(&error);
    let log = File::options().create(true).append(true).open(container.folder.path().join(LOG)).map_err(broken)?;
    let (out, out_end) = crate::terminal::pipe().map_err(broken)?;
    let (err, err_end) = crate::terminal::pipe().map_err(broken)?;
    let mut stdio =
        Stdio { stdin: StdioStream::Null, stdout: StdioStream::Fd(out_end), stderr: StdioStream::Fd(err_end) };
    // `-i` means that it stays open, even while nobody can type.
    let (input_end, input) = crate::terminal::pipe().map_err(broken)?;
    if container.record.interactive {
        stdio.stdin = StdioStream::Fd(input_end);
    }
    let size = container.record.tty.then_some(WindowSize { columns: 80, rows: 24 });
    let launched = match launch(engine, container, size, stdio) {
        Ok(launched) => launched,
        Err(error) => {
            note_failure(engine, container, &error)?;
            return Err(error);
        }
    };
    container.write_state(&running(engine, &launched))?;
    // Whoever asked may have been killed meanwhile: the container was started, and it stays.
    writeln!(answer, "{STARTED}").and_then(|()| answer.flush()).ok();
    let log = Mutex::new(log);
    if let Some(terminal) = launched.process.terminal() {
        let terminal = terminal.try_clone_to_owned().map_err(broken)?;
        keep(engine, terminal, "stdout", &log);
    } else {
        std::thread::scope(|scope| {
            scope.spawn(|| keep(engine, err, "stderr", &log));
            keep(engine, out, "stdout", &log);
        });
    }
    let status = launched.process.wait().map_err(broken)?;
    drop(input);
    // Its ports are free before anybody learns that it has ended.
    drop(launched.network);
    finished(engine, container, status.docker_code())
}

/// Writes lines as Docker's json-file driver does: `{"log":"…\n","stream":"stdout","time":"…"}`.
fn keep(engine: &Engine, from: OwnedFd, stream: &str, log: &Mutex<File>) {
    const LONGEST: u64 = 16 << 10;
    let mut lines = BufReader::new(File::from(from));
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let row = serde_json::json!({"log": text, "stream": stream, "time": engine.now().to_string()});
        let row = format!("{row}\n");
        let mut log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // In one piece. A full disk must not stop the container; its output goes on being read.
        log.write_all(row.as_bytes()).ok();
    }
}

/// One line of a container's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whether it came from standard error.
    pub is_stderr: bool,
    /// The text, usually with its line break.
    pub text: String,
}

/// All output of a background container so far (S070).
///
/// # Errors
/// When there is no such container or its log cannot be read.
pub fn logs(engine: &Engine, name: &str) -> Result<Vec<LogLine>, Error> {
    let container = Container::find(engine, name)?;
    let content = container.folder.read(LOG)?.unwrap_or_default();
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(LogLine { is_stderr: row["stream"] == "stderr", text: row["log"].as_str()?.to_owned() })
    };
    Ok(String::from_utf8_lossy(&content).lines().filter_map(row).collect())
}
