//! A second process in a running container: `onggi exec`, health probes.
//!
//! ```text
//!  ProcessSpec -- parent: enters the PID namespace for its next child, clone3 --+-- waits for the end of the pipe
//!                                                                              +-- child: joins the rest by descriptor
//! ```
//!
//! The child is in the container from its first instruction, and others there can look at it. Therefore it cannot be
//! traced or read (`PR_SET_DUMPABLE`) while it still is the host's program, and it executes the container's program by way of
//! a tiny one in sealed memory: at no moment does `/proc/PID/exe` of a process that the container may look at lead to
//! a file of the host (CVE-2019-5736), whatever `#!` lines and links the container has. The same is done for containers of
//! any runtime: nothing is asked of the runtime that started them.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{DumpableBehavior, Pid};
use rustix::thread::ThreadNameSpaceType;

use super::child::process;
use super::failure::{At, Failure, Step};
use super::mount_plan::setup;
use super::pid_namespace::clone_within;
use super::plan::{Words, c_string, invalid, root_path};
use super::process_plan::{ProcessPlan, Program, c_strings};
use super::root_path::{RootPath, Symlinks, open_in_root};
use super::terminal::Terminal;
use super::{Ended, child, keep_owners, kill, read_failure, rights, wait};
use crate::cgroup::{self, Layout};
use crate::process::Process;
use crate::seccomp::docker_filter;
use crate::spec::ProcessSpec;
use crate::sys::{self, CStringArray, CloneFlags, Forked};
use crate::{RootView, RunningContainer, StartError, Stdio, WindowSize};

/// Where the socket to the parent and the last program are at the end.
const REPORT: i32 = 3;
const STAGE: i32 = 4;

/// What the child needs besides the process itself.
#[derive(Debug)]
struct Joining {
    container: OwnedFd,
    /// Those that are not ours.
    namespaces: ThreadNameSpaceType,
    cgroup_tasks: Vec<OwnedFd>,
    keyring: CString,
    cwd: RootPath,
    stage: OwnedFd,
    /// Where the program may be, each with the words for the stage that executes it.
    programs: Vec<(CString, CStringArray)>,
    process: ProcessPlan,
}

/// Starts another process in a running container, whichever runtime it runs on. Returns when its program has been executed.
///
/// `is_alive` tells whether the container's first process still is the one that is meant.
///
/// # Errors
/// As [`Executor::start`](crate::Executor::start); `None` when the container has ended.
pub fn exec(
    container: RunningContainer<'_>,
    is_alive: impl Fn() -> bool,
    spec: ProcessSpec,
    terminal: Option<WindowSize>,
    stdio: Stdio,
) -> Result<Option<Process>, StartError> {
    let first = i32::try_from(container.pid).ok().and_then(Pid::from_raw).ok_or_else(|| invalid("no process"))?;
    let descriptor = match rustix::process::pidfd_open(first, rustix::process::PidfdFlags::empty()) {
        Ok(descriptor) if is_alive() => descriptor,
        Ok(_) | Err(Errno::SRCH) => return Ok(None),
        Err(errno) => return Err(setup("watch the container".to_owned(), errno)),
    };
    let words = Words { program: program_name(&spec), cwd: spec.cwd.clone(), ..Words::default() };
    let terminal = terminal.map(|size| terminal_inside(container.pid, &is_alive, size)).transpose()?;
    let io = |action: &str| {
        let action = action.to_owned();
        move |source| StartError::Setup { action, source }
    };
    let groups = cgroup::groups_to_join(&Layout::of_this_machine(), container.id, container.pid)
        .map_err(io("find the container's control group"))?;
    let keyring = c_string("id", container.id.as_ref())?;
    let cwd = root_path("cwd", &spec.cwd)?;
    let filter = |capabilities| docker_filter(capabilities).into();
    let args = spec.args.clone();
    let process = ProcessPlan::new(spec, stdio, terminal, rights()?, filter)?;
    let mut joining = Joining {
        container: descriptor,
        namespaces: foreign_namespaces(container.pid),
        cgroup_tasks: groups.tasks,
        keyring,
        cwd,
        stage: sys::stage_in_memory().map_err(io("make a program in memory"))?,
        programs: programs(&process.program, &args)?,
        process,
    };
    let (pid, pidfd) = match attempt(&mut joining, groups.into.as_ref()) {
        // The kernel starts nothing in the namespace of a process 1 that has ended.
        Err(Ended::Here(_, Errno::SRCH | Errno::NOMEM)) if !is_alive() => return Ok(None),
        result => result.map_err(|ended| ended.explain(&words))?,
    };
    let terminal = joining.process.terminal.as_mut().and_then(|terminal| terminal.master.take());
    keep_owners(Process::new(pid, pidfd, terminal), &mut joining.process, first.as_raw_nonzero().get()).map(Some)
}

