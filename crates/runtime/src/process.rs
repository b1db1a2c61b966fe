//! A running container seen from outside: wait for it, signal it, resize its terminal.
//!
//! The handle owns the container: when it is dropped before the container has ended, the container is killed and its
//! control group removed, so that an error in the caller leaves nothing behind.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use rustix::termios::Winsize;

/// How a container's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// It returned this code.
    Exited(u8),
    /// This signal killed it.
    Signaled(i32),
}

impl ExitStatus {
    /// The code that Docker reports: 128 and the signal's number for a killed program.
    #[must_use]
    pub fn docker_code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128_u8.wrapping_add(u8::try_from(signal & 0x7f).unwrap_or(0)),
        }
    }

    /// Whether it returned 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl From<WindowSize> for Winsize {
    fn from(size: WindowSize) -> Self {
        Self { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
    }
}

/// Where one of the three standard streams goes.
#[derive(Debug, Default)]
pub enum StdioStream {
    /// The same as this process.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// This file, usually the container's end of a pipe.
    Fd(OwnedFd),
}

/// The three standard streams of a container; ignored when it has a terminal.
#[derive(Debug, Default)]
pub struct Stdio {
    /// Descriptor 0.
    pub stdin: StdioStream,
    /// Descriptor 1.
    pub stdout: StdioStream,
    /// Descriptor 2.
    pub stderr: StdioStream,
}

impl Stdio {
    /// All three as this process has them.
    #[must_use]
    pub fn inherit() -> Self {
        Self::default()
    }

    /// All three `/dev/null`.
    #[must_use]
    pub fn null() -> Self {
        Self { stdin: StdioStream::Null, stdout: StdioStream::Null, stderr: StdioStream::Null }
    }
}

/// What has to be put away once a container has ended.
pub(crate) trait Cleanup: Send + Sync + Debug {
    /// Called once, after the last process of the container has ended.
    fn clean_up(&self);
    /// Whether somebody of the container was killed for want of memory; known once it has been cleaned up.
    fn was_out_of_memory(&self) -> bool {
        false
    }
    /// Last chance to kill what `SIGKILL` to the first process may not reach.
    fn kill_rest(&self) {}
}

/// A started container.
#[derive(Debug)]
pub struct Process {
    /// First process of the container, in our PID namespace.
    pid: Pid,
    pidfd: OwnedFd,
    /// The process to wait for: the container itself, or the external runtime that waits for it.
    waited: Option<OwnedFd>,
    terminal: Option<OwnedFd>,
    warnings: Vec<String>,
    cleanup: Vec<Box<dyn Cleanup>>,
    status: Mutex<Option<ExitStatus>>,
}

impl Process {
    /// A handle for a child of this process that is the container.
    pub(crate) fn new(pid: Pid, pidfd: OwnedFd, terminal: Option<OwnedFd>) -> Self {
        let (warnings, cleanup) = (Vec::new(), Vec::new());
        Self { pid, pidfd, waited: None, terminal, warnings, cleanup, status: Mutex::new(None) }
    }

    /// Waits for this process instead, which ends with the container's exit code.
    pub(crate) fn waiting_for(mut self, runtime: OwnedFd) -> Self {
        self.waited = Some(runtime);
        self
    }

    pub(crate) fn with_cleanup(mut self, cleanup: impl Cleanup + 'static) -> Self {
        self.cleanup.push(Box::new(cleanup));
        self
    }

    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// The process ID of the container's first process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// A descriptor of the container's first process, which becomes readable when it ends.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Our end of the container's terminal, if it has one.
    #[must_use]
    pub fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.as_ref().map(AsFd::as_fd)
    }

    /// What the container was asked to have and does not have, such as limits without writable cgroups.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Lets it go on without us: it is not killed when this is dropped, and how it ends is not asked.
    pub fn leave(self) {
        *self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(ExitStatus::Exited(0));
    }

    /// Whether the kernel has killed a process of the container because it wanted more memory than its limit; known once the
    /// container has been waited for.
    #[must_use]
    pub fn was_out_of_memory(&self) -> bool {
        self.cleanup.iter().any(|cleanup| cleanup.was_out_of_memory())
    }

    /// Waits until the container has ended; all its processes are gone then. Repeated calls return the same.
    ///
    /// # Errors
    /// If someone else has already waited for this child.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        self.wait_with(WaitIdOptions::EXITED)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// The exit status if the container has already ended.
    ///
    /// # Errors
    /// As [`Process::wait`].
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.wait_with(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    fn wait_with(&self, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
        let waited = self.waited.as_ref().unwrap_or(&self.pidfd);
        if !options.contains(WaitIdOptions::NOHANG) {
            // Blocks outside the lock, and leaves the zombie for the call below.
            if self.known_status().is_none() {
                wait_id(waited.as_fd(), options | WaitIdOptions::NOWAIT).or_else(|error| {
                    match self.known_status() {
                        Some(_) => Ok(None),
                        None => Err(error),
                    }
                })?;
            }
        }
        let mut status = self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if status.is_none()
            && let Some(ended) = wait_id(waited.as_fd(), options)?
        {
            *status = Some(ended);
            for cleanup in &self.cleanup {
                cleanup.clean_up();
            }
        }
        Ok(*status)
    }

    fn known_status(&self) -> Option<ExitStatus> {
        *self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sends a signal to the container's first process.
    ///
    /// # Errors
    /// `ESRCH` if it has ended, `EINVAL` for a number that is no signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        crate::sys::pidfd_send_signal(self.pidfd.as_fd(), signal)
    }

    /// Tells the programs of the container that their terminal has a new size.
    ///
    /// # Errors
    /// `ENOTTY` for a container without terminal.
    pub fn resize(&self, size: WindowSize) -> io::Result<()> {
        let Some(terminal) = &self.terminal else {
            return Err(rustix::io::Errno::NOTTY.into());
        };
        Ok(rustix::termios::tcsetwinsize(terminal, size.into())?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.known_status().is_some() {
            return;
        }
        // The container may have ended meanwhile; then there is nothing to kill, only to wait for.
        let killed = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        for cleanup in &self.cleanup {
            cleanup.kill_rest();
        }
        if killed.is_ok() || killed == Err(rustix::io::Errno::SRCH) {
            drop(self.wait());
        }
    }
}

/// Waits for a child by its descriptor; `None` if it still runs and `NOHANG` was given.
pub(crate) fn wait_id(pidfd: BorrowedFd<'_>, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
    loop {
        match rustix::process::waitid(WaitId::PidFd(pidfd), options) {
            Ok(status) => return Ok(status.and_then(|status| exit_status(&status))),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn exit_status(status: &WaitIdStatus) -> Option<ExitStatus> {
    // The kernel hands out eight bits of the exit code.
    let code = status.exit_status().map(|code| ExitStatus::Exited((code & 0xff) as u8));
    code.or_else(|| status.terminating_signal().map(ExitStatus::Signaled))
}

/// A descriptor of a process that is our child, or that cannot end and be replaced meanwhile.
pub(crate) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}
