//! Runs a program to its end, with its output kept and nothing on its input; it ends with whoever waits for it.
//!
//! Where a process ignores `SIGCHLD` the kernel keeps no exit codes for it: who uses this crate sees to that beforehand.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<u8>,
    pub(crate) errors: Vec<u8>,
}

/// More output than this is not kept.
const MOST_OUTPUT: u64 = 16 << 20;

/// Runs a program; `None` when it was killed because nobody waits any longer.
pub(crate) fn run(mut command: Command, cancelled: &AtomicBool) -> io::Result<Option<Finished>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that the helpers that it starts end with it.
    command.process_group(0);
    let mut child = command.spawn()?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let output = scope.spawn(|| read(output));
        let errors = scope.spawn(|| read(errors));
        let status = wait(&mut child, cancelled, &[&output, &errors]);
        let (output, errors) = (joined(output), joined(errors));
        Ok(status?.map(|status| Finished { status, output, errors }))
    })
}

/// Waits for the end of the program and of its output; kills it when that is not wanted any more.
fn wait(
    child: &mut Child,
    cancelled: &AtomicBool,
    readers: &[&ScopedJoinHandle<'_, Vec<u8>>],
) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if cancelled.load(Ordering::Relaxed) {
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

fn read(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What cannot be read is missing from a message; how the program ended says whether it did its work.
        (&mut stream).take(MOST_OUTPUT).read_to_end(&mut bytes).ok();
        io::copy(&mut stream, &mut io::sink()).ok();
    }
    bytes
}

fn joined(reader: ScopedJoinHandle<'_, Vec<u8>>) -> Vec<u8> {
    reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
