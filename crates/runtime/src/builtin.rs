//! The built-in executor: one `clone3`, no second program, nothing left behind.
//!
//! ```text
//!  ContainerSpec -- Plan -- clone3 --+-- parent: waits until the child stops at its first instruction, looks at what
//!                                    |           it executes, lets it go
//!                                    +-- child:  mounts, root, privileges, filter, execve   (child.rs)
//! ```
//!
//! The child is traced for one stop only, between `execve` and the program's first instruction. There the parent checks
//! that what runs is not a host file reached through `/proc/self/exe` (CVE-2019-5736): an image can name our own binary
//! that way, as its program or in a `#!` line, and as root could overwrite it later. A check by path would race; this
//! one looks at the fact. No copy of our binary is needed for it.

mod child;
mod chroot;
mod exec;
mod failure;
mod keeper;
mod mount_plan;
mod pid_namespace;
mod plan;
mod prepared;
mod process_plan;
mod procfs;
mod root_path;
mod root_view;
mod terminal;

pub use chroot::Chroot;
pub use exec::exec;
pub(crate) use mount_plan::{HostDevice, add_init, bind_tree, path_within, type_of_tree};
pub use prepared::{BindOptions, Propagation, TmpfsOptions, prepare_bind, prepare_tmpfs};
pub(crate) use process_plan::lowered_limit;
pub use root_path::make_mount_point;
pub(crate) use root_path::{RootPath, Symlinks};
pub use root_view::{RootView, mount_of_process, root_of_process, tmpfs_of_process};

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus};
use rustix::thread::LinkNameSpaceType;

use self::failure::{Failure, Step};
use self::keeper::Kept;
use self::mount_plan::setup;
use self::plan::{Plan, Surroundings, Words};
use self::process_plan::{ProcessPlan, Rights};
use crate::cgroup::{self, CgroupCleanup, Layout, Prepared};
use crate::process::{Process, Stdio};
use crate::seccomp::docker_filter;
use crate::spec::{Capabilities, ContainerSpec, Namespace, NetworkNamespace};
use crate::sys::{self, CloneFlags, FilterInstruction, Forked};
use crate::{Executor, StartError, user_namespace};

/// What Onggi runs containers with unless told otherwise.
#[derive(Debug)]
pub struct BuiltIn {
    cgroups: Layout,
    /// The filter compiled last; containers of one build all share it.
    filter: Mutex<Option<(Capabilities, Arc<[FilterInstruction]>)>>,
    /// Whether a new procfs is refused to our user namespace.
    shares_procfs: OnceLock<bool>,
}

impl BuiltIn {
    /// Looks at how this machine mounts its control groups.
    #[must_use]
    pub fn new() -> Self {
        Self { cgroups: Layout::of_this_machine(), filter: Mutex::new(None), shares_procfs: OnceLock::new() }
    }

    fn filter(&self, capabilities: Capabilities) -> Arc<[FilterInstruction]> {
        let mut cached = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((known, filter)) if *known == capabilities => filter.clone(),
            _ => {
                let filter: Arc<[_]> = docker_filter(capabilities).into();
                *cached = Some((capabilities, filter.clone()));
                filter
            }
        }
    }
}

impl Default for BuiltIn {
    fn default() -> Self {
        Self::new()
    }
}

impl Executor for BuiltIn {
    fn start(&self, spec: ContainerSpec, stdio: Stdio) -> Result<Process, StartError> {
        let mut prepared = match &spec.cgroup {
            Some(cgroup) => cgroup::prepare(&self.cgroups, cgroup, &cgroup::device_rules(&spec)?),
            None => Prepared::default(),
        };
        let surroundings = Surroundings {
            cgroup_tasks: std::mem::take(&mut prepared.tasks),
            cgroup_folders: std::mem::take(&mut prepared.shown),
            has_cgroup_v2: self.cgroups == Layout::V2,
            devices_are_guarded: prepared.devices_are_guarded,
            rights: rights()?,
        };
        let in_user_namespace = surroundings.rights.in_user_namespace;
        let mut plan = Plan::new(spec, stdio, surroundings, |capabilities| self.filter(capabilities))?;
        if in_user_namespace && *self.shares_procfs.get_or_init(procfs::is_refused) {
            plan.share_kernel_mounts()?;
        }
        let process = launch(&mut plan, prepared.into.as_ref())?.with_warnings(prepared.warnings);
        let process = process.with_cleanup(CgroupCleanup::new(prepared.folders));
        let pid = process.pid();
        keep_owners(process, &mut plan.process, pid)
    }

