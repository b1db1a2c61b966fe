//! The life of containers: made, started again, restarted, stopped, renamed, swept away (C200, C205, C220, C221).

use std::fs;

use serde_json::Value;
use testkit::Output;

use crate::build_project::Project;
use crate::containers::{processes_with, wait_until};

/// Ends with 7 when it is asked to, by TERM or USR1.
const POLITE: &str = "trap 'exit 7' TERM USR1; echo ready; while :; do sleep 0.05; done";

fn kill(pid: u32, signal: &str) {
    assert!(std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

impl Project {
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str], code: i32) -> Output {
        self.onggi(words).run().exits(code)
    }

    /// What happened to containers, as it was written down.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.sandbox.root().join("events")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
#[ignore = "requires root"]
fn c220_create_start_restart_rename_requires_root() {
    let project = Project::new();
    let script = "echo run >> /count; cat /count; test -f /stay && exec sleep 1000; exit 3";
    let created = project.ask(&["create", "--name", "it", "busybox", "sh", "-c", script]);
    assert_eq!(created.len(), 65, "{created}");
    assert_eq!(project.container("it", "{{.State.Status}}"), "created");
    project.fails(&["kill", "it"], 1);
    assert_eq!(project.ask(&["start", "it"]), "it\n");
    assert_eq!(project.ask(&["wait", "it"]), "3\n");
    // What it wrote is still there, in the container and in its log.
    assert_eq!(project.onggi(["start", "--attach", "it"]).run().exits(3).stdout, "run\nrun\n");
    assert_eq!(project.ask(&["logs", "it"]), "run\nrun\nrun\n");
    let id = created.trim_end();
    fs::write(project.sandbox.root().join("containers").join(id).join("upper/stay"), "").unwrap();
    project.ask(&["restart", "it"]);
    assert_eq!(project.container("it", "{{.State.Status}} {{.RestartCount}}"), "running 0");
    // Once more is no mistake.
    assert_eq!(project.ask(&["start", "it"]), "it\n");
    let pid = project.container("it", "{{.State.Pid}}");
    assert_eq!(project.ask(&["restart", "-t", "0", "it"]), "it\n");
    assert_ne!(project.container("it", "{{.State.Pid}}"), pid);

    assert_eq!(project.ask(&["rename", "it", "other"]), "");
    assert_eq!(project.container("other", "{{.Id}} {{.Name}}"), format!("{id} /other"));
    project.fails(&["rename", "it", "more"], 1);
    let same = project.fails(&["rename", "other", "other"], 1);
    assert!(same.stderr.contains("renaming a container with the same name as its current name"), "{}", same.stderr);
    project.ask(&["create", "--name", "it", "busybox", "true"]);
    let taken = project.fails(&["rename", "it", "other"], 1);
    assert!(taken.stderr.contains("the container name `other` is already in use"), "{}", taken.stderr);
    project.fails(&["rename", "it", "no/name"], 1);
    project.ask(&["rm", "-f", "other", "it"]);
    // Both names are free.
    project.ask(&["create", "--name", "other", "busybox", "true"]);
    project.ask(&["container", "create", "--name", "it", "busybox", "true"]);
    let several = project.fails(&["start", "-a", "it", "other"], 1);
    assert_eq!(several.stderr, "error: you cannot start and attach multiple containers at once\n");
    assert_eq!(project.ask(&["start", "it", "other"]), "it\nother\n");
    assert_eq!(project.ask(&["wait", "it", "other"]), "0\n0\n");
    project.ask(&["rm", "it", "other"]);
    project.has_no_containers();
}

/// A container that was renamed while its monitor watches goes with its new name.
#[test]
#[ignore = "requires root"]
fn c220_a_renamed_container_leaves_no_name_behind_requires_root() {
    let project = Project::new();
    project.start(&["--rm", "--name", "before", "busybox", "sleep", "1000"]);
    project.ask(&["rename", "before", "after"]);
    project.ask(&["stop", "-t", "0", "after"]);
    project.has_no_containers();
    assert_eq!(fs::read_dir(project.sandbox.root().join("names")).unwrap().count(), 0);
}

#[test]
#[ignore = "requires root"]
fn c220_what_is_removed_at_its_end_cannot_be_restarted_requires_root() {
    let project = Project::new();
    project.start(&["--rm", "--name", "passing", "busybox", "sleep", "1000"]);
    let refused = project.fails(&["restart", "passing"], 1);
    assert!(refused.stderr.starts_with("error: cannot restart container passing: "), "{}", refused.stderr);
    assert_eq!(project.container("passing", "{{.State.Status}}"), "running");
    project.ask(&["rm", "-f", "passing"]);
}

#[test]
#[ignore = "requires root"]
fn c205_signal_and_patience_of_stop_requires_root() {
    let project = Project::new();
    let flags = ["--stop-signal", "USR1", "--stop-timeout", "300", "--name", "it", "busybox", "sh", "-c", POLITE];
    project.start(&flags);
    project.wait_for_log("it", "ready");
    project.ask(&["stop", "it"]);
    assert_eq!(project.ask(&["wait", "it"]), "7\n");
    project.ask(&["start", "it"]);
    wait_until("it is ready again", || project.ask(&["logs", "it"]) == "ready\nready\n");
    project.ask(&["stop", "-s", "KILL", "it"]);
    assert_eq!(project.ask(&["wait", "it"]), "137\n");
    project.start(&["--stop-timeout", "0", "--name", "deaf", "busybox", "sleep", "1000"]);
    project.start(&["--stop-timeout=-1", "--name", "deaf2", "busybox", "sleep", "1000"]);
    // Several at the same time, told in the order in which they were named.
    assert_eq!(project.ask(&["stop", "-t", "0", "deaf2", "deaf"]), "deaf2\ndeaf\n");
    let refused = project.fails(&["run", "--stop-signal", "NOPE", "busybox", "true"], 125);
    assert!(refused.stderr.starts_with("error: invalid signal: NOPE\n"), "{}", refused.stderr);
    project.ask(&["rm", "it", "deaf", "deaf2"]);
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn c205_restart_policies_requires_root() {
    let project = Project::new();
    let script = "echo again; exit 4";
    project.start(&["--restart", "on-failure:2", "--name", "twice", "busybox", "sh", "-c", script]);
    wait_until("it is given up", || project.container("twice", "{{.State.Status}}") == "exited");
    assert_eq!(project.container("twice", "{{.RestartCount}} {{.State.ExitCode}}"), "2 4");
    assert_eq!(project.ask(&["logs", "twice"]), "again\n".repeat(3));
    assert_eq!(
        project
            .container("twice", "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"),
        "on-failure 2"
    );
    project.start(&["--restart", "on-failure", "--name", "fine", "busybox", "true"]);
    wait_until("it is over", || project.container("fine", "{{.State.Status}} {{.RestartCount}}") == "exited 0");

    project.start(&["--restart", "always", "--name", "always", "busybox", "sh", "-c", "echo $$; exit 0"]);
    wait_until("it came back", || project.container("always", "{{.RestartCount}}").parse::<u32>().unwrap() >= 2);
    wait_until("it waits", || project.container("always", "{{.State.Status}}") == "restarting");
    assert_eq!(project.container("always", "{{.State.Running}} {{.State.Restarting}}"), "true true");
    assert!(project.ask(&["ps"]).contains("Restarting (0) "));
    project.fails(&["rm", "always"], 1);
    project.ask(&["stop", "always"]);
    assert_eq!(project.container("always", "{{.State.Status}}"), "exited");
    wait_until("its monitor is gone", || processes_with(&project.container("always", "{{.Id}}")).is_empty());

    // One that runs, stopped or killed, stays so; `start` begins to count anew.
    project.start(&["--restart", "unless-stopped", "--name", "long", "busybox", "sleep", "1000"]);
    let pid = project.container("long", "{{.State.Pid}}").parse().unwrap();
    kill(pid, "-KILL");
    wait_until("it came back", || project.container("long", "{{.State.Status}} {{.RestartCount}}") == "running 1");
    project.ask(&["kill", "long"]);
    assert_eq!(project.ask(&["wait", "long"]), "137\n");
    assert_eq!(project.container("long", "{{.State.Status}}"), "exited");
    project.ask(&["start", "long"]);
    assert_eq!(project.container("long", "{{.State.Status}} {{.RestartCount}}"), "running 0");
    project.ask(&["rm", "-f", "long", "always", "twice", "fine"]);

    let refused = project.fails(&["run", "--rm", "--restart", "always", "busybox", "true"], 125);
    assert_eq!(refused.stderr, "error: conflicting options: cannot specify both --restart and --rm\n");
    let refused = project.fails(&["create", "--restart", "sometimes", "busybox", "true"], 125);
    assert!(refused.stderr.starts_with("error: invalid restart policy: unknown policy 'sometimes'\n"));
    project.has_no_containers();
}

/// In front with a policy: the client ends with the first life, the container does not.
#[test]
#[ignore = "requires root"]
fn c205_a_policy_outlives_the_client_requires_root() {
    let project = Project::new();
    let run = project.onggi(["run", "--restart", "always", "--name", "it", "busybox", "sh", "-c", "echo said; exit 5"]);
    assert_eq!(run.run().exits(5).stdout, "said\n");
    wait_until("it came back", || project.container("it", "{{.RestartCount}}").parse::<u32>().unwrap() >= 1);
    project.ask(&["rm", "-f", "it"]);
    project.has_no_containers();
}

/// Asked to end, a monitor stops its container; killed while that waits, the truth is told all the same.
#[test]
#[ignore = "requires root"]
fn a_monitor_that_is_asked_to_end_stops_its_container_requires_root() {
    let project = Project::new();
    let id = project.start(&["--restart", "always", "--name", "it", "busybox", "sh", "-c", POLITE]);
    project.wait_for_log("it", "ready");
    kill(processes_with(&format!("monitor {id}"))[0], "-TERM");
    assert_eq!(project.ask(&["wait", "it"]), "7\n");
    assert_eq!(project.container("it", "{{.State.Status}}{{.State.Error}}"), "exited");
    let id = project.start(&["--restart", "always", "--name", "again", "busybox", "sh", "-c", "exit 9"]);
    wait_until("it waits", || project.container("again", "{{.State.Status}}") == "restarting");
    wait_until("its monitor is killed", || {
        let monitors = processes_with(&format!("monitor {id}"));
        if project.container("again", "{{.State.Status}}") == "restarting" {
            monitors.iter().for_each(|monitor| kill(*monitor, "-KILL"));
            return true;
        }
        false
    });
    wait_until("it is told", || !project.container("again", "{{.State.Status}}").contains("restarting"));
    assert_eq!(project.ask(&["ps", "-q"]), "");
    project.ask(&["rm", "it", "again"]);
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn c201_labels_id_file_platform_and_pull_requires_root() {
    let project = Project::with("FROM busybox\nLABEL from=image both=image\n");
    project.build_app();
    project.file("labels", "# comment\nfile=1\nboth=file\nempty\n");
    let flags =
        ["create", "--name", "it", "--cidfile", "id", "--label-file", "labels", "-l", "flag=a=b", "--label", "bare"];
    let id =
        project.ask(&[&flags[..], &["--platform", "linux/amd64", "-q", "--pull", "never", "app", "true"]].concat());
    let labels: Value = serde_json::from_str(&project.container("it", "{{json .Config.Labels}}")).unwrap();
    let expected = serde_json::json!(
        {"from": "image", "both": "file", "file": "1", "empty": "", "flag": "a=b", "bare": ""}
    );
    assert_eq!(labels, expected);
    assert_eq!(fs::read_to_string(project.sandbox.work().join("id")).unwrap(), id.trim_end());
    let there = project.fails(&["run", "--cidfile", "id", "app", "true"], 125);
    assert!(there.stderr.contains("container ID file found, make sure the other container isn't running or delete id"));
    // Nothing is left of it when there is no container.
    project.fails(&["run", "--pull=never", "--cidfile", "id2", "nope", "true"], 125);
    assert!(!project.sandbox.work().join("id2").exists());
    for (flags, said) in [
        (
            &["--platform", "linux/arm64", "app"][..],
            "image with reference app was found but does not provide the specified platform (linux/arm64)",
        ),
        (&["--platform", "mars", "app"], "platform `mars` is not of the form os/architecture"),
        (&["--pull", "never", "nope"], "no such image: nope:latest"),
        (
            &["--pull", "maybe", "app"],
            "invalid pull option: 'maybe': must be one of \"always\", \"missing\" or \"never\"",
        ),
    ] {
        let refused = project.fails(&[&["run"], flags, &["true"]].concat(), 125);
        assert!(refused.stderr.contains(said), "{flags:?}: {}", refused.stderr);
    }
    project.ask(&["rm", "it"]);
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn c221_prune_and_rm_of_several_requires_root() {
    let project = Project::new();
    for (name, flags) in [("plain", &[][..]), ("kept", &["-l", "keep=yes"]), ("other", &["-l", "keep=no"])] {
        let words =
            [&["run", "--name", name], flags, &["busybox", "sh", "-c", "head -c 5000 /dev/zero > /file"]].concat();
        project.ask(&words);
    }
    let running = project.start(&["--name", "running", "busybox", "sleep", "1000"]);
    let refused = project.onggi(["container", "prune"]).stdin("n\n").run();
    assert_eq!(
        refused.stdout,
        "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] "
    );
    let old = project.ask(&["container", "prune", "-f", "--filter", "until=1h"]);
    assert_eq!(old, "Total reclaimed space: 0B\n");
    let id = project.container("kept", "{{.Id}}");
    let pruned = project.ask(&["container", "prune", "-f", "--filter", "label=keep=yes"]);
    assert_eq!(pruned, format!("Deleted Containers:\n{id}\n\nTotal reclaimed space: 5kB\n"));
    let id = project.container("plain", "{{.Id}}");
    let pruned = project.ask(&["container", "prune", "--force", "--filter", "label!=keep"]);
    assert_eq!(pruned, format!("Deleted Containers:\n{id}\n\nTotal reclaimed space: 5kB\n"));
    let id = project.container("other", "{{.Id}}");
    let pruned = project.onggi(["container", "prune"]).stdin("y\n").run().success();
    assert!(pruned.stdout.ends_with(&format!("Deleted Containers:\n{id}\n\nTotal reclaimed space: 5kB\n")));
    project.fails(&["container", "prune", "-f", "--filter", "name=x"], 1);
    assert_eq!(project.ask(&["ps", "-aq", "--no-trunc"]), format!("{running}\n"));

    project.ask(&["create", "--name", "one", "busybox", "true"]);
    project.ask(&["create", "--name", "two", "busybox", "true"]);
    let some = project.fails(&["rm", "one", "nope", "two"], 1);
    assert_eq!(some.stdout, "one\ntwo\n");
    let forced = project.onggi(["rm", "-f", "nope", "running"]).run().success();
    assert_eq!((forced.stdout.as_str(), forced.stderr.as_str()), ("running\n", "error: no such container: nope\n"));
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn s061_twenty_containers_at_once_requires_root() {
    let project = Project::new();
    let names: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    let image = project.inspect("busybox")["Id"].clone();
    std::thread::scope(|scope| {
        for name in &names {
            let project = &project;
            scope.spawn(move || {
                let script = format!("echo {name}; hostname; exec sleep 1000");
                project.start(&["--name", name, "busybox", "sh", "-c", &script]);
            });
        }
    });
    assert_eq!(project.ask(&["ps", "-q"]).lines().count(), 20);
    for name in &names {
        wait_until("it has written", || project.ask(&["logs", name]).lines().count() == 2);
        assert!(project.ask(&["logs", name]).starts_with(&format!("{name}\n")));
    }
    let words: Vec<&str> = ["stop", "-t", "0"].into_iter().chain(names.iter().map(String::as_str)).collect();
    assert_eq!(project.ask(&words).lines().count(), 20);
    let words: Vec<&str> = ["start"].into_iter().chain(names.iter().map(String::as_str)).collect();
    project.ask(&words);
    assert_eq!(project.ask(&["ps", "-q"]).lines().count(), 20);
    let words: Vec<&str> = ["rm", "-f"].into_iter().chain(names.iter().map(String::as_str)).collect();
    project.ask(&words);
    assert_eq!(project.inspect("busybox")["Id"], image);
    project.has_no_containers();
}

/// What happened is written down, whole lines in order, whoever did it.
#[test]
#[ignore = "requires root"]
fn what_happens_is_written_down_requires_root() {
    let project = Project::new();
    project.onggi(["run", "--rm", "--name", "front", "-l", "a=b", "busybox", "sh", "-c", "exit 3"]).run().exits(3);
    project.start(&["--name", "back", "busybox", "sleep", "1000"]);
    project.ask(&["rename", "back", "named"]);
    project.ask(&["kill", "-s", "KILL", "named"]);
    project.ask(&["wait", "named"]);
    project.ask(&["rm", "named"]);
    let events = project.events();
    let of = |name: &str| -> Vec<&str> {
        let is_its = |event: &&Value| event["Actor"]["Attributes"]["name"] == name;
        events.iter().filter(is_its).map(|event| event["Action"].as_str().unwrap()).collect()
    };
    assert_eq!(of("front"), ["create", "attach", "start", "die", "destroy"]);
    assert_eq!(of("back")[..2], ["create", "start"]);
    for action in ["rename", "kill", "destroy"] {
        assert!(of("named").contains(&action), "{action}: {:?}", of("named"));
    }
    let die = events.iter().find(|event| event["Action"] == "die").unwrap();
    assert_eq!((&die["Actor"]["Attributes"]["exitCode"], &die["Actor"]["Attributes"]["a"]), (&"3".into(), &"b".into()));
    assert_eq!((&die["Type"], &die["scope"], &die["status"]), (&"container".into(), &"local".into(), &"die".into()));
}
