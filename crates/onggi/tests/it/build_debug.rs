//! A shell in a step that failed (N007): what the printed command shows is what the step saw.
//!
//! Each failing step writes down what it sees, with `/probe`, before it fails; the shell runs the same `/probe`.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use testkit::{Output, Terminal};

use crate::build_project::Project;

const LIMIT: Duration = Duration::from_secs(60);

/// User, folder, environment and all files but what differs by its nature: the shell's own variables, the sizes of
/// folders, what the probe is writing to, times of what is mounted each time, and tools that are lent.
const PROBE: &str = r#"
id
pwd
cat /etc/hosts /etc/resolv.conf | sed 's/^[0-9.]*//'
ls /etc/hosts
env | grep -v -e '^SHLVL=' -e '^_=' -e '^OLDPWD=' -e '^ONGGI_COMMAND=' | sed 's,:/.onggi/bin$,,' | sort
find / -xdev ! -type d ! -path '/seen*' ! -path '/.onggi*' ! -path /etc/hosts ! -path /etc/resolv.conf -exec stat -c '%n %f %u %g %s %Y' {} + 2> /dev/null | sort
find / -xdev -type d ! -path '/.onggi*' -exec stat -c '%n %f %u %g' {} + 2> /dev/null | sort
"#;

/// What a failing step does: something that stays half done, and the probe.
const STEP: &str = "echo half > /var/half; rm /etc/gone; . /probe > /seen/it 2>&1; exit 3";

fn project() -> Project {
    let project = Project::new();
    project.file("probe", PROBE).file("gone", "");
    fs::copy(testkit::busybox_binary().unwrap(), project.sandbox.work().join("busybox")).unwrap();
    project
}

/// What all stages begin with.
const PREPARED: &str =
    "FROM busybox AS base\nCOPY probe /probe\nCOPY gone /etc/gone\nRUN mkdir -m 777 /seen && chmod 777 /var /etc\n";

/// The command in the hint of a failed build.
#[track_caller]
fn printed(failed: &Output) -> String {
    let hints = failed.stderr.lines().filter(|line| line.starts_with("hint: ") && line.contains("onggi build debug "));
    let [hint] = hints.collect::<Vec<_>>()[..] else { panic!("not exactly one command: {}", failed.stderr) };
    let [_, command, ""] = hint.split('`').collect::<Vec<_>>()[..] else { panic!("{hint}") };
    command.to_owned()
}

/// Builds what must fail, and gives the words of the command that opens a shell there.
#[track_caller]
fn fail(project: &Project, dockerfile: &str, flags: &[&str]) -> Vec<String> {
    let failed = project.dockerfile(dockerfile).build(flags).run().exits(1);
    printed(&failed).split(' ').skip(1).map(str::to_owned).collect()
}

/// The shell of that command with this typed into it through a pipe.
fn typed(project: &Project, words: &[String], script: &str) -> Output {
    project.onggi(words).stdin(script).run()
}

/// Builds what must fail at [`STEP`], and compares what the step saw with what a shell in it sees.
#[track_caller]
fn sees_the_same(project: &Project, dockerfile: &str, flags: &[&str], runtime: &[&str]) -> Output {
    let mut words = fail(project, dockerfile, &[flags, runtime].concat());
    words.splice(2..2, runtime.iter().map(|word| (*word).to_owned()));
    let saw = typed(project, &words, "cat /seen/it").success().stdout;
    assert!(saw.starts_with("uid=") && saw.contains("/etc/hosts"), "{saw}");
    let sees = || typed(project, &words, ". /probe 2>&1").success().stdout;
    assert_eq!(differences(&saw, &sees()), "");
    // What was half done is there, and what is done now is not there the next time.
    let script = "cat /var/half; ls /etc/gone; echo more > /var/half; rm /seen/it; exit 9";
    let shell = typed(project, &words, script).exits(9);
    assert_eq!(shell.stdout, "half\n");
    assert_eq!(differences(&saw, &sees()), "");
    project.nothing_runs();
    shell
}

