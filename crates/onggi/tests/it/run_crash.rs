//! What is left when one of the processes of `run` is killed without a chance to tidy up.

use std::fs;
use std::process::Child;

use crate::build_project::Project;
use crate::containers::{processes_with, wait_until};

/// A number that no other test sleeps for, so that its process is found on the host.
fn sleep(number: u32) -> String {
    format!("sleep {number}")
}

fn kill(pid: u32, signal: &str) {
    let killed = std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}

fn is_running(project: &Project, child: &Child, command: &str) -> bool {
    assert!(fs::exists(format!("/proc/{}", child.id())).unwrap());
    project.ask(&["ps", "-q"]).lines().count() == 1 && !processes_with(command).is_empty()
}

fn own_mounts(project: &Project) -> usize {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().filter(|line| line.contains(&project.sandbox.path().display().to_string())).count()
}

#[test]
#[ignore = "requires root"]
fn kill_9_of_the_client_leaves_nothing_running_requires_root() {
    for (flags, number) in [(&[][..], 710_001), (&["--rm"], 710_002), (&["--rm", "-u", "node"], 710_003)] {
        let project = Project::new();
        let command = sleep(number);
        let script = format!("{command} & wait");
        let words = [&["run", "--name", "it"], flags, &["busybox", "sh", "-c", &script]].concat();
        let mut client = project.onggi(&words).spawn();
        wait_until("it runs", || is_running(&project, &client, &command));
        client.kill().unwrap();
        client.wait().unwrap();
        wait_until("its processes are gone", || processes_with(&command).is_empty());
        wait_until("it is not listed as running", || project.ask(&["ps", "-q"]).is_empty());
        assert_eq!(own_mounts(&project), 0);
        if flags.is_empty() {
            let template = "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}";
            let said = project.container("it", template);
            assert_eq!(said, "exited 255 how it ended is not known: the process that watched over it was killed");
            assert_eq!(project.ask(&["wait", "it"]), "255\n");
            project.onggi(["rm", "it"]).run().success();
        } else {
            // The name is free, and nobody lists what should have gone with its end.
            project.says(&["--name", "it", "busybox", "true"]);
        }
        project.has_no_containers();
    }
}

#[test]
#[ignore = "requires root"]
fn kill_9_of_the_monitor_is_told_as_it_is_requires_root() {
    let project = Project::new();
    let command = sleep(720_001);
    let id = project.start(&["--name", "it", "busybox", "sh", "-c", &format!("echo said; {command} & wait")]);
    project.wait_for_log("it", "said");
    let monitor = processes_with(&format!("monitor {id}"));
    kill(monitor[0], "-9");
    wait_until("its processes are gone", || processes_with(&command).is_empty());
    wait_until("it is told", || project.ask(&["ps", "-q"]).is_empty());
    assert_eq!(project.ask(&["ps", "-a", "--format", "{{.State}} {{.Names}}"]), "exited it\n");
    assert_eq!(project.ask(&["wait", "it"]), "255\n");
    assert_eq!(project.ask(&["logs", "it"]), "said\n");
    project.onggi(["stop", "it"]).run().success();
    project.onggi(["kill", "it"]).run().exits(1);
    project.onggi(["rm", "it"]).run().success();
    project.has_no_containers();
}

/// A number that another process has by now is not the container.
#[test]
#[ignore = "requires root"]
fn a_reused_process_id_is_not_the_container_requires_root() {
    let project = Project::new();
    project.onggi(["run", "--name", "it", "busybox", "true"]).run().success();
    let id = project.container("it", "{{.Id}}");
    let path = project.sandbox.root().join("containers").join(id).join("state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // This very process has the number, and began at another time.
    state["process"] = serde_json::json!([std::process::id(), 1]);
    fs::write(&path, state.to_string()).unwrap();
    assert_eq!(project.ask(&["ps", "-q"]), "");
    project.onggi(["kill", "it"]).run().exits(1);
    project.onggi(["rm", "it"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn signals_to_the_client_reach_the_container_requires_root() {
    let project = Project::new();
    for (signal, code) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("QUIT", 3), ("USR1", 10), ("USR2", 12)] {
        let script = format!("trap 'exit {code}' {signal}; echo ready; touch /tmp/ready; while :; do sleep 0.05; done");
        let client = project.onggi(["run", "--rm", "--name", "it", "busybox", "sh", "-c", &script]).spawn();
        wait_until("it runs", || !project.ask(&["ps", "-q"]).is_empty());
        wait_until("its handler is there", || {
            let pid = project.onggi(["inspect", "-f", "{{.State.Pid}}", "it"]).run().stdout;
            fs::exists(format!("/proc/{}/root/tmp/ready", pid.trim_end())).unwrap()
        });
        kill(client.id(), &format!("-{signal}"));
        let ended = client.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(code), "{signal}");
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "ready\n");
    }
    project.has_no_containers();
}

/// `nohup` is for us: what we were told to ignore, the container does not get either.
#[test]
#[ignore = "requires root"]
fn ignored_signals_stay_ignored_requires_root() {
    let project = Project::new();
    let inside = "trap 'exit 9' HUP; touch /tmp/ready; while :; do sleep 0.05; test -e /tmp/end && exit 4; done";
    let script = format!("trap '' HUP; exec '{}' run --rm --name it busybox sh -c \"$0\"", testkit::binary().display());
    let client = project.sandbox.command("bash").arguments(["-c", &script, inside]).spawn();
    let root = || {
        let pid = project.onggi(["inspect", "-f", "{{.State.Pid}}", "it"]).run().stdout;
        format!("/proc/{}/root/tmp", pid.trim_end())
    };
    wait_until("its handler is there", || fs::exists(format!("{}/ready", root())).unwrap());
    kill(client.id(), "-HUP");
    fs::write(format!("{}/end", root()), "").unwrap();
    assert_eq!(client.wait_with_output().unwrap().status.code(), Some(4));
}
