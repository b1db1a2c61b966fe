//! How a build is shown: BuildKit's view on a real pseudo-terminal, plain lines elsewhere, JSON on request
//! (S100 to S114; what a registry adds comes with the registry).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use testkit::{Normaliser, Output, Terminal};

use crate::build_project::{Project, outcomes, steps};

const LIMIT: Duration = Duration::from_secs(60);
const WIDTH: u16 = 100;

/// The notes' web-ping, with a file in place of node.
const WEB_PING: &str = "FROM busybox:latest
ENV TARGET=\"blog.sixeyed.com\"
WORKDIR /web-ping
COPY app.js .
CMD [\"cat\", \"app.js\"]
";

fn web_ping() -> Project {
    let project = Project::with(WEB_PING);
    project.file("app.js", "console.log('ping')\n");
    project.wait_for_the_clock();
    project
}

/// Everything shown on a terminal by a command that must end with this code.
#[track_caller]
fn shown(project: &Project, words: &[&str], code: i32) -> String {
    let command = project.onggi(words).env("NO_COLOR", "1");
    let (found, text) = Terminal::start(&command, WIDTH, 40).finish(LIMIT);
    assert_eq!(found, code, "{text}");
    text.replace("\r\n", "\n")
}

/// The last frame, without the sequences that move the cursor.
fn last_frame(text: &str) -> String {
    let start = text.rfind("[+] Building").unwrap();
    text[start..].replace("\x1b[K", "").replace("\x1b[J", "").replace("\x1b[?25h", "")
}

/// Names in place of IDs and times, and no columns: `=> name <time>`.
fn plain_words(text: &str) -> String {
    let text = Normaliser::default().apply(text);
    let words = |line: &str| line.split_whitespace().map(whole).collect::<Vec<_>>().join(" ") + "\n";
    text.lines().map(words).collect()
}

/// The base's digest is cut at the edge of the window.
fn whole(word: &str) -> String {
    match word.split_once("@sha256:") {
        Some((name, digest)) if digest.len() < 64 => format!("{name}@sha256:<base>"),
        _ => word.to_owned(),
    }
}

#[test]
fn s100_s104_s107_s109_s110_s113_s114_a_build_on_a_terminal() {
    let project = web_ping();
    let text = last_frame(&shown(&project, &["build", "-t", "hello-name:v2", "-t", "web-ping", "."], 0));
    insta::assert_snapshot!(plain_words(&text), @r#"
    [+] Building <time> (8/8) FINISHED onggi:default
    => [internal] load build definition from Dockerfile <time>
    => => transferring dockerfile: 104B <time>
    => [internal] load .dockerignore <time>
    => => transferring context: 0B <time>
    => [internal] load metadata for docker.io/library/busybox:latest <time>
    => [internal] load build context <time>
    => => transferring context: 20B <time>
    => CACHED [1/3] FROM docker.io/library/busybox:latest@sha256:<base> <time>
    => [2/3] WORKDIR /web-ping <time>
    => [3/3] COPY app.js . <time>
    => exporting to image <time>
    => => exporting layers <time>
    => => writing image sha256:<id-1> <time>
    => => naming to docker.io/library/hello-name:v2 <time>
    => => naming to docker.io/library/web-ping:latest <time>
    "#);
}

#[test]
fn s110_times_stand_at_the_right_and_lines_fill_the_window() {
    let project = web_ping();
    let text = last_frame(&shown(&project, &["build", "-t", "web-ping", "."], 0));
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|line| line.ends_with(" onggi:default")), "{text}");
    for line in text.lines() {
        assert_eq!(line.chars().count(), usize::from(WIDTH) - 1, "{line:?}");
    }
    for line in lines {
        let time = line.rsplit(' ').next().unwrap();
        let digits = time.strip_suffix('s').and_then(|seconds| seconds.split_once('.')).unwrap();
        assert!(line.starts_with(" => ") && digits.1.len() == 1 && digits.0.parse::<u32>().is_ok(), "{line:?}");
    }
}

