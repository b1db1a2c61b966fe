//! Being attached to a container: by the keys and signals of a terminal, by pipes, by several at once (C207, C227, S051).

use std::fs;
use std::io::{Read, Write};
use std::time::Duration;

use testkit::Terminal;

use crate::build_project::Project;
use crate::containers::{processes_with, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

fn shell(project: &Project, flags: &[&str]) -> Terminal {
    let words = [&["run", "-it", "-e", "PS1=ready> "], flags, &["busybox", "sh"]].concat();
    let mut terminal = Terminal::start(&project.onggi(words), 100, 30);
    terminal.wait_for("ready> ", LIMIT);
    terminal
}

#[test]
#[ignore = "requires root"]
fn s051_the_detach_keys_leave_it_running_requires_root() {
    let project = Project::new();
    for (flags, run, keys) in
        [(&["--rm"][..], &[][..], "\u{10}\u{11}"), (&[], &["--detach-keys", "ctrl-x,q"], "\u{18}q")]
    {
        let mut terminal = shell(&project, &[flags, run, &["--name", "it"]].concat());
        terminal.write("here=there\n");
        terminal.write(keys);
        let (code, shown) = terminal.finish(LIMIT);
        assert_eq!(code, 0, "{shown}");
        assert!(shown.ends_with("read escape sequence\r\n"), "{shown}");
        assert_eq!(project.container("it", "{{.State.Status}}"), "running");
        // Whoever comes back finds the same shell, and leaves by the usual keys.
        let mut terminal = Terminal::start(&project.onggi(["attach", "it"]), 77, 22);
        terminal.write("echo $here; stty size\n");
        terminal.wait_for("there\r\n22 77\r\n", LIMIT);
        terminal.write("\u{10}\u{11}");
        assert_eq!(terminal.finish(LIMIT).0, 0);
        let mut terminal = Terminal::start(&project.onggi(["attach", "it"]), 77, 22);
        terminal.write("exit 6\n");
        assert_eq!(terminal.finish(LIMIT).0, 6);
        if flags.is_empty() {
            assert_eq!(project.ask(&["wait", "it"]), "6\n");
            project.onggi(["rm", "it"]).run().success();
        }
        project.has_no_containers();
    }
}

#[test]
#[ignore = "requires root"]
fn c207_detach_keys_come_from_dockers_configuration_requires_root() {
    let project = Project::new();
    fs::create_dir(project.sandbox.home().join(".docker")).unwrap();
    let config = project.sandbox.home().join(".docker/config.json");
    fs::write(&config, "{\"auths\": {}, \"detachKeys\": \"ctrl-a\"}").unwrap();
    let mut terminal = shell(&project, &["--rm", "--name", "it"]);
    terminal.write("\u{1}");
    assert!(terminal.finish(LIMIT).1.ends_with("read escape sequence\r\n"));
    project.onggi(["rm", "-f", "it"]).run().success();
    let refused = project.onggi(["run", "-it", "--detach-keys", "alt-x", "busybox", "sh"]).run().exits(125);
    assert!(refused.stderr.starts_with("error: invalid detach keys (alt-x)\n"), "{}", refused.stderr);
    project.has_no_containers();
}

/// What one types, all see; each may go, or be killed, and the others stay.
#[test]
#[ignore = "requires root"]
fn c227_several_clients_at_once_requires_root() {
    let project = Project::new();
    let mut first = shell(&project, &["--rm", "--name", "shared"]);
    let mut second = Terminal::start(&project.onggi(["attach", "shared"]), 100, 30);
    // It is attached when it sees what it types.
    second.write("echo sec''ond\n");
    second.wait_for("second\r\n", LIMIT);
    first.wait_for("second\r\n", LIMIT);
    first.write("echo fi''rst\n");
    second.wait_for("first\r\n", LIMIT);
    // A name of its own: other tests have clients, too.
    for client in processes_with("attach shared") {
        kill(client, "-9");
    }
    assert_ne!(second.finish(LIMIT).0, 0);
    first.write("echo a''lone; exit 9\n");
    first.wait_for("alone\r\n", LIMIT);
    assert_eq!(first.finish(LIMIT).0, 9);
    project.has_no_containers();
}

/// Without a terminal: input to the end of it, output of both kinds, the exit code.
#[test]
#[ignore = "requires root"]
fn c207_input_of_a_pipe_reaches_its_end_requires_root() {
    let project = Project::new();
    let script = "cat; echo read >&2; exit 4";
    let run = project.onggi(["run", "-i", "--name", "it", "busybox", "sh", "-c", script]).stdin("one\ntwo");
    let run = run.run().exits(4);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("one\ntwo", "read\n"));
    // Once more, in the background and in front.
    let again = project.onggi(["start", "-a", "-i", "it"]).stdin("three").run().exits(4);
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("three", "read\n"));
    project.onggi(["start", "it"]).run().success();
    let attached = project.onggi(["attach", "it"]).stdin("four").run().exits(4);
    assert_eq!((attached.stdout.as_str(), attached.stderr.as_str()), ("four", "read\n"));
    let refused = project.onggi(["attach", "it"]).run().exits(1);
    assert_eq!(
        refused.stderr,
        "error: you cannot attach to a stopped container, start it first\nhint: `onggi start -a it` does both\n"
    );
    let big = "0123456789\n".repeat(100_000);
    let counted = project.onggi(["run", "-i", "--rm", "busybox", "wc", "-c"]).stdin(big.clone()).run().success();
    assert_eq!(counted.stdout, "1100000\n");
    // `-d -i`: it stays open, whoever comes and goes.
    project.start(&["-i", "--name", "open", "busybox", "cat"]);
    for _ in 0..2 {
        let mut client = project.onggi(["attach", "open"]).spawn();
        client.stdin.as_ref().unwrap().write_all(b"line\n").unwrap();
        let mut line = [0; 5];
        client.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
        assert_eq!(&line, b"line\n");
        client.kill().unwrap();
        client.wait().unwrap();
        assert_eq!(project.container("open", "{{.State.Running}}"), "true");
    }
    project.onggi(["rm", "-f", "it", "open"]).run().success();
}

