//! Any OCI runtime (runc, crun, a path) as an executor.
//!
//! The specification becomes a bundle; `RUNTIME run` is started in a private mount namespace, into which the detached
//! root and bind mounts are moved first, so that the host never shows them and nothing has to be unmounted. The
//! runtime stays until the container ends and passes on its exit code, so a killed container ends here with
//! `Exited(128 + signal)`, and a program that the kernel refuses only at the last moment (wrong format, missing
//! interpreter) ends as the runtime reports it instead of as a [`StartError`].

mod bundle;
mod memory_files;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags};
use rustix::process::{Pid, WaitIdOptions};
use rustix::pty::OpenptFlags;

use self::bundle::Bundle;
use crate::builtin::{RootPath, Symlinks};
use crate::cgroup::remove_empty_parents;
use crate::process::{Cleanup, Process, Stdio, StdioStream, pidfd_open, wait_id};
use crate::spec::ContainerSpec;
use crate::{Executor, StartError, WindowSize, sys};

/// An OCI runtime of the host.
#[derive(Debug)]
pub struct External {
    program: PathBuf,
    name: String,
    state: PathBuf,
}

impl External {
    /// Uses `program` (a path, or a name to be searched in `PATH`), with bundles and state below `state`.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        Self { program, name, state: state.into() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.state.join("state"));
        command
    }

    fn setup(action: &str, path: &Path, source: io::Error) -> StartError {
        StartError::Setup { action: format!("{action} {}", path.display()), source }
    }
}

impl Executor for External {
    fn start(&self, spec: ContainerSpec, stdio: Stdio) -> Result<Process, StartError> {
        let (id, program) = (spec.id.clone(), first_argument(&spec));
        let (terminal, cgroup) = (spec.terminal, spec.cgroup.as_ref().map(|cgroup| cgroup.name.clone()));
        let mut bundle = Bundle::write(&self.state, spec, &self.name)?;
        let mut command = self.command();
        command.arg("--log").arg(bundle.log()).args(["--log-format", "json", "run", "--bundle"]).arg(bundle.folder());
        command.arg("--pid-file").arg(bundle.pid_file()).arg(&id);
        let master = connect(&mut command, stdio, terminal)?;
        let child = spawn(command, &mut bundle, master.is_some()).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StartError::RuntimeNotFound { program: self.program.clone() },
            _ => Self::setup("start", &self.program, source),
        })?;
        bundle.keep();
        let mut cleanup =
            ExternalCleanup { delete: self.command(), id, folder: Some(bundle.folder().to_owned()), cgroup };
        let runtime = process_of(&child).map_err(|source| Self::setup("watch", &self.program, source))?;
        match await_start(&runtime.1, &bundle.pid_file()) {
            Ok(Started::Running(pid, pidfd)) => {
                let process = Process::new(pid, pidfd, master).waiting_for(runtime.1);
                Ok(process.with_cleanup(SharedCleanup(std::sync::Mutex::new(cleanup))))
            }
            Ok(Started::Ended) => {
                // So short-lived that the runtime is all that is left to wait for.
                let pidfd = runtime.1.try_clone().map_err(|source| Self::setup("watch", &self.program, source))?;
                let process = Process::new(runtime.0, pidfd, master).waiting_for(runtime.1);
                Ok(process.with_cleanup(SharedCleanup(std::sync::Mutex::new(cleanup))))
            }
            Ok(Started::Refused) => {
                let message = last_error(&bundle.log());
                drop(wait_id(runtime.1.as_fd(), WaitIdOptions::EXITED));
                cleanup.run();
                Err(self.explain(program, message))
            }
            Err(source) => Err(Self::setup("wait for", &self.program, source)),
        }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl External {
    /// Sorts the runtime's words into Docker's three classes, as Docker itself does.
    fn explain(&self, program: String, message: String) -> StartError {
        let says = |words: &str| message.contains(words);
        if says("executable file not found in $PATH") {
            return StartError::NotInPath { program };
        }
        let is_about_program = says("exec:") || says("exec ");
        match () {
            () if is_about_program && says("no such file or directory") => StartError::NotFound { program },
            () if is_about_program && says("is a directory") => StartError::IsDirectory { program },
            () if is_about_program && says("permission denied") => StartError::PermissionDenied { program },
            () if says("exec format error") => StartError::WrongFormat { program },
            () => StartError::Runtime { program: self.program.clone(), message },
        }
    }
}

