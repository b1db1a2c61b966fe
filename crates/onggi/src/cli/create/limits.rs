//! Flags about what a container may use.

use clap::Args;

/// Memory, processors, tasks and files.
#[derive(Debug, Default, Args)]
pub(crate) struct LimitFlags {
    #[command(flatten)]
    pub(crate) live: LiveLimitFlags,
    /// Put the control group below this one
    #[arg(long, value_name = "PATH")]
    pub(crate) cgroup_parent: Option<String>,
    /// Choose the cgroup namespace: `host` or `private`
    #[arg(long, value_name = "MODE")]
    pub(crate) cgroupns: Option<String>,
    /// Set the readiness to swap, 0 to 100
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) memory_swappiness: Option<i64>,
    /// Let it wait instead of killing it when memory is short
    #[arg(long)]
    pub(crate) oom_kill_disable: bool,
    /// Set how ready the host is to kill it, -1000 to 1000
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) oom_score_adj: Option<i32>,
    /// Limit what each process may use (`nofile=1024:2048`)
    #[arg(long = "ulimit", value_name = "NAME=SOFT[:HARD]")]
    pub(crate) ulimits: Vec<String>,
}

/// Those that can be otherwise later.
#[derive(Debug, Default, Args)]
pub(crate) struct LiveLimitFlags {
    /// Set the share of block devices, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) blkio_weight: Option<u64>,
    /// Set the length of a scheduler's period
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) cpu_period: Option<u64>,
    /// Limit the processor time in a period
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    pub(crate) cpu_quota: Option<i64>,
    /// Set the share of processors, usually 1024
    #[arg(short = 'c', long, value_name = "WEIGHT")]
    pub(crate) cpu_shares: Option<u64>,
    /// Limit the number of processors (`1.5`)
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpus: Option<String>,
    /// Choose processors (`0-1,3`)
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_cpus: Option<String>,
    /// Choose memory nodes (`0-1`)
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_mems: Option<String>,
    /// Accepted for old scripts; kernels have it no more
    #[arg(long, value_name = "BYTES", hide = true)]
    pub(crate) kernel_memory: Option<String>,
    /// Limit memory (`512m`)
    #[arg(short, long, value_name = "BYTES")]
    pub(crate) memory: Option<String>,
    /// Leave it this much when memory is short
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory_reservation: Option<String>,
    /// Limit memory and swap together, -1 for no limit
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    pub(crate) memory_swap: Option<String>,
    /// Limit the number of tasks, -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) pids_limit: Option<i64>,
}