    fn name(&self) -> &str {
        "built-in"
    }
}

/// What this process may do, which no container can exceed.
pub(crate) fn available_capabilities() -> Result<Capabilities, StartError> {
    let sets = rustix::thread::capabilities(None);
    let sets = sets.map_err(|errno| setup("read the capabilities of this process".to_owned(), errno))?;
    Ok(Capabilities::from_bits(sets.permitted.bits()))
}

fn rights() -> Result<Rights, StartError> {
    let (in_user_namespace, mapped) = (!user_namespace::is_initial(), user_namespace::mapped_ids());
    Ok(Rights { in_user_namespace, available: available_capabilities()?, mapped })
}

/// What goes on for as long as the process lives, where its user namespace has few IDs. `container` is the first process of its
/// container.
fn keep_owners(process: Process, plan: &mut ProcessPlan, container: i32) -> Result<Process, StartError> {
    let process = process.with_warnings(plan.warning.take().into_iter().collect());
    let Some(owners) = plan.owners.take() else { return Ok(process) };
    let keeper = owners.keep(container).map_err(|source| StartError::Setup {
        action: "keep the owners of the container's files".to_owned(),
        source,
    })?;
    Ok(match keeper {
        Some(keeper) => process.with_cleanup(keeper),
        None => process,
    })
}

/// Starts the child and waits until it executes its program.
fn launch(plan: &mut Plan, cgroup: Option<&OwnedFd>) -> Result<Process, StartError> {
    loop {
        let started = match plan.is_kept {
            false => attempt(plan, cgroup).map(|(pid, pidfd)| (pid, pidfd, None)),
            true => keeper::attempt(plan, cgroup)
                .map(|Kept { pid, pidfd, keeper, line }| (pid, pidfd, Some((keeper, line)))),
        };
        let ended = match started {
            Ok((pid, pidfd, kept)) => {
                let terminal = plan.process.terminal.as_mut().and_then(|terminal| terminal.master.take());
                let process = Process::new(pid, pidfd, terminal);
                return Ok(match kept {
                    None => process,
                    Some((keeper, line)) => process.waiting_for(keeper).with_cleanup(line),
                });
            }
            Err(ended) => ended,
        };
        match ended {
            // Somebody (strace, a debugger) follows our children; then the stop is theirs.
            Ended::Failed(Failure { step: Step::Trace, .. }) if plan.traced => plan.traced = false,
            ended => return Err(ended.explain(&plan.words)),
        }
    }
}

/// Why a child did not become the container.
#[derive(Debug)]
enum Ended {
    /// It said so.
    Failed(Failure),
    /// The kernel refused here, not there.
    Here(&'static str, Errno),
    /// It ended without a word.
    Silently,
    /// It executed a file of the host.
    HostExecutable,
}

fn attempt(plan: &Plan, cgroup: Option<&OwnedFd>) -> Result<(Pid, OwnedFd), Ended> {
    let (read, write) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Ended::Here("open a pipe", errno))?;
    let flags = clone_flags(plan);
    // Where our own parent ignores the ends of its children, so do we, and the kernel would not keep them for `waitid`.
    sys::heed_children().map_err(|errno| Ended::Here("heed child processes", errno))?;
    // The child must not run a handler of ours, nor die before it has reset what it inherits.
    let mask = sys::set_signal_mask(u64::MAX).map_err(|errno| Ended::Here("block signals", errno))?;
    let forked = match &plan.pid {
        Namespace::Join(namespace) => {
            let kind = Some(LinkNameSpaceType::ProcessID);
            let enter = || rustix::thread::move_into_link_name_space(namespace.as_fd(), kind);
            pid_namespace::clone_within(enter, flags, cgroup.map(AsFd::as_fd))
        }
        Namespace::New | Namespace::Host => sys::clone_process(flags, cgroup.map(AsFd::as_fd)),
    };
    if let Ok(Forked::Child) = forked {
        child::run(plan, write.as_fd());
        sys::exit_now(1);
    }
    let restored = sys::set_signal_mask(mask);
    drop(write);
    match forked {
        Ok(Forked::Parent { pid, pidfd }) => {
            restored.map_err(|errno| Ended::Here("unblock signals", errno))?;
            let arrived = if plan.traced { await_stop(pid, &pidfd, &read) } else { await_exec(pid, &pidfd, &read) };
            if arrived.is_err() {
                // Nothing is left behind, neither a process nor a zombie; one that has been waited for is not found.
                kill(&pidfd);
            }
            arrived.map(|()| (pid, pidfd))
        }
        Ok(Forked::Child) => Err(Ended::Silently),
        Err(errno) => Err(Ended::Here("create the container's namespaces", errno)),
    }
}