/// Lines that only the step, or only the shell, has.
fn differences(step: &str, shell: &str) -> String {
    let (step, shell): (BTreeSet<&str>, BTreeSet<&str>) = (step.lines().collect(), shell.lines().collect());
    let only = |mark, lines: Vec<&&str>| lines.into_iter().map(|line| format!("{mark} {line}\n")).collect::<String>();
    only("step:", step.difference(&shell).collect()) + &only("shell:", shell.difference(&step).collect())
}

#[test]
#[ignore = "requires root"]
fn n007_stage_two_of_three_requires_root() {
    let project = project();
    let file = format!(
        "{PREPARED}FROM base AS two\nENV ONE=1 TWO=\"a b\"\nARG THREE=3\nWORKDIR /w\nRUN {STEP}\n\
         FROM busybox\nCOPY --from=two /w /\n"
    );
    let shell = sees_the_same(&project, &file, &["--build-arg", "THREE=x"], &[]);
    assert_eq!(
        shell.stderr,
        format!(
            "Dockerfile:9: `RUN {}…` exited with status 3\neval \"$ONGGI_COMMAND\" runs it again; what is changed here \
             goes when the shell ends\nls: /etc/gone: No such file or directory\n",
            STEP.chars().take(60).collect::<String>().trim_end()
        )
    );
}

#[test]
#[ignore = "requires root"]
fn n007_user_without_root_requires_root() {
    let project = project();
    let file = format!("{PREPARED}USER node:daemon\nWORKDIR /home/node\nRUN {STEP}\n");
    sees_the_same(&project, &file, &[], &[]);
    let seen = project.onggi(["build", "debug"]).stdin("id; pwd; echo $HOME").run().success();
    assert_eq!(seen.stdout, "uid=1000(node) gid=1(daemon) groups=1(daemon)\n/home/node\n/home/node\n");
}

#[test]
#[ignore = "requires root"]
fn n007_scratch_requires_root() {
    let project = project();
    let file = format!(
        "{PREPARED}FROM scratch\nCOPY --from=base /seen /seen\nCOPY --from=base /etc /etc\nCOPY --from=base /var /var\n\
         COPY busybox /busybox\nCOPY probe /probe\nENV X=1 PATH=/\nWORKDIR /w\nRUN [\"/busybox\", \"sh\", \"-c\", \
         \"for tool in id env grep sed sort find stat rm ls cat; do /busybox ln -s busybox /$tool; done\"]\n\
         RUN [\"/busybox\", \"sh\", \"-c\", \"{STEP}\"]\n"
    );
    let shell = sees_the_same(&project, &file, &[], &[]);
    assert!(shell.stderr.contains("\nno shell of the image works: this one, and tools, are lent in /.onggi/bin\n"));
    let words = ["build".to_owned(), "debug".to_owned()];
    let shell = typed(&project, &words, "pwd; echo $X; ls /.onggi/bin/awk; eval \"$ONGGI_COMMAND\"").exits(3);
    assert_eq!(shell.stdout, "/w\n1\n/.onggi/bin/awk\n", "{}", shell.stderr);
    // The tools cannot be changed, and are no part of what is kept.
    let refused =
        typed(&project, &words, "echo x > /.onggi/bin/busybox || echo > /.onggi/bin/new || echo refused").success();
    assert_eq!(refused.stdout, "refused\n");
    let listed = typed(&project, &words, "ls -A /").success().stdout;
    assert!(listed.contains(".onggi\n"), "{listed}");
}

#[test]
#[ignore = "requires root"]
fn n007_a_shell_that_the_step_broke_requires_root() {
    let project = project();
    let file = "FROM busybox\nRUN rm /bin/sh /bin/busybox\nRUN [\"/bin/ls\"]\n";
    let words = fail(&project, file, &[]);
    let shell = typed(&project, &words, "ls -l /bin/ls; test -e /bin/busybox || echo gone").success();
    assert!(shell.stdout.ends_with("-> busybox\ngone\n"), "{}", shell.stdout);
    // A shell whose interpreter is missing.
    project.file("sh", "#!/nowhere\n");
    let words = fail(&project, "FROM busybox\nCOPY --chmod=755 sh /bin/\nRUN true\n", &[]);
    let shell = typed(&project, &words, "cat /bin/sh").success();
    assert_eq!(shell.stdout, "#!/nowhere\n", "{}", shell.stderr);
}

