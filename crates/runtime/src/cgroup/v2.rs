//! cgroup v2: one folder, into which the container is cloned.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::{DeviceRule, Prepared, delegation, device_program, write};
use crate::spec::Cgroup;
use crate::sys;

/// Makes the folder, sets the limits, guards the devices.
pub(super) fn prepare(root: &Path, cgroup: &Cgroup, rules: &[DeviceRule], prepared: &mut Prepared) {
    let mut settings = settings(cgroup);
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
        prepared.warnings.extend(leave_out_unavailable(root, &mut settings));
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

/// Takes out the settings of controllers that the tree does not have; gives one warning for each of these.
pub(super) fn leave_out_unavailable(root: &Path, settings: &mut Vec<(&'static str, String)>) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(root.join("cgroup.controllers")) else { return Vec::new() };
    let is_there = |file: &str| text.split_ascii_whitespace().any(|name| Some(name) == file.split('.').next());
    let mut lacking: Vec<&str> =
        settings.iter().filter(|(file, _)| !is_there(file)).filter_map(|(file, _)| file.split('.').next()).collect();
    lacking.dedup();
    let warnings =
        lacking.iter().map(|name| format!("no {name} limits: {} does not have the controller", root.display()));
    let warnings = warnings.collect();
    settings.retain(|(file, _)| is_there(file));
    warnings
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
            // Only a group without processes can hand controllers down (cgroups(7), "no internal processes").
            if let Err(error) = write(&folder, "cgroup.subtree_control", &request) {
                let made_room = folder == root && delegation::make_room(root).is_ok();
                if !made_room || write(&folder, "cgroup.subtree_control", &request).is_err() {
                    return Err(error);
                }
            }
        }
        if components.peek().is_some() {
            folder.push(component);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{enable_controllers, leave_out_unavailable, weight};

    #[test]
    fn what_a_tree_does_not_have_is_left_out_with_a_warning() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("cgroup.controllers"), "memory pids\n").unwrap();
        let mut settings =
            vec![("memory.max", "1".to_owned()), ("cpu.max", "1 2".to_owned()), ("cpu.weight", "3".to_owned())];
        let warnings = leave_out_unavailable(root.path(), &mut settings);
        assert_eq!(settings, [("memory.max", "1".to_owned())]);
        assert_eq!(warnings, [format!("no cpu limits: {} does not have the controller", root.path().display())]);
    }

    #[test]
    fn controllers_are_handed_down_to_the_folder_above_the_last() {
        let root = tempfile::tempdir().unwrap();
        let control = |folder: &str| root.path().join(folder).join("cgroup.subtree_control");
        for folder in ["onggi", "onggi/id"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        for folder in ["", "onggi", "onggi/id"] {
            std::fs::write(control(folder), "").unwrap();
        }
        let settings = [("memory.max", "1".to_owned()), ("memory.low", "1".to_owned()), ("pids.max", "2".to_owned())];
        enable_controllers(root.path(), "onggi/id", &settings).unwrap();
        for (folder, expected) in [("", "+memory +pids"), ("onggi", "+memory +pids"), ("onggi/id", "")] {
            assert_eq!(std::fs::read_to_string(control(folder)).unwrap(), expected, "{folder}");
        }
    }

    #[test]
    fn shares_become_weights_as_other_runtimes_have_it() {
        for (shares, expected) in [(0, 1), (2, 1), (1024, 39), (262_144, 10_000), (u64::MAX, 10_000)] {
            assert_eq!(weight(shares), expected, "{shares}");
        }
    }
}
