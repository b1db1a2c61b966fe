//! cgroup v1: one hierarchy per controller, and only those that a limit needs.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::mount::OpenTreeFlags;

use super::{DeviceRule, Prepared, write};
use crate::spec::Cgroup;

/// Sets the limits; each controller that is missing or not writable is a warning.
pub(super) fn prepare(root: &Path, cgroup: &Cgroup, prepared: &mut Prepared) {
    for (controller, settings) in settings(cgroup) {
        if settings.is_empty() {
            continue;
        }
        let hierarchy = root.join(controller);
        let folder = match prepared.folders.create(&hierarchy, &cgroup.name) {
            Ok(folder) => folder,
            Err(error) => {
                let message =
                    format!("no {controller} limits: cannot make {}/{}: {error}", hierarchy.display(), cgroup.name);
                prepared.warnings.push(message);
                continue;
            }
        };
        if controller == "cpuset" {
            inherit_cpuset(&hierarchy, &cgroup.name, &mut prepared.warnings);
        }
        for (file, value) in settings {
            prepared.warnings.extend(write(&folder, file, &value).err());
        }
        join(controller, &folder, prepared);
    }
}

/// The files to write, by controller.
pub(super) fn settings(cgroup: &Cgroup) -> [(&'static str, Vec<(&'static str, String)>); 5] {
    let mut memory = Vec::new();
    if let Some(limit) = cgroup.memory {
        memory.push(("memory.limit_in_bytes", number(limit)));
    }
    if let Some(limit) = cgroup.memory_and_swap {
        memory.push(("memory.memsw.limit_in_bytes", number(limit)));
    }
    if let Some(bytes) = cgroup.memory_reservation {
        memory.push(("memory.soft_limit_in_bytes", number(bytes)));
    }
    if let Some(readiness) = cgroup.memory_swappiness {
        memory.push(("memory.swappiness", readiness.to_string()));
    }
    if cgroup.oom_kill_disable {
        memory.push(("memory.oom_control", "1".to_owned()));
    }
    let mut cpu = Vec::new();
    if let Some(quota) = cgroup.cpu_quota {
        cpu.push(("cpu.cfs_period_us", quota.period_usecs.to_string()));
        cpu.push(("cpu.cfs_quota_us", number(quota.quota_usecs)));
    }
    if let Some(shares) = cgroup.cpu_shares {
        cpu.push(("cpu.shares", shares.to_string()));
    }
    let cpus = cgroup.cpuset_cpus.iter().map(|cpus| ("cpuset.cpus", cpus.clone()));
    let cpuset = cpus.chain(cgroup.cpuset_mems.iter().map(|mems| ("cpuset.mems", mems.clone()))).collect();
    let pids = cgroup
        .pids
        .iter()
        .map(|limit| ("pids.max", if *limit == u64::MAX { "max".to_owned() } else { limit.to_string() }))
        .collect();
    let block = cgroup.block_weight.iter().map(|weight| ("blkio.weight", weight.to_string())).collect();
    [("memory", memory), ("cpu", cpu), ("cpuset", cpuset), ("pids", pids), ("blkio", block)]
}

/// A limit, or none.
fn number(limit: u64) -> String {
    if limit == u64::MAX { "-1".to_owned() } else { limit.to_string() }
}

/// A new cpuset is empty and takes no task until it has processors and memory nodes, from the top down.
pub(super) fn inherit_cpuset(hierarchy: &Path, name: &str, warnings: &mut Vec<String>) {
    let mut folder = hierarchy.to_owned();
    for component in name.split('/') {
        let parent = folder.clone();
        folder.push(component);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let is_empty = std::fs::read_to_string(folder.join(file)).is_ok_and(|value| value.trim().is_empty());
            if let (true, Ok(value)) = (is_empty, std::fs::read_to_string(parent.join(file))) {
                warnings.extend(write(&folder, file, value.trim()).err());
            }
        }
    }
}

/// Denies all devices and allows those of the rules. Where that is not permitted, mounts keep devices away instead.
pub(super) fn guard_devices(root: &Path, name: &str, rules: &[DeviceRule], prepared: &mut Prepared) {
    let Ok(folder) = prepared.folders.create(&root.join("devices"), name) else { return };
    let denied = write(&folder, "devices.deny", "a");
    let allowed = rules.iter().map(|rule| write(&folder, "devices.allow", &rule.to_string()));
    if denied.and_then(|()| allowed.collect::<Result<(), _>>()).is_ok() {
        prepared.devices_are_guarded = join("devices", &folder, prepared);
    }
}

/// Opens the file through which the child will move itself, and the folder to show inside.
fn join(controller: &str, folder: &Path, prepared: &mut Prepared) -> bool {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let tasks = match rustix::fs::open(folder.join("tasks"), flags, Mode::empty()) {
        Ok(tasks) => tasks,
        Err(error) => {
            prepared.warnings.push(format!("no {controller} limits: cannot open {}/tasks: {error}", folder.display()));
            return false;
        }
    };
    prepared.tasks.push(tasks);
    if let (Ok(name), Ok(tree)) = (CString::new(controller), clone_folder(folder)) {
        prepared.shown.push((name, tree));
    }
    true
}

fn clone_folder(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let directory = rustix::fs::open(folder, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(directory.as_fd(), c"", flags)
}
