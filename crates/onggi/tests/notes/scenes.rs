//! The notes' look at images, beside docker: the same images in both, the same words typed, the same lines shown.
//!
//! Two images that share layers are listed, told apart, named, saved, and taken away again (S200 to S217, S230 to S232,
//! S250, S251, S280 to S284). What they are made of is years old, so that no age depends on how fast a machine is.

use std::process::Command;

use testkit::Dockerd;

use crate::project::Project;

/// What docker and Onggi say to the same words: their lines, and whether they fail.
struct Both {
    docker: Dockerd,
    ours: Project,
}

impl Both {
    fn docker(&self, words: &[&str]) -> Command {
        let mut command = self.docker.docker();
        command.args(words);
        command
    }

    #[track_caller]
    fn say_the_same(&self, words: &[&str]) -> String {
        let theirs = self.docker(words).output().unwrap();
        let ours = self.ours.onggi(words).run();
        let said = String::from_utf8_lossy(&theirs.stderr);
        assert_eq!(ours.code == 0, theirs.status.success(), "{words:?}: {}\ndocker: {said}", ours.snapshot());
        let theirs = String::from_utf8(theirs.stdout).unwrap();
        assert_eq!(sorted(&ours.stdout, words), sorted(&theirs, words), "{words:?}");
        ours.stdout
    }
}

/// Docker lists names of one image in any order; everything else has its order.
fn sorted(text: &str, words: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if words.contains(&"images") || words.contains(&"ls") {
        lines.sort();
    }
    lines
}

/// Builds an image that says that it was made at the given second.
fn build(project: &Project, name: &str, dockerfile: &str, second: &str) {
    project.dockerfile(dockerfile);
    project.build(&["-q", "-t", name]).env("SOURCE_DATE_EPOCH", second).run().success();
}

/// The same images in both, out of one archive; none of them with results of steps in our store.
fn both() -> (Project, Both) {
    let project = Project::without_base();
    project.file("root.tar", testkit::busybox_root_tar()).file("app.js", "say()\n").file("more", vec![b'x'; 8940]);
    build(&project, "base:v1", "FROM scratch\nADD root.tar /\nENV NAME=dojin\nCMD [\"sh\"]\n", "1577836800");
    build(&project, "web-ping", "FROM base:v1\nWORKDIR /web\nCOPY app.js .\nLABEL a=1\n", "1580000000");
    build(&project, "mail", "FROM base:v1\nCOPY more /more\nEXPOSE 25\nENTRYPOINT [\"cat\"]\n", "1590000000");
    let archive = project.sandbox.path().join("three.tar");
    let archive = archive.to_str().unwrap();
    project.ask(&["save", "-o", archive, "base:v1", "web-ping", "mail"]);
    let docker = Dockerd::start_without_network(&project.sandbox.path().join("docker")).unwrap().unwrap();
    let both = Both { docker, ours: Project::without_base() };
    assert_eq!(both.say_the_same(&["load", "-q", "-i", archive]).lines().count(), 3);
    (project, both)
}

#[test]
#[ignore = "requires root, docker"]
fn s200_s201_s206_s210_s217_s230_s232_images_that_share_layers_requires_root() {
    let (_project, both) = both();
    for words in [
        &["images"][..],
        &["image", "ls", "--no-trunc"],
        &["images", "-a"],
        &["images", "-q"],
        &["images", "--digests"],
        &["images", "w*"],
        &["images", "nothing"],
        &["images", "--format", "{{.Repository}} {{.Tag}} {{.ID}} {{.CreatedAt}} {{.CreatedSince}} {{.Size}}"],
        &["images", "--format", "table {{.ID}}\t{{.Repository}}\t{{.Size}}"],
        &["images", "--filter", "label=a=1"],
        &["images", "--filter", "before=mail"],
        &["images", "--filter", "since=base:v1"],
        &["images", "--filter", "reference=mail", "--filter", "reference=*:v1"],
        &["history", "web-ping"],
        &["image", "history", "--no-trunc", "mail"],
        &["history", "-q", "mail"],
        &["history", "--format", "{{.ID}}: {{.CreatedBy}} {{.Size}} {{.Comment}}", "base:v1"],
        &["inspect", "-f", "{{json .RootFS.Layers}}", "web-ping", "mail"],
        &["inspect", "-f", "{{.Id}} {{.Created}} {{.Architecture}} {{.Os}} {{json .RepoTags}}", "base:v1"],
        &["image", "inspect", "-f", "{{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Entrypoint}}", "mail"],
        &["inspect", "-f", "{{.Config.ExposedPorts}} {{.Config.Volumes}} {{.Config.WorkingDir}}", "web-ping", "mail"],
        &["image", "inspect", "-f", "{{.Id}}", "nothing", "mail"],
        &["history", "nothing"],
    ] {
        both.say_the_same(words);
    }
}

#[test]
#[ignore = "requires root, docker"]
fn s207_s251_s262_s280_s281_s284_names_come_and_go_requires_root() {
    let (project, both) = both();
    both.say_the_same(&["tag", "mail", "here:5000/mail:v2"]);
    both.say_the_same(&["rmi", "mail"]);
    let chain = both.say_the_same(&["rmi", "here:5000/mail:v2"]);
    // The image and its own layer; the layers below are the others' too.
    assert_eq!(
        chain.lines().map(|line| line.split(' ').next().unwrap()).collect::<Vec<_>>(),
        ["Untagged:", "Deleted:", "Deleted:"]
    );
    both.say_the_same(&["images"]);

    // The name moves to another image: the old one is left without a name.
    build(&project, "web-ping", "FROM base:v1\nWORKDIR /web\nLABEL a=2\n", "1600000000");
    let archive = project.sandbox.path().join("moved.tar");
    project.ask(&["save", "-o", archive.to_str().unwrap(), "web-ping"]);
    let loaded = both.say_the_same(&["load", "-q", "-i", archive.to_str().unwrap()]);
    assert!(loaded.starts_with("The image web-ping:latest already exists, renaming the old one with ID sha256:"));
    both.say_the_same(&["images"]);
    let dangling = both.say_the_same(&["images", "-q", "--filter", "dangling=true"]);
    both.say_the_same(&["images", "--filter", "dangling=false"]);
    both.say_the_same(&["rmi", dangling.trim_end()]);

    // What each has saved has the same ID in the other.
    let back = project.sandbox.path().join("back.tar");
    assert!(both.docker(&["save", "-o", back.to_str().unwrap(), "web-ping"]).status().unwrap().success());
    let other = Project::without_base();
    other.ask(&["load", "-q", "-i", back.to_str().unwrap()]);
    assert_eq!(other.inspect("web-ping")["Id"], both.ours.inspect("web-ping")["Id"]);
    for words in [&["rmi", "base:v1", "nothing", "web-ping"][..], &["rmi"], &["images"]] {
        both.say_the_same(words);
    }
}
