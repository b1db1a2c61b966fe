//! Flags about what keeps a container apart from the host.

use clap::Args;

/// Capabilities, devices, namespaces.
#[derive(Debug, Default, Args)]
pub(crate) struct SecurityFlags {
    /// Keep a note for runtimes
    #[arg(long = "annotation", value_name = "NAME=VALUE")]
    pub(crate) annotations: Vec<String>,
    /// Give a capability, or `ALL`
    #[arg(long = "cap-add", value_name = "CAPABILITY")]
    pub(crate) cap_add: Vec<String>,
    /// Take a capability, or `ALL`
    #[arg(long = "cap-drop", value_name = "CAPABILITY")]
    pub(crate) cap_drop: Vec<String>,
    /// Give a device of this machine
    #[arg(long = "device", value_name = "HOST[:CONTAINER][:rwm]")]
    pub(crate) devices: Vec<String>,
    /// Allow devices by their numbers (`c 42:* rwm`)
    #[arg(long = "device-cgroup-rule", value_name = "RULE")]
    pub(crate) device_rules: Vec<String>,
    /// Add a group: name or number
    #[arg(long = "group-add", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// Run a small init as process 1
    #[arg(long)]
    pub(crate) init: bool,
    /// Choose the IPC namespace: `none`, `private`, `host` or `container:NAME`
    #[arg(long, value_name = "MODE")]
    pub(crate) ipc: Option<String>,
    /// Choose the PID namespace: `host` or `container:NAME`
    #[arg(long, value_name = "MODE")]
    pub(crate) pid: Option<String>,
    /// Give it nearly everything that root may do
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Change how it is confined (`no-new-privileges`, `seccomp=FILE`)
    #[arg(long = "security-opt", value_name = "OPTION")]
    pub(crate) options: Vec<String>,
    /// Set a kernel setting of its own namespaces
    #[arg(long = "sysctl", value_name = "NAME=VALUE")]
    pub(crate) sysctls: Vec<String>,
    /// Choose the user namespace: `host`
    #[arg(long, value_name = "MODE")]
    pub(crate) userns: Option<String>,
    /// Choose the UTS namespace: `host`
    #[arg(long, value_name = "MODE")]
    pub(crate) uts: Option<String>,
}
