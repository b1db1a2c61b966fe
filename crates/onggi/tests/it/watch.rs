//! What containers do and use, and other limits for them (C231).

use std::fs;

use crate::build_project::Project;

#[test]
#[ignore = "requires root"]
fn c231_top_lists_the_processes_requires_root() {
    let project = Project::new();
    project.start(&["--name", "one", "-u", "4711", "busybox", "sh", "-c", "sleep 1000 & echo ready; wait"]);
    project.wait_for_log("one", "ready");
    let text = project.ask(&["top", "one"]);
    let lines: Vec<&str> = text.lines().collect();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(lines[0]), ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    assert!(lines[0].starts_with("UID                 PID                 PPID                C "), "{text}");
    assert_eq!(lines.len(), 3, "{text}");
    let (shell, sleep) = (words(lines[1]), words(lines[2]));
    assert_eq!((shell[0].as_str(), shell[1].clone()), ("4711", project.container("one", "{{.State.Pid}}")));
    assert_eq!((sleep[2].clone(), &sleep[7..]), (shell[1].clone(), &["sleep".to_owned(), "1000".to_owned()][..]));
    assert_eq!((sleep[5].as_str(), sleep[6].as_str()), ("?", "00:00:00"));
    project.ask(&["rm", "-f", "one"]);
    let gone = project.onggi(["container", "top", "one"]).run();
    assert_eq!((gone.code, gone.stderr.lines().next()), (1, Some("error: no such container: one")));
}

#[test]
#[ignore = "requires root"]
fn c231_stats_show_what_is_used_requires_root() {
    let project = Project::new();
    project.start(&["--name", "busy", "busybox", "sh", "-c", "while :; do :; done"]);
    project.start(&["--name", "idle", "-m", "64m", "busybox", "sleep", "1000"]);
    let text = project.ask(&["stats", "--no-stream"]);
    let title = text.lines().next().unwrap();
    for column in ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"] {
        assert!(title.contains(column), "{title}");
    }
    let template = "{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}";
    let busy = project.ask(&["stats", "--no-stream", "--format", template, "busy"]);
    assert!(!busy.starts_with("0.00%") && busy.ends_with(" 1\n"), "{busy}");
    let idle = project.ask(&["stats", "--no-stream", "--format", template, "idle"]);
    assert!(idle.contains("/ 64MiB 1"), "{idle}");
    project.ask(&["kill", "busy"]);
    project.ask(&["wait", "busy"]);
    assert!(!project.ask(&["stats", "--no-stream"]).contains("busy"));
    let all = project.ask(&["stats", "-a", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.PIDs}}"]);
    assert!(all.contains("busy 0.00% 0\n"), "{all}");
    project.ask(&["rm", "-f", "busy", "idle"]);
}

/// A container without a control group gets one when it is limited.
#[test]
#[ignore = "requires root"]
fn c231_update_limits_a_running_container_requires_root() {
    let project = Project::new();
    let id = project.start(&["--name", "one", "busybox", "sh", "-c", "sleep 1000 & echo ready; wait"]);
    project.wait_for_log("one", "ready");
    assert_eq!(project.ask(&["update", "--pids-limit", "30", "-m", "64m", "--memory-swap", "64m", "one"]), "one\n");
    let pid = project.container("one", "{{.State.Pid}}");
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(groups.contains(&format!("/onggi/{id}")), "{groups}");
    let root = std::path::Path::new("/sys/fs/cgroup");
    if root.join("pids").is_dir() {
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
        assert_eq!(read(&format!("pids/onggi/{id}/pids.max")), "30\n");
        assert_eq!(read(&format!("pids/onggi/{id}/cgroup.procs")).lines().count(), 2);
        assert_eq!(read(&format!("memory/onggi/{id}/memory.limit_in_bytes")), "67108864\n");
        // Both limits grow, though neither may pass the other.
        project.ask(&["container", "update", "-m", "128m", "--memory-swap", "128m", "one"]);
        assert_eq!(read(&format!("memory/onggi/{id}/memory.limit_in_bytes")), "134217728\n");
    }
    assert_eq!(project.container("one", "{{.HostConfig.PidsLimit}}"), "30");
    let wrong = project.onggi(["update", "-m", "1m", "one"]).run();
    assert_eq!(wrong.snapshot(), "exit: 1\n--- stderr\nerror: minimum memory limit allowed is 6MB\n");
    project.ask(&["update", "--restart", "on-failure:3", "one"]);
    assert_eq!(project.container("one", "{{.HostConfig.RestartPolicy.Name}}"), "on-failure");
    project.ask(&["rm", "-f", "one"]);
    for hierarchy in fs::read_dir(root).unwrap().flatten() {
        assert!(!hierarchy.path().join("onggi").join(&id).exists(), "{}", hierarchy.path().display());
    }
}

/// The monitor of a running container heeds another policy.
#[test]
#[ignore = "requires root"]
fn c231_update_of_the_restart_policy_requires_root() {
    let project = Project::new();
    let script = "test -e /tmp/second && exec sleep 1000; touch /tmp/second; trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    project.start(&["--name", "one", "busybox", "sh", "-c", script]);
    project.wait_for_log("one", "ready");
    project.ask(&["update", "--restart", "on-failure:3", "one"]);
    project.ask(&["exec", "one", "kill", "-TERM", "1"]);
    crate::containers::wait_until("it was started again", || project.container("one", "{{.RestartCount}}") == "1");
    project.ask(&["rm", "-f", "one"]);
}
