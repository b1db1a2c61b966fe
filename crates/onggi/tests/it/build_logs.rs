//! What builds wrote, asked for afterwards (N016).

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::build_project::Project;

/// ID of the last build that kept a log, by its digits alone.
fn last(project: &Project) -> String {
    let builds = project.ask(&["build", "logs", "--all", "--format", "{{.ID}}"]);
    builds.lines().next().unwrap().to_owned()
}

#[test]
#[ignore = "requires root"]
fn n016_the_hint_of_a_failure_shows_the_whole_output_requires_root() {
    let project = Project::with(
        "FROM busybox AS one\nRUN echo fine\nFROM one\nRUN for i in $(seq 3000); do echo line $i; done; exit 7\nRUN x\n",
    );
    let failed = project.build(&["-t", "app"]).run().exits(1);
    let hint = failed.stderr.lines().find(|line| line.starts_with("hint: `onggi build logs ")).unwrap();
    let typed = hint.split('`').nth(1).unwrap();
    let words: Vec<&str> = typed.split(' ').skip(1).collect();
    let shown = project.onggi(&words).run().success();
    let expected: String = (1..=3000).map(|i| format!("line {i}\n")).collect();
    assert_eq!(shown.stdout, expected);
    assert!(shown.stderr.contains(": failed: `RUN for i in $(seq 3000)"), "{}", shown.stderr);
    // The step is the one that is shown with this number, and the one that is meant when nothing else is said.
    assert!(failed.stderr.contains(&format!("#{} ERROR: ", words[3])), "{}", failed.stderr);
    assert_eq!(project.ask(&["build", "logs"]), expected);
    let list = project.ask(&["build", "logs", words[2], "--format", "{{.Outcome}} {{.Name}}"]);
    let own: Vec<&str> = list.lines().filter(|line| line.contains("] RUN ")).collect();
    assert_eq!(own[0], "done [one 2/2] RUN echo fine");
    assert!(own.len() == 2 && own[1].starts_with("failed [stage-1 1/2] RUN for i in"), "{own:?}");
}

#[test]
#[ignore = "requires root"]
fn n016_hints_name_the_store_that_was_named_requires_root() {
    let project = Project::with("FROM busybox\nRUN echo no; exit 1\n");
    let root = project.sandbox.root();
    let command = project.onggi(["--root", root.to_str().unwrap(), "build", "."]).env("ONGGI_ROOT", "/nowhere");
    let failed = command.run().exits(1);
    let hint = failed.stderr.lines().find(|line| line.contains("build logs")).unwrap();
    assert!(hint.starts_with(&format!("hint: `onggi --root {} build logs ", root.display())), "{hint}");
}

