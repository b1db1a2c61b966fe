//! Runs a program to its end, with its output kept; it ends with whoever waits for it.
//!
//! Where a process ignores `SIGCHLD` the kernel keeps no exit codes for it: who uses this crate sees to that beforehand.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// How a program ended, and what it said.
pub struct Finished {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// Standard output, up to the limit.
    pub output: Vec<u8>,
    /// Standard error, up to the limit.
    pub errors: Vec<u8>,
}

/// Output may be secret.
impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finished").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What a program may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most bytes of each stream that are kept.
    pub output: u64,
    /// Most time, if there is a limit.
    pub time: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { output: 16 << 20, time: None }
    }
}

/// Runs a program with this input; `None` when it was killed because nobody waits any longer, or its time was up.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn run(mut command: Command, input: &[u8], limits: Limits, cancelled: &AtomicBool) -> io::Result<Option<Finished>> {
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that the helpers that it starts end with it.
    command.process_group(0);
    let mut child = command.spawn()?;
    let (stdin, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let end = limits.time.map(|time| Instant::now() + time);
    std::thread::scope(|scope| {
        if let Some(mut stdin) = stdin {
            // A program that does not want its input says by its exit code what it thinks of it.
            scope.spawn(move || stdin.write_all(input).ok());
        }
        let output = scope.spawn(|| read(output, limits.output));
        let errors = scope.spawn(|| read(errors, limits.output));
        let status = wait(&mut child, cancelled, end, &[&output, &errors]);
        let (output, errors) = (joined(output), joined(errors));
        Ok(status?.map(|status| Finished { status, output, errors }))
    })
}

/// Waits for the end of the program and of its output; kills it when that is not wanted any more.
fn wait(
    child: &mut Child,
    cancelled: &AtomicBool,
    end: Option<Instant>,
    readers: &[&ScopedJoinHandle<'_, Vec<u8>>],
) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if cancelled.load(Ordering::Relaxed) || end.is_some_and(|end| Instant::now() >= end) {
            kill(child);
            child.wait()?;
            return Ok(None);
        }
        // A program that has closed its output is about to end.
        if readers.iter().all(|reader| reader.is_finished()) {
            return child.wait().map(Some);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn kill(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended the moment before.
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
}

fn read(stream: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What cannot be read is missing from a message; how the program ended says whether it did its work.
        (&mut stream).take(most).read_to_end(&mut bytes).ok();
        io::copy(&mut stream, &mut io::sink()).ok();
    }
    bytes
}

fn joined(reader: ScopedJoinHandle<'_, Vec<u8>>) -> Vec<u8> {
    reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
