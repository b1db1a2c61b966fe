//! What a container may use (C204).

use std::fs;

use crate::build_project::Project;

/// The files of this container's group in a hierarchy of cgroup v1, or of v2 where there is no other.
fn setting(id: &str, controller: &str, v1: &str, v2: &str) -> String {
    let root = std::path::Path::new("/sys/fs/cgroup");
    let (folder, file) = match root.join(controller).is_dir() {
        true => (root.join(controller), v1),
        false => (root.to_owned(), v2),
    };
    fs::read_to_string(folder.join("onggi").join(id).join(file)).unwrap_or_default().trim().to_owned()
}

#[test]
#[ignore = "requires root"]
fn c204_limits_reach_the_kernel_and_are_shown_requires_root() {
    let project = Project::new();
    let id = project.start(&[
        "--name",
        "one",
        "-m",
        "64m",
        "--memory-reservation",
        "32m",
        "--cpus",
        "0.5",
        "--cpu-shares",
        "512",
        "--pids-limit",
        "50",
        "--cpuset-cpus",
        "0",
        "--ulimit",
        "nofile=100:200",
        "--ulimit",
        "core=0",
        "--oom-score-adj",
        "500",
        "busybox",
        "sh",
        "-c",
        "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; echo ready; sleep 1000",
    ]);
    project.wait_for_log("one", "ready");
    assert_eq!(project.ask(&["logs", "one"]), "100\n200\n500\nready\n");
    assert_eq!(setting(&id, "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(setting(&id, "pids", "pids.max", "pids.max"), "50");
    assert_eq!(setting(&id, "cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
    let quota = setting(&id, "cpu", "cpu.cfs_quota_us", "cpu.max");
    assert!(quota == "50000" || quota == "50000 100000", "{quota}");
    let shown = "{{.HostConfig.Memory}} {{.HostConfig.MemoryReservation}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} \
                 {{.HostConfig.PidsLimit}} {{.HostConfig.CpusetCpus}} {{.HostConfig.OomScoreAdj}}";
    assert_eq!(project.container("one", shown), "67108864 33554432 500000000 512 50 0 500");
    let ulimits = project.container("one", "{{json .HostConfig.Ulimits}}");
    assert_eq!(ulimits, r#"[{"Name":"core","Soft":0,"Hard":0},{"Name":"nofile","Soft":100,"Hard":200}]"#);
    // A second process is limited in the same way.
    assert_eq!(project.ask(&["exec", "one", "sh", "-c", "ulimit -n; cat /proc/self/oom_score_adj"]), "100\n500\n");
    let groups = project.ask(&["exec", "one", "cat", "/proc/self/cgroup"]);
    assert!(groups.contains(&id), "{groups}");
    project.ask(&["rm", "-f", "one"]);
    assert_eq!(setting(&id, "memory", "memory.limit_in_bytes", "memory.max"), "");
}

#[test]
#[ignore = "requires root"]
fn c204_mistakes_are_told_as_docker_does_requires_root() {
    let project = Project::new();
    for (flags, message) in [
        (&["-m", "1m"][..], "error: minimum memory limit allowed is 6MB"),
        (&["-m", "many"], "error: invalid argument \"many\" for \"--memory\" flag"),
        (&["--cpus", "x"], "error: invalid argument \"x\" for \"--cpus\" flag"),
        (
            &["--memory-swap", "64m"],
            "error: you should always set the memory limit when using memoryswap limit, see usage",
        ),
        (
            &["--cpus", "1", "--cpu-quota", "1000"],
            "error: conflicting options: Nano CPUs and CPU Quota cannot both be set",
        ),
        (&["--ulimit", "nofile"], "error: `--ulimit nofile` has no value"),
        (&["--cpuset-cpus", "x"], "error: invalid value x for cpuset cpus"),
    ] {
        let output = project.onggi([&["run", "--rm"], flags, &["busybox", "true"]].concat()).run();
        assert_eq!((output.code, output.stderr.lines().next()), (125, Some(message)), "{flags:?}");
    }
    project.has_no_containers();
}

/// More processes than allowed cannot be made.
#[test]
#[ignore = "requires root"]
fn c204_the_number_of_tasks_is_limited_requires_root() {
    let project = Project::new();
    let script = "i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; echo all";
    let output = project.onggi(["run", "--rm", "--pids-limit", "20", "busybox", "sh", "-c", script]).run();
    assert!(!output.stdout.contains("all"), "{}", output.snapshot());
    assert!(output.stderr.contains("can't fork"), "{}", output.snapshot());
}

/// Containers without limits have no control group: entering one costs as much as starting.
#[test]
#[ignore = "requires root"]
fn c204_who_asks_for_nothing_has_no_control_group_requires_root() {
    let project = Project::new();
    let id = project.start(&["--name", "one", "busybox", "sleep", "1000"]);
    let pid = project.container("one", "{{.State.Pid}}");
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(!groups.contains(&id), "{groups}");
    project.ask(&["rm", "-f", "one"]);
}

/// What is odd is done all the same, and told.
#[test]
#[ignore = "requires root"]
fn c204_what_is_odd_is_told_requires_root() {
    let project = Project::new();
    let created = project.onggi(["create", "--oom-kill-disable", "busybox", "true"]).run().success();
    assert!(
        created.stderr.starts_with("warning: OOM killer is disabled for the container, but no memory limit is set")
    );
    let quiet = project.onggi(["create", "--oom-kill-disable", "-m", "64m", "busybox", "true"]).run().success();
    assert_eq!(quiet.stderr, "");
}
