//! A container in the background: a small process of the same binary starts it, keeps its output and its exit status.
//!
//! The monitor is the container's parent. It tells its own parent by one line on standard output that the container
//! runs, or why not; then nobody waits for it any more.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio as ProcessStdio};
use std::sync::Mutex;

use runtime::{Stdio, StdioStream, WindowSize};

use crate::container::Container;
use crate::launch::launch;
use crate::run::{finished, note_failure, running};
use crate::{Engine, Error, ErrorKind};

/// The hidden command that the monitor is started with: `onggi --root ROOT monitor ID`.
pub const COMMAND: &str = "monitor";
const STARTED: &str = "started";
const LOG: &str = "container.log";

/// Starts a container in the background; returns when it runs.
pub(crate) fn start(engine: &Engine, container: &Container) -> Result<(), Error> {
    let broken =
        |error: std::io::Error| Error::new(ErrorKind::Internal, "cannot start the container's monitor").because(&error);
    let mut monitor = Command::new("/proc/self/exe")
        .arg0("onggi")
        .arg("--root")
        .arg(engine.store().path())
        .args([COMMAND, &container.record.id])
        .current_dir("/")
        .stdin(ProcessStdio::null())
        .stdout(ProcessStdio::piped())
        .stderr(ProcessStdio::null())
        .process_group(0)
        .spawn()
        .map_err(broken)?;
    let mut answer = String::new();
    if let Some(stdout) = monitor.stdout.take() {
        BufReader::new(stdout).read_line(&mut answer).map_err(broken)?;
    }
    match answer.trim_end() {
        STARTED => Ok(()),
        "" => Err(broken(std::io::Error::other("it ended without a word"))),
        failure => Err(failure_from(failure)),
    }
}

fn failure_from(line: &str) -> Error {
    let parts: Vec<String> = serde_json::from_str(line).unwrap_or_else(|_| vec!["125".to_owned(), line.to_owned()]);
    let mut parts = parts.into_iter();
    let code = parts.next().and_then(|code| code.parse().ok()).unwrap_or(125);
    let mut error = Error::new(ErrorKind::InvalidInput, parts.next().unwrap_or_default()).with_exit_code(code);
    error.causes = parts.collect();
    error
}

/// The monitor itself: starts the container, answers through `answer`, stays until the container has ended.
///
/// # Errors
/// When the container is not there or could not start; `answer` has been told by then.
pub fn monitor(engine: &Engine, id: &str, answer: impl Write) -> Result<(), Error> {
    // A session of its own: the terminal that we were started from may close.
    rustix::process::setsid().ok();
    let container = Container::find(engine, id)?;
    let result = supervise(engine, &container, answer);
    if container.record.auto_remove {
        container.remove(engine)?;
    }
    result
}

fn supervise(engine: &Engine, container: &Container, mut answer: impl Write) -> Result<(), Error> {
    let broken =
        |error: std::io::Error| Error::new(ErrorKind::Internal, "cannot keep the container's output").because(&error);
    let (out, out_end) = crate::terminal::pipe().map_err(broken)?;
    let (err, err_end) = crate::terminal::pipe().map_err(broken)?;
    let stdio = Stdio { stdin: StdioStream::Null, stdout: StdioStream::Fd(out_end), stderr: StdioStream::Fd(err_end) };
    let size = container.record.tty.then_some(WindowSize { columns: 80, rows: 24 });
    let launched = match launch(engine, container, size, stdio) {
        Ok(launched) => launched,
        Err(error) => {
            note_failure(engine, container, &error)?;
            let mut line = vec![error.exit_code.unwrap_or(125).to_string(), error.message.clone()];
            line.extend(error.causes.iter().cloned());
            let line = serde_json::to_string(&line).unwrap_or_default();
            writeln!(answer, "{line}").map_err(broken)?;
            return Err(error);
        }
    };
    container.write_state(&running(engine, &launched))?;
    let log =
        std::fs::File::options().create(true).append(true).open(container.folder.path().join(LOG)).map_err(broken)?;
    writeln!(answer, "{STARTED}").map_err(broken)?;
    drop(answer);
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
    finished(engine, container, status.docker_code())
}

/// Writes lines as Docker's json-file driver does: `{"log":"…\n","stream":"stdout","time":"…"}`.
fn keep(engine: &Engine, from: OwnedFd, stream: &str, log: &Mutex<std::fs::File>) {
    const LONGEST: u64 = 16 << 10;
    let mut lines = BufReader::new(std::fs::File::from(from));
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let row = serde_json::json!({"log": text, "stream": stream, "time": engine.now().to_string()});
        let mut log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A full disk must not stop the container; its output goes on being read.
        writeln!(log, "{row}").ok();
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
