//! `run` in front of the user: what a container sees, what comes back, and that nothing of it stays (1c, C201, C210).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use testkit::{HttpServer, Output};

use crate::build_project::Project;
use crate::containers::wait_until;

const APP: &str = "FROM busybox\nENV NAME=dojin TARGET=blog.sixeyed.com INTERVAL=3000\n\
    CMD echo \"Hello $NAME\"; echo \"$TARGET $INTERVAL\"\n";

impl Project {
    /// `run --rm WORDS`.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.onggi([&["run", "--rm"], words].concat()).run()
    }

    /// Standard output of `run --rm WORDS`, which must succeed and say nothing else.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> String {
        let output = self.run(words).success();
        assert_eq!(output.stderr, "", "{words:?}");
        output.stdout
    }

    /// `sh -c SCRIPT` in a busybox.
    #[track_caller]
    pub(crate) fn shell(&self, script: &str) -> String {
        self.says(&["busybox", "sh", "-c", script])
    }

    /// Nothing in the store tells of a container any more.
    #[track_caller]
    pub(crate) fn has_no_containers(&self) {
        assert_eq!(self.ask(&["ps", "-aq"]), "");
        for folder in ["containers", "names", "ingest"] {
            let is_empty = || fs::read_dir(self.sandbox.root().join(folder)).map_or(0, Iterator::count) == 0;
            // What was removed is out of sight at once, and gone a moment later.
            wait_until(&format!("{folder} is empty"), is_empty);
        }
    }
}

