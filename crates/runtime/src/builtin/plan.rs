//! Everything the child will need, made before the clone: C strings, descriptors, filters, lists.
//!
//! A [`Plan`] is a [`ContainerSpec`] that has been checked and turned into what system calls take. Whatever can be
//! refused without the kernel is refused here.

use std::ffi::{CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mount_plan::{self, MountConditions, PlannedDevices, PlannedMount};
use super::process_plan::{ProcessPlan, Rights};
use super::root_path::RootPath;
use super::terminal::Terminal;
use crate::StartError;
use crate::process::Stdio;
use crate::spec::{Capabilities, ContainerSpec, Namespace, NetworkNamespace, PING_GROUPS};
use crate::sys::FilterInstruction;

/// A container, ready for the clone.
#[derive(Debug)]
pub(super) struct Plan {
    /// A folder is the root, and there are neither mounts nor namespaces.
    pub(super) is_chroot: bool,
    /// No PID namespace ends what the first process leaves behind: a process of ours does.
    pub(super) is_kept: bool,
    /// Ask the parent to look at the program before its first instruction.
    pub(super) traced: bool,
    pub(super) cgroup_tasks: Vec<OwnedFd>,
    pub(super) new_cgroup_namespace: bool,
    pub(super) network: NetworkNamespace,
    pub(super) pid: Namespace,
    pub(super) ipc: Namespace,
    pub(super) uts: Namespace,
    pub(super) keyring: CString,
    pub(super) hostname: Vec<u8>,
    /// In a user namespace, whose root a filter may keep from it.
    pub(super) may_keep_hostname: bool,
    pub(super) rootfs: OwnedFd,
    pub(super) readonly_rootfs: bool,
    /// No control group guards the devices: no mount but those of single nodes may have any.
    pub(super) no_devices: bool,
    /// A control group says which devices work, or all do.
    pub(super) devices_work: bool,
    pub(super) mounts: Vec<PlannedMount>,
    pub(super) devices: PlannedDevices,
    pub(super) sysctls: Vec<(CString, Vec<u8>)>,
    pub(super) masked_paths: Vec<RootPath>,
    pub(super) readonly_paths: Vec<RootPath>,
    pub(super) cwd: RootPath,
    pub(super) process: ProcessPlan,
    pub(super) words: Words,
}

/// The specification's own words, for messages.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) program: String,
    pub(super) cwd: PathBuf,
    pub(super) mounts: Vec<PathBuf>,
    pub(super) devices: Vec<PathBuf>,
    pub(super) sysctls: Vec<String>,
    pub(super) masked_paths: Vec<PathBuf>,
    pub(super) readonly_paths: Vec<PathBuf>,
    pub(super) rlimits: Vec<String>,
}

/// What the executor knows besides the specification.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) cgroup_tasks: Vec<OwnedFd>,
    pub(super) cgroup_folders: Vec<(CString, OwnedFd)>,
    pub(super) has_cgroup_v2: bool,
    pub(super) devices_are_guarded: bool,
    /// Rootless: no device nodes, perhaps no say over supplementary groups, perhaps few IDs.
    pub(super) rights: Rights,
}

impl Plan {
    pub(super) fn new(
        mut spec: ContainerSpec,
        stdio: Stdio,
        surroundings: Surroundings,
        filter: impl FnOnce(Capabilities) -> Arc<[FilterInstruction]>,
    ) -> Result<Self, StartError> {
        check(&spec)?;
        let rights = surroundings.rights;
        if rights.in_user_namespace {
            // Docker's default names groups that a user namespace does not have, and leaves it out there too.
            spec.sysctls.retain(|(name, value)| (name.as_str(), value.as_str()) != PING_GROUPS);
        }
        let is_pid_foreign = rights.in_user_namespace && matches!(spec.pid, Namespace::Host);
        if is_pid_foreign {
            spec.sysctls.retain(|(name, _)| !is_for_everybody(name));
        }
        mount_plan::add_init(&mut spec);
        let words = words(&spec);
        let terminal = spec.terminal.map(Terminal::open).transpose()?;
        let no_devices = !surroundings.devices_are_guarded && !spec.all_devices;
        let devices = PlannedDevices::new(&spec, !rights.in_user_namespace)?;
        let process = ProcessPlan::new(spec.take_process(), stdio, terminal, rights, filter)?;
        let conditions = MountConditions {
            cgroup_folders: surroundings.cgroup_folders,
            has_cgroup_v2: surroundings.has_cgroup_v2,
            no_devices,
            is_network_foreign: rights.in_user_namespace && matches!(spec.network, NetworkNamespace::Host),
            is_pid_foreign,
            is_ipc_foreign: rights.in_user_namespace && matches!(spec.ipc, Namespace::Host),
        };
        let mounts = mount_plan::plan(spec.mounts, conditions)?;
        let mut plan = Self {
            is_chroot: false,
            is_kept: false,
            traced: true,
            cgroup_tasks: surroundings.cgroup_tasks,
            new_cgroup_namespace: spec.own_cgroup_namespace.unwrap_or(surroundings.has_cgroup_v2),
            network: spec.network,
            pid: spec.pid,
            ipc: spec.ipc,
            uts: spec.uts,
            keyring: c_string("id", spec.id.as_ref())?,
            hostname: spec.hostname.into_bytes(),
            may_keep_hostname: rights.in_user_namespace,
            rootfs: spec.rootfs,
            readonly_rootfs: spec.readonly_rootfs,
            no_devices,
            devices_work: surroundings.devices_are_guarded || spec.all_devices,
            mounts,
            devices,
            sysctls: spec.sysctls.iter().map(sysctl).collect::<Result<_, _>>()?,
            masked_paths: root_paths("masked_paths", &spec.masked_paths)?,
            readonly_paths: root_paths("readonly_paths", &spec.readonly_paths)?,
            cwd: root_path("cwd", &spec.cwd)?,
            process,
            words,
        };
        if is_pid_foreign {
            // No end of a namespace ends its processes, and no control group may be ours to do so.
            plan.keep();
        }
        Ok(plan)
    }
}

