//! A program on a pseudo-terminal: what it shows is read, keys are typed, the window has a size.
//!
//! The program gets a session of its own with the terminal as its controlling one through `setsid --ctty` of
//! util-linux: doing that here would need code between fork and exec, which only `runtime` may have.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::command::Command;

/// A running program and the other side of its terminal.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    master: File,
    seen: String,
}

impl Terminal {
    /// Starts a command on a terminal of this many columns and rows.
    ///
    /// # Panics
    /// If the machine has no pseudo-terminals or the program cannot be started.
    #[must_use]
    pub fn start(command: &Command, columns: u16, rows: u16) -> Self {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("/dev/ptmx can be opened");
        rustix::pty::grantpt(&master).expect("a new terminal can be granted");
        rustix::pty::unlockpt(&master).expect("a new terminal can be unlocked");
        let name = rustix::pty::ptsname(&master, Vec::new()).expect("a new terminal has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave: OwnedFd = rustix::fs::open(name, flags, Mode::empty()).expect("a new terminal can be opened");
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size).expect("a terminal has a size");
        let mut program = command.clone().wrapped("setsid", ["--ctty", "--wait"]).env("TERM", "xterm").to_std();
        let copy = || Stdio::from(slave.try_clone().expect("descriptors are not used up"));
        let child = program.stdin(copy()).stdout(copy()).stderr(copy()).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start `setsid` (package util-linux): {error}"));
        Self { child, master: File::from(master), seen: String::new() }
    }

    /// Types these keys.
    pub fn write(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// Changes the size of the window, which sends SIGWINCH to the program.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.master, size).expect("a terminal has a size");
    }

    /// Reads until the text has been shown, and returns everything shown so far.
    ///
    /// # Panics
    /// If that does not happen within the limit.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> &str {
        let end = Instant::now() + limit;
        while !self.seen.contains(text) {
            assert!(self.read_some(end), "the terminal did not show {text:?}, but:\n{}", self.seen);
        }
        &self.seen
    }

    /// Reads to the end of the program and returns its exit code and everything shown.
    ///
    /// # Panics
    /// If the program does not end within the limit.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> (i32, String) {
        let end = Instant::now() + limit;
        while self.read_some(end) {}
        if Instant::now() >= end {
            self.child.kill().expect("a child of ours can be killed");
            panic!("the program did not end within {limit:?}; shown:\n{}", self.seen);
        }
        let status = self.child.wait().expect("a child of ours can be waited for");
        use std::os::unix::process::ExitStatusExt;
        (status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()), self.seen)
    }

    /// Reads what is there; false at the end of the program or of the time.
    fn read_some(&mut self, end: Instant) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Ok(left) = Timespec::try_from(end.saturating_duration_since(Instant::now())) else { return false };
        let mut descriptors = [PollFd::new(&self.master, PollFlags::IN)];
        match poll(&mut descriptors, Some(&left)) {
            Ok(0) => return false,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("cannot wait for a terminal: {error}"),
        }
        let mut buffer = [0; 4096];
        // EIO is how a terminal says that nobody has it open any more.
        match self.master.read(&mut buffer) {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
                true
            }
        }
    }
}
