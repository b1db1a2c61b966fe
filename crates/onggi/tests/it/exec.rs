//! `exec` (S058, C225, C226).

use std::time::Duration;

use testkit::Terminal;

use crate::build_project::Project;
use crate::containers::{processes_with, wait_until};

fn with_container(words: &[&str]) -> Project {
    let project = Project::new();
    project.start(&[&["--name", "one"], words, &["busybox", "sleep", "1000"]].concat());
    project
}

fn end(project: &Project) {
    project.ask(&["rm", "-f", "one"]);
}

#[test]
#[ignore = "requires root"]
fn c225_exec_runs_as_the_container_does_requires_root() {
    let project = Project::with(
        "FROM busybox\nRUN mkdir -p /usr/src/app && echo 'app:x:12:34:App:/home/app:/bin/sh' >>/etc/passwd && echo 'more:x:56:app' >>/etc/group\n\
         ENV COLOUR=blue\nWORKDIR /usr/src/app\nUSER app\n",
    );
    project.build_app();
    project.start(&["--name", "one", "-e", "OWN=1", "app", "sleep", "1000"]);
    let text = project.ask(&["exec", "one", "sh", "-c", "pwd; id -u; id -g; echo $COLOUR $OWN $HOME; hostname"]);
    let hostname = project.container("one", "{{.Config.Hostname}}");
    assert_eq!(text, format!("/usr/src/app\n12\n34\nblue 1 /home/app\n{hostname}\n"));
    // C226: all of it can be otherwise.
    let words = ["container", "exec", "-u", "0:56", "-w", "/tmp", "-e", "COLOUR=red", "-e", "NEW=2", "one"];
    let text = project.ask(&[&words[..], &["sh", "-c", "pwd; id -u; id -g; echo $COLOUR $OWN $NEW $HOME"]].concat());
    assert_eq!(text, "/tmp\n0\n56\nred 1 2 /root\n");
    end(&project);
}

#[test]
#[ignore = "requires root"]
fn c225_codes_and_words_of_exec_requires_root() {
    let project = with_container(&[]);
    for (words, code) in [
        (&["sh", "-c", "exit 42"][..], 42),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["nope"], 127),
        (&["/etc/passwd"], 126),
        (&["/etc"], 126),
    ] {
        let output = project.onggi([&["exec", "one"], words].concat()).run();
        assert_eq!(output.code, code, "{words:?}: {}", output.snapshot());
    }
    let missing = project.onggi(["exec", "one", "nope"]).run();
    assert_eq!(
        missing.snapshot(),
        "exit: 127\n--- stderr\nerror: cannot execute nope in container one\ncaused by: exec: \"nope\": executable file \
         not found in $PATH\n"
    );
    let folder = project.onggi(["exec", "-w", "/nope", "one", "true"]).run();
    assert_eq!(folder.code, 126, "{}", folder.snapshot());
    let user = project.onggi(["exec", "-u", "nobody-here", "one", "true"]).run();
    assert!(
        user.stderr.contains("unable to find user nobody-here: no matching entries in /etc/passwd"),
        "{}",
        user.stderr
    );
    assert_eq!(user.code, 126);
    let unknown = project.onggi(["exec", "two", "true"]).run();
    assert_eq!((unknown.code, unknown.stderr.lines().next()), (1, Some("error: no such container: two")));
    // C226: nothing is run in a container that is paused or has ended.
    project.ask(&["pause", "one"]);
    let paused = project.onggi(["exec", "one", "true"]).run();
    assert_eq!(
        paused.snapshot(),
        "exit: 1\n--- stderr\nerror: container <id-1> is paused, unpause the container before exec\nhint: use `onggi \
         unpause one`\n"
    );
    project.ask(&["kill", "one"]);
    project.ask(&["wait", "one"]);
    let ended = project.onggi(["exec", "one", "true"]).run();
    assert_eq!(ended.snapshot(), "exit: 1\n--- stderr\nerror: container <id-1> is not running\n");
}

