//! `pause` and `unpause` (C220).

use std::fs;

use crate::build_project::Project;
use crate::containers::{processes_with, wait_until};

/// The number of times that the container has gone round.
fn rounds(project: &Project, name: &str) -> usize {
    project.ask(&["logs", name]).lines().count()
}

/// Whether a process has used any processor time between two looks that are as long apart as another process needs to go round.
fn has_stopped(project: &Project, name: &str, clock: &str) -> bool {
    let before = rounds(project, name);
    let tick = rounds(project, clock);
    wait_until("the other container goes on", || rounds(project, clock) > tick + 5);
    rounds(project, name) == before
}

const ROUND: &str = "while :; do echo round; sleep 0.01; done";

#[test]
#[ignore = "requires root"]
fn c220_a_paused_container_stands_still_and_says_so_requires_root() {
    let project = Project::new();
    let id = project.start(&["--name", "one", "busybox", "sh", "-c", ROUND]);
    project.start(&["--name", "clock", "busybox", "sh", "-c", ROUND]);
    wait_until("it goes round", || rounds(&project, "one") > 1);
    assert_eq!(project.ask(&["pause", "one"]), "one\n");
    assert!(has_stopped(&project, "one", "clock"));
    let status = project.ask(&["ps", "--format", "{{.State}} {{.Status}}", "--no-trunc"]);
    assert!(status.contains("paused Up") && status.contains("(Paused)"), "{status}");
    let state = "{{.State.Status}} {{.State.Running}} {{.State.Paused}}";
    assert_eq!(project.container("one", state), "paused true true");
    assert_eq!(project.container("clock", state), "running true false");

    let again = project.onggi(["container", "pause", "one"]).run();
    assert_eq!(again.snapshot(), format!("exit: 1\n--- stderr\nerror: container {} is already paused\n", "<id-1>"));
    assert!(again.stderr.contains(&id));
    let other = project.onggi(["unpause", "clock"]).run();
    assert_eq!(other.snapshot(), "exit: 1\n--- stderr\nerror: container <id-1> is not paused\n");

    let before = rounds(&project, "one");
    assert_eq!(project.ask(&["container", "unpause", "one"]), "one\n");
    wait_until("it goes on", || rounds(&project, "one") > before);
    assert_eq!(project.container("one", state), "running true false");
    project.ask(&["kill", "one", "clock"]);
    project.ask(&["wait", "one", "clock"]);
    let ended = project.onggi(["pause", "one"]).run();
    assert_eq!(ended.snapshot(), "exit: 1\n--- stderr\nerror: container <id-1> is not running\n");
    assert!(groups_of(&id).is_empty(), "{:?}", groups_of(&id));
}

/// Control groups that are named after a container.
fn groups_of(id: &str) -> Vec<std::path::PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().map(|entry| entry.unwrap().path());
    hierarchies.map(|hierarchy| hierarchy.join("onggi").join(id)).filter(|group| group.exists()).collect()
}

#[test]
#[ignore = "requires root"]
fn c220_stop_kill_and_rm_end_a_paused_container_requires_root() {
    for command in [&["stop", "-t", "0"][..], &["kill"], &["rm", "-f"], &["kill", "-s", "TERM"]] {
        let project = Project::new();
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        let id = project.start(&["--name", "one", "busybox", "sh", "-c", script]);
        project.wait_for_log("one", "ready");
        project.ask(&["pause", "one"]);
        project.ask(&[command, &["one"]].concat());
        wait_until("it ends", || !project.ask(&["ps", "-q", "--no-trunc"]).contains(&id));
        if command[0] != "rm" {
            project.ask(&["wait", "one"]);
        }
        assert!(groups_of(&id).is_empty(), "{command:?}: {:?}", groups_of(&id));
    }
}

/// A signal that ends nothing waits until the container goes on (C220).
#[test]
#[ignore = "requires root"]
fn c220_a_signal_waits_until_the_container_goes_on_requires_root() {
    let project = Project::new();
    let script = "trap 'echo caught' USR1; echo ready; while :; do sleep 0.01; done";
    project.start(&["--name", "one", "busybox", "sh", "-c", script]);
    project.wait_for_log("one", "ready");
    project.ask(&["pause", "one"]);
    project.ask(&["kill", "-s", "USR1", "one"]);
    assert_eq!(project.container("one", "{{.State.Status}}"), "paused");
    project.ask(&["unpause", "one"]);
    project.wait_for_log("one", "caught");
    project.ask(&["kill", "one"]);
}

/// No process of the container is missed, however many it starts (C220).
#[test]
#[ignore = "requires root"]
fn c220_every_process_is_caught_requires_root() {
    let project = Project::new();
    let script = "for i in 1 2 3 4 5; do (while :; do setsid sleep 0.0217 & wait; done) & done; echo ready; wait";
    let id = project.start(&["--name", "one", "busybox", "sh", "-c", script]);
    project.wait_for_log("one", "ready");
    project.ask(&["pause", "one"]);
    let sleepers = processes_with("sleep 0.0217");
    assert!(!sleepers.is_empty());
    let inside = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(&id));
    let free: Vec<_> = sleepers.iter().filter(|pid| !inside(pid)).collect();
    project.ask(&["rm", "-f", "one"]);
    assert!(free.is_empty(), "{free:?} of {sleepers:?}");
}

/// The owner is killed while it is paused: all can still be ended (C220).
#[test]
#[ignore = "requires root"]
fn c220_a_paused_container_survives_the_death_of_those_who_paused_it_requires_root() {
    let project = Project::new();
    let id = project.start(&["--name", "one", "busybox", "sleep", "1000"]);
    project.ask(&["pause", "one"]);
    for monitor in processes_with(&format!("monitor {id}")) {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(monitor).unwrap()).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
    }
    project.ask(&["rm", "-f", "one"]);
    assert_eq!(project.ask(&["ps", "-aq"]), "");
    assert!(groups_of(&id).is_empty(), "{:?}", groups_of(&id));
}

/// Whoever follows what happens learns of it (C220, C226).
#[test]
#[ignore = "requires root"]
fn c220_pausing_and_further_processes_are_noted_requires_root() {
    let project = Project::new();
    project.start(&["--name", "one", "busybox", "sleep", "1000"]);
    project.ask(&["pause", "one"]);
    project.ask(&["unpause", "one"]);
    assert_eq!(project.onggi(["exec", "one", "sh", "-c", "exit 3"]).run().code, 3);
    project.ask(&["rm", "-f", "one"]);
    let text = events(&project);
    for action in ["pause", "unpause", "exec_start: sh -c exit 3", "exec_die"] {
        assert!(text.contains(&format!("\"Action\":\"{action}\"")), "{action} in {text}");
    }
}

/// All that was written down of what happened.
fn events(project: &Project) -> String {
    let folder = project.sandbox.root();
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.is_file() && path.to_string_lossy().contains("events"));
    logs.map(|path| fs::read_to_string(path).unwrap()).collect()
}