#[test]
#[ignore = "requires root"]
fn s043_s044_s046_variables_of_the_command_line_win_requires_root() {
    let project = Project::with(APP);
    project.build_app();
    for (flags, said) in [
        (&[][..], "Hello dojin\nblog.sixeyed.com 3000\n"),
        (&["-e", "NAME=docker"], "Hello docker\nblog.sixeyed.com 3000\n"),
        (&["--env", "TARGET=google.com"], "Hello dojin\ngoogle.com 3000\n"),
        (&["-e", "TARGET=docker.com", "-e", "INTERVAL=5000"], "Hello dojin\ndocker.com 5000\n"),
        (&["--env=NAME=a=b c", "-eINTERVAL="], "Hello a=b c\nblog.sixeyed.com \n"),
        (&["-e", "NAME=first", "-e", "NAME=last"], "Hello last\nblog.sixeyed.com 3000\n"),
    ] {
        assert_eq!(project.says(&[flags, &["app"]].concat()), said, "{flags:?}");
    }
    let long = project.onggi(["container", "run", "--rm", "app"]).run().success();
    assert_eq!(long.stdout, "Hello dojin\nblog.sixeyed.com 3000\n");
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn s045_s046_streams_stay_apart_and_the_exit_code_comes_through_requires_root() {
    let project = Project::new();
    let ran = project.run(&["busybox", "sh", "-c", "echo out; echo err >&2; exit 42"]);
    assert_eq!(ran.snapshot(), "exit: 42\n--- stdout\nout\n--- stderr\nerr\n");
    // More than any pipe holds, in both directions at once.
    let many = project.onggi(["run", "--rm", "-i", "busybox", "cat"]).stdin(vec![b'x'; 3 << 20]).run().success();
    assert_eq!(many.stdout.len(), 3 << 20);
}

#[test]
#[ignore = "requires root"]
fn s047_host_environment_never_leaks_in_requires_root() {
    let project = Project::with("FROM busybox\nENV MINE=1\n");
    project.build_app();
    let run = |flags: &[&str]| {
        let words = [&["run", "--rm", "-h", "box"], flags, &["app", "env"]].concat();
        let output = project.onggi(words).env("CANARY", "leaked").env("MINE", "host").env("HTTP_PROXY", "x").run();
        let mut lines: Vec<_> = output.success().stdout.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(run(&[]), ["HOME=/root", "HOSTNAME=box", "MINE=1", path]);
    assert_eq!(run(&["-u", "node"]), ["HOME=/home/node", "HOSTNAME=box", "MINE=1", path]);
    assert_eq!(run(&["-u", "4711"]), ["HOME=/", "HOSTNAME=box", "MINE=1", path]);
    // A name alone asks for the host's value, and one that the host does not have for nothing.
    assert_eq!(run(&["-e", "CANARY", "-e", "NOT_SET"])[0], "CANARY=leaked");
    assert_eq!(run(&["-e", "HOME=/x"])[0], "HOME=/x");
    // One that is set in the image and not on the host goes, as with Docker.
    let gone = project.onggi(["run", "--rm", "-e", "MINE", "app", "env"]).run().success();
    assert!(!gone.stdout.contains("MINE"), "{}", gone.stdout);
}

#[test]
#[ignore = "requires root"]
fn s048_each_container_has_its_own_name_and_address_requires_root() {
    let project = Project::new();
    let id = project.onggi(["run", "-d", "busybox", "sleep", "1000"]).run().success().stdout;
    let facts = "hostname; cat /etc/hostname; hostname -i; tail -n 1 /etc/hosts";
    let said = project.shell(facts);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!((lines[0], lines[0].len()), (lines[1], 12), "{said}");
    assert_eq!(lines[3], format!("{}\t{}", lines[2], lines[0]));
    let address = |name: &str| project.ask(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name]);
    let other = address(id.trim_end());
    assert_ne!(other.trim_end(), lines[2]);
    assert!(other.trim_end().parse::<std::net::Ipv4Addr>().is_ok(), "{other}");
    // The address of a container in the background stays its own.
    for _ in 0..3 {
        assert_ne!(project.shell("hostname -i"), other);
    }
    project.onggi(["rm", "-f", id.trim_end()]).run().success();
    assert_eq!(project.says(&["-h", "web.example.org", "busybox", "hostname"]), "web.example.org\n");
}

#[test]
#[ignore = "requires root"]
fn s054_s055_s305_words_entrypoint_and_cmd_requires_root() {
    let project = Project::new();
    project
        .dockerfile("FROM busybox\nENTRYPOINT [\"echo\", \"entry\"]\nCMD [\"cmd\"]\n")
        .build(&["-t", "both"])
        .run()
        .success();
    project.dockerfile("FROM busybox\nCMD [\"echo\", \"cmd\"]\n").build(&["-t", "cmd"]).run().success();
    project.dockerfile("FROM busybox\nENTRYPOINT [\"echo\", \"entry\"]\n").build(&["-t", "entry"]).run().success();
    for (words, said) in [
        (&["both"][..], "entry cmd\n"),
        (&["both", "--version"], "entry --version\n"),
        (&["both", "-e", "--rm", "x"], "entry -e --rm x\n"),
        (&["both", "--", "x"], "entry -- x\n"),
        (&["cmd"], "cmd\n"),
        (&["cmd", "echo", "words"], "words\n"),
        (&["entry"], "entry\n"),
        (&["entry", "words"], "entry words\n"),
        (&["--entrypoint", "pwd", "both"], "/\n"),
        (&["--entrypoint", "echo", "both", "words"], "words\n"),
        (&["--entrypoint", "", "both", "echo", "words"], "words\n"),
        (&["--entrypoint=", "both", "echo", "words"], "words\n"),
    ] {
        assert_eq!(project.says(words), said, "{words:?}");
    }
    let nothing = project.run(&["--entrypoint", "", "both"]);
    assert_eq!(
        nothing.snapshot(),
        "exit: 125\n--- stderr\nerror: no command specified: the image has neither CMD nor ENTRYPOINT\n\
         hint: give one behind the image: `onggi run both COMMAND`\n"
    );
}

#[test]
#[ignore = "requires root"]
fn s056_a_container_ends_with_its_first_process_requires_root() {
    let project = Project::new();
    let ran = project.onggi(["run", "--rm", "busybox", "sh", "-c", "sleep 1000 & sleep 1000 & echo started"]);
    assert_eq!(ran.limit(Duration::from_secs(30)).run().success().stdout, "started\n");
}

#[test]
#[ignore = "requires root"]
fn s060_s061_s303_each_run_is_a_new_container_on_the_same_layers_requires_root() {
    let project = Project::with("FROM busybox\nCOPY shared /shared\n");
    project.file("shared", "from the image").build_app();
    let before = project.image("app");
    project
        .onggi(["run", "-d", "--name", "one", "app", "sh", "-c", "echo one > /shared; rm /etc/passwd; sleep 1000"])
        .run()
        .success();
    assert_eq!(
        project.says(&["app", "sh", "-c", "cat /shared; ls /etc/passwd; echo two > /shared"]),
        "from the image/etc/passwd\n"
    );
    assert_eq!(project.says(&["app", "cat", "/shared"]), "from the image");
    project.onggi(["rm", "-f", "one"]).run().success();
    let after = project.image("app");
    assert_eq!((before.id, before.tree), (after.id, after.tree));
    assert_eq!(
        project.says(&["app", "mount"]).lines().filter(|line| line.contains(" on / type overlay (rw")).count(),
        1
    );
}

#[test]
#[ignore = "requires root"]
fn s063_a_container_reaches_the_host_and_other_containers_by_name_requires_root() {
    let project = Project::new();
    let server = HttpServer::start();
    let port = server.port();
    let get = format!("wget -q -O - http://$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'):{port}/path");
    assert_eq!(project.shell(&get), "ok\n");
    let asked = server.next(Duration::from_secs(5)).unwrap();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/path"));
    // Its own names lead to itself.
    let own = "for name in localhost $(hostname); do nc -l -p 80 -e echo hi & sleep 0.2; nc $name 80; done";
    assert_eq!(project.shell(own), "hi\nhi\n");
    // A RUN step has the same.
    project.dockerfile(&format!("FROM busybox\nRUN {get} > /answer\n")).build_app();
    assert_eq!(project.image("app").tree["answer"].kind, crate::build_project::file_digest("ok\n"));
}

#[test]
#[ignore = "requires root"]
fn networks_none_host_and_bridge_requires_root() {
    let project = Project::new();
    let links = |network: &str| project.says(&["--network", network, "busybox", "ls", "/sys/class/net"]);
    assert_eq!(links("none"), "lo\n");
    assert_eq!(links("bridge"), "eth0\nlo\n");
    // Other tests' containers come and go on the host; what stays is the loopback and the bridge.
    let host = links("host");
    assert!(["lo", "onggi0"].iter().all(|link| host.lines().any(|line| line == *link)), "{host}");
    let name = |network: &str| project.says(&["--net", network, "busybox", "hostname"]);
    assert_eq!(name("host").trim_end(), fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim_end());
    assert_eq!(name("none").trim_end().len(), 12);
    let wrong = project.run(&["--network", "backend", "busybox", "true"]);
    assert_eq!(
        wrong.snapshot(),
        "exit: 125\n--- stderr\nerror: network backend not found\nhint: `onggi network ls` lists all networks\n"
    );
}

/// Exit codes as Docker's: 125 for us, 126 and 127 for the program, 128 and the signal for a killed one.
#[test]
#[ignore = "requires root"]
fn c210_exit_codes_requires_root() {
    let project = Project::new();
    for (words, code, said) in [
        (&["busybox", "true"][..], 0, ""),
        (&["busybox", "false"], 1, ""),
        (&["busybox", "sh", "-c", "exit 255"], 255, ""),
        (&["busybox", "sh", "-c", "sh -c 'kill -SEGV $$'; exit $?"], 139, "Segmentation fault"),
        (&["busybox", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, "Killed"),
        (&["busybox", "nope"], 127, "exec: \"nope\": executable file not found in $PATH"),
        (&["busybox", "/nope"], 127, "exec: \"/nope\": stat /nope: no such file or directory"),
        (&["busybox", "/etc/passwd"], 126, "exec: \"/etc/passwd\": permission denied"),
        (&["busybox", "/etc"], 126, "exec: \"/etc\": is a directory"),
        (&["-u", "nobody-here", "busybox", "true"], 125, "unable to find user nobody-here: no matching entries"),
        (&["-u", "root:no-group", "busybox", "true"], 125, "unable to find group no-group"),
        (&["-u", "4294967296", "busybox", "true"], 125, "not a valid user or group ID"),
        (&["--user=-1", "busybox", "true"], 125, "not a valid user or group ID"),
        (&["-w", "relative", "busybox", "pwd"], 125, "needs to be an absolute path"),
        (&["-w", "/etc/passwd", "busybox", "pwd"], 125, "chdir to cwd (\"/etc/passwd\")"),
        (&["-v", "a/b:/x", "busybox", "true"], 125, "includes invalid characters for a local volume name"),
        (&["-v", "/tmp:x", "busybox", "true"], 125, "mount path must be absolute"),
        (&["-v", "/tmp:/x:what", "busybox", "true"], 125, "invalid mode: what"),
        (&["-v", "/tmp:/", "busybox", "true"], 125, "destination can't be '/'"),
        (&["-h", "two\nlines", "busybox", "true"], 125, "invalid hostname"),
        (&["--name", "a b", "busybox", "true"], 125, "invalid container name (a b)"),
        (&["--env-file", "/nope", "busybox", "true"], 125, "cannot read the variables in /nope"),
        (&["-e", "=x", "busybox", "true"], 125, "has no name"),
        (&["--runtime", "/nope", "busybox", "true"], 125, "/nope"),
        (&["--no-such-flag", "busybox"], 125, "unknown flag `--no-such-flag`"),
    ] {
        let output = project.run(words).exits(code);
        assert!(output.stderr.contains(said), "{words:?}: {}", output.stderr);
    }
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn an_image_that_is_not_there_requires_root() {
    let project = Project::new();
    let missing = project.run(&["--pull", "never", "diamol/ch03-web-ping"]);
    assert_eq!(
        missing.snapshot(),
        "exit: 125\n--- stderr\nerror: no such image: diamol/ch03-web-ping:latest\nhint: `onggi pull \
         diamol/ch03-web-ping:latest` fetches it from its registry\n"
    );
    let program = project.run(&["--name", "it", "busybox", "nope"]);
    assert_eq!(
        program.snapshot(),
        "exit: 127\n--- stderr\nerror: cannot start container it\ncaused by: exec: \"nope\": executable file not found \
         in $PATH\n\nhint: see what is in the image: `onggi run --rm --entrypoint sh busybox -c ls`\n"
    );
    project.has_no_containers();
}

/// Docker's rules: no quotes, no spaces trimmed from values, `#` only at the start, a name alone for the host's value.
#[test]
#[ignore = "requires root"]
fn c201_files_of_variables_requires_root() {
    let project = Project::with("FROM busybox\nENV IMAGE=image\n");
    project.build_app();
    project.file(
        "vars",
        "\u{feff}# a comment\n\n  INDENTED=1\nQUOTED=\"x\"\nHASH=a # b\nEMPTY=\nSPACES=  s  \nEQUALS=a=b\nFROM_HOST\nNOT_SET\nIMAGE=file\r\n",
    );
    project.file("more", "EQUALS=more\n");
    let words = ["run", "--rm", "--env-file", "vars", "--env-file=more", "-e", "INDENTED=flag", "app", "env"];
    let said = project.onggi(words).env("FROM_HOST", "host").run().success().stdout;
    let mut lines: Vec<_> = said.lines().filter(|line| !line.starts_with("HO") && !line.starts_with("PATH")).collect();
    lines.sort_unstable();
    let all = [
        "EMPTY=",
        "EQUALS=more",
        "FROM_HOST=host",
        "HASH=a # b",
        "IMAGE=file",
        "INDENTED=flag",
        "QUOTED=\"x\"",
        "SPACES=  s  ",
    ];
    assert_eq!(lines, all);
    project.file("wrong", "FINE=1\nA NAME=2\n");
    let wrong = project.run(&["--env-file", "wrong", "app"]).exits(125);
    assert!(wrong.stderr.contains("line 2 of `wrong`"), "{}", wrong.stderr);
}

#[test]
#[ignore = "requires root"]
fn c201_folders_and_users_requires_root() {
    let project = Project::with("FROM busybox\nWORKDIR /srv/app\nUSER node\n");
    project.build_app();
    for (words, said) in [
        (&["app", "pwd"][..], "/srv/app\n"),
        (&["-w", "/new/deep", "app", "pwd"], "/new/deep\n"),
        (&["--workdir=/tmp", "app", "pwd"], "/tmp\n"),
        (&["-w", "", "app", "pwd"], "/srv/app\n"),
        (&["app", "sh", "-c", "id -u; id -g"], "1000\n1000\n"),
        (&["-u", "root", "app", "id", "-u"], "0\n"),
        (&["-u", "daemon", "app", "sh", "-c", "id -u; id -g"], "1\n1\n"),
        (&["-u", "1000", "app", "sh", "-c", "id -u; id -g"], "1000\n1000\n"),
        (&["-u", "77:88", "app", "sh", "-c", "id -u; id -g; id -G"], "77\n88\n88\n"),
        (&["--user=77", "app", "sh", "-c", "id -u; id -g"], "77\n0\n"),
        (&["-u", "node:daemon", "app", "sh", "-c", "id -u; id -g"], "1000\n1\n"),
        // Not root's: what the user's programs write to is the user's.
        (&["app", "sh", "-c", "echo x > /dev/stdout"], "x\n"),
    ] {
        assert_eq!(project.says(words), said, "{words:?}");
    }
}

#[test]
#[ignore = "requires root"]
fn c202_folders_and_files_of_the_host_requires_root() {
    let project = Project::new();
    project.file("data/inside", "host\n").file("single", "one\n");
    let path = |name: &str| project.sandbox.work().join(name).display().to_string();
    let (folder, single) = (path("data"), path("single"));
    let mounted = |volume: &str, script: &str| project.run(&["-v", volume, "busybox", "sh", "-c", script]);
    assert_eq!(
        mounted(&format!("{folder}:/data"), "cat /data/inside; echo new > /data/made").success().stdout,
        "host\n"
    );
    assert_eq!(fs::read_to_string(path("data/made")).unwrap(), "new\n");
    let denied = mounted(&format!("{folder}:/data:ro"), "cat /data/inside; echo x > /data/other").exits(1);
    assert_eq!(denied.stdout, "host\n");
    assert!(denied.stderr.contains("Read-only file system") && !fs::exists(path("data/other")).unwrap());
    assert_eq!(mounted(&format!("{single}:/etc/deep/name.conf"), "cat /etc/deep/name.conf").success().stdout, "one\n");
    assert_eq!(mounted(&format!("{single}:/etc/passwd:ro"), "cat /etc/passwd").success().stdout, "one\n");
    assert_eq!(mounted("./data:/data", "cat /data/inside").success().stdout, "host\n");
    let two = project.says(&[
        "--volume",
        &format!("{folder}:/a"),
        "-v",
        &format!("{single}:/b:ro"),
        "busybox",
        "cat",
        "/a/inside",
        "/b",
    ]);
    assert_eq!(two, "host\none\n");
}

/// What VOLUME names starts with the image's content in each container, and goes with it.
#[test]
#[ignore = "requires root"]
fn c202_volumes_of_the_image_are_new_in_each_container_requires_root() {
    let project = Project::with("FROM busybox\nCOPY a /data/a\nVOLUME /data\n");
    project.file("a", "1\n").build_app();
    let script = "cat /data/a; echo 2 > /data/a; cat /data/a";
    assert_eq!(project.says(&["app", "sh", "-c", script]), "1\n2\n");
    assert_eq!(project.says(&["app", "sh", "-c", script]), "1\n2\n");
}

#[test]
#[ignore = "requires root"]
fn c207_standard_input_is_open_only_when_asked_for_requires_root() {
    let project = Project::new();
    let run = |flags: &[&str]| {
        project.onggi([&["run", "--rm"], flags, &["busybox", "cat"]].concat()).stdin("typed\n").run().success().stdout
    };
    assert_eq!(run(&["-i"]), "typed\n");
    assert_eq!(run(&["--interactive"]), "typed\n");
    assert_eq!(run(&[]), "");
    // A terminal was asked for, and there is none.
    let refused = project.onggi(["run", "-it", "busybox", "sh"]).run();
    assert_eq!(
        refused.snapshot(),
        "exit: 1\n--- stderr\nerror: the input device is not a TTY\nhint: leave `-t` out when standard input is a file or a pipe\n"
    );
}

/// CVE-2024-21626: nothing of ours is open in a container, whatever we were started with.
#[test]
#[ignore = "requires root"]
fn only_three_descriptors_are_open_in_a_container_requires_root() {
    let project = Project::new();
    let onggi = testkit::binary();
    for flags in ["--rm", "--rm -t", "--rm -i"] {
        let script = format!(
            "exec 7</etc 8>/dev/null 9</; '{}' run {flags} busybox ls /proc/self/fd </dev/null",
            onggi.display()
        );
        let listed = project.sandbox.command("bash").arguments(["-c", &script]).run().success().stdout;
        // The fourth is the folder that `ls` reads.
        assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"], "{flags}");
    }
    let script = format!("'{}' run --rm -i busybox ls /proc/self/fd/0/ </", onggi.display());
    let escaped = project.sandbox.command("bash").arguments(["-c", &script]).run();
    assert!(!escaped.stdout.contains("etc"), "an open folder of the host is no standard input: {}", escaped.stdout);
}

#[test]
#[ignore = "requires root"]
fn the_users_umask_is_not_the_containers_requires_root() {
    let project = Project::new();
    let words = "umask 077; \"$0\" run --rm -u node busybox sh -c 'umask; cat /etc/hosts /etc/hostname /etc/resolv.conf >/dev/null'";
    let command = project.sandbox.command("bash").arguments(["-c", words]).arguments([testkit::binary()]);
    assert_eq!(command.run().success().snapshot(), "exit: 0\n--- stdout\n0022\n");
}

#[test]
#[ignore = "requires root"]
fn the_store_is_for_its_owner_alone_requires_root() {
    let project = Project::new();
    project.onggi(["run", "--name", "it", "busybox", "true"]).run().success();
    let mode = fs::metadata(project.sandbox.root()).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

/// A reader that has seen enough ends the container instead of stopping it for ever.
#[test]
#[ignore = "requires root"]
fn output_that_nobody_reads_ends_the_container_requires_root() {
    let project = Project::new();
    for flags in ["--rm", "--rm -t"] {
        let script = format!("'{}' run {flags} busybox yes | head -n 1", testkit::binary().display());
        let command = project.sandbox.command("bash").arguments(["-c", &script]).limit(Duration::from_secs(30));
        assert_eq!(command.run().success().stdout.trim_end(), "y", "{flags}");
    }
    project.has_no_containers();
}

/// D9: another runtime, the same container.
#[test]
#[ignore = "requires root"]
fn another_runtime_gives_the_same_requires_root() {
    if !fs::exists("/usr/sbin/runc").unwrap() && !fs::exists("/usr/bin/runc").unwrap() {
        eprintln!("skipped: requires runc: another_runtime_gives_the_same_requires_root");
        return;
    }
    let project = Project::with(APP);
    project.build_app();
    for words in [
        &["app"][..],
        &["-e", "NAME=docker", "app"],
        &["-h", "box", "-u", "node", "busybox", "sh", "-c", "env | sort; id; pwd; hostname; umask"],
        &["-w", "/new", "busybox", "sh", "-c", "pwd; exit 7"],
        &["--network", "none", "busybox", "ls", "/sys/class/net"],
        &["busybox", "nope"],
        &["busybox", "/etc/passwd"],
    ] {
        let (own, other) = (project.run(words), project.run(&[&["--runtime", "runc"], words].concat()));
        assert_eq!((other.code, other.stdout), (own.code, own.stdout), "{words:?}: {}", other.stderr);
    }
    let piped = project.onggi(["run", "--rm", "-i", "--runtime", "runc", "busybox", "cat"]).stdin("typed").run();
    assert_eq!(piped.success().stdout, "typed");
    project.has_no_containers();
}