#[test]
#[ignore = "requires root"]
fn n007_network_none_and_another_runtime_requires_root() {
    let project = project();
    let file = format!("{PREPARED}RUN --network=none ls /sys/class/net > /var/net; {STEP}\n");
    sees_the_same(&project, &file, &["--no-cache"], &[]);
    let net = "test \"$(ls /sys/class/net)\" = \"$(cat /var/net)\" && test -z \"$(ip route)\" && echo same";
    assert_eq!(project.onggi(["build", "debug"]).stdin(net).run().success().stdout, "same\n");
    for runtime in ["runc", "crun"] {
        if !["/usr/sbin", "/usr/bin"].iter().any(|folder| fs::exists(format!("{folder}/{runtime}")).unwrap()) {
            eprintln!("skipped: requires {runtime}: n007_network_none_and_another_runtime_requires_root");
            continue;
        }
        let file = format!("{PREPARED}USER 1000\nWORKDIR /w\nRUN {STEP}\n");
        sees_the_same(&project, &file, &[], &["--runtime", runtime]);
    }
}

/// The command itself, run again in the shell, fails as it did; mended, it succeeds. What we say ourselves may come before or after.
#[test]
#[ignore = "requires root"]
fn n007_the_command_runs_again_requires_root() {
    let project = project();
    let words = fail(&project, "FROM busybox\nENV WORD=\"it's\"\nRUN echo \"$WORD\" && \\\n  cat '/a file'\n", &[]);
    let again = typed(&project, &words, "eval \"$ONGGI_COMMAND\"").exits(1);
    assert_eq!(again.stdout, "it's\n");
    assert!(again.stderr.contains("cat: can't open '/a file': No such file or directory\n"), "{}", again.stderr);
    let mended = typed(&project, &words, "echo found > '/a file'; eval \"$ONGGI_COMMAND\"").success();
    assert_eq!(mended.stdout, "it's\nfound\n");
    let words = fail(&project, "FROM busybox\nRUN [\"cat\", \"/a file\", \"$HOME\"]\n", &[]);
    let again = typed(&project, &words, "echo 1 > '/a file'; eval \"$ONGGI_COMMAND\"").exits(1);
    assert!(again.stderr.contains("cat: can't open '$HOME': No such file or directory\n"), "{}", again.stderr);
}

#[test]
#[ignore = "requires root"]
fn n007_a_command_instead_of_a_shell_requires_root() {
    let project = project();
    let words = fail(&project, "FROM busybox\nUSER node\nWORKDIR /w\nRUN exit 3\n", &[]);
    let run = |command: &[&str]| {
        let all: Vec<&str> = words.iter().map(String::as_str).chain(command.iter().copied()).collect();
        project.onggi(all).stdin("from stdin").run()
    };
    assert_eq!(
        run(&["sh", "-c", "pwd; id -un; cat; exit 42"]).snapshot(),
        "exit: 42\n--- stdout\n/w\nnode\nfrom stdin\n"
    );
    assert_eq!(run(&["echo", "--help", "-x"]).success().stdout, "--help -x\n");
    insta::assert_snapshot!(run(&["nope"]).snapshot(), @"
    exit: 127
    --- stderr
    error: cannot run `nope` in the failed step
    caused by: exec: \"nope\": executable file not found in $PATH
    ");
    assert_eq!(run(&["sh", "-c", "sleep 9 & kill -9 $!; wait $!"]).code, 137);
    // Tools stand in where the image has none.
    let words = fail(&project, "FROM scratch\nCOPY busybox /busybox\nRUN [\"/busybox\", \"false\"]\n", &[]);
    let listed =
        project.onggi([words.iter().map(String::as_str).collect::<Vec<_>>(), vec!["ls", "/busybox"]].concat()).run();
    assert_eq!(listed.success().stdout, "/busybox\n");
}

#[test]
#[ignore = "requires root"]
fn n007_on_a_terminal_requires_root() {
    let project = project();
    let words = fail(&project, &format!("{PREPARED}USER node\nWORKDIR /w\nRUN {STEP}\n"), &[]);
    let mut terminal = Terminal::start(&project.onggi(&words), 100, 30);
    terminal.wait_for("goes when the shell ends", LIMIT);
    terminal.wait_for("/w $ ", LIMIT);
    terminal.write("stty size; tty; id -un; cat /var/half; echo $TERM\n");
    terminal.wait_for("xterm\r\n", LIMIT);
    terminal.write("sh -c \"echo sleep''ing; exec sleep 1000\"\n");
    terminal.wait_for("sleeping", LIMIT);
    terminal.write("\u{3}");
    terminal.write("exit 42\n");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 42, "{shown}");
    for text in ["30 100\r\n", "/dev/pts/0\r\n", "node\r\n", "half\r\n"] {
        assert!(shown.contains(text), "{text:?} in {shown}");
    }
    project.nothing_runs();
}

