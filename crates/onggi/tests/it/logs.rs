//! `logs`, log drivers, and output that is much or slow to be read (C207, C208, C223, C224, N054).

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};

use serde_json::Value;

use crate::build_project::Project;
use crate::containers::{processes_with, wait_until};

#[test]
#[ignore = "requires root"]
fn c224_logs_show_a_part_requires_root() {
    let project = Project::new();
    project.onggi(["run", "--name", "it", "busybox", "sh", "-c", "seq 1 10; echo err >&2"]).run().success();
    for (flags, expected) in [
        (&["-n", "3"][..], "9\n10\n"),
        (&["--tail", "1"], ""),
        (&["--tail=0"], ""),
        (&["--tail", "100"], "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"),
        (&["--tail", "all", "--until", "1h"], ""),
        (&["--tail", "-1", "--since", "0s"], ""),
        (&["--since", "1h", "--tail", "2"], "10\n"),
        (&["-f", "-n", "2"], "10\n"),
    ] {
        let shown = project.onggi([&["logs"], flags, &["it"]].concat()).run().success();
        // Standard error may come before or behind the last line.
        let lines: Vec<_> = shown.stdout.lines().filter(|line| expected.contains(line)).collect();
        assert_eq!(lines.len(), shown.stdout.lines().count(), "{flags:?}: {}", shown.stdout);
        assert!(
            shown.stdout == expected || expected.ends_with(&shown.stdout) || shown.stdout.ends_with(expected),
            "{flags:?}"
        );
    }
    let times = project.ask(&["logs", "-t", "it"]);
    for line in times.lines() {
        let (time, text) = line.split_once(' ').unwrap();
        assert!(time.len() == 30 && time.ends_with('Z') && text.parse::<u32>().is_ok(), "{line}");
    }
    let third = times.lines().nth(2).unwrap().split_once(' ').unwrap().0;
    assert!(project.ask(&["logs", "--since", third, "it"]).contains("\n10\n"));
    let refused = project.onggi(["logs", "--since", "soon", "it"]).run().exits(1);
    assert!(
        refused.stderr.starts_with("error: invalid value for \"since\": `soon` is no time\n"),
        "{}",
        refused.stderr
    );
    project.ask(&["rm", "it"]);
}

#[test]
#[ignore = "requires root"]
fn c208_drivers_and_their_options_requires_root() {
    let project = Project::new();
    let script = "printf 'a\\377b\\n'; echo '<&>' >&2; printf rest";
    for (driver, shown) in [("json-file", "a\u{fffd}b\nrest"), ("local", "a\u{fffd}b\nrest")] {
        let words =
            ["run", "--log-driver", driver, "--log-opt", "max-size=1m", "--name", "it", "busybox", "sh", "-c", script];
        project.onggi(words).run().success();
        assert_eq!(
            project
                .container("it", "{{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config \"max-size\"}}"),
            format!("{driver} 1m")
        );
        let logs = project.onggi(["logs", "it"]).run().success();
        assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), (shown, "<&>\n"));
        assert_eq!(project.ask(&["logs", "--tail", "1", "it"]), "rest");
        let path = project.container("it", "{{.LogPath}}");
        let file =
            project.sandbox.root().join("containers").join(project.container("it", "{{.Id}}")).join("container.log");
        let bytes = fs::read(file).unwrap();
        match driver {
            "json-file" => {
                let rows: Vec<Value> = fs::read_to_string(&path)
                    .unwrap()
                    .lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect();
                let row = |text: &str| rows.iter().find(|row| row["log"] == text).unwrap().clone();
                assert_eq!(rows.len(), 3);
                assert_eq!(row("a\u{fffd}b\n")["stream"], "stdout");
                assert_eq!(row("<&>\n")["stream"], "stderr");
                assert!(row("rest")["time"].as_str().unwrap().ends_with('Z'));
                assert!(
                    String::from_utf8(bytes)
                        .unwrap()
                        .contains(r#"{"log":"\u003c\u0026\u003e\n","stream":"stderr","time":"#)
                );
            }
            _ => assert!(path.is_empty() && bytes.windows(3).any(|part| part == b"a\xffb"), "{path}"),
        }
        project.ask(&["rm", "it"]);
    }
    project.onggi(["run", "--log-driver", "none", "--name", "it", "busybox", "echo", "said"]).run().success();
    let none = project.onggi(["logs", "it"]).run().exits(1);
    assert_eq!(none.stderr, "error: configured logging driver does not support reading\n");
    let with =
        ["run", "--name", "details", "-l", "com.x=a b", "-e", "V=1", "--log-opt", "labels=com.x", "--log-opt", "env=V"];
    project.onggi([&with[..], &["busybox", "echo", "said"]].concat()).run().success();
    assert_eq!(project.ask(&["logs", "--details", "details"]), "V=1,com.x=a+b said\n");
    project.ask(&["rm", "it", "details"]);
    for (flags, said) in [
        (&["--log-driver", "paper"][..], "logger: no log driver named 'paper' is registered"),
        (&["--log-driver", "syslog"], "the log driver `syslog` is not there yet"),
        (&["--log-opt", "max-sice=1m"], "unknown log opt 'max-sice' for json-file log driver"),
        (&["--log-opt", "max-size=big"], "invalid value for max-size: `big`"),
        (&["--log-opt", "max-file=0"], "invalid value for max-file: `0`"),
    ] {
        let refused = project.onggi([&["run"], flags, &["busybox", "true"]].concat()).run().exits(125);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    project.has_no_containers();
}