#[test]
fn s104_s111_s181_a_rebuild_shows_every_step_as_cached() {
    let project = web_ping();
    project.build_app();
    let text = last_frame(&shown(&project, &["build", "-t", "app", "."], 0));
    insta::assert_snapshot!(plain_words(&text), @r#"
    [+] Building <time> (8/8) FINISHED onggi:default
    => [internal] load build definition from Dockerfile <time>
    => => transferring dockerfile: 104B <time>
    => [internal] load .dockerignore <time>
    => => transferring context: 0B <time>
    => [internal] load metadata for docker.io/library/busybox:latest <time>
    => [internal] load build context <time>
    => => transferring context: 0B <time>
    => CACHED [1/3] FROM docker.io/library/busybox:latest@sha256:<base> <time>
    => CACHED [2/3] WORKDIR /web-ping <time>
    => CACHED [3/3] COPY app.js . <time>
    => exporting to image <time>
    => => exporting layers <time>
    => => writing image sha256:<id-1> <time>
    => => naming to docker.io/library/app:latest <time>
    "#);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let project = web_ping();
    let (_, text) = Terminal::start(&project.build(&[]), WIDTH, 40).finish(LIMIT);
    assert!(text.contains("\x1b[34m => [internal] load .dockerignore"), "{text}");
    assert!(!shown(&project, &["build", "."], 0).contains("\x1b[34m"));
    let dumb = project.build(&["--progress=plain"]).env("NO_COLOR", "");
    let (_, text) = Terminal::start(&dumb, WIDTH, 40).finish(LIMIT);
    assert!(text.contains("#1 [internal] load build definition"), "{text}");
    assert!(!project.build(&["--progress=tty"]).run().success().stderr.contains('\x1b'), "not a terminal");
}

#[test]
fn s101_s102_s103_s106_s107_s108_s109_s110_plain_lines_elsewhere() {
    let project = web_ping();
    project.file(".dockerignore", "node_modules\n");
    let built = project.build(&["-t", "web-ping"]).run().success();
    insta::assert_snapshot!(built.snapshot(), @r#"
    exit: 0
    --- stderr
    #1 [internal] load build definition from Dockerfile
    #1 transferring dockerfile: 104B done
    #1 DONE <time>

    #2 [internal] load .dockerignore
    #2 transferring context: 13B done
    #2 DONE <time>

    #3 [internal] load metadata for docker.io/library/busybox:latest
    #3 DONE <time>

    #4 [internal] load build context
    #4 transferring context: 20B done
    #4 DONE <time>

    #5 [1/3] FROM docker.io/library/busybox:latest@sha256:<id-1>
    #5 CACHED

    #6 [2/3] WORKDIR /web-ping
    #6 DONE <time>

    #7 [3/3] COPY app.js .
    #7 DONE <time>

    #8 exporting to image
    #8 exporting layers done
    #8 writing image sha256:<id-2> done
    #8 naming to docker.io/library/web-ping:latest done
    #8 DONE <time>
    "#);
}

#[test]
fn s101_the_size_of_the_dockerfile_is_told() {
    let project = Project::without_base();
    for (length, shown) in [(20, "20B"), (119, "119B"), (999, "999B"), (1000, "1.00kB"), (2345, "2.35kB")] {
        let text = format!("FROM scratch\nCMD x\n{}", "#".repeat(length - 19));
        let built = project.dockerfile(&text).build(&[]).run().success();
        assert!(built.stderr.contains(&format!("transferring dockerfile: {shown} ")), "{length}: {}", built.stderr);
    }
}

/// The bytes that had to be read: those of new and changed files.
#[test]
fn s106_s191_only_what_changed_is_transferred() {
    let project = Project::with("FROM busybox\nCOPY . /app/\n");
    project.file(".dockerignore", "Dockerfile\n.dockerignore\nbig\n");
    project.file("a.txt", "12345").file("b.txt", "1234567890").file("big", "never read".repeat(1000));
    for (change, transferred) in [
        (None, "15B"),
        (None, "0B"),
        (Some(("a.txt", "abcdefgh")), "8B"),
        (Some(("new.txt", "123")), "3B"),
        (None, "0B"),
    ] {
        if let Some((name, content)) = change {
            project.file(name, content);
        }
        project.wait_for_the_clock();
        let built = project.build_app();
        let context = built.stderr.split("[internal] load build context\n").nth(1).unwrap();
        let line = context.lines().next().unwrap();
        assert!(line.ends_with(&format!(" transferring context: {transferred} done")), "{line}");
    }
}

#[test]
fn s107_only_from_add_copy_run_and_workdir_are_counted() {
    let project = Project::with(
        "ARG GLOBAL=1\nFROM busybox AS build\nARG A\nENV B=1\nLABEL c=d\nWORKDIR /x\nEXPOSE 1\nUSER 0\nVOLUME /v\n\
         STOPSIGNAL 9\nADD a .\nHEALTHCHECK NONE\nSHELL [\"/bin/sh\", \"-c\"]\nONBUILD RUN x\nFROM busybox\n\
         COPY --from=build /x/a /\nENTRYPOINT [\"x\"]\nCMD y\n",
    );
    project.file("a", "1");
    let built = project.build_app();
    let from = format!("FROM docker.io/library/busybox@{}", project.base_digest());
    let names: BTreeSet<String> = steps(&built.stderr).into_iter().map(|(name, _)| name).collect();
    let expected = [
        format!("[build 1/3] {from}"),
        "[build 2/3] WORKDIR /x".to_owned(),
        "[build 3/3] ADD a .".to_owned(),
        format!("[stage-1 1/2] {from}"),
        "[stage-1 2/2] COPY --from=build /x/a /".to_owned(),
    ];
    // The stages run side by side.
    assert_eq!(names, BTreeSet::from(expected));
}

#[test]
fn s108_a_workdir_at_the_root_is_counted_but_makes_no_step() {
    let project = Project::with("FROM busybox\nCOPY app.js .\nWORKDIR .\n");
    project.file("app.js", "x");
    let names: Vec<String> = steps(&project.build_app().stderr).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[0], format!("[1/3] FROM docker.io/library/busybox@{}", project.base_digest()));
    assert_eq!(names[1..], ["[2/3] COPY app.js ."]);
}

#[test]
fn s103_s113_the_tag_is_shown_as_typed_and_the_metadata_line_completes_it() {
    let project = Project::new();
    project.ask(&["tag", "busybox", "diamol/node"]);
    project.ask(&["tag", "busybox", "node:18"]);
    let digest = project.base_digest();
    for (typed, step, metadata) in [
        ("diamol/node", format!("docker.io/diamol/node@{digest}"), "docker.io/diamol/node:latest"),
        ("diamol/node:latest", format!("docker.io/diamol/node:latest@{digest}"), "docker.io/diamol/node:latest"),
        ("node:18", format!("docker.io/library/node:18@{digest}"), "docker.io/library/node:18"),
    ] {
        let built = project.dockerfile(&format!("FROM {typed}\nWORKDIR /x\n")).build_app();
        assert_eq!(steps(&built.stderr)[0], (format!("[1/2] FROM {step}"), "CACHED".to_owned()));
        assert!(built.stderr.contains(&format!(" [internal] load metadata for {metadata}\n")), "{}", built.stderr);
    }
}

#[test]
fn s110_rawjson_is_one_object_a_line_with_buildkits_names() {
    let project = web_ping();
    project.build_app();
    let built = project.build(&["--progress=rawjson", "-t", "app"]).run().success();
    let lines: Vec<Value> = built.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let vertexes = || lines.iter().filter_map(|line| line["vertexes"].as_array()).flatten();
    let cached: Vec<&str> =
        vertexes().filter(|vertex| vertex["cached"] == true).map(|vertex| vertex["name"].as_str().unwrap()).collect();
    assert_eq!(cached[1..], ["[2/3] WORKDIR /web-ping", "[3/3] COPY app.js ."]);
    let last = vertexes().last().unwrap();
    assert!(last["name"] == "exporting to image" && last["completed"].is_string(), "{last}");
    let statuses = lines.iter().filter_map(|line| line["statuses"].as_array()).flatten();
    let texts: Vec<&str> = statuses.map(|status| status["id"].as_str().unwrap()).collect();
    assert!(texts.contains(&"naming to docker.io/library/app:latest"), "{texts:?}");
}

#[test]
fn b009_the_environment_may_choose_the_view() {
    let project = web_ping();
    let run = |variable: &str, flags: &[&str]| project.build(flags).env("BUILDKIT_PROGRESS", variable).run();
    assert_eq!(run("quiet", &[]).success().stderr, "");
    assert!(run("quiet", &["--progress=plain"]).success().stderr.starts_with("#1 [internal]"));
    assert!(run("rawjson", &[]).success().stderr.starts_with("{\"vertexes\""));
    assert_eq!(
        run("fancy", &[]).exits(1).stderr,
        "error: `fancy` is not a value of BUILDKIT_PROGRESS\n\
         hint: use `auto`, `tty`, `plain`, `quiet`, `rawjson` or `classic`\n"
    );
}

#[test]
fn n001_explain_says_why_each_step_is_not_cached() {
    let project = Project::with("FROM busybox\nARG V=1\nENV V=1\nWORKDIR /a\nCOPY a b /x/\nCOPY --chmod=600 a /y\n");
    project.file("a", "1").file("b", "1");
    let reasons = |output: &Output| -> Vec<String> {
        let lines = output.stderr.lines();
        lines.filter_map(|line| Some(line.split_once(" not cached: ")?.1.to_owned())).collect()
    };
    let hits = |output: &Output| output.stderr.lines().filter(|line| line.contains(" made 20")).count();
    let explain = |flags: &[&str]| project.build(&[flags, &["--explain", "-t", "app"]].concat()).run().success();
    let first = explain(&[]);
    assert_eq!(outcomes(&first), ["CACHED", "DONE", "DONE", "DONE"]);
    assert_eq!(
        (reasons(&first), hits(&first)),
        (vec!["no earlier build of this context had this step".to_owned(); 3], 0)
    );
    let again = explain(&[]);
    assert_eq!((reasons(&again), hits(&again)), (Vec::new(), 3));
    assert_eq!(reasons(&explain(&["--no-cache"])), ["the cache is switched off by --no-cache"; 3]);
    project.file("b", "2");
    assert_eq!(reasons(&explain(&[])), ["a file changed: b", "the layers below changed"]);
    project.dockerfile("FROM busybox\nENV V=2\nWORKDIR /a\nCOPY a b /x/\nCOPY --chmod=644 a /y\n");
    assert_eq!(reasons(&explain(&[])), ["mode changed: was `600`, is `644`"]);
    project.dockerfile("FROM busybox\nENV V=2\nWORKDIR /b\nCOPY a b /x/\n");
    assert_eq!(reasons(&explain(&[])), ["destination changed: was `a`, is `b`", "the layers below changed"]);
    assert!(!project.build(&["-t", "app"]).run().success().stderr.contains(" made 20"), "only when it is asked for");
}

/// N001, N002: the same in the other views.
#[test]
fn n001_n002_reasons_in_every_view() {
    let project = Project::with("FROM busybox AS test\nCOPY a /\nFROM busybox\nWORKDIR /w\nCOPY a b /x/\n");
    project.file("a", "1").file("b", "1");
    project.build_app();
    let explain = |view: &str, content: &str| {
        project.file("b", content);
        project.build(&["--explain", "--progress", view]).run().success()
    };
    let plain = explain("plain", "2").stderr;
    assert!(
        plain.contains(" not cached: a file changed: b\n") && plain.contains("\nNOT NEEDED [test] 2 instructions\n"),
        "{plain}"
    );
    assert!(!plain.contains("[test 1/2]"), "{plain}");
    let json = explain("rawjson", "3").stderr;
    assert!(
        json.contains(r#""notCached":"a file changed: b""#)
            && json.contains(r#""stage":"test","instructions":2,"notNeeded":true"#),
        "{json}"
    );
    let classic = explain("classic", "4").stdout;
    assert!(classic.contains("COPY a b /x/\n ---> Not cached: a file changed: b\n"), "{classic}");
    project.file("b", "5");
    let tty = shown(&project, &["build", "--explain", "."], 0);
    let below = tty.split("FINISHED").nth(1).unwrap();
    assert!(below.contains("\n[stage-1 3/3] COPY a b /x/\n  not cached: a file changed: b\n"), "{below}");
    assert!(
        below.contains("\nCACHED [stage-1 2/3] WORKDIR /w\n  made 20")
            && below.contains("\nNOT NEEDED [test] 2 instructions\n"),
        "{below}"
    );
    assert_eq!(project.build(&["--explain", "-q"]).run().success().stderr, "");
    // What was said is kept.
    let reasons = project.ask(&["build", "logs", "--format", "{{.Name}}: {{.Reasons}}"]);
    assert!(reasons.contains("COPY a b /x/: a file changed: b\n"), "{reasons}");
}

#[test]
fn d178_warnings_stand_at_the_end_and_name_their_line() {
    let project = Project::with("from busybox as Build\nMAINTAINER somebody\nCMD echo hi $X\n");
    let built = project.build(&["-t", "app"]).run().success();
    let at = built.stderr.find("\n ").expect("warnings below an empty line");
    insta::assert_snapshot!(&built.stderr[at + 1..], @r"
    4 warnings found (use `onggi build --check` to expand):
    - StageNameCasing: Stage name 'Build' should be lowercase (line 1)
    - ConsistentInstructionCasing: Command 'from' should match the case of the command majority (uppercase) (line 1)
    - MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)
    - JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals (line 3)
    ");
    assert_eq!(project.build(&["-q"]).run().success().stderr, "", "-q is quiet about warnings too");
}

#[test]
#[ignore = "requires root"]
fn s112_output_is_shown_while_the_step_runs_requires_root() {
    let project = Project::with("FROM busybox\nRUN echo first; while [ ! -e /proc/never ]; do sleep 0.1; done\n");
    let mut terminal = Terminal::start(&project.build(&[]).env("NO_COLOR", "1"), WIDTH, 40);
    let text = terminal.wait_for(" => => # first", LIMIT);
    assert!(!text.contains("FINISHED") && text.contains(" => [2/2] RUN echo first;"), "{text}");
    // Ctrl-C ends the build and the step.
    terminal.write("\x03");
    let (code, text) = terminal.finish(LIMIT);
    assert_eq!(code, 130, "{text}");
    project.nothing_runs();
}

#[test]
#[ignore = "requires root"]
fn s112_output_is_whole_in_plain_lines_requires_root() {
    let project = Project::with("FROM busybox\nRUN for i in $(seq 300); do echo line $i; done; echo -n open\n");
    let built = project.build(&["-t", "app"]).run().success();
    let output: Vec<&str> = built
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("#5 "))
        .filter_map(|line| line.split_once(' ').filter(|(time, _)| time.parse::<f64>().is_ok()).map(|(_, text)| text))
        .collect();
    let expected: Vec<String> = (1..=300).map(|i| format!("line {i}")).collect();
    assert_eq!(output[..300], expected);
    assert_eq!(output[300..], ["open"]);
    // A step that is cached says nothing again.
    assert!(!project.build_app().stderr.contains("line 1"));
}

#[test]
#[ignore = "requires root"]
fn s110_s111_frames_are_drawn_in_place_requires_root() {
    let project = Project::with("FROM busybox\nWORKDIR /x\nRUN sleep 0.35; echo done\n");
    let text = shown(&project, &["build", "-t", "app", "."], 0);
    assert!(text.matches("[+] Building").count() >= 2, "{text}");
    assert!(text.contains("\x1b[?25l") && text.ends_with("\x1b[?25h"), "{text:?}");
    assert_eq!(text.matches("FINISHED").count(), 1);
    insta::assert_snapshot!(plain_words(&last_frame(&text)), @r#"
    [+] Building <time> (7/7) FINISHED onggi:default
    => [internal] load build definition from Dockerfile <time>
    => => transferring dockerfile: 50B <time>
    => [internal] load .dockerignore <time>
    => => transferring context: 0B <time>
    => [internal] load metadata for docker.io/library/busybox:latest <time>
    => CACHED [1/3] FROM docker.io/library/busybox@sha256:<base> <time>
    => [2/3] WORKDIR /x <time>
    => [3/3] RUN sleep 0.35; echo done <time>
    => exporting to image <time>
    => => exporting layers <time>
    => => writing image sha256:<id-1> <time>
    => => naming to docker.io/library/app:latest <time>
    "#);
    let again = last_frame(&shown(&project, &["build", "-t", "app", "."], 0));
    assert!(again.contains(" => CACHED [3/3] RUN sleep 0.35; echo done "), "{again}");
}

/// A base that cannot be pulled fails the step that looks for it; nothing of it is shown.
#[test]
fn s103_s115_a_base_that_cannot_be_pulled_is_an_error_of_its_step() {
    let project = Project::with("FROM nowhere/base:1\n");
    let output = project.build(&["--progress", "plain"]).run().exits(1);
    assert!(output.stderr.contains("[internal] load metadata for docker.io/nowhere/base:1"), "{}", output.stderr);
    assert!(output.stderr.contains("ERROR: docker.io/nowhere/base:1 is blocked by "), "{}", output.stderr);
    assert!(!output.stderr.contains("resolve"), "{}", output.stderr);
}
