//! Builds that cannot work: each message names the file, the line and the cause, and says what to type instead.
//!
//! A group is one snapshot: the Dockerfile, then what the command says. Read them as somebody would who made the
//! mistake. That the hints work is tested in `broken_hints`.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::build_project::Project;

/// A context in which everything could go right: some files, an ignore file, and `busybox` in the store.
fn project() -> Project {
    let project = Project::new();
    project.file("app.js", "1").file("package.json", "{}").file("package-lock.json", "{}").file("src/main.c", "1");
    project.file("node_modules/left-pad/index.js", "1").file("secret.txt", "1");
    project.file(".dockerignore", "node_modules\nsecret.txt\n");
    project
}

/// Builds each Dockerfile and gives all that was said, in one text.
#[track_caller]
fn say(dockerfiles: &[&str]) -> String {
    said_of(&project(), dockerfiles)
}

/// The same in another context.
#[track_caller]
pub(crate) fn said_of(project: &Project, dockerfiles: &[&str]) -> String {
    let mut text = String::new();
    for dockerfile in dockerfiles {
        let failed = project.dockerfile(dockerfile).build(&["--progress=quiet"]).run();
        assert!(failed.code == 1 && !failed.stderr.contains("has a fault"), "{dockerfile}\n{}", failed.stderr);
        writeln!(text, "===\n{}\n{}", dockerfile.trim_end(), failed.snapshot()).unwrap();
    }
    text
}