/// Several in one failure, while further ones come and go.
#[test]
#[ignore = "requires root"]
fn n007_who_is_in_a_failure_keeps_it_requires_root() {
    let project = project();
    let words = fail(&project, "FROM busybox\nRUN echo first > /which; exit 1\n", &[]);
    let mut terminal = Terminal::start(&project.onggi(&words), 100, 30);
    terminal.wait_for("/ # ", LIMIT);
    let mut last = Vec::new();
    for round in 0..7 {
        last = fail(&project, &format!("FROM busybox\nRUN echo {round} > /which; exit 1\n"), &[]);
    }
    assert_eq!(fs::read_dir(project.sandbox.root().join("failures")).unwrap().count(), 6);
    assert_eq!(typed(&project, &words, "cat /which").success().stdout, "first\n");
    assert_eq!(typed(&project, &last, "cat /which").success().stdout, "6\n");
    assert_eq!(project.onggi(["build", "debug"]).stdin("cat /which").run().success().stdout, "6\n");
    terminal.write("cat /which; exit 0\n");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 0);
    assert!(shown.contains("\nfirst\r\n"), "{shown}");
    fail(&project, "FROM busybox\nRUN exit 2\n", &[]);
    let refused = typed(&project, &words, "").exits(125);
    let told = refused.snapshot();
    assert!(told.contains("(the last 5 are)\nhint: the last one is `onggi build debug <id-"), "{told}");
}

/// Where files are missing or in the way, they can be looked at.
#[test]
#[ignore = "requires root"]
fn n007_files_that_copy_looked_for_requires_root() {
    let project = project();
    let file = "FROM busybox AS build\nWORKDIR /out\nUSER node\nRUN true\nFROM busybox\nCOPY --from=build /out/app /\n";
    let words = fail(&project, file, &[]);
    let shell = typed(&project, &words, "pwd; id -un; ls -A; ls -d /seen").exits(1);
    assert_eq!(shell.stdout, "/out\nnode\n", "{}", shell.stderr);
    assert!(
        shell.stderr.starts_with("Dockerfile:6: `/out/app` is not in stage `build`\nthese are the files"),
        "{}",
        shell.stderr
    );
    let words = fail(&project, "FROM busybox\nRUN mkdir /x\nCOPY gone probe /etc/passwd/\n", &[]);
    assert_eq!(typed(&project, &words, "ls -d /x").success().stdout, "/x\n");
    // A user who is not there is no reason not to look.
    let words = fail(&project, "FROM busybox\nUSER nobody-here\nRUN true\n", &[]);
    let shell = typed(&project, &words, "id -u").success();
    assert_eq!(shell.stdout, "0\n");
    assert!(shell.stderr.starts_with("warning: unable to find user nobody-here"), "{}", shell.stderr);
}

/// The command took its own folder away.
#[test]
#[ignore = "requires root"]
fn n007_a_folder_that_cannot_be_entered_requires_root() {
    let project = project();
    let words = fail(&project, "FROM busybox\nWORKDIR /w\nRUN cd / && rmdir /w && echo > /w && exit 1\n", &[]);
    let shell = typed(&project, &words, "pwd; id -un").success();
    assert_eq!(shell.stdout, "/\nroot\n", "{}", shell.stderr);
    assert!(shell.stderr.starts_with("warning: `/w` cannot be entered"), "{}", shell.stderr);
}