/// What has to be entered. One that the container shares with us needs no entering, and may not be ours to enter.
fn foreign_namespaces(pid: u32) -> ThreadNameSpaceType {
    let kinds = [
        ("uts", ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
        ("ipc", ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
        ("net", ThreadNameSpaceType::NETWORK),
        ("cgroup", ThreadNameSpaceType::CONTROL_GROUP),
    ];
    let number = |pid: &dyn std::fmt::Display, kind: &str| {
        rustix::fs::stat(format!("/proc/{pid}/ns/{kind}")).map(|stat| (stat.st_dev, stat.st_ino)).ok()
    };
    let is_foreign = |kind: &str| number(&pid, kind) != number(&"self", kind);
    let foreign = kinds.into_iter().filter(|(kind, _)| is_foreign(kind)).map(|(_, flag)| flag);
    foreign.fold(ThreadNameSpaceType::MOUNT, |all, flag| all | flag)
}

fn program_name(spec: &ProcessSpec) -> String {
    spec.args.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
}

/// For each place where the program may be, what the stage is told.
fn programs(program: &Program, args: &[OsString]) -> Result<Vec<(CString, CStringArray)>, StartError> {
    let candidates = match program {
        Program::Path(path) => std::slice::from_ref(path),
        Program::Search(candidates) => candidates.as_slice(),
    };
    let arguments = c_strings("args", args.to_vec())?;
    let words =
        |path: &CString| [c"exec".to_owned(), path.clone()].into_iter().chain(arguments.iter().cloned()).collect();
    Ok(candidates.iter().map(|path| (path.clone(), CStringArray::new(words(path)))).collect())
}

/// A terminal of the container's own `/dev/pts`, if that is one; of a new one otherwise.
fn terminal_inside(pid: u32, is_alive: &impl Fn() -> bool, size: WindowSize) -> Result<Terminal, StartError> {
    /// `DEVPTS_SUPER_MAGIC` of `statfs`.
    const DEVPTS_MAGIC: i64 = 0x1cd1;
    let view = RootView::of_process(pid, is_alive)
        .map_err(|source| StartError::Setup { action: "look at the container's files".to_owned(), source })?;
    let devpts = view.and_then(|view| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK;
        open_in_root(view.as_fd(), c"dev/pts", Symlinks::Refuse, flags).ok()
    });
    let is_devpts =
        |folder: &OwnedFd| rustix::fs::fstatfs(folder).is_ok_and(|statistics| statistics.f_type == DEVPTS_MAGIC);
    match devpts.filter(is_devpts) {
        Some(devpts) => Terminal::open_in(devpts, size),
        None => Terminal::open(size),
    }
}

fn attempt(joining: &mut Joining, cgroup: Option<&OwnedFd>) -> Result<(Pid, OwnedFd), Ended> {
    // A socket, because a pipe could be opened through the child's `/proc/PID/fd` and held open.
    let (read, write) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|errno| Ended::Here("open a pair of sockets", errno))?;
    sys::heed_children().map_err(|errno| Ended::Here("heed child processes", errno))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|errno| Ended::Here("hide this process", errno))?;
    let mask = sys::set_signal_mask(u64::MAX).map_err(|errno| Ended::Here("block signals", errno))?;
    let container = joining.container.as_fd();
    let enter = || rustix::thread::move_into_thread_name_spaces(container, ThreadNameSpaceType::PROCESS_ID);
    let forked = clone_within(enter, CloneFlags::NONE, cgroup.map(AsFd::as_fd));
    if let Ok(Forked::Child) = forked {
        run(joining, write.as_fd());
        sys::exit_now(1);
    }
    let restored = sys::set_signal_mask(mask);
    drop(write);
    match forked {
        Ok(Forked::Parent { pid, pidfd }) => {
            let arrived = restored
                .map_err(|errno| Ended::Here("unblock signals", errno))
                .and_then(|_| await_program(&pidfd, &read));
            if arrived.is_err() {
                kill(&pidfd);
            }
            arrived.map(|()| (pid, pidfd))
        }
        Ok(Forked::Child) => Err(Ended::Silently),
        Err(errno) => Err(Ended::Here("start a process in the container", errno)),
    }
}

