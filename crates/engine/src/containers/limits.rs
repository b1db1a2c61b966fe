//! What a container may use: memory, processors, tasks, files.
//!
//! The rules are Docker's, with its words; a container that asks for nothing gets no control group, for entering one costs as
//! much as starting.

use std::ffi::OsStr;

use builder::Ulimit;
use runtime::{Cgroup, ContainerSpec, ControlGroups, CpuQuota, Rlimit};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::doctor::machine::Machine;
use crate::doctor::remedies;
use crate::executor::{PARENT, PERIOD};
use crate::{Error, ErrorKind};

/// Docker's smallest limits.
const LEAST_MEMORY: u64 = 6 << 20;
const LEAST_QUOTA: i64 = 1000;

/// `-m`, `--cpus`, `--pids-limit`, `--ulimit` and their like.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of memory; 0 is unlimited.
    pub memory: Option<u64>,
    /// Bytes of memory and swap together; -1 is unlimited.
    pub memory_swap: Option<i64>,
    /// Bytes that are left to it when memory is short.
    pub memory_reservation: Option<u64>,
    /// Readiness to swap, 0 to 100; -1 for the usual one.
    pub memory_swappiness: Option<i64>,
    /// Billionths of a processor.
    pub nano_cpus: Option<u64>,
    /// Weight; 1024 is the usual one.
    pub cpu_shares: Option<u64>,
    /// Microseconds.
    pub cpu_period: Option<u64>,
    /// Microseconds in each period; -1 is unlimited.
    pub cpu_quota: Option<i64>,
    /// Processors such as `0-1,3`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes such as `0-1`.
    pub cpuset_mems: Option<String>,
    /// Number of tasks; -1 and 0 are unlimited.
    pub pids: Option<i64>,
    /// Limits of each process.
    pub ulimits: Vec<Ulimit>,
    /// Nobody is killed when memory is short.
    pub oom_kill_disable: bool,
    /// Readiness to be killed when the machine is short of memory, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// Share of block devices, 10 to 1000.
    pub blkio_weight: Option<u64>,
    /// Control group above that of the container.
    pub cgroup_parent: Option<String>,
    /// `host` or `private`.
    pub cgroupns: Option<String>,
}

