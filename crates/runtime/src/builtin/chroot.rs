//! Commands where nothing can be mounted and no namespace be made: uid 0 in a container that keeps `CAP_SYS_CHROOT` and
//! forbids the rest, as those of docker, podman and Kubernetes do by default.
//!
//! The root is a folder. Capabilities, user, groups, limits and environment are as everywhere; network, host name and
//! processes are those of the surroundings, whose procfs is not there. What the command leaves behind is ended with it.

use crate::process::{Process, Stdio};
use crate::seccomp::docker_filter;
use crate::spec::{ContainerSpec, Namespace, NetworkNamespace};
use crate::{Executor, StartError};

use super::launch;
use super::plan::{Plan, Surroundings, invalid};
use super::process_plan::Rights;

/// Runs commands in a folder.
#[derive(Debug, Default)]
pub struct Chroot;

impl Executor for Chroot {
    fn start(&self, mut spec: ContainerSpec, stdio: Stdio) -> Result<Process, StartError> {
        if spec.terminal.is_some() || spec.readonly_rootfs {
            return Err(invalid("a terminal and a read-only root need mounts, which are not allowed here"));
        }
        // What makes a root of the folder is the caller's: nothing can be mounted.
        spec.mounts.clear();
        spec.masked_paths.clear();
        spec.readonly_paths.clear();
        spec.sysctls.clear();
        spec.cgroup = None;
        spec.own_cgroup_namespace = Some(false);
        spec.network = NetworkNamespace::Host;
        (spec.pid, spec.ipc, spec.uts) = (Namespace::Host, Namespace::Host, Namespace::Host);
        if is_filtered() {
            // The filter of the surroundings holds for the command as well.
            spec.seccomp = crate::Seccomp::Unconfined;
        } else {
            // Without CAP_SYS_ADMIN a filter can only be had with this.
            spec.no_new_privileges = true;
        }
        let surroundings = Surroundings {
            cgroup_tasks: Vec::new(),
            cgroup_folders: Vec::new(),
            has_cgroup_v2: false,
            devices_are_guarded: false,
            rights: Rights {
                in_user_namespace: false,
                available: super::available_capabilities()?,
                mapped: crate::user_namespace::mapped_ids(),
            },
        };
        let mut plan = Plan::new(spec, stdio, surroundings, |capabilities| docker_filter(capabilities).into())?;
        plan.is_chroot = true;
        plan.keep();
        launch(&mut plan, None)
    }

    fn name(&self) -> &str {
        "chroot"
    }
}

/// Whether a filter of system calls is in force for this process (`Seccomp: 2` in proc_pid_status(5)).
fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}