fn first_argument(spec: &ContainerSpec) -> String {
    spec.args.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Gives the runtime the streams, or a terminal of which it makes its own; returns our end of that.
fn connect(command: &mut Command, stdio: Stdio, terminal: Option<WindowSize>) -> Result<Option<OwnedFd>, StartError> {
    let failed = |source| StartError::Setup { action: "open a terminal".to_owned(), source };
    let Some(size) = terminal else {
        let stream = |stream| match stream {
            StdioStream::Inherit => std::process::Stdio::inherit(),
            StdioStream::Null => std::process::Stdio::null(),
            StdioStream::Fd(fd) => fd.into(),
        };
        command.stdin(stream(stdio.stdin)).stdout(stream(stdio.stdout)).stderr(stream(stdio.stderr));
        return Ok(None);
    };
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let open = || {
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::unlockpt(&master)?;
        rustix::termios::tcsetwinsize(&master, size.into())?;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
        Ok::<_, Errno>((master, slave))
    };
    let (master, slave) = open().map_err(|errno| failed(errno.into()))?;
    let copy = || slave.try_clone().map_err(failed);
    command.stdin(copy()?).stdout(copy()?).stderr(slave);
    Ok(Some(master))
}

/// Starts the runtime where the container's mounts are, and only there.
fn spawn(mut command: Command, bundle: &mut Bundle, has_terminal: bool) -> io::Result<Child> {
    let mounts = bundle.take_mounts();
    sys::spawn_prepared(&mut command, move || {
        // What we have blocked is ours to read; the runtime and its container take signals as they come.
        sys::set_signal_mask(0)?;
        sys::unshare(libc::CLONE_NEWNS)?;
        let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        rustix::mount::mount_change(c"/", private)?;
        mounts.iter().try_for_each(Attachment::attach)?;
        if has_terminal {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(sys::borrow_number(0))?;
        }
        Ok(())
    })
}

/// A detached mount, and where it goes before the runtime starts.
#[derive(Debug)]
struct Attachment {
    target: CString,
    tree: OwnedFd,
    /// Only what the path leads to within the tree, which is attached to the folder first.
    within: Option<(CString, RootPath)>,
}

impl Attachment {
    fn new(target: &Path, tree: OwnedFd) -> Result<Self, StartError> {
        Ok(Self { target: c_path(target)?, tree, within: None })
    }

    /// Runs between `fork` and `execve`: nothing here allocates.
    fn attach(&self) -> Result<(), Errno> {
        let move_to = |tree: BorrowedFd<'_>, target: &CStr| {
            rustix::mount::move_mount(tree, c"", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        };
        let Some((whole, path)) = &self.within else { return move_to(self.tree.as_fd(), &self.target) };
        move_to(self.tree.as_fd(), whole)?;
        let part = path.open(self.tree.as_fd(), Symlinks::Follow)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let tree = rustix::mount::open_tree(&part, c"", flags)?;
        move_to(tree.as_fd(), &self.target)
    }
}

fn process_of(child: &Child) -> io::Result<(Pid, OwnedFd)> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    Ok((pid, pidfd_open(pid)?))
}

enum Started {
    Running(Pid, OwnedFd),
    Ended,
    Refused,
}

/// The runtime writes the pid file once the program has been let go, or ends without one.
fn await_start(runtime: &OwnedFd, pid_file: &Path) -> io::Result<Started> {
    loop {
        let has_ended = is_readable_within(runtime, Duration::from_millis(1))?;
        if let Some(pid) = read_pid(pid_file) {
            // While the runtime runs, it has not reaped the process, so the number still means it.
            let pidfd = pidfd_open(pid).ok().filter(|_| !has_ended);
            return Ok(pidfd.map_or(Started::Ended, |pidfd| Started::Running(pid, pidfd)));
        }
        if has_ended {
            return Ok(Started::Refused);
        }
    }
}

fn is_readable_within(fd: &OwnedFd, time: Duration) -> io::Result<bool> {
    let timeout = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    match rustix::event::poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn read_pid(file: &Path) -> Option<Pid> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok().and_then(Pid::from_raw)
}

/// The last error in a log of one JSON object a line.
fn last_error(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut entries = text.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let error = entries.find(|entry| entry.get("level").is_some_and(|level| level == "error"));
    let message = error.and_then(|entry| Some(entry.get("msg")?.as_str()?.to_owned()));
    message.unwrap_or_else(|| "ended without starting the container and without saying why".to_owned())
}

/// Removes the bundle, and the container if the runtime did not.
#[derive(Debug)]
struct ExternalCleanup {
    delete: Command,
    id: String,
    folder: Option<PathBuf>,
    cgroup: Option<String>,
}

impl ExternalCleanup {
    fn run(&mut self) {
        let Some(folder) = self.folder.take() else { return };
        if self.state_is_left(&folder) {
            let quiet = std::process::Stdio::null;
            self.delete.args(["delete", "--force", &self.id]).stdin(quiet()).stdout(quiet()).stderr(quiet());
            // Nobody is left to be told.
            drop(self.delete.status());
        }
        if let Some(name) = &self.cgroup {
            remove_empty_parents(name);
        }
        drop(std::fs::remove_dir_all(folder));
    }

    fn state_is_left(&self, bundle: &Path) -> bool {
        let state = bundle.parent().and_then(Path::parent);
        state.is_some_and(|state| state.join("state").join(&self.id).exists())
    }
}

#[derive(Debug)]
struct SharedCleanup(std::sync::Mutex<ExternalCleanup>);

impl Cleanup for SharedCleanup {
    fn clean_up(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).run();
    }
}

fn c_path(path: &Path) -> Result<CString, StartError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| StartError::InvalidSpec { reason: format!("{} has a NUL byte in it", path.display()) })
}

#[cfg(test)]
mod tests;
