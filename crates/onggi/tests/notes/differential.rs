//! The same Dockerfiles through Onggi, Docker's BuildKit and buildah: config, history and files of the results.
//!
//! All begin with the same base image, by ID. What differs becomes one line each, and a line that does not begin
//! as one in a list of known ones fails the test. docs/compatibility.md says the same in words.

mod cases;
mod newer;
mod newer_cases;
mod older;
mod refused;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::TarWriter;
use testkit::checker::{self, CheckedImage, Tree};

const NAME: &str = "localhost/case:v1";

/// What is compared of `config` in an image's config.
const FIELDS: [&str; 13] = [
    "Env",
    "Cmd",
    "Entrypoint",
    "WorkingDir",
    "User",
    "ExposedPorts",
    "Volumes",
    "Labels",
    "Healthcheck",
    "OnBuild",
    "Shell",
    "StopSignal",
    "ArgsEscaped",
];

/// Paths that tools leave behind from what they mount into a container. No Dockerfile asked for them.
const MOUNT_POINTS: [&str; 9] =
    ["dev", "proc", "sys", "run", "etc", "etc/hosts", "etc/resolv.conf", "etc/hostname", ".dockerenv"];

/// The context of all cases.
fn write_context(folder: &Path) {
    let write = |name: &str, mode: u32, content: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("a.txt", 0o644, b"a\n");
    write("b.txt", 0o600, b"b\n");
    write("script.sh", 0o755, b"#!/bin/sh\n");
    write("with space.txt", 0o644, b"space\n");
    write("folder/inner/file", 0o640, b"inner\n");
    write("folder/top", 0o644, b"top\n");
    write("ignored/x", 0o644, b"x");
    write("odd/ab", 0o640, b"ab");
    write("odd/.hidden", 0o644, b"hidden");
    write("odd/X", 0o755, b"X");
    write("odd/sub/f", 0o4711, b"f");
    write("odd/links/one", 0o644, b"linked");
    fs::hard_link(folder.join("odd/links/one"), folder.join("odd/links/two")).unwrap();
    write("torn.gz", 0o644, b"\x1f\x8b\x08 torn");
    write("named.tar", 0o644, b"no archive");
    write("logs/1.log", 0o644, b"1");
    write("logs/keep.log", 0o644, b"2");
    write(".dockerignore", 0o644, b"# comment\nignored\n**/*.log\n!logs/keep.log\n");
    symlink("a.txt", folder.join("link")).unwrap();
    symlink("folder", folder.join("folder-link")).unwrap();
    let mut tar = TarWriter::default();
    tar.folder("in", 0o750).file("in/file", 0o444, b"in the tar").symlink("in/soft", "file");
    let tar = tar.finish();
    write("archive.tar", 0o644, &tar);
    for (program, flags) in [("gzip", "-nk"), ("bzip2", "-k"), ("xz", "-k")] {
        let done = Command::new(program).args([flags, "archive.tar"]).current_dir(folder).status().unwrap();
        assert!(done.success());
    }
}

#[track_caller]
fn ask(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}

fn only_image(archive: &Path) -> CheckedImage {
    let mut images = checker::check_archive(archive).unwrap();
    assert_eq!(images.len(), 1);
    images.remove(0)
}

/// A field that is not there, null and empty mean the same.
fn field(image: &CheckedImage, name: &str) -> Option<Value> {
    let value = &image.config["config"][name];
    let is_empty = match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(_) => false,
    };
    let mut value = (!is_empty).then(|| value.clone())?;
    // buildah puts its own version into every image.
    if let Value::Object(map) = &mut value
        && map.remove("io.buildah.version").is_some()
        && map.is_empty()
    {
        return None;
    }
    Some(value)
}

/// Without the rows of ONBUILD, which BuildKit does not write (S167: every instruction has its row).
fn history(image: &CheckedImage) -> Vec<String> {
    let rows = image.config["history"].as_array().unwrap().iter();
    let rows = rows.map(|row| {
        let kind = if row["empty_layer"] == true { "empty" } else { "layer" };
        format!("{kind} {}", row["created_by"].as_str().unwrap_or_default())
    });
    rows.filter(|row| !row.starts_with("empty ONBUILD ")).collect()
}

fn relevant(tree: &Tree) -> Tree {
    let is_relevant = |path: &str| !MOUNT_POINTS.contains(&path);
    tree.iter().filter(|(path, _)| is_relevant(path)).map(|(path, node)| (path.clone(), node.clone())).collect()
}

/// One line for each thing in which `theirs` differs from `ours`. buildah words its history in a way of its own.
fn differences(tool: &str, case: &str, ours: &CheckedImage, theirs: &CheckedImage) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["author", "architecture", "os", "variant"] {
        let (our, their) = (ours.config[name].as_str(), theirs.config[name].as_str());
        if our.unwrap_or_default() != their.unwrap_or_default() {
            found.push(format!("{name} {our:?} / {their:?}"));
        }
    }
    for name in FIELDS {
        let (our, their) = (field(ours, name), field(theirs, name));
        if our != their {
            let show = |value: Option<Value>| value.map_or("none".to_owned(), |value| value.to_string());
            found.push(format!("{name} {} / {}", show(our), show(their)));
        }
    }
    if tool == "buildkit" {
        let (our, their) = (history(ours), history(theirs));
        if our.len() != their.len() {
            found.push(format!("history has {} rows / {}", our.len(), their.len()));
        }
        let rows = our.iter().zip(&their).filter(|(our, their)| our != their);
        found.extend(rows.map(|(our, their)| format!("history `{our}` / `{their}`")));
    }
    found.extend(checker::differences(&relevant(&ours.tree), &relevant(&theirs.tree), 20));
    found.into_iter().map(|text| format!("{tool} {case}: {text}")).collect()
}

/// Fails with the differences that are not known. Other versions of the tools have fewer of them.
#[track_caller]
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what is known and not so any more")]
fn judge(found: &BTreeSet<String>, known: &[(&str, &str)]) {
    let is_known = |line: &str| known.iter().any(|(beginning, _)| line.starts_with(beginning));
    let new: Vec<&String> = found.iter().filter(|line| !is_known(line)).collect();
    assert!(new.is_empty(), "new differences: {new:#?}");
    for (beginning, reason) in known.iter().filter(|known| !found.iter().any(|line| line.starts_with(known.0))) {
        eprintln!("no longer different: {beginning} ({reason})");
    }
}
