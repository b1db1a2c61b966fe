//! Containers in the background and the commands about them: `ps`, `logs`, `stop`, `kill`, `wait`, `rm` (S040 to S042,
//! S057, S059, C220 to C223).

use std::fs;
use std::time::{Duration, Instant};

use testkit::Output;

use crate::build_project::Project;

/// Says when it is ready, and ends with 7 when it is asked to.
const POLITE: &str = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";

impl Project {
    /// `run -d WORDS`; the full ID.
    #[track_caller]
    pub(crate) fn start(&self, words: &[&str]) -> String {
        let id = self.ask(&[&["run", "-d"], words].concat());
        assert!(id.len() == 65 && id.ends_with('\n'), "{id}");
        id.trim_end().to_owned()
    }

    /// A field of `container inspect`.
    #[track_caller]
    pub(crate) fn container(&self, name: &str, template: &str) -> String {
        self.ask(&["container", "inspect", "-f", template, name]).trim_end().to_owned()
    }

    /// Waits until the container has written this.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, name: &str, text: &str) {
        wait_until(&format!("{name} says {text}"), || self.ask(&["logs", name]).contains(text));
    }
}

/// Looks again and again until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "not within 30 s: {what}");
        std::thread::yield_now();
    }
}

/// Processes whose command line has this text in it.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let has = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(text)
    };
    all.filter(has).collect()
}

fn rows(output: &Output) -> Vec<&str> {
    output.stdout.lines().collect()
}

#[test]
#[ignore = "requires root"]
fn s040_s041_s042_a_container_in_the_background_requires_root() {
    let project = Project::new();
    let started = project.onggi(["container", "run", "-d", "--name", "web-ping", "busybox", "sh", "-c", POLITE]).run();
    assert_eq!(started.snapshot(), "exit: 0\n--- stdout\n<id-1>\n");
    let id = started.stdout.trim_end();
    assert_eq!(id.len(), 64);
    let long = project.ask(&["run", "--detach", "busybox", "sleep", "1000"]);
    assert_eq!(project.ask(&["ps", "-q", "--no-trunc"]), format!("{long}{id}\n"));
    // Without a name it gets one of two words.
    let given = project.container(long.trim_end(), "{{.Name}}");
    assert_eq!(given.trim_start_matches('/').split('_').count(), 3, "{given}");
    for name in ["web-ping", id, &id[..12], &id[..2]] {
        assert_eq!(project.container(name, "{{.Id}}"), id);
    }
    let taken = project.onggi(["run", "-d", "--name", "web-ping", "busybox", "true"]).run();
    assert_eq!(
        taken.snapshot(),
        "exit: 125\n--- stderr\nerror: the container name `web-ping` is already in use by container <id-1>\nhint: \
         remove it with `onggi rm web-ping`, or choose another name\n"
    );
    project.onggi(["rm", "--force", "web-ping", long.trim_end()]).run().success();
    project.has_no_containers();
    // A name is free again at once.
    project.start(&["--rm", "--name", "web-ping", "busybox", "true"]);
}