fn clone_flags(plan: &Plan) -> CloneFlags {
    if plan.is_chroot {
        return CloneFlags::NONE;
    }
    let kinds = [
        (matches!(plan.pid, Namespace::New), CloneFlags::NEW_PID_NAMESPACE),
        (matches!(plan.uts, Namespace::New), CloneFlags::NEW_UTS_NAMESPACE),
        (matches!(plan.ipc, Namespace::New), CloneFlags::NEW_IPC_NAMESPACE),
        (matches!(plan.network, NetworkNamespace::New), CloneFlags::NEW_NETWORK_NAMESPACE),
    ];
    let new = kinds.into_iter().filter(|(is_new, _)| *is_new).map(|(_, flag)| flag);
    new.fold(CloneFlags::NEW_MOUNT_NAMESPACE, CloneFlags::with)
}

/// Waits until the child stops at the first instruction of its program, checks that program, and lets it go.
fn await_stop(pid: Pid, pidfd: &OwnedFd, pipe: &OwnedFd) -> Result<(), Ended> {
    loop {
        let status = wait(pidfd, WaitIdOptions::EXITED | WaitIdOptions::STOPPED)?;
        // `trapped` for a stop by ptrace, `stopped` for job control.
        match status.trapping_signal().or_else(|| status.stopping_signal()) {
            None => return Err(last_words(pipe)),
            Some(libc::SIGTRAP) => break,
            // A signal that reached the child on its way; it is the child's to take.
            Some(signal) => {
                sys::trace_continue(pid, signal).map_err(|errno| Ended::Here("continue the container", errno))?;
            }
        }
    }
    if is_own_executable(pid) {
        return Err(Ended::HostExecutable);
    }
    sys::trace_detach(pid).map_err(|errno| Ended::Here("let the container go", errno))
}

/// Waits until the pipe closes, which `execve` does. The check of the program comes a moment late here.
fn await_exec(pid: Pid, pidfd: &OwnedFd, pipe: &OwnedFd) -> Result<(), Ended> {
    if let Some(failure) = read_failure(pipe) {
        wait(pidfd, WaitIdOptions::EXITED)?;
        return Err(Ended::Failed(failure));
    }
    if is_own_executable(pid) {
        return Err(Ended::HostExecutable);
    }
    Ok(())
}

fn last_words(pipe: &OwnedFd) -> Ended {
    read_failure(pipe).map_or(Ended::Silently, Ended::Failed)
}

fn read_failure(pipe: &OwnedFd) -> Option<Failure> {
    let mut bytes = [0; Failure::SIZE];
    let length = loop {
        match rustix::io::read(pipe, &mut bytes) {
            Err(Errno::INTR) => {}
            result => break result.ok()?,
        }
    };
    (length == Failure::SIZE).then(|| Failure::decode(bytes)).flatten()
}

fn wait(pidfd: &OwnedFd, options: WaitIdOptions) -> Result<WaitIdStatus, Ended> {
    loop {
        match rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            Ok(Some(status)) => return Ok(status),
            Ok(None) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Ended::Here("wait for the container", errno)),
        }
    }
}

fn kill(pidfd: &OwnedFd) {
    if sys::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL).is_ok() {
        drop(wait(pidfd, WaitIdOptions::EXITED));
    }
}