impl Limits {
    /// Refuses what cannot be, in Docker's words.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |message: &str| Err(invalid(message));
        let memory = self.memory.unwrap_or(0);
        let swap = self.memory_swap.unwrap_or(0);
        if memory != 0 && memory < LEAST_MEMORY {
            return wrong("minimum memory limit allowed is 6MB");
        }
        if memory == 0 && swap > 0 {
            return wrong("you should always set the memory limit when using memoryswap limit, see usage");
        }
        if swap > 0 && u64::try_from(swap).is_ok_and(|swap| swap < memory) {
            return wrong("minimum memoryswap limit should be larger than memory limit, see usage");
        }
        if let Some(readiness) = self.memory_swappiness.filter(|readiness| !(-1..=100).contains(readiness)) {
            return wrong(&format!("invalid value: {readiness}, valid memory swappiness range is 0-100"));
        }
        if let Some(reservation) = self.memory_reservation.filter(|bytes| *bytes > 0) {
            if reservation < LEAST_MEMORY {
                return wrong("minimum memory reservation allowed is 6MB");
            }
            if memory != 0 && memory < reservation {
                return wrong("minimum memory limit can not be less than memory reservation limit, see usage");
            }
        }
        if let Some(weight) = self.blkio_weight.filter(|weight| *weight != 0 && !(10..=1000).contains(weight)) {
            return wrong(&format!("range of blkio weight is from 10 to 1000, not {weight}"));
        }
        if let Some(score) = self.oom_score_adj.filter(|score| !(-1000..=1000).contains(score)) {
            return wrong(&format!("invalid value {score}, range for oom score adj is [-1000, 1000]"));
        }
        if let Some(mode) = self.cgroupns.as_deref().filter(|mode| !matches!(*mode, "" | "host" | "private")) {
            return wrong(&format!("invalid cgroup namespace mode: {mode}"));
        }
        if let Some(parent) = &self.cgroup_parent {
            let trimmed = parent.trim_matches('/');
            if trimmed.is_empty() || trimmed.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return wrong(&format!("`{parent}` is not the path of a control group"));
            }
        }
        self.check_processors()
    }

    fn check_processors(&self) -> Result<(), Error> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if let Some(nano) = self.nano_cpus {
            for (is_set, what) in [(self.cpu_period.is_some(), "CPU Period"), (self.cpu_quota.is_some(), "CPU Quota")] {
                if is_set {
                    return Err(invalid(&format!("conflicting options: Nano CPUs and {what} cannot both be set")));
                }
            }
            let online = all_processors().map_or(processors, |all| all.len());
            if nano > online as u64 * 1_000_000_000 {
                let message =
                    format!("range of CPUs is from 0.01 to {online}.00, as there are only {online} CPUs available");
                return Err(invalid(&message));
            }
        }
        if self.cpu_period.is_some_and(|period| period != 0 && !(1000..=1_000_000).contains(&period)) {
            return Err(invalid(
                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
            ));
        }
        if self.cpu_quota.is_some_and(|quota| quota > 0 && quota < LEAST_QUOTA) {
            return Err(invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)"));
        }
        let sets = [
            (&self.cpuset_cpus, "cpuset cpus", "CPUs", "/sys/devices/system/cpu/online"),
            (&self.cpuset_mems, "cpuset mems", "memory nodes", "/sys/devices/system/node/online"),
        ];
        for (wanted, what, things, file) in sets {
            let Some(wanted) = wanted.as_deref().filter(|wanted| !wanted.is_empty()) else { continue };
            let Some(numbers) = parse_list(wanted) else {
                return Err(invalid(&format!("invalid value {wanted} for {what}")));
            };
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if let Some(available) = parse_list(text.trim())
                && numbers.iter().any(|number| !available.contains(number))
            {
                let available = text.trim();
                let message =
                    format!("requested {things} are not available - requested {wanted}, available: {available}");
                return Err(invalid(&message));
            }
        }
        Ok(())
    }

    /// These limits with those in their place that the others name.
    pub(crate) fn changed_by(self, other: &Self) -> Self {
        let Self { oom_kill_disable, oom_score_adj, cgroup_parent, cgroupns, ulimits, .. } = self;
        let changed = other.clone();
        Self {
            memory: changed.memory.or(self.memory),
            memory_swap: changed.memory_swap.or(self.memory_swap),
            memory_reservation: changed.memory_reservation.or(self.memory_reservation),
            memory_swappiness: changed.memory_swappiness.or(self.memory_swappiness),
            nano_cpus: changed.nano_cpus.or(self.nano_cpus),
            cpu_shares: changed.cpu_shares.or(self.cpu_shares),
            cpu_period: changed.cpu_period.or(self.cpu_period),
            cpu_quota: changed.cpu_quota.or(self.cpu_quota),
            cpuset_cpus: changed.cpuset_cpus.or(self.cpuset_cpus),
            cpuset_mems: changed.cpuset_mems.or(self.cpuset_mems),
            pids: changed.pids.or(self.pids),
            blkio_weight: changed.blkio_weight.or(self.blkio_weight),
            ulimits,
            oom_kill_disable,
            oom_score_adj,
            cgroup_parent,
            cgroupns,
        }
    }

    /// What of it is not kept here, for want of control groups that were handed to the caller, and what to do about that. To be asked
    /// before any user namespace is entered.
    pub fn lacking(&self) -> Option<(String, Option<String>)> {
        let wanted = self.controllers();
        if wanted.is_empty() {
            return None;
        }
        let groups = ControlGroups::of_this_process();
        let lacking: Vec<&str> =
            wanted.into_iter().filter(|name| !groups.controllers.iter().any(|one| one == name)).collect();
        if lacking.is_empty() {
            return None;
        }
        let uid = rustix::process::geteuid().as_raw();
        let remedy = remedies::control_groups(&Machine::look(uid, OsStr::new("")), groups.version);
        let message = format!("the limits of {} are not kept: no such control group is ours", lacking.join(", "));
        Some((message, remedy.map(|remedy| remedy.to_string())))
    }

    /// Those that the limits need, in the words of cgroup v2.
    fn controllers(&self) -> Vec<&'static str> {
        let cgroup = self.cgroup(String::new());
        let memory =
            cgroup.memory.or(cgroup.memory_and_swap).or(cgroup.memory_reservation).or(cgroup.memory_swappiness);
        let rows = [
            ("memory", memory.is_some() || cgroup.oom_kill_disable),
            ("cpu", cgroup.cpu_quota.is_some() || cgroup.cpu_shares.is_some()),
            ("cpuset", cgroup.cpuset_cpus.is_some() || cgroup.cpuset_mems.is_some()),
            ("pids", cgroup.pids.is_some()),
            ("io", cgroup.block_weight.is_some()),
        ];
        rows.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(name, _)| name).collect()
    }

    /// What is odd and yet done, in Docker's words.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.oom_kill_disable && self.memory.unwrap_or(0) == 0 {
            warnings.push(
                "OOM killer is disabled for the container, but no memory limit is set, this can result in the system \
                 running out of resources."
                    .to_owned(),
            );
        }
        warnings
    }

    /// The limits of a control group that is called so.
    pub(crate) fn cgroup(&self, name: String) -> Cgroup {
        let period = self.cpu_period.filter(|period| *period > 0).unwrap_or(PERIOD);
        let quota = self.cpu_quota.filter(|quota| *quota != 0).map(|quota| u64::try_from(quota).unwrap_or(u64::MAX));
        let quota = self.nano_cpus.map(|nano| nano.saturating_mul(period) / 1_000_000_000).or(quota);
        let cpu_quota = (quota.is_some() || self.cpu_period.is_some_and(|period| period > 0))
            .then(|| CpuQuota { quota_usecs: quota.unwrap_or(u64::MAX), period_usecs: period });
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Cgroup {
            name,
            memory: self.memory.filter(|bytes| *bytes > 0),
            memory_and_swap: self.memory_and_swap(),
            memory_reservation: self.memory_reservation.filter(|bytes| *bytes > 0),
            memory_swappiness: self.memory_swappiness.and_then(|readiness| u64::try_from(readiness).ok()),
            oom_kill_disable: self.oom_kill_disable,
            block_weight: self.blkio_weight.filter(|weight| *weight > 0),
            cpu_quota,
            cpu_shares: self.cpu_shares.filter(|shares| *shares > 0),
            cpuset_cpus: text(&self.cpuset_cpus),
            cpuset_mems: text(&self.cpuset_mems),
            pids: self.pids.map(|limit| u64::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(u64::MAX)),
        }
    }

    /// As much swap as memory where nothing is said, if this machine counts it.
    fn memory_and_swap(&self) -> Option<u64> {
        match (self.memory_swap.filter(|swap| *swap != 0), self.memory.filter(|bytes| *bytes > 0)) {
            (Some(swap), _) => Some(u64::try_from(swap).unwrap_or(u64::MAX)),
            (None, Some(memory)) => {
                let v1 = std::path::Path::new("/sys/fs/cgroup/memory");
                let counts = !v1.exists() || v1.join("memory.memsw.limit_in_bytes").exists();
                counts.then(|| memory.saturating_mul(2))
            }
            (None, None) => None,
        }
    }

    /// Whether a control group is needed.
    fn needs_cgroup(&self) -> bool {
        self.cgroup_parent.is_some()
            || self.cgroupns.as_deref() == Some("private")
            || self.cgroup(String::new()) != Cgroup::default()
    }

    /// Those of each process.
    pub(crate) fn rlimits(&self) -> Vec<Rlimit> {
        let rlimit = |limit: &Ulimit| Rlimit { name: limit.name.clone(), soft: limit.soft, hard: limit.hard };
        self.ulimits.iter().map(rlimit).collect()
    }

    /// Tells the container's start.
    pub(crate) fn apply(&self, spec: &mut ContainerSpec) {
        spec.rlimits.extend(self.rlimits());
        spec.oom_score_adj = self.oom_score_adj.filter(|score| *score != 0).or(spec.oom_score_adj);
        spec.own_cgroup_namespace = match self.cgroupns.as_deref() {
            Some("host") => Some(false),
            Some("private") => Some(true),
            _ => None,
        };
        if self.needs_cgroup() {
            spec.cgroup = Some(self.cgroup(self.cgroup_name(&spec.id)));
        }
    }

    /// The name of a container's control group.
    pub(crate) fn cgroup_name(&self, id: &str) -> String {
        let parent = self.cgroup_parent.as_deref().map_or(PARENT, |parent| parent.trim_matches('/'));
        format!("{parent}/{id}")
    }

    /// Its part of `HostConfig`.
    pub(crate) fn describe(&self, host_config: &mut Map<String, Value>) {
        let swap = self.memory_swap.filter(|swap| *swap != 0);
        let swap = swap.or_else(|| self.memory_and_swap().and_then(|swap| i64::try_from(swap).ok())).unwrap_or(0);
        let ulimits: Vec<Value> = self.ulimits.iter().map(describe_ulimit).collect();
        let rows = [
            ("Memory", json!(self.memory.unwrap_or(0))),
            ("MemorySwap", json!(swap)),
            ("MemoryReservation", json!(self.memory_reservation.unwrap_or(0))),
            ("MemorySwappiness", json!(self.memory_swappiness)),
            ("NanoCpus", json!(self.nano_cpus.unwrap_or(0))),
            ("CpuShares", json!(self.cpu_shares.unwrap_or(0))),
            ("CpuPeriod", json!(self.cpu_period.unwrap_or(0))),
            ("CpuQuota", json!(self.cpu_quota.unwrap_or(0))),
            ("CpusetCpus", json!(self.cpuset_cpus.clone().unwrap_or_default())),
            ("CpusetMems", json!(self.cpuset_mems.clone().unwrap_or_default())),
            ("PidsLimit", json!(self.pids)),
            ("Ulimits", json!(ulimits)),
            ("OomKillDisable", json!(self.oom_kill_disable)),
            ("OomScoreAdj", json!(self.oom_score_adj.unwrap_or(0))),
            ("BlkioWeight", json!(self.blkio_weight.unwrap_or(0))),
            ("CgroupParent", json!(self.cgroup_parent.clone().unwrap_or_default())),
            ("CgroupnsMode", json!(self.cgroupns.clone().unwrap_or_else(|| "host".to_owned()))),
        ];
        host_config.extend(rows.map(|(name, value)| (name.to_owned(), value)));
    }
}

fn describe_ulimit(limit: &Ulimit) -> Value {
    let number = |value: u64| if value == u64::MAX { json!(-1) } else { json!(value) };
    json!({"Name": limit.name, "Soft": number(limit.soft), "Hard": number(limit.hard)})
}

fn all_processors() -> Option<Vec<u32>> {
    parse_list(std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?.trim())
}

/// `0-1,3` as numbers.
fn parse_list(text: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        // More processors than any machine has.
        if first > last || last > 8192 {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests;
