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
        (&["run", "--pull=never", "nope"], 125, "", "error: no such image: nope:latest"),
        (&["run", "UPPER"], 125, "", "error: invalid reference `UPPER`"),
        (&["run", "--bogus", "x"], 125, "", "error: unknown flag `--bogus`"),
        (&["images", "--bogus"], 125, "", "error: unknown flag `--bogus`"),
        (&["buidl", "."], 1, "", "hint: did you mean `onggi build`?"),
        (&["pull", "-a", "x:y"], 1, "", "error: tag can't be used with --all-tags/-a"),
        (
            &["push", "x"],
            1,
            "Using default tag: latest\nThe push refers to repository [docker.io/library/x]\n",
            "error: An image does not exist locally with the tag: x",
        ),
        (&["build", "/nonexistent"], 1, "", "error: "),
        (&["import", "https://", "z"], 1, "", "error: `https://` is not a valid URL"),
        (&["import", "/nonexistent"], 1, "", "error: cannot read `/nonexistent`"),
        (&["load", "-i", "/nonexistent"], 1, "", "error: cannot read `/nonexistent`"),
        (&["load"], 1, "", "error: "),
        (&["save", "nope"], 1, "", "error: no such image: nope"),
        (&["save", "-o", "/nonexistent/x", "nope"], 1, "", "error: cannot write `/nonexistent/x`"),
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

/// S007, S250, S251, C110: in as a tarball, out as an archive, in again under the same ID.
#[test]
fn images_come_and_go_as_files() {
    let root = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (tarball, archive) = (folder.path().join("files.tar"), folder.path().join("image.tar"));
    // An empty tar is two blocks of zeros.
    std::fs::write(&tarball, [0; 1024]).unwrap();
    let (tarball, archive) = (tarball.to_str().unwrap(), archive.to_str().unwrap());
    let ok = |words: &[&str]| {
        let output = onggi(root.path(), words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let id = ok(&["import", "-c", "CMD [\"x\"]", "-m", "a remark", tarball, "empty:v1"]);
    assert!(id.starts_with("sha256:") && id.ends_with('\n') && id.len() == 72, "{id}");
    assert_eq!(
        ok(&["inspect", "-f", "{{.Id}} {{.Config.Cmd}} {{.Comment}}", "empty:v1"]),
        format!("{} [x] a remark\n", id.trim())
    );
    assert_eq!(ok(&["tag", "empty:v1", "other"]), "");
    assert_eq!(ok(&["images", "--format", "{{.Repository}}:{{.Tag}}"]), "empty:v1\nother:latest\n");
    assert_eq!(ok(&["save", "-o", archive, "empty:v1"]), "");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing unfinished stays: {names:?}");
    assert_eq!(ok(&["rmi", "other"]), "Untagged: other:latest\n");
    assert!(ok(&["rmi", "empty:v1"]).contains(&format!("Deleted: {id}")));
    assert_eq!(ok(&["load", "-i", archive]), "Loaded image: empty:v1\n");
    assert_eq!(ok(&["images", "-q", "--no-trunc"]), id);
    let output = onggi(root.path(), &["save", "-o", archive, "nope"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(std::fs::metadata(archive).unwrap().len() > 1024, "a failure leaves the old file alone");
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
