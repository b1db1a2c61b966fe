//! The binary itself: exit codes, what goes to which stream, and what needs no root. Whole builds and runs are tested
//! where base images are made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn onggi(root: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onggi"));
    command.env_clear().env("ONGGI_ROOT", root).args(words).stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> (Option<i32>, String, String) {
    let root = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = onggi(root.path(), words).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// C210, S200, S201, S234, style 7.10.
#[test]
fn exit_codes_and_streams() {
    for (words, code, stdout, stderr) in [
        (&["images"][..], 0, "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n", ""),
        (&["image", "ls", "w*"], 0, "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n", ""),
        (&["images", "-q"], 0, "", ""),
        (&["images", "--format", "json"], 0, "", ""),
        (&["images", "inspect", "x"], 1, "", "hint: use `onggi image inspect x`"),
        (&["images", "--format", "{{"], 1, "", "error: `{{` is never closed by `}}`"),
        (&["inspect", "nope"], 1, "[]\n", "error: no such object: nope"),
        (&["image", "inspect", "-f", "{{.Id}}", "nope"], 1, "", "error: no such image: nope"),
        (&["history", "nope"], 1, "", "error: no such image: nope"),
        (&["tag", "nope", "x"], 1, "", "error: no such image: nope"),
        (&["rmi", "nope"], 1, "", "error: no such image: nope"),
        (&["ps"], 0, "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n", ""),
        (&["rm", "nope"], 1, "", "error: no such container: nope"),
        (&["run", "nope"], 125, "", "error: unable to find image 'nope:latest' locally"),
        (&["run", "UPPER"], 125, "", "error: invalid reference `UPPER`"),
        (&["run", "--bogus", "x"], 125, "", "error: unknown flag `--bogus`"),
        (&["images", "--bogus"], 125, "", "error: unknown flag `--bogus`"),
        (&["buidl", "."], 1, "", "hint: did you mean `onggi build`?"),
        (&["pull", "x"], 1, "", "error: `onggi pull` is not there yet"),
        (&["build", "/nonexistent"], 1, "", "error: "),
        (&["version", "-f", "{{.Server.Os}}"], 0, "linux\n", ""),
    ] {
        let (found, out, err) = run(words);
        assert_eq!(found, Some(code), "{words:?}: {err}");
        assert_eq!(out, stdout, "{words:?}");
        assert!(err.contains(stderr) && (!stderr.is_empty() || err.is_empty()), "{words:?}: {err}");
        assert!(!err.contains('\x1b'), "{words:?}: colours only on terminals");
    }
}

/// S084: a folder without a Dockerfile; D13: all mistakes in one run.
#[test]
fn mistakes_of_a_build_are_all_told() {
    let root = tempfile::tempdir().unwrap();
    let context = tempfile::tempdir().unwrap();
    let path = context.path().to_str().unwrap();
    let output = onggi(root.path(), &["build", path]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("no Dockerfile"), "{text}");
    std::fs::write(context.path().join("Dockerfile"), "FORM scratch\nCOPPY a b\n").unwrap();
    let output = onggi(root.path(), &["build", "-q", path]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("Dockerfile:1:1") && text.contains("Dockerfile:2:1"), "{text}");
    assert!(text.contains("did you mean `FROM`?") && text.contains("did you mean `COPY`?"), "{text}");
    assert!(output.stdout.is_empty());
}

/// `onggi … | head -1`.
#[test]
fn a_closed_pipe_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    let mut child = onggi(root.path(), &["images"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(child.wait().unwrap().success(), "{stderr}");
    assert_eq!(stderr, "");
}

#[test]
fn root_flag_wins_over_the_variable() {
    let other = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    let store = other.path().join("store");
    let words = ["--root", store.to_str().unwrap(), "info", "--format", "{{.Store}}"];
    let output = onggi(root.path(), &words).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), store.to_str().unwrap());
}
