//! Docker's defaults: what `docker run IMAGE` gives a container that asks for nothing.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::{Capabilities, ContainerSpec, Mount, Namespace, NetworkNamespace, Seccomp, TmpfsMount, User};

/// `PATH` where neither image nor user sets one.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Hidden because they leak or change the host's state.
const MASKED_PATHS: [&str; 10] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// Hidden since 2023 and 2024: they tell power use and interrupts of neighbours.
const MASKED_PATHS_SIDE_CHANNELS: [&str; 2] = ["/sys/devices/virtual/powercap", "/proc/interrupts"];

/// Parts of procfs that change the host.
const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Everybody may ping.
pub(crate) const PING_GROUPS: (&str, &str) = ("net.ipv4.ping_group_range", "0 2147483647");

/// Size of `/dev/shm`.
const SHM_SIZE: u64 = 64 << 20;

impl ContainerSpec {
    /// A container as Docker makes it when nothing else is said: root with fourteen capabilities, the default
    /// seccomp profile, masked and read-only paths, the standard mounts, a new network namespace with `lo` only.
    ///
    /// The environment is `PATH` and `HOSTNAME`; image and user variables, `TERM` and `HOME` are the caller's to add.
    #[must_use]
    pub fn docker_defaults(id: &str, rootfs: OwnedFd, args: Vec<OsString>) -> Self {
        let hostname = id.get(..12).unwrap_or(id).to_owned();
        Self {
            id: id.to_owned(),
            rootfs,
            readonly_rootfs: false,
            args,
            env: vec![PATH.into(), format!("HOSTNAME={hostname}").into()],
            hostname,
            cwd: PathBuf::from("/"),
            user: User::default(),
            terminal: None,
            mounts: docker_mounts(),
            network: NetworkNamespace::New,
            pid: Namespace::New,
            ipc: Namespace::New,
            uts: Namespace::New,
            own_cgroup_namespace: None,
            capabilities: Capabilities::DOCKER,
            no_new_privileges: false,
            seccomp: Seccomp::Default,
            masked_paths: MASKED_PATHS.iter().chain(&MASKED_PATHS_SIDE_CHANNELS).map(PathBuf::from).collect(),
            readonly_paths: READONLY_PATHS.iter().map(PathBuf::from).collect(),
            rlimits: Vec::new(),
            // Since 20.10: the namespace is the container's own, so ports below 1024 and ping need no privilege.
            sysctls: vec![
                ("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned()),
                (PING_GROUPS.0.to_owned(), PING_GROUPS.1.to_owned()),
            ],
            cgroup: None,
            devices: Vec::new(),
            device_rules: Vec::new(),
            all_devices: false,
            oom_score_adj: None,
            init: false,
            die_with_parent: false,
        }
    }

    /// What `--privileged` changes: all capabilities and devices, no filter, nothing masked or read-only.
    pub fn make_privileged(&mut self) {
        self.capabilities = Capabilities::ALL;
        self.seccomp = Seccomp::Unconfined;
        self.masked_paths.clear();
        self.readonly_paths.clear();
        self.all_devices = true;
        for mount in &mut self.mounts {
            if let Mount::Sys { read_only } | Mount::Cgroup { read_only } = mount {
                *read_only = false;
            }
        }
    }

    /// Uses the host's network namespace, whose settings a container must not touch.
    pub fn use_host_network(&mut self) {
        self.network = NetworkNamespace::Host;
        self.sysctls.retain(|(name, _)| !name.starts_with("net."));
    }

    /// The mount on this path of the container, if it is one of the standard ones or the caller's.
    #[must_use]
    pub fn mount_on(&self, target: &Path) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.target() == target)
    }
}

impl Mount {
    /// Where it is mounted.
    #[must_use]
    pub fn target(&self) -> &Path {
        match self {
            Self::Proc => Path::new("/proc"),
            Self::Dev => Path::new("/dev"),
            Self::Sys { .. } => Path::new("/sys"),
            Self::Cgroup { .. } => Path::new("/sys/fs/cgroup"),
            Self::MessageQueue => Path::new("/dev/mqueue"),
            Self::Tmpfs(tmpfs) => &tmpfs.target,
            Self::Bind(bind) => &bind.target,
            Self::File(file) => &file.target,
        }
    }
}

/// Docker's standard mounts, in its order.
fn docker_mounts() -> Vec<Mount> {
    vec![
        Mount::Proc,
        Mount::Dev,
        Mount::Sys { read_only: true },
        Mount::Cgroup { read_only: true },
        Mount::MessageQueue,
        Mount::Tmpfs(TmpfsMount {
            target: PathBuf::from("/dev/shm"),
            size: Some(SHM_SIZE),
            mode: 0o1777,
            no_exec: true,
            read_only: false,
        }),
    ]
}