#[test]
#[ignore = "requires root"]
fn c226_streams_flags_and_words_of_the_command_requires_root() {
    let project = with_container(&[]);
    let output = project.onggi(["exec", "-i", "one", "sh", "-c", "cat; echo error >&2"]).stdin("typed").run().success();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("typed", "error\n"));
    let output = project.onggi(["exec", "one", "cat"]).stdin("typed").run().success();
    assert_eq!(output.stdout, "");
    // What looks like a flag behind the container belongs to the command.
    assert_eq!(project.ask(&["exec", "one", "echo", "-i", "--help"]), "-i --help\n");
    project.file("list", "ONE=1\n# comment\nTWO\n");
    let output =
        project.onggi(["exec", "--env-file", "list", "one", "sh", "-c", "echo $ONE-$TWO"]).env("TWO", "2").run();
    assert_eq!(output.success().stdout, "1-2\n");
    let status = ["sh", "-c", "grep CapEff /proc/self/status"];
    assert_eq!(project.ask(&[&["exec", "one"], &status[..]].concat()), "CapEff:\t00000000a80425fb\n");
    let all = project.ask(&[&["exec", "--privileged", "one"], &status[..]].concat());
    assert!(all.contains("fffff"), "{all}");
    let refused = project.onggi(["exec", "-it", "one", "sh"]).run();
    assert_eq!((refused.code, refused.stderr.lines().next()), (1, Some("error: the input device is not a TTY")));
    end(&project);
}

#[test]
#[ignore = "requires root"]
fn c226_detached_commands_stay_until_the_container_ends_requires_root() {
    let project = with_container(&[]);
    assert_eq!(project.ask(&["exec", "-d", "one", "sleep", "4712"]), "");
    assert_eq!(processes_with("sleep 4712").len(), 1);
    assert!(project.ask(&["exec", "one", "ps"]).contains("sleep 4712"));
    let missing = project.onggi(["exec", "-d", "one", "nope"]).run();
    assert_eq!(missing.code, 127);
    end(&project);
    wait_until("it ends with the container", || processes_with("sleep 4712").is_empty());
}

/// The container's own files decide who a user is, and only regular ones (field notes, attack 13).
#[test]
#[ignore = "requires root"]
fn c225_files_of_users_are_read_in_the_container_requires_root() {
    let project = with_container(&[]);
    project.ask(&["exec", "one", "sh", "-c", "echo 'me:x:77:88::/:' >/etc/passwd"]);
    assert_eq!(project.ask(&["exec", "-u", "me", "one", "id", "-u"]), "77\n");
    for trap in [
        "rm /etc/passwd; mkfifo /etc/passwd",
        "rm /etc/passwd; ln -s /dev/zero /etc/passwd",
        "rm /etc/passwd; ln -s /proc/1/root/etc/passwd /etc/passwd",
        "rm /etc/passwd; ln -s ../../../../../../etc/shadow /etc/passwd",
    ] {
        project.ask(&["exec", "one", "sh", "-c", trap]);
        let output = project.onggi(["exec", "-u", "daemon", "one", "id"]).run();
        assert_eq!(output.code, 126, "{trap}: {}", output.snapshot());
        assert!(output.stderr.contains("unable to find user daemon"), "{trap}: {}", output.snapshot());
        assert_eq!(project.ask(&["exec", "-u", "5", "one", "grep", "Uid", "/proc/self/status"]), "Uid:\t5\t5\t5\t5\n");
    }
    project.ask(&["exec", "one", "sh", "-c", "rm /etc/passwd; dd if=/dev/zero of=/etc/passwd bs=1 count=0 seek=4G"]);
    let large = project.onggi(["exec", "-u", "me", "one", "id"]).run();
    assert!(large.stderr.contains("more than"), "{}", large.snapshot());
    end(&project);
}

