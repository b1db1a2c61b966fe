//! The suite of the built-in executor once more, on machines that this one can pretend to be.

use std::process::Command;

/// Runs the whole suite under `command`, without the cases named.
fn run_under(mut command: Command, skipped: &[&str]) {
    command.args(["--include-ignored", "built_in_requires_root"]);
    for name in skipped {
        command.args(["--skip", name]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let passed = text.split(" passed").next().and_then(|text| text.rsplit(' ').next()?.parse::<u32>().ok());
    assert!(passed.is_some_and(|passed| passed > 45), "{text}");
}

/// As an unprivileged user would run it, who has neither a second user nor devices to give.
#[test]
#[ignore = "requires root"]
fn the_contract_holds_in_a_user_namespace_requires_root() {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]).arg(std::env::current_exe().unwrap());
    run_under(
        command,
        &[
            "a_privileged_container_is",
            "user_and_groups",
            "other_users",
            "the_control_group",
            "more_processes",
            // These have files for a second user.
            "d105_a_file_in_memory",
            "d120_a_script_in_memory",
            // A user namespace in the host's PID namespace cannot return from another one.
            "contract::exec::",
        ],
    );
}

/// With the v2 tree alone: cloned into its group, devices guarded by eBPF, a cgroup namespace. Where the controllers
/// are v1's, as on a hybrid machine, the two cases about limits cannot be had.
#[test]
#[ignore = "requires root"]
fn the_contract_holds_on_cgroup_v2_requires_root() {
    if !std::path::Path::new("/sys/fs/cgroup/unified/cgroup.controllers").exists() {
        eprintln!("skipped: this machine is not hybrid");
        return;
    }
    let mut command = Command::new("unshare");
    let script = "mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup && exec \"$0\" \"$@\"";
    command.args(["--mount", "sh", "-c", script]).arg(std::env::current_exe().unwrap());
    run_under(command, &["the_control_group", "more_processes"]);
}