impl Plan {
    /// Shows the procfs and sysfs of our surroundings, where new ones may not be mounted. With their procfs it is in their
    /// PID namespace, so that nothing shows what is not so.
    pub(super) fn share_kernel_mounts(&mut self) -> Result<(), StartError> {
        for mount in &mut self.mounts {
            if let Some(other) = mount.in_its_place()? {
                *mount = other;
            }
        }
        if matches!(self.pid, Namespace::New) {
            self.pid = Namespace::Host;
            self.keep();
        }
        self.sysctls.retain(|(path, _)| path.as_c_str() != c"sys/net/ipv4/ip_unprivileged_port_start");
        Ok(())
    }

    /// Has a process of ours look after the first one.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
        self.traced = false;
        // It ends with the keeper, who sees us go.
        self.process.dies_with = None;
    }
}

/// Settings are written through a procfs of our own; where there is none, this one, which nobody has asked for, is left as it is.
fn is_for_everybody(name: &str) -> bool {
    name == "net.ipv4.ip_unprivileged_port_start"
}

/// Refuses what makes no sense before anything is made.
fn check(spec: &ContainerSpec) -> Result<(), StartError> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    if spec.id.is_empty() || !spec.id.as_bytes().iter().all(is_plain) {
        return Err(invalid(format!("id {:?} has characters other than letters, digits, `_`, `.` and `-`", spec.id)));
    }
    if spec.hostname.len() > 64 {
        return Err(invalid(format!("hostname {:?} is longer than 64 bytes", spec.hostname)));
    }
    Ok(())
}

pub(super) fn invalid(reason: impl Into<String>) -> StartError {
    StartError::InvalidSpec { reason: reason.into() }
}

fn words(spec: &ContainerSpec) -> Words {
    Words {
        program: spec.args.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default(),
        cwd: spec.cwd.clone(),
        mounts: spec.mounts.iter().map(|mount| mount.target().to_owned()).collect(),
        devices: spec.devices.iter().map(|device| device.target.clone()).collect(),
        sysctls: spec.sysctls.iter().map(|(name, _)| name.clone()).collect(),
        masked_paths: spec.masked_paths.clone(),
        readonly_paths: spec.readonly_paths.clone(),
        rlimits: spec.rlimits.iter().map(|limit| limit.name.clone()).collect(),
    }
}

/// `net.ipv4.ip_forward` is `sys/net/ipv4/ip_forward` in procfs; slashes in names keep dots, as sysctl(8) has it.
fn sysctl((name, value): &(String, String)) -> Result<(CString, Vec<u8>), StartError> {
    let path = if name.contains('/') { name.clone() } else { name.replace('.', "/") };
    if path.split('/').any(|component| matches!(component, "" | "." | "..")) {
        return Err(invalid(format!("sysctl {name:?} is not a name")));
    }
    Ok((c_string("sysctls", format!("sys/{path}").as_ref())?, value.clone().into_bytes()))
}

pub(super) fn root_path(field: &str, path: &Path) -> Result<RootPath, StartError> {
    RootPath::new(path).ok_or_else(|| invalid(format!("{field}: {path:?} is not an absolute path")))
}

fn root_paths(field: &str, paths: &[PathBuf]) -> Result<Vec<RootPath>, StartError> {
    paths.iter().map(|path| root_path(field, path)).collect()
}

pub(super) fn c_string(field: &str, text: &OsStr) -> Result<CString, StartError> {
    CString::new(text.as_bytes()).map_err(|_| invalid(format!("{field}: {text:?} contains a NUL byte")))
}

#[cfg(test)]
mod tests;