#[test]
#[ignore = "requires root"]
fn n016_bytes_are_kept_as_they_came_requires_root() {
    let project = Project::with("FROM busybox\nRUN printf 'a\\033[2J\\r\\n\\nopen'\nRUN true\n");
    project.build_app();
    let build = last(&project);
    let steps: Vec<Value> = project
        .ask(&["build", "logs", &build, "--format", "json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |name: &str| steps.iter().find(|step| step["Name"].as_str().unwrap().contains(name)).unwrap();
    let number = of("printf")["Number"].as_str().unwrap();
    let output = project.onggi(["build", "logs", &build, number]).run().success();
    assert_eq!(output.stdout, "a\x1b[2J\r\n\nopen");
    let silent = project.onggi(["build", "logs", &build, of("RUN true")["Number"].as_str().unwrap()]).run().success();
    assert!(silent.stdout.is_empty() && silent.stderr.ends_with("it wrote nothing\n"), "{}", silent.stderr);
    // A build that finds everything keeps no log: the last one is the same.
    project.build_app();
    assert_eq!(last(&project), build);
}

#[test]
fn n016_steps_without_output_are_listed_too() {
    let project = Project::with("FROM busybox\nCOPY a /\nWORKDIR /x\n");
    project.file("a", "1");
    project.build_app();
    let list = project.onggi(["build", "logs"]).run().success();
    assert!(list.stderr.starts_with("build ") && list.stderr.ends_with(": done\n"), "{}", list.stderr);
    insta::assert_snapshot!(testkit::Normaliser::default().apply(&list.stdout), @"
    STEP      OUTCOME   TIME      OUTPUT    NAME
    1         done      <time>      0B        [internal] load build definition from Dockerfile
    2         done      <time>      0B        [internal] load .dockerignore
    3         done      <time>      0B        [internal] load metadata for docker.io/library/busybox:latest
    4         done      <time>      0B        [internal] load build context
    5         cached    <time>      0B        [1/3] FROM docker.io/library/busybox@sha256:<id-1>
    6         done      <time>      0B        [2/3] COPY a /
    7         done      <time>      0B        [3/3] WORKDIR /x
    8         done      <time>      0B        exporting to image
    ");
    let all = project.ask(&["build", "logs", "--all"]);
    assert!(all.starts_with("BUILD          STARTED"), "{all}");
    assert!(all.contains(&project.sandbox.work().display().to_string()) && all.lines().count() == 2, "{all}");
}

#[test]
fn n016_what_is_not_there_is_said_with_what_is() {
    let project = Project::with("FROM busybox\nCOPY a /\n");
    project.file("a", "1");
    let asked = |words: &[&str]| project.onggi(words).run().exits(1).stderr;
    assert_eq!(
        asked(&["build", "logs"]),
        "error: no build has kept a log yet\n\
         hint: a build keeps a log when a step of it runs: `onggi build --no-cache .` runs all of them again\n"
    );
    assert_eq!(
        asked(&["build", "logs", "zzz"]),
        "error: no log of a build `zzz` is kept\n\
         hint: `onggi build logs --all` lists the builds whose logs are kept\n"
    );
    project.build_app();
    let build = last(&project);
    let text = asked(&["build", "logs", &build, "99"]);
    assert!(
        text.ends_with(&format!(
            "error: build {build} has no step 99\nhint: `onggi build logs {build}` lists its steps\n"
        )),
        "{text}"
    );
    let text = asked(&["build", "logs", &build, "COPY"]);
    assert!(text.contains("error: `COPY` is not the number of a step\nhint: `onggi build logs "), "{text}");
    project.build(&["--no-cache"]).run().success();
    assert!(asked(&["build", "logs", ""]).contains("error: 2 builds begin with ``\nhint: give more digits"));
}

/// A folder of the name is a context when it is written as a path.
#[test]
fn n016_a_folder_called_logs_can_be_built() {
    let project = Project::with("FROM scratch\n");
    project.file("logs/Dockerfile", "FROM busybox\nCOPY Dockerfile /from/logs\n");
    for words in [&["build", "-t", "app", "./logs"][..], &["build", "-t", "app", "logs"]] {
        project.onggi(words).run().success();
        assert_eq!(project.names("app", "from"), ["logs"]);
    }
}

/// Nobody reads what is shown, and the step goes on all the same; afterwards all of it is shown, from the log. Memory is
/// limited to less than the step writes.
#[test]
#[ignore = "requires root"]
fn n016_n017_a_reader_that_sleeps_holds_nothing_up_requires_root() {
    const LINES: usize = 2_000_000;
    for view in ["plain", "classic"] {
        let project = Project::with(&format!("FROM busybox\nRUN seq 1 {LINES}; echo done\n"));
        let command = project.build(&["--progress", view]).wrapped("prlimit", ["--data=12000000"]);
        let mut child = command.to_std().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for_the_end_of(&project, "done\n");
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut shown = String::new();
        match view {
            "classic" => stdout.read_to_string(&mut shown).unwrap(),
            _ => stderr.read_to_string(&mut shown).unwrap(),
        };
        assert!(child.wait().unwrap().success(), "{view}: {}", &shown[shown.len().saturating_sub(500)..]);
        let numbers = shown.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
        let output: Vec<usize> = numbers.filter(|number| (1..=LINES).contains(number)).collect();
        assert!(output == (1..=LINES).collect::<Vec<_>>(), "{view}: {} lines", output.len());
    }
}

/// Until the log of a step ends like this.
fn wait_for_the_end_of(project: &Project, end: &str) {
    let deadline = Instant::now() + Duration::from_secs(100);
    loop {
        let folders = std::fs::read_dir(project.sandbox.root().join("logs")).into_iter().flatten().flatten();
        let logs = folders.flat_map(|folder| std::fs::read_dir(folder.path())).flatten().flatten();
        let ends = |path: std::path::PathBuf| {
            path.extension().is_some_and(|kind| kind == "log")
                && std::fs::read(path).is_ok_and(|bytes| bytes.ends_with(end.as_bytes()))
        };
        if logs.into_iter().any(|file| ends(file.path())) {
            return;
        }
        assert!(Instant::now() < deadline, "the step waits for somebody");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// N017: stages that run at the same time, each step's lines together; N016: each in a log of its own.
#[test]
#[ignore = "requires root"]
fn n017_steps_of_parallel_stages_are_not_mixed_requires_root() {
    const STAGES: usize = 4;
    let stage = |name: usize| {
        let marks = format!("for i in $(seq 40); do echo stage {name} line $i; sleep 0.01; done");
        format!("FROM busybox AS s{name}\nRUN {marks}; touch /made\n")
    };
    let copies: String = (0..STAGES).map(|name| format!("COPY --from=s{name} /made /{name}\n")).collect();
    let stages: String = (0..STAGES).map(stage).collect();
    let project = Project::with(&format!("{stages}FROM busybox\n{copies}"));
    let built = project.build(&["--progress=plain"]).run().success();
    // Of each line of output the stage and the number.
    let line = |text: &str| {
        let (_, rest) =
            text.split_once(" stage ").filter(|(head, _)| head.starts_with('#') && !head.contains("RUN"))?;
        let (name, number) = rest.split_once(" line ")?;
        Some((name.parse::<usize>().ok()?, number.parse::<usize>().ok()?))
    };
    let lines: Vec<(usize, usize)> = built.stderr.lines().filter_map(line).collect();
    let mut order: Vec<usize> = lines.iter().map(|(name, _)| *name).collect();
    order.dedup();
    assert_eq!((order.len(), lines.len()), (STAGES, STAGES * 40), "{}", built.stderr);
    for (name, lines) in order.iter().zip(lines.chunks(40)) {
        assert_eq!(lines, (1..=40).map(|number| (*name, number)).collect::<Vec<_>>());
    }
    let build = last(&project);
    let steps = project.ask(&["build", "logs", &build, "--format", "{{.Number}} {{.Name}}"]);
    for name in 0..STAGES {
        let step = steps.lines().find(|line| line.contains(&format!("[s{name} 2/2] RUN"))).unwrap();
        let log = project.ask(&["build", "logs", &build, step.split(' ').next().unwrap()]);
        assert_eq!(log, (1..=40).map(|number| format!("stage {name} line {number}\n")).collect::<String>());
    }
}