/// Nothing is lost for whoever follows, and no more is kept than was asked for.
#[test]
#[ignore = "requires root"]
fn c224_n054_following_through_rotation_requires_root() {
    let project = Project::new();
    let script =
        "while ! test -e /go; do sleep 0.02; done; i=0; while test $i -lt 3000; do echo line $i; i=$((i + 1)); done";
    let opts = ["--log-opt", "max-size=20k", "--log-opt", "max-file=3"];
    let id = project.start(&[&opts[..], &["--name", "it", "busybox", "sh", "-c", script]].concat());
    let mut follower = project.onggi(["logs", "-f", "it"]).spawn();
    let folder = project.sandbox.root().join("containers").join(&id);
    wait_until("it follows", || {
        let info = fs::read_dir(format!("/proc/{}/fd", follower.id())).unwrap();
        info.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
            .any(|link| link.ends_with("anon_inode:inotify"))
    });
    let pid = project.container("it", "{{.State.Pid}}");
    fs::write(format!("/proc/{pid}/root/go"), "").unwrap();
    let mut text = String::new();
    follower.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(follower.wait().unwrap().success());
    let expected: String = (0..3000).map(|number| format!("line {number}\n")).collect();
    // Who reads more slowly than it is written misses what is gone, and knows where it goes on.
    assert!(text.lines().all(|line| line.starts_with("line ")), "no line is cut");
    let numbers: Vec<u32> = text.lines().map(|line| line[5..].parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next) && numbers.last() == Some(&2999), "in order, to the end");
    let mut sizes: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_str().unwrap().starts_with("container.log"))
        .map(|entry| entry.metadata().unwrap().len())
        .collect();
    sizes.sort_unstable();
    assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= 20 << 10), "{sizes:?}");
    let kept = project.ask(&["logs", "it"]);
    assert!(expected.ends_with(&kept) && kept.len() > 5000, "{}", kept.len());
    assert_eq!(project.ask(&["logs", "-n", "700", "it"]).lines().count(), kept.lines().count().min(700));
    project.ask(&["rm", "it"]);
}

