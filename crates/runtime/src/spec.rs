//! What a container is made of, as plain data that both executors read.
//!
//! The words are the OCI runtime-spec's where it has them. Nothing here is taken from an image by itself: whoever
//! fills a [`ContainerSpec`] decides, field by field, what an image may say.

mod capabilities;
mod docker;

pub use capabilities::{Capabilities, UnknownCapability};
pub(crate) use docker::PING_GROUPS;

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::SeccompProfile;
use crate::builtin::Propagation;
use crate::process::WindowSize;

/// Everything needed to start one container.
#[derive(Debug)]
pub struct ContainerSpec {
    /// Name of the container for cgroups, keyrings and external runtimes: letters, digits, `_`, `.` and `-`.
    pub id: String,
    /// Host name in the container's own UTS namespace.
    pub hostname: String,
    /// A detached mount (`open_tree`, `fsmount`, overlay) that becomes `/`.
    pub rootfs: OwnedFd,
    /// Make `/` read-only once the working directory exists.
    pub readonly_rootfs: bool,
    /// Program and arguments; the first is searched in the `PATH` of `env` if it has no slash.
    pub args: Vec<OsString>,
    /// The whole environment, `KEY=VALUE` each, handed on exactly as it is.
    pub env: Vec<OsString>,
    /// Absolute working directory; made with mode 0755 if missing, never outside the root.
    pub cwd: PathBuf,
    /// Numeric user and groups.
    pub user: User,
    /// A pseudo-terminal of this size as stdin, stdout and stderr.
    pub terminal: Option<WindowSize>,
    /// Mounted in this order.
    pub mounts: Vec<Mount>,
    /// The network namespace.
    pub network: NetworkNamespace,
    /// The PID namespace.
    pub pid: Namespace,
    /// The namespace of System V IPC and message queues.
    pub ipc: Namespace,
    /// The namespace of the host name; in the host's, none is set.
    pub uts: Namespace,
    /// Whether the container has a cgroup namespace of its own, if not as is usual: with cgroup v2 alone.
    pub own_cgroup_namespace: Option<bool>,
    /// Bounding, permitted and effective set; inheritable and ambient sets are always empty, as Docker's are.
    pub capabilities: Capabilities,
    /// Set-user-ID programs gain nothing.
    pub no_new_privileges: bool,
    /// The filter of system calls.
    pub seccomp: Seccomp,
    /// Hidden behind `/dev/null` or an empty read-only folder, if they exist.
    pub masked_paths: Vec<PathBuf>,
    /// Read-only, if they exist.
    pub readonly_paths: Vec<PathBuf>,
    /// Resource limits; only ever lowered from what this process has.
    pub rlimits: Vec<Rlimit>,
    /// Kernel settings by dotted name, written before the program starts.
    pub sysctls: Vec<(String, String)>,
    /// The control group, if the container gets one.
    pub cgroup: Option<Cgroup>,
    /// Devices of the host besides Docker's standard ones.
    pub devices: Vec<Device>,
    /// Further rules for devices, as in `c 42:* rwm`; they need a control group.
    pub device_rules: Vec<String>,
    /// Any device may be used and made (`--privileged`); nodes still appear for `devices` only.
    pub all_devices: bool,
    /// Adjustment of the out-of-memory score, if not the caller's own.
    pub oom_score_adj: Option<i32>,
    /// A small init becomes process 1: it starts `args`, hands signals on, and waits for every orphan.
    pub init: bool,
    /// Kill the container when the thread that started it ends.
    pub die_with_parent: bool,
}

/// A process of a container: its first one, or one that joins it.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// Program and arguments; the first is searched in the `PATH` of `env` if it has no slash.
    pub args: Vec<OsString>,
    /// The whole environment, `KEY=VALUE` each, handed on exactly as it is.
    pub env: Vec<OsString>,
    /// Absolute working directory.
    pub cwd: PathBuf,
    /// Numeric user and groups.
    pub user: User,
    /// Bounding, permitted and effective set.
    pub capabilities: Capabilities,
    /// Set-user-ID programs gain nothing.
    pub no_new_privileges: bool,
    /// The filter of system calls.
    pub seccomp: Seccomp,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
    /// Adjustment of the out-of-memory score, if not the caller's own.
    pub oom_score_adj: Option<i32>,
    /// Kill it when the thread that started it ends.
    pub die_with_parent: bool,
    /// Whoever starts it stays until it ends, and so can give its files to owners whom the user namespace does not have.
    pub is_attended: bool,
}

impl ContainerSpec {
    /// Takes out what concerns the first process.
    pub(crate) fn take_process(&mut self) -> ProcessSpec {
        ProcessSpec {
            args: std::mem::take(&mut self.args),
            env: std::mem::take(&mut self.env),
            cwd: self.cwd.clone(),
            user: std::mem::take(&mut self.user),
            capabilities: self.capabilities,
            no_new_privileges: self.no_new_privileges,
            seccomp: self.seccomp.clone(),
            rlimits: std::mem::take(&mut self.rlimits),
            oom_score_adj: self.oom_score_adj,
            die_with_parent: self.die_with_parent,
            is_attended: true,
        }
    }
}

/// Numeric identity of the container's program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups, exactly these.
    pub additional_gids: Vec<u32>,
}