/// Working folders that would lead out of the container (CVE-2024-21626).
#[test]
#[ignore = "requires root"]
fn c226_working_folders_are_inside_requires_root() {
    let project = with_container(&[]);
    for folder in (3..12).map(|number| format!("/proc/self/fd/{number}")).chain(["/proc/1/cwd".to_owned()]) {
        let output = project.onggi(["exec", "-w", folder.as_str(), "one", "true"]).run();
        assert_eq!(output.code, 126, "{folder}: {}", output.snapshot());
    }
    end(&project);
}

/// S058: a shell in the image's folder, with its variables and user.
#[test]
#[ignore = "requires root"]
fn s058_a_shell_in_a_running_container_requires_root() {
    const LIMIT: Duration = Duration::from_secs(30);
    let project = Project::with("FROM busybox\nENV PS1='\\w # ' COLOUR=blue\nWORKDIR /usr/src/app\n");
    project.build_app();
    project.start(&["--name", "one", "app", "sleep", "1000"]);
    let mut terminal = Terminal::start(&project.onggi(["exec", "-it", "one", "sh"]), 100, 30);
    terminal.wait_for("/usr/src/app # ", LIMIT);
    terminal.write("stty size; tty; echo $COLOUR $TERM\n");
    terminal.wait_for("blue xterm\r\n", LIMIT);
    terminal.resize(77, 22);
    terminal.write("while ! stty size | grep -q '22 77'; do sleep 0.05; done; echo res''ized\n");
    terminal.wait_for("resized", LIMIT);
    terminal.write("sh -c \"echo sleep''ing; exec sleep 1000\"\n");
    terminal.wait_for("sleeping", LIMIT);
    terminal.write("\u{3}");
    terminal.wait_for("^C\r\n/usr/src/app # ", LIMIT);
    terminal.write("exit 42\n");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 42, "{shown}");
    assert!(shown.contains("30 100\r\n") && shown.contains("/dev/pts/0\r\n"), "{shown}");
    end(&project);
}

/// The keys leave the command running, also one that writes more than a terminal holds; and they are known by other names.
#[test]
#[ignore = "requires root"]
fn c226_detach_keys_leave_the_command_running_requires_root() {
    const LIMIT: Duration = Duration::from_secs(30);
    let project = Project::new();
    project.start(&["--name", "one", "busybox", "sleep", "1000"]);
    let script = "trap '' HUP; echo ready; read go; i=0; while [ $i -lt 20000 ]; do echo line-$i; i=$((i + 1)); done; echo all > /done; sleep 1000";
    for (flags, keys) in [(&[][..], "\u{10}\u{11}"), (&["--detach-keys", "ctrl-],x"], "\u{1d}x")] {
        let words = [&["exec", "-it"], flags, &["one", "sh", "-c", script]].concat();
        let mut terminal = Terminal::start(&project.onggi(&words), 100, 30);
        // Before that the terminal is not raw, and takes Ctrl-Q for itself.
        terminal.wait_for("ready", LIMIT);
        terminal.write(&format!("go\n{keys}"));
        let (code, shown) = terminal.finish(LIMIT);
        assert!(code == 0 && shown.trim_end().ends_with("read escape sequence"), "{code}: {shown}");
        wait_until("it has written all", || project.onggi(["exec", "one", "cat", "/done"]).run().code == 0);
        project.ask(&["exec", "one", "rm", "/done"]);
    }
    // Not those of networks, which other tests have: looked for later, so that none of them is missed.
    let holders = || {
        let (all, of_networks) = (processes_with("onggi hold"), processes_with("onggi hold-network"));
        all.into_iter().filter(|pid| !of_networks.contains(pid)).collect::<Vec<_>>()
    };
    let before = holders();
    assert!(before.len() >= 2, "{before:?}");
    end(&project);
    // With the container its processes end, and with them their terminals.
    wait_until("nobody holds them", || !before.iter().any(|holder| holders().contains(holder)));
    let wrong = project.onggi(["exec", "-it", "--detach-keys", "ctrl-1", "one", "sh"]).run().exits(1);
    assert!(wrong.stderr.contains("invalid detach keys (ctrl-1)"), "{}", wrong.stderr);
}