/// A follower ends with the container, also when nobody could write down how that ended; restarts do not end it.
#[test]
#[ignore = "requires root"]
fn c224_following_ends_with_the_container_requires_root() {
    let project = Project::new();
    let id = project.start(&["--name", "it", "busybox", "sh", "-c", "echo first; exec sleep 1000"]);
    let mut follower = project.onggi(["logs", "--follow", "it"]).spawn();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "first");
    for monitor in processes_with(&format!("monitor {id}")) {
        assert!(std::process::Command::new("kill").args(["-9", &monitor.to_string()]).status().unwrap().success());
    }
    assert!(lines.next().is_none());
    assert!(follower.wait().unwrap().success());
    project.start(&["--restart", "on-failure:2", "--name", "again", "busybox", "sh", "-c", "echo life; exit 1"]);
    assert_eq!(project.ask(&["logs", "-f", "again"]), "life\nlife\nlife\n");
    // Whoever has seen enough is not an error.
    let script = format!("'{}' logs -f busy | head -n 3", testkit::binary().display());
    project.start(&["--name", "busy", "busybox", "sh", "-c", "while :; do echo y; sleep 0.01; done"]);
    let head = project.sandbox.command("bash").arguments(["-c", &script]).run().success();
    assert_eq!(head.stdout, "y\ny\ny\n");
    project.ask(&["rm", "-f", "it", "again", "busy"]);
    project.has_no_containers();
}

/// 100 MB, in order, to a pipe in front and to a client behind; logged within bounds.
#[test]
#[ignore = "requires root"]
fn c207_much_output_is_complete_and_in_order_requires_root() {
    let project = Project::new();
    let inside = "i=0; while test $i -lt $0; do seq 1000000 2250000; i=$((i + 1)); done";
    for (times, flags) in [
        (10, &["--log-driver", "none"][..]),
        (10, &["--log-driver", "none", "--sig-proxy=false"]),
        (2, &["--log-opt", "max-size=1m"]),
        (2, &["--log-driver", "local", "--sig-proxy=false"]),
    ] {
        let times = times.to_string();
        let words = [&["run", "--rm"][..], flags, &["busybox", "sh", "-c", inside, &times]].concat();
        let mut client = project.onggi(words).spawn();
        let mut stdout = BufReader::with_capacity(1 << 20, client.stdout.take().unwrap());
        let (mut total, mut expected, mut line) = (0_u64, 1_000_000_u32, Vec::new());
        while stdout.read_until(b'\n', &mut line).unwrap() > 0 {
            assert_eq!(line, format!("{expected}\n").as_bytes());
            total += line.len() as u64;
            expected = if expected == 2_250_000 { 1_000_000 } else { expected + 1 };
            line.clear();
        }
        assert_eq!(total, times.parse::<u64>().unwrap() * 8 * 1_250_001);
        assert!(client.wait().unwrap().success());
    }
    project.has_no_containers();
}

/// A client that does not read makes the container wait; one that is killed then frees it. Nothing is lost for others.
#[test]
#[ignore = "requires root"]
fn c227_a_client_that_does_not_read_loses_nothing_requires_root() {
    let project = Project::new();
    let script = "read start; seq 1 200000; echo done >&2; read end";
    project.start(&["-i", "--name", "it", "busybox", "sh", "-c", script]);
    let mut idle = project.onggi(["attach", "it"]).spawn();
    let mut reader = project.onggi(["attach", "it"]).spawn();
    for client in [&idle, &reader] {
        wait_until("it is attached", || {
            let links = fs::read_dir(format!("/proc/{}/fd", client.id())).unwrap();
            links
                .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
                .any(|link| link.ends_with("anon_inode:[signalfd]"))
        });
    }
    idle.stdin.as_ref().unwrap().write_all(b"go\n").unwrap();
    // The idle one has taken what a pipe and a socket hold, the container is far from its end.
    let mut first = [0; 1000];
    reader.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert!(!project.onggi(["logs", "it"]).run().stderr.contains("done"));
    idle.kill().unwrap();
    idle.wait().unwrap();
    reader.stdin.as_ref().unwrap().write_all(b"end\n").unwrap();
    let mut rest = String::new();
    reader.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(reader.wait().unwrap().success());
    let whole = String::from_utf8(first.to_vec()).unwrap() + &rest;
    assert_eq!(whole.lines().count(), 200_000);
    assert!(whole.ends_with("\n200000\n"));
    project.ask(&["rm", "it"]);
}
