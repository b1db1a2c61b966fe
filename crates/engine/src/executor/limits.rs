//! `--shm-size`, `--ulimit`, `--cgroup-parent` and `--resource` in the runtime's words.

use builder::{RunLimits, RunResources};
use runtime::{Cgroup, ContainerSpec, CpuQuota, Mount, Rlimit};

/// Where steps are that have limits, unless told otherwise.
pub(crate) const PARENT: &str = "onggi";

/// Length of a period that nobody chose, in microseconds.
pub(crate) const PERIOD: u64 = 100_000;

/// Limits a step. The control group is only made for those that need one.
pub(super) fn apply(spec: &mut ContainerSpec, limits: &RunLimits) {
    if let Some(size) = limits.shm_size {
        for mount in &mut spec.mounts {
            if let Mount::Tmpfs(tmpfs) = mount
                && tmpfs.target.as_os_str() == "/dev/shm"
            {
                tmpfs.size = Some(size);
            }
        }
    }
    let rlimit = |limit: &builder::Ulimit| Rlimit { name: limit.name.clone(), soft: limit.soft, hard: limit.hard };
    spec.rlimits.extend(limits.ulimits.iter().map(rlimit));
    if limits.cgroup_parent.is_some() || !limits.resources.is_empty() {
        let parent = limits.cgroup_parent.as_deref().map_or(PARENT, |parent| parent.trim_matches('/'));
        spec.cgroup = Some(cgroup(format!("{parent}/{}", spec.id), &limits.resources));
    }
}

fn cgroup(name: String, resources: &RunResources) -> Cgroup {
    let RunResources { memory, memory_swap, cpu_shares, cpu_period, cpu_quota, cpuset_cpus, cpuset_mems } =
        resources.clone();
    let cpu_quota = (cpu_period.is_some() || cpu_quota.is_some())
        .then(|| CpuQuota { quota_usecs: cpu_quota.unwrap_or(u64::MAX), period_usecs: cpu_period.unwrap_or(PERIOD) });
    Cgroup {
        name,
        memory,
        memory_and_swap: memory_swap,
        cpu_quota,
        cpu_shares,
        cpuset_cpus,
        cpuset_mems,
        ..Cgroup::default()
    }
}