#[test]
#[ignore = "requires root"]
fn c222_ps_lists_what_runs_requires_root() {
    let project = Project::new();
    let empty = project.onggi(["ps"]).run().success();
    assert_eq!(empty.stdout, "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n");
    project.start(&["--name", "ended", "busybox", "sh", "-c", "exit 3"]);
    assert_eq!(project.ask(&["wait", "ended"]), "3\n");
    project.onggi(["run", "--name", "never", "busybox", "nope"]).run().exits(127);
    project.start(&["--name", "running", "busybox", "sleep", "1000"]);
    let running = project.onggi(["ps", "--format", "{{.Names}} {{.Image}} {{.Command}} {{.State}}"]).run().success();
    assert_eq!(running.stdout, "running busybox \"sleep 1000\" running\n");
    let all = project.onggi(["container", "ls", "-a"]).run().success();
    let rows = rows(&all);
    assert_eq!(rows.len(), 4, "{}", all.stdout);
    for (row, parts) in rows.iter().zip([
        ["CONTAINER ID   IMAGE     COMMAND          CREATED", "   STATUS", "PORTS     NAMES"],
        ["   busybox   \"sleep 1000\"     ", "   Up ", "running"],
        ["   busybox   \"nope\"           ", "   Created ", "never"],
        ["   busybox   \"sh -c exit 3\"   ", "   Exited (3) ", "ended"],
    ]) {
        assert!(parts.iter().all(|part| row.contains(part)), "{parts:?} in {row:?}");
    }
    project.onggi(["rm", "-f", "running", "never", "ended"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn s072_c223_logs_keep_both_streams_apart_requires_root() {
    let project = Project::new();
    let script = "echo one; echo two >&2; printf '한국어 \\377 no line break'";
    project.start(&["--name", "it", "busybox", "sh", "-c", script]);
    project.onggi(["wait", "it"]).run().success();
    let logs = project.onggi(["logs", "it"]).run().success();
    assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("one\n한국어 \u{fffd} no line break", "two\n"));
    // Much, and long lines.
    let much = "yes 0123456789 | head -n 20000; head -c 100000 /dev/zero | tr '\\0' x";
    project.start(&["--name", "much", "busybox", "sh", "-c", much]);
    project.onggi(["wait", "much"]).run().success();
    assert_eq!(project.ask(&["logs", "much"]).len(), 20_000 * 11 + 100_000);
    // A terminal has one stream.
    project.start(&["-t", "--name", "tty", "busybox", "sh", "-c", "echo one; echo two >&2; test -t 1 && echo tty"]);
    project.onggi(["wait", "tty"]).run().success();
    let logs = project.onggi(["container", "logs", "tty"]).run().success();
    assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("one\r\ntwo\r\ntty\r\n", ""));
    project.onggi(["rm", "it", "much", "tty"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn s059_stop_kill_wait_and_rm_requires_root() {
    let project = Project::new();
    project.start(&["--name", "polite", "busybox", "sh", "-c", POLITE]);
    project.wait_for_log("polite", "ready");
    assert_eq!(project.ask(&["stop", "polite"]), "polite\n");
    assert_eq!(project.container("polite", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}"), "exited 7 0");
    // Once more is no mistake; a signal is.
    assert_eq!(project.ask(&["container", "stop", "polite"]), "polite\n");
    let id = project.container("polite", "{{.Id}}");
    let ended = project.onggi(["kill", "polite"]).run().exits(1);
    assert_eq!(ended.stderr, format!("error: container {id} is not running\n"));

    // A first process without a handler is deaf to TERM.
    project.start(&["--name", "deaf", "busybox", "sleep", "1000"]);
    let began = Instant::now();
    assert_eq!(project.ask(&["stop", "-t", "1", "deaf"]), "deaf\n");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(project.ask(&["wait", "deaf", "polite"]), "137\n7\n");

    project.start(&[
        "--name",
        "signalled",
        "busybox",
        "sh",
        "-c",
        "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done",
    ]);
    project.wait_for_log("signalled", "ready");
    for (signal, code, said) in
        [("NOPE", 1, "error: invalid signal: NOPE"), ("0x1", 1, "error: invalid signal"), ("USR1", 0, "")]
    {
        let killed = project.onggi(["kill", "--signal", signal, "signalled"]).run().exits(code);
        assert!(killed.stderr.contains(said), "{}", killed.stderr);
    }
    assert_eq!(project.ask(&["wait", "signalled"]), "9\n");
    project.start(&["--name", "killed", "busybox", "sleep", "1000"]);
    assert_eq!(project.ask(&["kill", "killed"]), "killed\n");
    assert_eq!(project.ask(&["wait", "killed"]), "137\n");
    assert_eq!(project.ask(&["rm", "killed", "signalled", "deaf", "polite"]), "killed\nsignalled\ndeaf\npolite\n");
    for verb in ["stop", "kill", "wait", "rm", "logs"] {
        let gone = project.onggi([verb, "killed"]).run().exits(1);
        assert_eq!(gone.stderr, "error: no such container: killed\nhint: `onggi ps -a` lists all containers\n");
    }
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn stop_uses_the_images_signal_requires_root() {
    let project = Project::with(
        "FROM busybox\nSTOPSIGNAL SIGINT\nCMD trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done\n",
    );
    project.build_app();
    project.start(&["--name", "it", "app"]);
    project.wait_for_log("it", "ready");
    project.onggi(["stop", "it"]).run().success();
    assert_eq!(project.ask(&["wait", "it"]), "5\n");
    project.onggi(["rm", "it"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn c221_a_running_container_is_removed_by_force_only_requires_root() {
    let project = Project::new();
    let id = project.start(&["--name", "it", "busybox", "sleep", "1000"]);
    let refused = project.onggi(["rm", "it"]).run().exits(1);
    assert_eq!(
        refused.stderr,
        format!(
            "error: cannot remove running container {id}\nhint: stop it with `onggi stop it`, or remove it by force: `onggi rm -f it`\n"
        )
    );
    assert_eq!(project.ask(&["container", "rm", "-f", "it"]), "it\n");
    project.has_no_containers();
    assert_eq!(processes_with(&id), [0; 0]);
}

/// In front and with `--rm` as well: it is listed, found, stopped, and not removed under its feet.
#[test]
#[ignore = "requires root"]
fn a_container_in_front_is_seen_by_others_requires_root() {
    let project = Project::new();
    for flags in [&["--rm"][..], &[]] {
        let words = [&["run", "--name", "front"], flags, &["busybox", "sh", "-c", POLITE]].concat();
        let client = project.onggi(words).spawn();
        wait_until("it runs", || project.ask(&["ps", "--format", "{{.Names}} {{.State}}"]) == "front running\n");
        project.onggi(["rm", "front"]).run().exits(1);
        // Until its handler is there, the signal is lost.
        wait_until("it stops", || project.onggi(["kill", "-s", "TERM", "front"]).run().code != 0);
        assert_eq!(client.wait_with_output().unwrap().status.code(), Some(7));
        project.onggi(["rm", "front"]).run().exits(i32::from(flags == ["--rm"]));
    }
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn s057_detached_and_removed_when_it_ends_requires_root() {
    let project = Project::new();
    let id = project.start(&["--rm", "--name", "it", "busybox", "sh", "-c", "sleep 0.3; exit 6"]);
    // Whoever waits learns the code although everything goes.
    assert_eq!(project.ask(&["wait", "it"]), "6\n");
    wait_until("it is gone", || processes_with(&id).is_empty());
    project.has_no_containers();
    // One that cannot start is gone when the command is.
    let failed = project.onggi(["run", "-d", "--rm", "--name", "it", "busybox", "nope"]).run().exits(127);
    assert_eq!(failed.stdout, "");
    assert!(failed.stderr.contains("hint: see what is in the image"), "{}", failed.stderr);
    project.has_no_containers();
}

/// The monitor is its own session, has none of our descriptors, and no zombie of it stays.
#[test]
#[ignore = "requires root"]
fn a_background_container_survives_and_holds_nothing_of_its_client_requires_root() {
    let project = Project::new();
    let script = format!(
        "exec 9>lock; flock 9; '{}' run -d --name it busybox sleep 1000; exec 9>&-; flock -n lock echo free",
        testkit::binary().display()
    );
    // Killed with all its group once it is done: what is in the background is in another.
    let shell = project.sandbox.command("setsid").arguments(["--wait", "bash", "-c", &script]).run().success();
    let id = shell.stdout.lines().next().unwrap().to_owned();
    assert!(shell.stdout.ends_with("free\n"), "{}", shell.stdout);
    let monitor = processes_with(&format!("monitor {id}"));
    assert_eq!(monitor.len(), 1);
    let stat = fs::read_to_string(format!("/proc/{}/stat", monitor[0])).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    assert_eq!((fields[3], fields[4]), (monitor[0].to_string().as_str(), "0"), "session and terminal");
    assert_eq!(project.container("it", "{{.State.Running}}"), "true");
    project.onggi(["rm", "-f", "it"]).run().success();
    wait_until("the monitor ends", || processes_with(&id).is_empty());
}

#[test]
#[ignore = "requires root"]
fn images_in_use_are_not_removed_requires_root() {
    let project = Project::with("FROM busybox\nCMD sleep 1000\n");
    project.build_app();
    let id = project.start(&["--name", "it", "app"]);
    let in_use = project.onggi(["rmi", "app"]).run().exits(1);
    assert!(
        in_use.stderr.contains(&format!("container {} is using its referenced image", &id[..12])),
        "{}",
        in_use.stderr
    );
    let image = project.inspect("app")["Id"].as_str().unwrap().to_owned();
    let by_id = project.onggi(["rmi", "-f", &image]).run().exits(1);
    assert!(by_id.stderr.contains("running container"), "{}", by_id.stderr);
    // The name may go by force; the image stays as long as the container runs.
    let forced = project.onggi(["rmi", "-f", "app"]).run();
    assert!(forced.stdout.is_empty() || forced.stdout == "Untagged: app:latest\n", "{}", forced.stdout);
    assert_eq!(project.container("it", "{{.State.Running}}"), "true");
    project.inspect(&image);
    project.onggi(["rm", "-f", "it"]).run().success();
    let removed = project.onggi(["rmi", &image]).run().success();
    assert!(removed.stdout.contains(&format!("Deleted: {image}\n")), "{}", removed.stdout);
    assert_eq!(project.ask(&["images", "-q", "--no-trunc"]).lines().filter(|line| *line == image).count(), 0);
}

#[test]
#[ignore = "requires root"]
fn s009_containers_by_the_beginning_of_their_id_requires_root() {
    let project = Project::new();
    let mut ids = Vec::new();
    // Sixteen first digits, so of seventeen containers two begin alike.
    while ids.len() < 17 {
        ids.push(project.ask(&["run", "--network", "none", "-d", "busybox", "true"]).trim_end().to_owned());
    }
    let digit = |id: &String| id.as_bytes()[0];
    let shared = ids.iter().find(|id| ids.iter().filter(|other| digit(other) == digit(id)).count() > 1).unwrap();
    let ambiguous = project.onggi(["rm", &shared[..1]]).run().exits(1);
    assert!(ambiguous.stderr.contains("is ambiguous"), "{}", ambiguous.stderr);
    assert_eq!(project.container(&shared[..12], "{{.Id}}"), *shared);
    project.onggi([&["rm", "-f"][..], &ids.iter().map(String::as_str).collect::<Vec<_>>()].concat()).run().success();
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn many_containers_begin_and_end_at_once_requires_root() {
    let project = Project::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let project = &project;
            scope.spawn(move || {
                let name = format!("number-{number}");
                for _ in 0..2 {
                    let said = project.says(&["--name", &name, "busybox", "sh", "-c", "hostname -i; sleep 0.1"]);
                    assert!(said.starts_with(|first: char| first.is_ascii_digit()), "{said}");
                }
            });
        }
        let project = &project;
        scope.spawn(|| {
            for _ in 0..20 {
                project.onggi(["ps", "-a"]).run().success();
            }
        });
    });
    project.has_no_containers();
}
