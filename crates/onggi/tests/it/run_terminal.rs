//! `run -t` and `-it` through a real pseudo-terminal (S049, S062).

use std::time::Duration;

use testkit::Terminal;

use crate::build_project::Project;

const LIMIT: Duration = Duration::from_secs(30);

/// A shell on a terminal of 100 columns and 30 rows, whose prompt has been shown.
fn shell(project: &Project, flags: &[&str]) -> Terminal {
    let words = [&["run", "-it", "--rm", "-e", "PS1=ready> "], flags, &["busybox", "sh"]].concat();
    let mut terminal = Terminal::start(&project.onggi(words), 100, 30);
    terminal.wait_for("ready> ", LIMIT);
    terminal
}

#[test]
#[ignore = "requires root"]
fn s049_a_shell_with_window_size_resize_and_exit_code_requires_root() {
    let project = Project::new();
    let mut terminal = shell(&project, &[]);
    terminal.write("stty size; tty; test -t 0 && test -t 1 && test -t 2 && echo all-three; echo TERM=$TERM\n");
    terminal.wait_for("TERM=xterm\r\n", LIMIT);
    terminal.write("trap 'stty size' WINCH; echo trapped\n");
    terminal.wait_for("\ntrapped", LIMIT);
    terminal.resize(77, 22);
    // The shell handles it when its next command ends.
    terminal.write("while ! stty size | grep -q '22 77'; do sleep 0.05; done; echo res''ized\n");
    terminal.wait_for("resized", LIMIT);
    terminal.write("exit 42\n");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 42, "{shown}");
    for text in ["30 100\r\n", "/dev/pts/0\r\n", "all-three\r\n"] {
        assert!(shown.contains(text), "{text:?} in {shown}");
    }
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn s062_ctrl_c_goes_to_the_process_on_the_terminal_requires_root() {
    let project = Project::new();
    let mut terminal = shell(&project, &[]);
    // The shell reads the keys itself until it has started something: what says that it writes is the job itself.
    terminal.write("sh -c \"echo wri''ting; exec cat > /tmp/file\"\n");
    terminal.wait_for("writing", LIMIT);
    terminal.write("a line\n");
    terminal.write("\u{3}");
    // `cat` is gone, the shell is not.
    terminal.wait_for("^C\r\nready> ", LIMIT);
    terminal.write("echo code $?; cat /tmp/file\n");
    terminal.wait_for("code 130", LIMIT);
    // Job control works: the shell has a controlling terminal. What says that it sleeps is the job itself.
    terminal.write("sh -c \"echo sleep''ing; exec sleep 1000\"\n");
    terminal.wait_for("sleeping", LIMIT);
    terminal.write("\u{1a}");
    terminal.wait_for("Stopped", LIMIT);
    // Once more because of the job that was stopped.
    terminal.write("kill -9 %1; exit\nexit\n");
    let (_, shown) = terminal.finish(LIMIT);
    assert!(!shown.contains("can't access tty"), "{shown}");
}

#[test]
#[ignore = "requires root"]
fn ctrl_c_reaches_a_container_without_a_terminal_requires_root() {
    let project = Project::new();
    let script = "trap 'echo interrupted; exit 130' INT; echo ready; while :; do sleep 0.05; done";
    let mut terminal = Terminal::start(&project.onggi(["run", "--rm", "busybox", "sh", "-c", script]), 80, 24);
    terminal.wait_for("ready", LIMIT);
    terminal.write("\u{3}");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 130, "{shown}");
    assert_eq!(shown.matches("interrupted").count(), 1, "once, not twice: {shown}");
    project.has_no_containers();
}

