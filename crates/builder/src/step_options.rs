//! What the command line says of the surroundings of RUN: secrets, agents, hosts, limits and permissions.
//!
//! Values of secrets are in none of these types' texts; a file's is read when a command needs it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The surroundings of all RUN steps of a build.
#[derive(Debug, Clone, Default)]
pub struct StepOptions {
    /// `--secret`, by ID.
    pub secrets: BTreeMap<String, SecretSource>,
    /// `--ssh`: sockets of agents, by ID.
    pub agents: BTreeMap<String, PathBuf>,
    /// What the machine is called in RUN, if not as usual (`BUILDKIT_SANDBOX_HOSTNAME`).
    pub hostname: Option<String>,
    /// `--add-host`, in order.
    pub hosts: Vec<(String, HostAddress)>,
    /// `--shm-size`, `--ulimit`, `--cgroup-parent`, `--resource`.
    pub limits: RunLimits,
    /// `--allow network.host`.
    pub allow_host_network: bool,
}

/// Where a secret's value is.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// In a file of the host.
    File(PathBuf),
    /// In a variable of the caller's.
    Variable {
        /// Its name.
        name: String,
        /// What is in it.
        value: Secret,
    },
}

/// A value that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// BuildKit takes no larger ones.
pub const LARGEST_SECRET: usize = 500 * 1024;

impl Secret {
    /// Keeps a value.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// The value itself, for whoever hands it to a command.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(****)")
    }
}

/// What `/etc/hosts` says of an added name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostAddress {
    /// An address.
    Address(IpAddr),
    /// `host-gateway`: the host, as seen from the command.
    Gateway,
}

/// Limits of all commands. Only those that a command can see count for the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLimits {
    /// `--shm-size`: bytes of `/dev/shm`.
    pub shm_size: Option<u64>,
    /// `--ulimit`, in order.
    pub ulimits: Vec<Ulimit>,
    /// `--cgroup-parent`.
    pub cgroup_parent: Option<String>,
    /// `--resource`.
    pub resources: RunResources,
}

/// One `--ulimit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// `nofile`, `nproc` …
    pub name: String,
    /// Soft limit; `u64::MAX` is unlimited.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is unlimited.
    pub hard: u64,
}

/// `--resource`: never in a cache key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResources {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory and swap together; `u64::MAX` is unlimited.
    pub memory_swap: Option<u64>,
    /// Weight; 1024 is usual.
    pub cpu_shares: Option<u64>,
    /// Microseconds of a period.
    pub cpu_period: Option<u64>,
    /// Microseconds of processor time in each period.
    pub cpu_quota: Option<u64>,
    /// Processors, such as `0-1,3`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes, such as `0-1`.
    pub cpuset_mems: Option<String>,
}

impl RunResources {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