/// Whether the child runs the very file that we run. If that cannot be told, it is assumed, unless it has ended.
fn is_own_executable(pid: Pid) -> bool {
    let identity = |path: &str| rustix::fs::stat(path).map(|stat| (stat.st_dev, stat.st_ino));
    match (identity(&format!("/proc/{}/exe", pid.as_raw_nonzero())), identity("/proc/self/exe")) {
        (Ok(theirs), Ok(own)) => theirs == own,
        (Err(Errno::NOENT | Errno::SRCH), Ok(_)) => false,
        _ => true,
    }
}

impl Ended {
    fn explain(self, words: &Words) -> StartError {
        let program = words.program.clone();
        match self {
            Self::Failed(failure) => explain(failure, words),
            Self::Here(action, errno) => setup(action.to_owned(), errno),
            Self::HostExecutable => StartError::HostExecutable { program },
            Self::Silently => StartError::Setup {
                action: "prepare the container".to_owned(),
                source: io::Error::other("its first process ended without saying why"),
            },
        }
    }
}

/// The child's three numbers in words.
fn explain(Failure { step, index, errno }: Failure, words: &Words) -> StartError {
    let program = words.program.clone();
    let path = |paths: &[std::path::PathBuf]| paths.get(index).cloned().unwrap_or_default();
    let named =
        |action: &str, paths: &[std::path::PathBuf]| setup(format!("{action} {}", path(paths).display()), errno);
    let text = |texts: &[String]| texts.get(index).cloned().unwrap_or_default();
    match step {
        Step::NotInPath => StartError::NotInPath { program },
        Step::NotFound => StartError::NotFound { program },
        Step::NoInterpreter => StartError::NoInterpreter { program },
        Step::IsDirectory => StartError::IsDirectory { program },
        Step::Exec => match errno {
            Errno::ACCESS => StartError::PermissionDenied { program },
            Errno::NOEXEC => StartError::WrongFormat { program },
            errno => StartError::Exec { program, source: errno.into() },
        },
        Step::WorkingDirectory => StartError::WorkingDirectory { path: words.cwd.clone(), source: errno.into() },
        Step::TargetInProc => StartError::MountTarget { path: path(&words.mounts), reason: "it is inside /proc" },
        Step::Mount if matches!(errno, Errno::LOOP | Errno::NOTDIR) => StartError::MountTarget {
            path: path(&words.mounts),
            reason: "the image has something else than a folder there",
        },
        Step::Mount => named("mount", &words.mounts),
        Step::Device => named("make device", &words.devices),
        Step::Mask => named("mask", &words.masked_paths),
        Step::ReadOnlyPath => named("make read-only", &words.readonly_paths),
        Step::Sysctl => setup(format!("set sysctl {}", text(&words.sysctls)), errno),
        Step::Rlimit => setup(format!("limit {}", text(&words.rlimits)), errno),
        other => setup(action(other).to_owned(), errno),
    }
}

/// Steps that need no further name.
fn action(step: Step) -> &'static str {
    match step {
        Step::Trace => "be traced",
        Step::Signals => "reset signals",
        Step::JoinCgroup => "enter the control group",
        Step::NetworkNamespace => "enter the network namespace",
        Step::Loopback => "set lo up",
        Step::Session => "start a session",
        Step::CgroupNamespace => "create a cgroup namespace",
        Step::Propagation => "make mounts private",
        Step::AttachRoot => "attach the root file system",
        Step::Terminal => "set up the terminal",
        Step::OomScore => "set the out-of-memory score",
        Step::ReadOnlyRoot => "make the root file system read-only",
        Step::PivotRoot => "change the root",
        Step::Hostname => "set the host name",
        Step::Stdio => "set up the standard streams",
        Step::Capabilities => "set capabilities",
        Step::Groups => "set groups",
        Step::User => "set the user",
        Step::NoNewPrivileges => "set no_new_privs",
        Step::Seccomp => "install the seccomp filter",
        Step::Descriptors => "close descriptors",
        Step::Parent => "watch its parent",
        Step::Namespaces => "enter the container's namespaces",
        _ => "prepare the container",
    }
}