#[test]
fn instructions_and_their_words() {
    let said = say(&[
        "FORM busybox\n",
        "FROM busybox\nRUM echo hi\nCOPPY app.js .\nfoo bar\n",
        "FROM busybox\nCOPY --form=build app.js .\n",
        "FROM busybox\nCOPY --chonw=1:1 app.js .\nRUN --network echo hi\nWORKDIR --fast /x\n",
        "FROM busybox\nCOPY app.js\n",
        "FROM busybox\nENV\nENV NAME\nENV =x\nLABEL\n",
        "FROM busybox\nEXPOSE 99999\nEXPOSE http\nEXPOSE 80/tpc\nEXPOSE 90-80\n",
        "FROM busybox\nSTOPSIGNAL SIGTEM\n",
        "FROM busybox\nHEALTHCHECK --interval=5 CMD true\nHEALTHCHECK --retry=3 CMD true\nHEALTHCHECK true\n",
        "FROM busybox\nONBUILD FROM busybox\nONBUILD ONBUILD RUN x\nONBUILD RUM x\n",
        "FROM busybox\nUSER\nWORKDIR\nVOLUME\nMAINTAINER\n",
        "FROM busybox\nARG\nARG =1\nARG 1x=2\n",
        "# escape=x\nFROM busybox\n",
        "FROM busybox\nRUN echo \\\n  one \\\n  && COPPY\n\nCMDD [\"x\"]\n",
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn the_json_form() {
    let said = say(&[
        "FROM busybox\nSHELL /bin/bash -c\n",
        "FROM busybox\nSHELL [\"/bin/sh\" \"-c\"]\n",
        "FROM busybox\nCOPY [\"app.js\", 'x']\n",
        "FROM busybox\nCOPY [\"app.js\"]\n",
        "FROM busybox\nCOPY [\"app.js\", \"/x\"\n",
        "FROM busybox\nCMD []\nRUN []\nSHELL []\nVOLUME [\"\"]\nCOPY [1, 2]\n",
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn variables() {
    let said = say(&[
        "FROM busybox\nENV A=${B\n",
        "FROM busybox\nENV A=${B?the port is missing}\n",
        "ARG BASE\nFROM $BASE\n",
        "ARG BASE=busybox\nFROM busybox\nCOPY ${} /\n",
        "FROM busybox\nCOPY ${A!x} /\n",
        "FROM busybox\nENV SRC=missing.js\nCOPY $SRC /\n",
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn s141_bases_and_stages() {
    let said = say(&[
        "",
        "# nothing but\n# comments\n",
        "ARG BASE=busybox\n",
        "RUN echo hi\nFROM busybox\n",
        "ENV A=b\n",
        "FROM\n",
        "FROM busybox AS\n",
        "FROM busybox AS 1st\n",
        "FROM busybox build\n",
        "FROM node:18\n",
        "FROM busyboxx\n",
        "FROM busybox:1.36\n",
        "FROM BusyBox\n",
        "FROM busybox:\n",
        "FROM busybox@sha256:1234\n",
        "FROM build-stage AS build-stage\n",
        "FROM busybox AS build-stage\nFROM build-stagw\n",
        "FROM busybox AS build-stage\nFROM busybox\nCOPY --from=biuld-stage /bin/sh /x\n",
        "FROM busybox AS one\nCOPY --from=two /bin/sh /x\nFROM one AS two\n",
        "FROM busybox\nCOPY --from=7 /bin/sh /x\n",
        "FROM busybox AS me\nCOPY --from=me /bin/sh /x\n",
        "FROM busybox\nCOPY --from= /bin/sh /x\n",
        "FROM --platform=linux/arm65 busybox\n",
        "FROM --platform=plan9 busybox\n",
        "FROM --platfrom=linux/amd64 busybox\n",
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn s157_files_of_the_context() {
    let said = say(&[
        "FROM busybox\nCOPY ap.js /\n",
        "FROM busybox\nCOPY src/main.cc /\n",
        "FROM busybox\nCOPY entirely-else /\n",
        "FROM busybox\nCOPY secret.txt /\n",
        "FROM busybox\nWORKDIR /x\nCOPY app.js node_modules/left-pad/index.js nowhere ./\n",
        "FROM busybox\nCOPY *.ts ./\n",
        "FROM busybox\nCOPY ../outside /\n",
        "FROM busybox\nCOPY /etc/passwd /\n",
        "FROM busybox\nCOPY [a-.js /\n",
        "FROM busybox\nCOPY app.js package.json /bin/busybox\n",
        "FROM busybox\nCOPY package*.json app\nCOPY src /bin/busybox\n",
        "FROM busybox\nCOPY app.js /bin/busybox/x\n",
        "FROM busybox\nCOPY --chown=nobody-such app.js /\n",
        "FROM busybox\nCOPY --chmod=u+x app.js /\nCOPY --chmod=999 app.js /\n",
        "FROM busybox AS build\nFROM busybox\nCOPY --from=build /app/target/myapp.jar /app/myapp.jar\n",
        "FROM busybox\nCOPY --from=busybox /bin/*.exe /\n",
    ]);
    insta::assert_snapshot!(said);
}

/// What comes with a later version is refused by name, never skipped.
#[test]
fn what_is_not_there_yet() {
    let said = say(&[
        "FROM busybox\nRUN --device=vendor.com/class=x echo hi\n",
        "FROM busybox\nRUN <<EOF\necho never closed\n",
        "FROM busybox\nRUN --mount=type=secrte,id=x echo hi\n",
        "FROM busybox\nRUN --security=insecure echo hi\n",
    ]);
    insta::assert_snapshot!(said);
}

/// The command line, with a Dockerfile that is right.
#[test]
fn commands() {
    let project = project();
    project.dockerfile("FROM busybox AS build-stage\nCOPY app.js /\nFROM busybox\nCOPY app.js /\n");
    project.file("folder/x", "1").file("context.txt", "1");
    symlink("nowhere", project.sandbox.work().join("dangling")).unwrap();
    project.file("unnamed", "FROM busybox\n");
    project.file("bad-ignore/Dockerfile", "FROM busybox\nCOPY . /\n");
    project.file("bad-ignore/.dockerignore", "# fine\nnode_modules\n[a-\n");
    project.file("folder-as-file/Dockerfile/x", "1");
    let mut text = String::new();
    for words in [
        &["build", "-t", "MyApp", "."][..],
        &["build", "-t", "app:v1:v2", "."],
        &["build", "-t", "app:", "."],
        &["build", "-t", "", "."],
        &["build", "-t", "my app", "."],
        &["build", "-t", "app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "."],
        &["build", "-t", "/simple-express:alpine", "."],
        &["build", "missing"],
        &["build", "context.txt"],
        &["build", "folder"],
        &["build", "dangling"],
        &["build", "folder-as-file"],
        &["build", "bad-ignore"],
        &["build", "https://github.com/moby/buildkit.git#master..v1"],
        &["build", "-f", "Dockerfil", "."],
        &["build", "-f", "folder", "."],
        &["build", "-f", "-", "-"],
        &["build", "-"],
        &["build", "--target", "build-stag", "."],
        &["build", "--target", "production", "."],
        &["build", "--target", "2", "."],
        &["build", "-f", "unnamed", "--target", "build", "."],
        &["build", ".", "extra"],
        &["build", "--tga", "app", "."],
        &["build", "--progress=fancy", "."],
        &["build", "--network=elsewhere", "."],
        &["build", "--build-arg", "=x", "."],
        &["build", "--build-arg"],
        &["build", "--label", "=x", "."],
        &["build", "--platform", "linux/arm65", "."],
        &["build", "--secret", "id=x", "."],
        &["build", "--output", "type=local,dest=x", "."],
        &["build", "-q", "--iidfile", "missing/id", "."],
        &["build", "--runtime", "no-such-runtime", "."],
        &["--root", "context.txt", "build", "."],
        &["image", "biuld", "."],
        &["biuld", "."],
    ] {
        let failed =
            project.onggi(words).env("BUILDKIT_PROGRESS", "quiet").stdin("FROM busybox\nCOPY app.js /\n").run();
        assert!(!failed.stderr.contains("has a fault"), "{words:?}\n{}", failed.stderr);
        writeln!(text, "===\nonggi {}\n{}", words.join(" "), failed.snapshot()).unwrap();
    }
    insta::assert_snapshot!(text);
}

/// Nobody is kept from reading anything as root, so there the command runs as somebody else.
#[test]
fn a_dockerfile_that_may_not_be_read() {
    let project = Project::without_base();
    let path = project.sandbox.write("Dockerfile", "FROM scratch\nCMD x\n");
    fs::set_permissions(project.sandbox.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    let mut command = project.build(&["-q"]);
    if rustix::process::geteuid().is_root() {
        command = command.wrapped("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    let failed = command.run().exits(1);
    assert_eq!(
        failed.stderr,
        "error: cannot read the Dockerfile ./Dockerfile\ncaused by: Permission denied (os error 13)\n\n\
         hint: make it readable: `chmod a+r ./Dockerfile`\n"
    );
}

#[test]
#[ignore = "requires root"]
fn s112_run_steps_requires_root() {
    let project = project();
    let mut text = String::new();
    for dockerfile in [
        "FROM busybox\nRUN echo out; echo err >&2; exit 3\n",
        "FROM busybox\nRUN nmp install\n",
        "FROM busybox\nRUN [\"nmp\", \"install\"]\n",
        "FROM busybox\nRUN [\"/etc/passwd\"]\n",
        "FROM busybox\nUSER nobody-such\nRUN true\n",
        "FROM busybox\nRUN sleep 9 & kill -9 $!; wait $!\n",
        "FROM busybox\n# Continues over several lines.\nRUN echo one && \\\n    # with a comment\n    cat /missing && \\\n    echo three\n",
        "FROM busybox\nSHELL [\"/bin/bash\", \"-c\"]\nRUN true\n",
    ] {
        let failed = project.dockerfile(dockerfile).build(&[]).run().exits(1);
        let from = failed.snapshot();
        // How long after its start a step said something differs from run to run.
        let lines: Vec<String> = from.lines().map(without_time).collect();
        let from = lines.iter().position(|line| line.contains("] RUN ")).unwrap_or(0);
        writeln!(text, "===\n{}\n{}\n", dockerfile.trim_end(), lines[from..].join("\n")).unwrap();
    }
    insta::assert_snapshot!(text);
    project.nothing_runs();
}

/// The other stages are called off, and only the step that failed is told.
#[test]
#[ignore = "requires root"]
fn a_failing_stage_ends_the_others_requires_root() {
    let project = Project::with(
        "FROM busybox AS bad\nRUN sleep 0.1; exit 7\nFROM busybox AS slow\nRUN sleep 60\nFROM busybox\n\
         COPY --from=bad /x /\nCOPY --from=slow /x /\n",
    );
    let failed = project.build(&["-t", "app"]).run().exits(1);
    let told = failed.stderr.split("\nerror: ").nth(1).unwrap();
    assert!(told.starts_with("`RUN sleep 0.1; exit 7` exited with status 7\n --> Dockerfile:2:1\n"), "{told}");
    assert!(failed.elapsed.as_secs() < 50 && failed.stderr.contains(" CANCELED\n"), "{}", failed.stderr);
    project.nothing_runs();
}

/// `#5 0.013 out` and `0.013 out` without the number.
fn without_time(line: &str) -> String {
    let (start, rest) = match line.split_once(' ') {
        Some((start, rest)) if start.starts_with('#') => (format!("{start} "), rest),
        _ => (String::new(), line),
    };
    match rest.split_once(' ') {
        Some((time, text)) if time.len() > 3 && time.parse::<f64>().is_ok() => format!("{start}<time> {text}"),
        _ => line.to_owned(),
    }
}
