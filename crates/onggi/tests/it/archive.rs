//! `save` and `load` by the command line (S250 to S252).

use std::fs;
use std::time::Duration;

use testkit::{Terminal, checker};

use crate::build_project::Project;

fn path(project: &Project, name: &str) -> String {
    project.sandbox.work().join(name).display().to_string()
}

fn app() -> Project {
    let project = Project::with("FROM busybox\nCOPY a /a\nENV NAME=dojin\nLABEL x=y\nCMD [\"cat\",\"/a\"]\n");
    project.file("a", "content\n").build_app();
    project
}

#[test]
fn s250_s251_the_same_image_after_a_round_trip() {
    let project = app();
    project.ask(&["tag", "app", "ubuntu:focal"]);
    let before = project.inspect("app");
    let archive = path(&project, "ubuntu_focal.tar");
    let saved = project.onggi(["save", "-o", &archive, "ubuntu:focal"]).run().success();
    assert_eq!(saved.snapshot(), "exit: 0\n");
    let checked = checker::check_archive(archive.as_ref()).unwrap();
    assert_eq!((checked.len(), checked[0].id.as_str()), (1, before["Id"].as_str().unwrap()));
    assert_eq!(checked[0].names, ["ubuntu:focal"]);
    assert_eq!(checked[0].tree, project.image("app").tree);

    let other = Project::without_base();
    let loaded = other.onggi(["load", "-i", &archive]).run().success();
    assert_eq!(loaded.snapshot(), "exit: 0\n--- stdout\nLoaded image: ubuntu:focal\n");
    let after = other.inspect("ubuntu:focal");
    for key in ["Id", "Config", "RootFS", "Created", "Size", "Architecture", "Os"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    // Again changes nothing, and gives the same bytes out.
    assert_eq!(other.ask(&["image", "load", "--input", &archive]), "Loaded image: ubuntu:focal\n");
    let again = path(&other, "again.tar");
    other.ask(&["image", "save", "--output", &again, "ubuntu:focal"]);
    assert!(fs::read(&archive).unwrap() == fs::read(&again).unwrap(), "two archives of one image differ");
}

#[test]
fn s250_a_terminal_gets_no_archive() {
    let project = app();
    let (code, shown) =
        Terminal::start(&project.onggi(["save", "app"]).env("NO_COLOR", "1"), 100, 24).finish(Duration::from_secs(30));
    assert_eq!(code, 1);
    assert!(
        shown.contains("error: an archive is not for a terminal") && shown.contains("onggi save -o FILE IMAGE"),
        "{shown}"
    );
}

#[test]
fn s250_s251_pipes_in_both_directions_and_several_images() {
    let project = app();
    project.ask(&["tag", "app", "second:v2"]);
    let script = format!(
        "'{0}' save app busybox second:v2 > out.tar && cat out.tar | '{0}' --root {1} load",
        testkit::binary().display(),
        path(&project, "other-root")
    );
    let piped = project.sandbox.command("sh").arguments(["-c", &script]).run().success();
    let mut lines: Vec<_> = piped.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["Loaded image: app:latest", "Loaded image: busybox:latest", "Loaded image: second:v2"]);
    let checked = checker::check_archive(&project.sandbox.work().join("out.tar")).unwrap();
    assert_eq!(checked.len(), 2, "one image for both of its names");
    checker::check_store(&project.sandbox.work().join("other-root")).unwrap();
}

#[test]
fn s252_load_takes_compressed_archives() {
    let project = app();
    project.ask(&["save", "-o", &path(&project, "app.tar"), "app"]);
    for tool in ["gzip", "bzip2", "xz", "zstd"] {
        let packed = project.sandbox.command("sh").arguments(["-c", &format!("{tool} -c app.tar > app.{tool}")]).run();
        if packed.code == 127 {
            eprintln!("skipped: requires {tool}: s252_load_takes_compressed_archives");
            continue;
        }
        let other = Project::without_base();
        assert_eq!(other.ask(&["load", "-i", &path(&project, &format!("app.{tool}"))]), "Loaded image: app:latest\n");
        assert_eq!(other.inspect("app")["Id"], project.inspect("app")["Id"], "{tool}");
    }
}

#[test]
fn what_is_no_archive_is_refused_and_leaves_nothing() {
    let project = app();
    project.ask(&["save", "-o", &path(&project, "app.tar"), "app"]);
    let whole = fs::read(path(&project, "app.tar")).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for (name, bytes) in
        [("text", &b"not an archive"[..]), ("empty", b""), ("half", &whole[..whole.len() / 2]), ("damaged", &damaged)]
    {
        project.file(name, bytes);
        let other = Project::without_base();
        let refused = other.onggi(["load", "-i", &path(&project, name)]).run().exits(1);
        assert!(refused.stderr.starts_with("error: ") && refused.stdout.is_empty(), "{name}: {}", refused.snapshot());
        assert_eq!(other.ask(&["images", "-aq"]), "", "{name}");
    }
    let missing = project.onggi(["save", "-o", &path(&project, "no.tar"), "nope"]).run().exits(1);
    assert!(missing.stderr.starts_with("error: no such image: nope"));
    assert!(!fs::exists(path(&project, "no.tar")).unwrap());
}

