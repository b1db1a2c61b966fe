//! Between our standard streams and the container's.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime::{Process, Stdio, StdioStream, WindowSize};
use rustix::event::{PollFd, PollFlags};
use rustix::termios::{OptionalActions, Termios};

use crate::detach_keys::DetachWatch;

/// Our terminal in raw mode; as it was when this is dropped.
#[derive(Debug)]
pub(crate) struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Switches standard input to raw mode, if it is a terminal.
    pub(crate) fn enter() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = rustix::termios::tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        rustix::termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before).ok();
    }
}

/// Size of the terminal that we are on.
pub(crate) fn window_size() -> Option<WindowSize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdin())
        .or_else(|_| rustix::termios::tcgetwinsize(std::io::stdout()))
        .ok()?;
    (size.ws_col > 0).then_some(WindowSize { columns: size.ws_col, rows: size.ws_row })
}

/// Streams of a foreground container without a terminal.
///
/// A file or pipe of ours is handed on as it is. A terminal of ours is not: a process that has it could type commands
/// into it (`TIOCSTI`); its bytes go through pipes.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

pub(crate) fn foreground(interactive: bool) -> std::io::Result<(Stdio, Relays)> {
    let mut relays = Relays::default();
    let mut stdio = Stdio::inherit();
    if !interactive || is_folder(&std::io::stdin()) {
        stdio.stdin = StdioStream::Null;
    } else if std::io::stdin().is_terminal() {
        let (read, write) = pipe()?;
        (stdio.stdin, relays.stdin) = (StdioStream::Fd(read), Some(write));
    }
    if std::io::stdout().is_terminal() {
        let (read, write) = pipe()?;
        (stdio.stdout, relays.stdout) = (StdioStream::Fd(write), Some(read));
    }
    if std::io::stderr().is_terminal() {
        let (read, write) = pipe()?;
        (stdio.stderr, relays.stderr) = (StdioStream::Fd(write), Some(read));
    }
    Ok((stdio, relays))
}

/// An open folder of the host would be a way around the container's root (CVE-2024-21626).
fn is_folder(stream: &impl AsFd) -> bool {
    rustix::fs::fstat(stream).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
}

impl Relays {
    /// Copies until the container has closed its ends.
    pub(crate) fn run(self) {
        if let Some(stdin) = self.stdin {
            // Blocked in reading until our own end; it has nothing to lose then.
            std::thread::spawn(move || copy(std::io::stdin().lock(), File::from(stdin)));
        }
        std::thread::scope(|scope| {
            if let Some(stderr) = self.stderr {
                scope.spawn(|| copy(File::from(stderr), std::io::stderr()));
            }
            if let Some(stdout) = self.stdout {
                copy(File::from(stdout), std::io::stdout());
            }
        });
    }
}

/// Copies bytes as they come; ends when either side does. Whether it was the side that is read.
fn copy(mut from: impl Read, mut to: impl Write) -> bool {
    let mut buffer = vec![0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => {
                if to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_err() {
                    return false;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // A terminal whose other side is closed gives EIO.
            Err(_) => return true,
        }
    }
}

/// Connects our streams with the container's terminal until it is closed, or the detach keys are typed. Whether they were.
pub(crate) fn relay_terminal(
    process: &Process,
    interactive: bool,
    watch: Option<DetachWatch>,
) -> std::io::Result<bool> {
    let Some(terminal) = process.terminal() else { return Ok(false) };
    // Its other end is closed when somebody leaves.
    let (left, stays) = pipe()?;
    if interactive {
        let input = duplicate(terminal)?;
        std::thread::spawn(move || {
            if !type_into(input, watch) {
                // Input has ended, which is not leaving: until our own end.
                std::mem::forget(stays);
            }
        });
    }
    let mut output = duplicate(terminal)?;
    let mut buffer = vec![0; 16 << 10];
    loop {
        let mut polled = [PollFd::new(&output, PollFlags::IN), PollFd::new(&left, PollFlags::IN)];
        match rustix::event::poll(&mut polled[..if interactive { 2 } else { 1 }], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if !polled[1].revents().is_empty() {
            return Ok(true);
        }
        if polled[0].revents().is_empty() {
            continue;
        }
        // A terminal whose other side is closed gives EIO.
        let Ok(count @ 1..) = output.read(&mut buffer) else { return Ok(false) };
        if std::io::stdout().write_all(&buffer[..count]).and_then(|()| std::io::stdout().flush()).is_err() {
            // Nobody reads any more (`onggi run -t … | head -1`): a full terminal would stop it for ever.
            process.signal(signal_hook::consts::SIGKILL).ok();
            return Ok(false);
        }
    }
}

/// Hands on what is typed, until standard input ends or the keys are complete. Whether they were.
fn type_into(mut terminal: File, watch: Option<DetachWatch>) -> bool {
    let Some(mut watch) = watch else {
        copy(std::io::stdin().lock(), terminal);
        return false;
    };
    let mut stdin = std::io::stdin().lock();
    let mut buffer = vec![0; 4 << 10];
    loop {
        let count = match stdin.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return false,
        };
        let (typed, is_complete) = watch.sift(&buffer[..count]);
        if terminal.write_all(&typed).is_err() {
            return false;
        }
        if is_complete {
            return true;
        }
    }
}

fn duplicate(descriptor: BorrowedFd<'_>) -> std::io::Result<File> {
    Ok(File::from(descriptor.as_fd().try_clone_to_owned()?))
}

pub(crate) fn pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}
