//! cgroup v2: one folder, into which the container is cloned.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::{DeviceRule, Prepared, device_program, write};
use crate::spec::Cgroup;
use crate::sys;

/// Makes the folder, sets the limits, guards the devices.
pub(super) fn prepare(root: &Path, cgroup: &Cgroup, rules: &[DeviceRule], prepared: &mut Prepared) {
    let settings = settings(cgroup);
    let folder = match prepared.folders.create(root, &cgroup.name) {
        Ok(folder) => folder,
        // Nothing was to be limited, and devices are kept away by mounts where no control group does it.
        Err(_) if settings.is_empty() => return,
        Err(error) => {
            let path = root.join(&cgroup.name);
            prepared.warnings.push(format!("no limits: cannot make {}: {error}", path.display()));
            return;
        }
    };
    if !settings.is_empty() {
        prepared.warnings.extend(enable_controllers(root, &cgroup.name, &settings).err());
    }
    for (file, value) in settings {
        prepared.warnings.extend(write(&folder, file, &value).err());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let descriptor = match rustix::fs::open(&folder, flags, Mode::empty()) {
        Ok(descriptor) => descriptor,
        Err(error) => {
            prepared.warnings.push(format!("no limits: cannot open {}: {error}", folder.display()));
            return;
        }
    };
    let guarded = sys::load_device_program(&device_program::assemble(rules))
        .and_then(|program| sys::attach_device_program(descriptor.as_fd(), &program));
    // Needs CAP_BPF or CAP_SYS_ADMIN on the host; without it the mounts keep devices away.
    prepared.devices_are_guarded = guarded.is_ok();
    prepared.into = Some(descriptor);
}

/// The files to write.
pub(super) fn settings(cgroup: &Cgroup) -> Vec<(&'static str, String)> {
    let mut settings = Vec::new();
    if let Some(limit) = cgroup.memory {
        settings.push(("memory.max", number(limit)));
    }
    if let (Some(both), Some(memory)) = (cgroup.memory_and_swap, cgroup.memory) {
        // v2 counts swap alone.
        let swap = if both == u64::MAX { both } else { both.saturating_sub(memory) };
        settings.push(("memory.swap.max", number(swap)));
    }
    if let Some(bytes) = cgroup.memory_reservation {
        settings.push(("memory.low", number(bytes)));
    }
    if let Some(weight) = cgroup.block_weight {
        // As the OCI runtimes have it: from 10..1000 to 1..10000.
        settings.push(("io.weight", (1 + weight.clamp(10, 1000).saturating_sub(10) * 9999 / 990).to_string()));
    }
    if let Some(quota) = cgroup.cpu_quota {
        settings.push(("cpu.max", format!("{} {}", number(quota.quota_usecs), quota.period_usecs)));
    }
    if let Some(shares) = cgroup.cpu_shares {
        settings.push(("cpu.weight", weight(shares).to_string()));
    }
    if let Some(cpus) = &cgroup.cpuset_cpus {
        settings.push(("cpuset.cpus", cpus.clone()));
    }
    if let Some(mems) = &cgroup.cpuset_mems {
        settings.push(("cpuset.mems", mems.clone()));
    }
    if let Some(limit) = cgroup.pids {
        settings.push(("pids.max", number(limit)));
    }
    settings
}

/// A limit, or none.
fn number(limit: u64) -> String {
    if limit == u64::MAX { "max".to_owned() } else { limit.to_string() }
}

/// v1's shares from 2 to 262144 as v2's weight from 1 to 10000, by the formula of the OCI runtimes.
fn weight(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    1 + (shares - 2) * 9999 / 262_142
}

/// Hands the controllers down from the root to the folder above ours.
pub(super) fn enable_controllers(root: &Path, name: &str, settings: &[(&str, String)]) -> Result<(), String> {
    let mut controllers: Vec<&str> = settings.iter().filter_map(|(file, _)| file.split('.').next()).collect();
    controllers.dedup();
    let request = controllers.iter().map(|controller| format!("+{controller}")).collect::<Vec<_>>().join(" ");
    let mut folder = root.to_owned();
    let mut components = name.split('/').peekable();
    while let Some(component) = components.next() {
        let enabled = std::fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
        if controllers.iter().any(|controller| !enabled.split_whitespace().any(|one| one == *controller)) {
            write(&folder, "cgroup.subtree_control", &request)?;
        }
        if components.peek().is_some() {
            folder.push(component);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn shares_become_weights_as_other_runtimes_have_it() {
        for (shares, expected) in [(0, 1), (2, 1), (1024, 39), (262_144, 10_000), (u64::MAX, 10_000)] {
            assert_eq!(weight(shares), expected, "{shares}");
        }
    }
}
