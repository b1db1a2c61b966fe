//! `system check` and `--repair`: each kind of file is damaged in turn, is named with what it breaks, and is mended so that
//! the independent checker has nothing to say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::checker;

use crate::build_project::Project;

/// A store with something of every kind in it.
fn full() -> Project {
    let mut project = Project::with(
        "FROM busybox\nCOPY own /own\nRUN --mount=type=cache,id=c,target=/c echo x >/c/f; ln /bin/busybox /again; echo y >/y\nRUN false\n",
    );
    project.sandbox.without_check();
    project.file("own", "content of a file");
    project.build(&[]).run().exits(1);
    project.dockerfile("FROM busybox\nCOPY own /own\nRUN --mount=type=cache,id=c,target=/c echo x >/c/f; ln /bin/busybox /again; echo y >/y\nENV A=1\n");
    project.build_app();
    project.ask(&["create", "--name", "box", "-v", "data:/data", "app"]);
    project.ask(&["run", "--network", "none", "--name", "second", "app", "true"]);
    project.ask(&["commit", "second", "committed"]);
    project.ask(&["image", "pin", "app"]);
    // A blob, and a list of blobs of a layer.
    let root = project.sandbox.root();
    let blob = b"{\"manifests\":[]}";
    let digest = checker::digest(blob);
    fs::write(root.join("blobs").join(&digest[7..]), blob).unwrap();
    let layer = project.image("app").diff_ids[0].clone();
    let list = format!("[{{\"mediaType\":\"x\",\"digest\":\"{digest}\",\"size\":16,\"repositories\":[]}}]");
    fs::write(root.join("transports").join(&layer[7..]), list).unwrap();
    project
}

/// The files of a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn copy(from: &Path, to: &Path) {
    let made = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(made.success());
}

/// What can happen to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Flip,
    Cut,
    Gone,
}