/// Our terminal is as it was, however the container ends.
#[test]
#[ignore = "requires root"]
fn the_terminal_is_restored_requires_root() {
    let project = Project::new();
    let onggi = testkit::binary().display().to_string();
    for words in [
        "run -it --rm busybox true",
        "run -it --rm busybox sh -c 'exit 3'",
        "run -it --rm busybox sh -c 'stty raw -echo'",
        "run -it --rm busybox nope",
        "run -it --rm nope",
        "run -t --rm busybox true",
    ] {
        let script =
            format!("before=$(stty -g); {onggi} {words}; test \"$before\" = \"$(stty -g)\" && echo rest''ored");
        let command = project.sandbox.command("bash").arguments(["-c", &script]);
        let (_, shown) = Terminal::start(&command, 80, 24).finish(LIMIT);
        assert!(shown.contains("restored"), "{words}: {shown}");
    }
}

#[test]
#[ignore = "requires root"]
fn a_terminal_without_input_requires_root() {
    let project = Project::new();
    // Output of a container with a terminal may go into a pipe.
    let piped =
        project.onggi(["run", "-t", "--rm", "busybox", "sh", "-c", "test -t 1 && echo tty; echo err >&2"]).run();
    assert_eq!(piped.snapshot(), "exit: 0\n--- stdout\ntty\r\nerr\r\n");
    let lines = project.onggi(["run", "-t", "--rm", "busybox", "sh", "-c", "seq 1 20000"]).run().success();
    assert_eq!(lines.stdout.lines().count(), 20_000);
}

/// What was typed before the container was ready is not lost, and end of input (Ctrl-D) ends the shell.
#[test]
#[ignore = "requires root"]
fn typing_ahead_and_end_of_input_requires_root() {
    let project = Project::new();
    let mut terminal = Terminal::start(&project.onggi(["run", "-it", "--rm", "busybox", "sh"]), 80, 24);
    terminal.write("echo ty''ped; exit 5\n");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 5, "{shown}");
    assert!(shown.contains("typed\r\n"), "{shown}");
    let mut terminal = shell(&project, &[]);
    terminal.write("\u{4}");
    assert_eq!(terminal.finish(LIMIT).0, 0);
    // Without `-t` our terminal is a stream like others.
    let mut terminal = Terminal::start(&project.onggi(["run", "-i", "--rm", "busybox", "cat"]), 80, 24);
    terminal.write("line\n\u{4}");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!((code, shown.matches("line\r\n").count()), (0, 2), "{shown}");
}

/// When the terminal's window is closed, the container is told so, as with Docker, and goes on if that is nothing to it.
#[test]
#[ignore = "requires root"]
fn a_closed_terminal_leaves_the_container_running_requires_root() {
    let project = Project::new();
    let mut terminal = shell(&project, &["--name", "it"]);
    terminal.write("trap 'echo hung up > /tmp/told' HUP; echo trap''ped\n");
    terminal.wait_for("trapped", LIMIT);
    drop(terminal);
    let mut terminal = Terminal::start(&project.onggi(["attach", "it"]), 100, 30);
    terminal.write("\n");
    terminal.wait_for("ready> ", LIMIT);
    terminal.write("while ! cat /tmp/told; do sleep 0.05; done; exit 3\n");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 3, "{shown}");
    assert!(shown.contains("hung up"), "{shown}");
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn another_runtime_on_a_terminal_requires_root() {
    if !std::fs::exists("/usr/sbin/runc").unwrap() && !std::fs::exists("/usr/bin/runc").unwrap() {
        eprintln!("skipped: requires runc: another_runtime_on_a_terminal_requires_root");
        return;
    }
    let project = Project::new();
    let mut terminal = shell(&project, &["--runtime", "runc"]);
    terminal.write("stty size\n");
    terminal.wait_for("30 100", LIMIT);
    terminal.write("sh -c \"echo sleep''ing; exec sleep 1000\"\n");
    terminal.wait_for("sleeping", LIMIT);
    terminal.write("\u{3}");
    terminal.wait_for("^C\r\nready> ", LIMIT);
    terminal.write("exit 42\n");
    assert_eq!(terminal.finish(LIMIT).0, 42);
    project.has_no_containers();
}