/// `rmi` leaves what a failure stands on; without it there is an honest answer.
#[test]
#[ignore = "requires root"]
fn n007_layers_of_a_failure_stay_requires_root() {
    let project = project();
    let words = fail(&project, "FROM busybox\nRUN exit 3\n", &[]);
    let layers = || fs::read_dir(project.sandbox.root().join("layers")).unwrap().count();
    let before = layers();
    project.ask(&["rmi", "busybox"]);
    assert_eq!(layers(), before);
    assert_eq!(typed(&project, &words, "echo here").success().stdout, "here\n");
    for entry in fs::read_dir(project.sandbox.root().join("layers")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    insta::assert_snapshot!(typed(&project, &words, "").snapshot(), @"
    exit: 125
    --- stderr
    error: layer sha256:<id-1> is not in the store
    hint: build again: the step fails anew, and is kept anew
    ");
    let mut project = project;
    project.sandbox.without_check();
}

#[test]
#[ignore = "requires root"]
fn n007_nothing_is_kept_requires_root() {
    let project = project();
    project.dockerfile("FROM busybox\nRUN true\n").build_app();
    insta::assert_snapshot!(project.onggi(["build", "debug"]).run().snapshot(), @"
    exit: 125
    --- stderr
    error: no failed step is kept
    hint: steps are kept when they fail: build again, and type what the error says
    ");
    insta::assert_snapshot!(project.onggi(["build", "debug", "cafe"]).run().snapshot(), @"
    exit: 125
    --- stderr
    error: no failed step is kept
    hint: steps are kept when they fail: build again, and type what the error says
    ");
    // A folder of that name is a context all the same.
    project.file("debug/Dockerfile", "FROM busybox\n");
    project.ask(&["build", "-q", "./debug"]);
    project.ask(&["build", "-q", "-t", "x", "debug"]);
    fail(&project, "FROM busybox\nRUN exit 1\n", &[]);
    insta::assert_snapshot!(project.onggi(["build", "debug", "ls", "-l", "/a b"]).run().snapshot(), @r#"
    exit: 125
    --- stderr
    error: no failed step is kept as `ls` (the last 5 are)
    hint: the ID comes before the command: `onggi build debug <id-1> ls -l '/a b'`
    "#);
    insta::assert_snapshot!(project.onggi(["build", "debug", "0123456789abcdef"]).run().snapshot(), @"
    exit: 125
    --- stderr
    error: no failed step is kept as `0123456789abcdef` (the last 5 are)
    hint: the last one is `onggi build debug <id-1>`
    ");
}

/// Killed at any moment, builds that fail and shells leave a store that works and holds no more than it should.
#[test]
#[ignore = "requires root"]
fn n007_killed_failing_builds_and_shells_requires_root() {
    let project = project();
    project.dockerfile(
        "FROM busybox\nARG N\nRUN mkdir -p /a/b/c; seq 1 200 | while read n; do echo > /a/b/c/$n; done; exit 3\n",
    );
    let whole = project.build(&["-q"]).run().exits(1).elapsed;
    let mut killed = 0;
    for round in 0..30_u32 {
        let argument = format!("N={round}");
        let shell = project.onggi(["build", "debug"]);
        let command = if round % 3 == 2 { shell } else { project.build(&["-q", "--build-arg", &argument]) };
        let mut child = command.spawn();
        std::thread::sleep(whole.mul_f64(f64::from(round % 10 + 1) / 8.0));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let listed = project.onggi(["build", "debug"]).stdin("ls /a/b/c | wc -l").run().success();
        assert_eq!(listed.stdout, "200\n", "round {round}");
        project.sandbox.check();
    }
    assert!(killed > 5, "only {killed} were still running");
    project.nothing_runs();
    let words = fail(&project, "FROM busybox\nRUN exit 4\n", &[]);
    typed(&project, &words, "exit 5").exits(5);
    let count = |folder: &str| fs::read_dir(project.sandbox.root().join(folder)).unwrap().count();
    assert!((2..=5).contains(&count("failures")), "{}", count("failures"));
    assert_eq!([count("ingest"), count("leases")], [0, 0]);
}