/// One archive is Docker's and OCI's at once, and a layer that several images share is in it once.
#[test]
fn c090_c091_one_archive_for_all_readers() {
    let project = app();
    project.ask(&["save", "-o", &path(&project, "two.tar"), "app", "busybox"]);
    let listed = project.sandbox.command("tar").arguments(["-tf", &path(&project, "two.tar")]).run().success().stdout;
    let members: Vec<_> = listed.lines().collect();
    for document in ["oci-layout", "index.json", "manifest.json"] {
        assert_eq!(members.iter().filter(|member| **member == document).count(), 1, "{members:?}");
    }
    let layers: std::collections::HashSet<_> =
        ["app", "busybox"].iter().flat_map(|name| project.image(name).diff_ids).collect();
    let blobs = members.iter().filter(|member| member.starts_with("blobs/sha256/") && !member.ends_with('/')).count();
    // A config and a manifest for each image.
    assert_eq!(blobs, layers.len() + 4, "{members:?}");
    assert_eq!(checker::check_archive(path(&project, "two.tar").as_ref()).unwrap().len(), 2);
    // The repository's name alone is all of its tags.
    project.ask(&["tag", "app", "more:v1"]);
    project.ask(&["tag", "busybox", "more:v2"]);
    project.ask(&["image", "save", "--output", &path(&project, "more.tar"), "more"]);
    let mut names: Vec<_> = checker::check_archive(path(&project, "more.tar").as_ref())
        .unwrap()
        .into_iter()
        .flat_map(|i| i.names)
        .collect();
    names.sort();
    assert_eq!(names, ["more:v1", "more:v2"]);
    assert!(project.onggi(["save"]).run().exits(1).stderr.starts_with("error: missing `IMAGE`"));
}

/// An image that was saved by its ID has no name in the archive.
#[test]
fn c100_c101_what_load_says() {
    let project = app();
    let id = project.inspect("app")["Id"].as_str().unwrap().to_owned();
    project.ask(&["save", "-o", &path(&project, "id.tar"), &id]);
    project.ask(&["save", "-o", &path(&project, "app.tar"), "app"]);
    let other = Project::without_base();
    assert_eq!(other.ask(&["load", "-i", &path(&project, "id.tar")]), format!("Loaded image ID: {id}\n"));
    assert_eq!(other.ask(&["images", "--format", "{{.Repository}}:{{.Tag}}"]), "<none>:<none>\n");
    // A name that stood for something else moves, and load says so.
    other.dockerfile("FROM scratch\nCOPY Dockerfile /\n").build_app();
    let old = other.inspect("app")["Id"].as_str().unwrap().to_owned();
    let loaded = other.ask(&["load", "-q", "--input", &path(&project, "app.tar")]);
    let moved = "already exists, renaming the old one with ID";
    assert_eq!(loaded, format!("The image app:latest {moved} {old} to empty string\nLoaded image: app:latest\n"));
    assert_eq!(other.inspect("app")["Id"], id);
    let listed = other.ask(&["images", "-q", "--no-trunc", "-f", "dangling=true"]);
    assert_eq!(listed.trim_end(), old);
    let missing = other.onggi(["load", "-i", "nothing.tar"]).run().exits(1);
    assert!(missing.stderr.starts_with("error: cannot read `nothing.tar`"), "{}", missing.stderr);
}

/// Of an index of several platforms the one that is asked for; of several images those that are for it.
#[test]
fn c101_load_takes_the_platform_that_is_asked_for() {
    let project = Project::with("FROM scratch\nARG TARGETARCH\nLABEL made-for=$TARGETARCH\nCOPY Dockerfile /\n");
    let archive = path(&project, "both.tar");
    let output = format!("type=oci,dest={archive},name=docker.io/library/both:v1");
    project.build(&["--platform", "linux/amd64,linux/arm64", "--output", &output]).run().success();
    for (platform, architecture) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64"), ("arm64", "arm64")] {
        let other = Project::without_base();
        other.ask(&["load", "--platform", platform, "-i", &archive]);
        let image = other.inspect("both:v1");
        assert_eq!(image["Architecture"], architecture, "{platform}");
        assert_eq!(image["Config"]["Labels"]["made-for"], architecture);
        // What is saved again is for that platform and no other.
        other.ask(&["save", "--platform", platform, "-o", &path(&other, "again.tar"), "both:v1"]);
        let again = checker::check_archive(path(&other, "again.tar").as_ref()).unwrap();
        assert_eq!(again[0].config["architecture"], architecture);
        let third = Project::without_base();
        let wrong = if architecture == "amd64" { "linux/arm64" } else { "linux/amd64" };
        let refused = third.onggi(["load", "--platform", wrong, "-i", &path(&other, "again.tar")]).run().exits(1);
        assert!(
            refused.stderr.starts_with(&format!("error: the archive has no image for {wrong}")),
            "{}",
            refused.stderr
        );
        assert_eq!(third.ask(&["images", "-aq"]), "");
    }
    let refused = project.onggi(["load", "--platform", "linux/s390x", "-i", &archive]).run().exits(1);
    assert!(refused.stderr.starts_with("error: the archive has no image for linux/s390x"), "{}", refused.stderr);
}