/// Waits until the socket closes, which the second `execve` does.
fn await_program(pidfd: &OwnedFd, socket: &OwnedFd) -> Result<(), Ended> {
    match read_failure(socket) {
        None => Ok(()),
        Some(failure) => {
            wait(pidfd, rustix::process::WaitIdOptions::EXITED)?;
            Err(Ended::Failed(failure))
        }
    }
}

/// The child's side: nothing here allocates, locks or panics.
fn run(joining: &Joining, socket: BorrowedFd<'_>) {
    let prepared = prepare(joining).and_then(|program| {
        keep_only(socket, joining.stage.as_fd()).at(Step::Descriptors)?;
        Ok(program)
    });
    let (number, failure) = match prepared {
        Err(failure) => (socket, failure),
        Ok(program) => {
            let number = sys::borrow_number(REPORT);
            let stage = sys::borrow_number(STAGE);
            let errno = sys::exec_descriptor(stage, program, &joining.process.environment);
            (number, Failure::new(Step::Exec, errno))
        }
    };
    match rustix::io::write(number, &failure.encode()) {
        Ok(_) | Err(_) => {} // If even that fails, the parent sees a socket that was closed.
    }
}

/// The socket, which the stage closes, and the stage; nothing else of ours is open in the container.
fn keep_only(socket: BorrowedFd<'_>, stage: BorrowedFd<'_>) -> Result<(), Errno> {
    const ABOVE: i32 = 16;
    let socket = rustix::io::fcntl_dupfd_cloexec(socket, ABOVE)?.into_raw_fd();
    let stage = rustix::io::fcntl_dupfd_cloexec(stage, ABOVE)?.into_raw_fd();
    sys::duplicate_onto_for_good(sys::borrow_number(socket), REPORT)?;
    sys::duplicate_onto(sys::borrow_number(stage), STAGE)?;
    sys::close_all_from(STAGE.cast_unsigned() + 1)
}

fn prepare(joining: &Joining) -> Result<&CStringArray, Failure> {
    sys::reset_signals().at(Step::Signals)?;
    rustix::process::umask(Mode::empty());
    for (index, tasks) in joining.cgroup_tasks.iter().enumerate() {
        rustix::io::write(tasks, b"0").at_index(Step::JoinCgroup, index)?;
    }
    if let Some(score) = &joining.process.oom_score_adj {
        process::write_score(score).at(Step::OomScore)?;
    }
    let parent = process::watch_parent(&joining.process)?;
    rustix::process::setsid().at(Step::Session)?;
    match sys::join_session_keyring(&joining.keyring) {
        Ok(()) | Err(Errno::NOSYS | Errno::PERM | Errno::DQUOT | Errno::ACCESS) => {}
        Err(errno) => return Err(Failure::new(Step::Session, errno)),
    }
    // The root becomes that of the mount namespace, whatever the container's first process did to its own.
    rustix::thread::move_into_thread_name_spaces(joining.container.as_fd(), joining.namespaces).at(Step::Namespaces)?;
    let root = rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let root = root.at(Step::Namespaces)?;
    let cwd = joining.cwd.open(root.as_fd(), Symlinks::Follow).at(Step::WorkingDirectory)?;
    process::standard_streams(&joining.process).at(Step::Stdio)?;
    child::enter_working_directory(cwd.as_fd()).at(Step::WorkingDirectory)?;
    process::drop_privileges(&joining.process, parent.as_ref())?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    choose(joining)
}

/// The first candidate that can be executed, with the rights that the program will have. What becomes of it until it is
/// executed is the container's own affair.
fn choose(joining: &Joining) -> Result<&CStringArray, Failure> {
    let is_searched = matches!(joining.process.program, Program::Search(_));
    for (path, arguments) in &joining.programs {
        match (process::look(path), is_searched) {
            (Ok(()), _) => return Ok(arguments),
            (Err(failure), false) => return Err(failure),
            (Err(_), true) => {}
        }
    }
    Err(Failure::new(Step::NotInPath, Errno::NOENT))
}