fn damage(path: &Path, how: Damage) {
    let mode = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    match how {
        Damage::Flip => bytes[middle] ^= 0x10,
        Damage::Cut => bytes.truncate(middle),
        Damage::Gone => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

#[test]
#[ignore = "requires root"]
fn n_check_a_whole_store_has_no_problems_requires_root() {
    let project = full();
    let before = project.onggi(["system", "check"]).run();
    assert!(before.stdout.ends_with(": nothing wrong\n"), "{}", before.snapshot());
    let json: Value = serde_json::from_str(&project.ask(&["system", "check", "--repair", "--format", "json"])).unwrap();
    assert_eq!((&json["problems"], &json["whole"]), (&serde_json::json!([]), &serde_json::json!(true)));
    assert!(json["bytes"].as_u64().unwrap() > 1_000_000);
    project.fails(&["system", "check", "--format", "table"], 1);
    project.sandbox.check();
}

/// Every file of these folders, damaged in each way: it is named, repaired, and then nothing is wrong any more.
#[test]
#[ignore = "requires root"]
fn n_check_every_damage_is_found_and_mended_requires_root() {
    let project = full();
    let root = project.sandbox.root();
    let whole = project.sandbox.path().join("whole");
    copy(&root, &whole);
    let mut tried = 0;
    for folder in
        ["images", "references", "layers", "blobs", "transports", "steps", "names", "caches", "failures", "logs"]
    {
        for file in files(&whole.join(folder)) {
            let inner = match folder {
                "caches" => Some("id"),
                "failures" => Some("record.json"),
                "logs" => Some("index.json"),
                _ => None,
            };
            for how in [Damage::Flip, Damage::Cut, Damage::Gone] {
                // A name that is taken away, or a blob or record that is not there, is no damage.
                let is_tar = file.extension().is_some_and(|kind| kind == "tar");
                let is_index = file.extension().is_some_and(|kind| kind == "erofs");
                if matches!(how, Damage::Gone) && !is_tar && !is_index && inner.is_none() && folder != "images" {
                    continue;
                }
                fs::remove_dir_all(&root).unwrap();
                copy(&whole, &root);
                let name = format!("{folder}/{}", file.file_name().unwrap().to_str().unwrap());
                let target = root.join(&name);
                damage(&inner.map_or(target.clone(), |inner| target.join(inner)), how);
                let found = project.onggi(["system", "check"]).run();
                let is_named = found.stdout.lines().any(|line| {
                    line.starts_with(&format!("{name}: "))
                        || matches!(how, Damage::Gone)
                            && (line.contains("is not there") || line.contains("breaks image"))
                });
                // A flipped letter within a text may still be a text.
                let may_pass = matches!(how, Damage::Flip) && ["transports", "failures", "logs"].contains(&folder);
                if may_pass && found.stdout.ends_with(": nothing wrong\n") {
                    continue;
                }
                assert!(is_named, "{name} {how:?}\n{}", found.snapshot());
                tried += 1;
                let mended = project.onggi(["system", "check", "--repair"]).run();
                let again = project.onggi(["system", "check"]).run();
                let left: Vec<&str> = again.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
                // What only its owner can mend stays told: a container whose image had to go.
                let is_owners = |line: &&&str| !line.starts_with("containers/") && !line.starts_with("Checked");
                assert_eq!(
                    left.iter().filter(is_owners).count(),
                    0,
                    "{name} {how:?}\n{}\n{}",
                    mended.snapshot(),
                    again.snapshot()
                );
                if let Err(problem) = checker::check_store(&root) {
                    panic!("{name} {how:?}: {problem}\n{}", mended.snapshot());
                }
                if is_index {
                    assert!(again.stdout.ends_with(": nothing wrong\n"), "{name} {how:?}\n{}", again.snapshot());
                }
            }
        }
    }
    assert!(tried > 30, "{tried}");
}

#[test]
#[ignore = "requires root"]
fn n_check_says_what_is_broken_and_how_to_get_it_back_requires_root() {
    let project = full();
    let root = project.sandbox.root();
    let layers = project.image("app").diff_ids;
    let own = layers[1].trim_start_matches("sha256:").to_owned();
    damage(&root.join(format!("layers/{own}.tar")), Damage::Flip);
    let found = project.onggi(["system", "check"]).run().exits(1);
    let line = found.stdout.lines().position(|line| line.starts_with(&format!("layers/{own}.tar: it"))).unwrap();
    let breaks = found.stdout.lines().nth(line + 1).unwrap();
    assert_eq!(breaks, "  breaks image app:latest, image committed:latest", "{}", found.stdout);
    assert!(found.stdout.contains("  onggi build -t app:latest .\n"), "{}", found.stdout);
    // Nothing makes again what was committed.
    let saved = "  onggi load -i ARCHIVE   # committed:latest can be had only from where it was saved\n";
    assert!(found.stdout.contains(saved), "{}", found.stdout);
    assert!(!found.stdout.contains("-t committed"), "{}", found.stdout);
    assert!(found.stderr.contains("hint: `onggi system check --repair`"), "{}", found.stderr);
    // The containers of these images cannot be mended, and are left for their owner.
    let mended = project.onggi(["system", "check", "--repair"]).run();
    assert!(mended.stdout.contains("To get back what is lost:\n  onggi build -t app:latest .\n"), "{}", mended.stdout);
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}}"]), "busybox\n");
    project.build_app();
    project.ask(&["image", "inspect", "app"]);
    project.ask(&["rm", "-f", "box", "second"]);
    project.onggi(["system", "check"]).run().success();
    checker::check_store(&root).unwrap();
}

#[test]
#[ignore = "requires root"]
fn n_check_foreign_files_are_told_requires_root() {
    let project = full();
    let root = project.sandbox.root();
    for name in ["images/readme", "layers/x.tar", "references/A B", "steps/zz", "blobs/y", "pins/q", "extracted/old"] {
        fs::write(root.join(name), "x").unwrap();
    }
    fs::write(root.join("notes.txt"), "mine").unwrap();
    let found = project.onggi(["system", "check"]).run().exits(1);
    assert_eq!(found.stdout.matches(": it is no file of the store\n").count(), 8, "{}", found.stdout);
    project.onggi(["system", "check", "--repair"]).run().exits(1);
    let left = project.onggi(["system", "check"]).run().exits(1);
    assert!(left.stdout.starts_with("notes.txt: it is no file of the store\nChecked "), "{}", left.stdout);
    assert!(root.join("notes.txt").exists());
    fs::remove_file(root.join("notes.txt")).unwrap();
    project.onggi(["system", "check"]).run().success();
    checker::check_store(&root).unwrap();
}