/// One thing mounted in the container.
#[derive(Debug)]
pub enum Mount {
    /// A new procfs on `/proc`, which must be a real folder of the image (or missing).
    Proc,
    /// `/dev`: tmpfs with Docker's device nodes and links, and its own `/dev/pts`.
    Dev,
    /// sysfs on `/sys`.
    Sys {
        /// Read-only, as Docker has it without `--privileged`.
        read_only: bool,
    },
    /// The container's own cgroup on `/sys/fs/cgroup`: cgroup v2, or the v1 controllers that it has limits in.
    Cgroup {
        /// Read-only, as Docker has it without `--privileged`.
        read_only: bool,
    },
    /// POSIX message queues on `/dev/mqueue`.
    MessageQueue,
    /// A new empty folder in memory.
    Tmpfs(TmpfsMount),
    /// A folder or file of the host.
    Bind(BindMount),
    /// A read-only file that exists in memory only; needs [`Mount::Dev`] before it.
    File(FileMount),
}

/// `--tmpfs`, `/dev/shm`.
#[derive(Debug, Clone)]
pub struct TmpfsMount {
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Bytes; half of memory if absent.
    pub size: Option<u64>,
    /// Permission bits of the folder.
    pub mode: u32,
    /// Refuse to execute files from it.
    pub no_exec: bool,
    /// Read-only.
    pub read_only: bool,
}

/// `--volume`, `--mount type=bind`, `RUN --mount`.
#[derive(Debug)]
pub struct BindMount {
    /// What is mounted.
    pub source: BindSource,
    /// Absolute path inside the container; made (folder or empty file, like the source) if missing.
    pub target: PathBuf,
    /// Read-only, with everything below it.
    pub read_only: bool,
    /// Take along what is mounted below the source.
    pub recursive: bool,
}

/// A secret or script, which never touches a disk: nothing of it is set-user-ID or a device.
#[derive(Clone, PartialEq, Eq)]
pub struct FileMount {
    /// Absolute path inside the container; made if missing.
    pub target: PathBuf,
    /// What is in it.
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// It may be executed.
    pub executable: bool,
}

/// The content may be a secret, and is not shown.
impl std::fmt::Debug for FileMount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileMount").field("target", &self.target).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Where a bind mount comes from.
#[derive(Debug)]
pub enum BindSource {
    /// A path of the host, which is the caller's to trust.
    Path(PathBuf),
    /// A detached mount, attached as it is.
    Mount(OwnedFd),
    /// A detached mount with all its attributes, attached as it is: of [`crate::prepare_bind`] or [`crate::prepare_tmpfs`].
    Prepared {
        /// The mount.
        tree: OwnedFd,
        /// Its propagation, which another runtime must leave as it is.
        propagation: Propagation,
    },
    /// An open file or folder (`O_PATH` is enough) of which a copy is mounted.
    File(OwnedFd),
    /// What a path leads to within a detached mount, which is its root: no link leads out of it.
    Within {
        /// The mount.
        mount: OwnedFd,
        /// Absolute, from the mount's root.
        path: PathBuf,
    },
}

/// A namespace of a container.
#[derive(Debug)]
pub enum Namespace {
    /// The one of this process.
    Host,
    /// A new one.
    New,
    /// An existing one.
    Join(OwnedFd),
}

/// The network namespace of a container.
#[derive(Debug)]
pub enum NetworkNamespace {
    /// The one of this process.
    Host,
    /// A new one with nothing but `lo`, which is up.
    New,
    /// An existing one.
    Join(OwnedFd),
}

/// The filter of system calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seccomp {
    /// Docker's default profile, with the rules that its capabilities call for.
    Default,
    /// None.
    Unconfined,
    /// The user's own.
    Profile(Box<SeccompProfile>),
}

/// A resource limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rlimit {
    /// Lower case name as in `docker run --ulimit`: `nofile`, `nproc`, `core` …
    pub name: String,
    /// Soft limit; `u64::MAX` is unlimited.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is unlimited.
    pub hard: u64,
}

/// Limits of the container's control group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// Path below the root of each hierarchy, such as `onggi/3f2a…`; removed when the container ends.
    pub name: String,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes that are left to it when memory is short.
    pub memory_reservation: Option<u64>,
    /// Readiness to swap, 0 to 100; v1 only.
    pub memory_swappiness: Option<u64>,
    /// Nobody is killed when memory is short; v1 only.
    pub oom_kill_disable: bool,
    /// Share of block devices, 10 to 1000.
    pub block_weight: Option<u64>,
    /// Bytes of memory and swap together; equal to `memory` for no swap, `u64::MAX` is unlimited.
    pub memory_and_swap: Option<u64>,
    /// Share of processors.
    pub cpu_quota: Option<CpuQuota>,
    /// Docker's `--cpu-shares` (1024 is the usual weight).
    pub cpu_shares: Option<u64>,
    /// `--cpuset-cpus`, such as `0-1,3`.
    pub cpuset_cpus: Option<String>,
    /// `--cpuset-mems`, memory nodes such as `0-1`.
    pub cpuset_mems: Option<String>,
    /// Number of tasks; `u64::MAX` is unlimited.
    pub pids: Option<u64>,
}

/// So much processor time in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuQuota {
    /// Microseconds in each period; `u64::MAX` is unlimited.
    pub quota_usecs: u64,
    /// Length of the period in microseconds, usually 100,000.
    pub period_usecs: u64,
}

/// A device of the host that the container may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device node of the host.
    pub source: PathBuf,
    /// Absolute path inside the container, below `/dev`.
    pub target: PathBuf,
    /// Any of `r`, `w` and `m`.
    pub access: String,
}