/// A client without a terminal that is killed was all the input that there would be; with `-d` it was not.
#[test]
#[ignore = "requires root"]
fn c207_input_ends_with_the_client_it_was_for_requires_root() {
    let project = Project::new();
    let script = "echo ready; cat; echo end of input";
    let words = ["run", "-i", "--sig-proxy=false", "--name", "it", "busybox", "sh", "-c", script];
    let mut client = project.onggi(words).spawn();
    project.wait_for_log_of_new("it", "ready");
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!(project.ask(&["wait", "it"]), "0\n");
    assert_eq!(project.ask(&["logs", "it"]), "ready\nend of input\n");
    project.ask(&["rm", "it"]);
    project.has_no_containers();
}

impl Project {
    /// The same for one that may not be there yet.
    #[track_caller]
    fn wait_for_log_of_new(&self, name: &str, text: &str) {
        wait_until(&format!("{name} says {text}"), || self.onggi(["logs", name]).run().stdout.contains(text));
    }
}

#[test]
#[ignore = "requires root"]
fn c207_only_some_streams_are_attached_requires_root() {
    let project = Project::new();
    let script = "echo out; echo err >&2";
    for (flags, out, err) in [
        (&["-a", "stdout"][..], "out\n", ""),
        (&["-a", "stderr"], "", "err\n"),
        (&["-a", "STDOUT", "-a", "stderr"], "out\n", "err\n"),
    ] {
        let run = project.onggi([&["run", "--name", "it"], flags, &["busybox", "sh", "-c", script]].concat()).run();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (out, err), "{flags:?}");
        let logs = project.onggi(["logs", "it"]).run().success();
        assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("out\n", "err\n"), "all of it is kept");
        project.onggi(["rm", "it"]).run().success();
    }
    // Only the input: the ID, and it goes on by itself.
    let words = ["run", "-i", "-a", "stdin", "--name", "it", "busybox", "sh", "-c", "cat; exit 3"];
    let run = project.onggi(words).stdin("typed").run().success();
    assert_eq!(run.stdout.len(), 65, "{}", run.stdout);
    assert_eq!(project.ask(&["wait", "it"]), "3\n");
    assert_eq!(project.ask(&["logs", "it"]), "typed");
    project.onggi(["rm", "it"]).run().success();
    let both = project.onggi(["run", "-d", "-a", "stdout", "busybox", "true"]).run().exits(125);
    assert_eq!(both.stderr, "error: conflicting options: cannot specify both --attach and --detach\n");
    project.onggi(["run", "-a", "nowhere", "busybox", "true"]).run().exits(125);
    project.has_no_containers();
}

fn kill(pid: u32, signal: &str) {
    assert!(std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// Ctrl-C and signals of a client without a terminal are the container's; or not, if that was asked for.
#[test]
#[ignore = "requires root"]
fn c207_signals_of_a_client_are_handed_on_requires_root() {
    let project = Project::new();
    let script = "trap 'exit 15' TERM; echo ready; while :; do sleep 0.05; done";
    project.start(&["--name", "it", "busybox", "sh", "-c", script]);
    project.wait_for_log("it", "ready");
    let silent = project.onggi(["attach", "--sig-proxy=false", "it"]).spawn();
    kill(silent.id(), "-TERM");
    assert_eq!(silent.wait_with_output().unwrap().status.code(), None, "the client itself ends");
    assert_eq!(project.container("it", "{{.State.Running}}"), "true");
    let client = project.onggi(["attach", "it"]).spawn();
    // Once: a second one could reach it when it has handed on the first, and is about to end.
    wait_until("it takes signals for another", || blocks_term(client.id()));
    kill(client.id(), "-TERM");
    assert_eq!(client.wait_with_output().unwrap().status.code(), Some(15));
    project.onggi(["rm", "it"]).run().success();
}

/// Whether the process reads SIGTERM from a descriptor instead of being ended by it.
fn blocks_term(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    // Between fork and execution all signals are blocked, SIGALRM among them.
    mask & 1 << 14 != 0 && mask & 1 << 13 == 0
}
