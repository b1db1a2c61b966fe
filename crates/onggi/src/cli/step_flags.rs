//! Flags of `build` about the surroundings of RUN: secrets, agents, hosts, limits and permissions.

use clap::Args;

/// What the commands of a build find around them.
#[derive(Debug, Args)]
pub(crate) struct StepFlags {
    /// Add a name to `/etc/hosts` of RUN; `host-gateway` stands for this machine
    #[arg(long = "add-host", value_name = "NAME:ADDRESS")]
    pub(crate) add_hosts: Vec<String>,
    /// Allow steps what they need the right for (`network.host`)
    #[arg(long, value_name = "RIGHT")]
    pub(crate) allow: Vec<String>,
    /// Put the control groups of RUN below this one
    #[arg(long, value_name = "PATH")]
    pub(crate) cgroup_parent: Option<String>,
    /// Limit what RUN may use (`memory=1g,cpu-quota=50000`)
    #[arg(long = "resource", value_name = "NAME=VALUE")]
    pub(crate) resources: Vec<String>,
    /// Give RUN a secret (`id=NAME,src=FILE` or `id=NAME,env=VARIABLE`)
    #[arg(long = "secret", value_name = "FIELDS")]
    pub(crate) secrets: Vec<String>,
    /// Set the size of `/dev/shm` of RUN
    #[arg(long, value_name = "BYTES")]
    pub(crate) shm_size: Option<String>,
    /// Give RUN an SSH agent, `default` for that of `SSH_AUTH_SOCK`
    #[arg(long, value_name = "default|ID=SOCKET")]
    pub(crate) ssh: Vec<String>,
    /// Limit what a process of RUN may use (`nofile=1024:2048`)
    #[arg(long = "ulimit", value_name = "NAME=SOFT[:HARD]")]
    pub(crate) ulimits: Vec<String>,
    /// As `--resource memory=`
    #[arg(short = 'm', long, hide = true, value_name = "BYTES")]
    pub(crate) memory: Option<String>,
    /// As `--resource memory-swap=`
    #[arg(long, hide = true, value_name = "BYTES", allow_hyphen_values = true)]
    pub(crate) memory_swap: Option<String>,
    /// As `--resource cpu-shares=`
    #[arg(short = 'c', long, hide = true, value_name = "WEIGHT")]
    pub(crate) cpu_shares: Option<String>,
    /// As `--resource cpu-period=`
    #[arg(long, hide = true, value_name = "MICROSECONDS")]
    pub(crate) cpu_period: Option<String>,
    /// As `--resource cpu-quota=`
    #[arg(long, hide = true, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    pub(crate) cpu_quota: Option<String>,
    /// As `--resource cpuset-cpus=`
    #[arg(long, hide = true, value_name = "LIST")]
    pub(crate) cpuset_cpus: Option<String>,
    /// As `--resource cpuset-mems=`
    #[arg(long, hide = true, value_name = "LIST")]
    pub(crate) cpuset_mems: Option<String>,
}
