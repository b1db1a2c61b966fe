//! From a bundle to a process: starts a container from a root file system and a [`ContainerSpec`].
//!
//! Two executors sit behind one trait and pass one contract suite: [`BuiltIn`] does what runc does with one
//! `clone3` and no second program; [`External`] hands the same spec to any OCI runtime. This crate knows no
//! images, no store and no registry: what a path inside the container should contain is the caller's affair,
//! how it gets there without ever trusting the image is ours. It is the only crate with `unsafe`, all of it
//! in `sys`. The built-in executor needs Linux 5.12 (`mount_setattr`), as root or in a user namespace.

pub mod network;
pub mod user_namespace;

mod builtin;
mod cgroup;
mod error;
mod external;
mod owners;
mod process;
mod seccomp;
mod spec;
mod sys;

pub use builtin::{
    BindOptions, BuiltIn, Chroot, Propagation, RootView, TmpfsOptions, exec, make_mount_point, mount_of_process,
    prepare_bind, prepare_tmpfs, root_of_process, tmpfs_of_process,
};
pub use cgroup::{CgroupError, ControlGroups, RunningContainer, Usage, remove_control_group};
pub use error::StartError;
pub use external::External;
pub use process::{ExitStatus, Process, Stdio, StdioStream, WindowSize};
pub use seccomp::{ProfileError, SeccompProfile};
pub use spec::{
    BindMount, BindSource, Capabilities, Cgroup, ContainerSpec, CpuQuota, Device, FileMount, Mount, Namespace,
    NetworkNamespace, ProcessSpec, Rlimit, Seccomp, TmpfsMount, UnknownCapability, User,
};
pub use sys::{SignalQueue, close_on_exec_from, is_ignored};

/// Lets this process learn how its children end, which it does not where its own parent has it ignore `SIGCHLD`: the
/// kernel then keeps no exit codes. For those who start programs by other means than an [`Executor`].
///
/// # Errors
/// When the kernel refuses; nothing is changed then.
pub fn heed_children() -> std::io::Result<()> {
    Ok(sys::heed_children()?)
}

use std::fmt::Debug;

/// Something that can turn a [`ContainerSpec`] into a running [`Process`].
pub trait Executor: Send + Sync + Debug {
    /// Starts the container and returns as soon as its program has been executed.
    ///
    /// # Errors
    /// [`StartError`] tells Docker's three cases apart: 127 (no such program), 126 (cannot be executed), 125 (all else).
    /// Whatever was created for the container is gone again.
    fn start(&self, spec: ContainerSpec, stdio: Stdio) -> Result<Process, StartError>;

    /// What `onggi info` calls this executor.
    fn name(&self) -> &str;
}
