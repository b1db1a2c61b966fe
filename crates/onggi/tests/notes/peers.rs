//! Archives between the real binary and the other tools: what one has built runs in the other, under the same ID.
//!
//! `crates/image/tests/peers.rs` holds the formats themselves; this holds the commands and the containers.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::peers::{self, LIMITS};
use testkit::{Dockerd, checker};

use crate::project::Project;

const NAME: &str = "localhost/hello-name:v1";

/// Greets, and says whether the owner, the mode and the link that the build made have arrived.
const DOCKERFILE: &str = "FROM busybox\nENV NAME=dojin\nWORKDIR /app\nCOPY --chown=1000:1000 hello.sh .\n\
                          RUN chmod 4755 hello.sh && ln hello.sh again.sh && rm /etc/group\nEXPOSE 80\n\
                          LABEL maintainer=\"your-email@example.com\"\nENTRYPOINT [\"sh\", \"hello.sh\"]\nCMD [\"!\"]\n";

const SCRIPT: &str = "echo \"Hello $NAME$1\"\nstat -c '%a %u:%g %h' again.sh\nls /etc/group 2>/dev/null\nexit 3\n";

const SAYS: &str = "Hello dojin!\n4755 1000:1000 2\n";

/// The project with the image in it, its ID, and the archive that `save` has written (S250).
fn saved() -> (Project, String, PathBuf) {
    let project = Project::with(DOCKERFILE);
    project.file("hello.sh", SCRIPT);
    project.build(&["-t", NAME]).run().success();
    assert_eq!(project.onggi(["run", "--rm", NAME]).run().exits(3).stdout, SAYS);
    let archive = project.sandbox.path().join("saved.tar");
    project.ask(&["save", "-o", archive.to_str().unwrap(), NAME]);
    let id = project.inspect(NAME)["Id"].as_str().unwrap().to_owned();
    (project, id, archive)
}

#[track_caller]
fn ask(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A container of another tool says the same and ends the same way.
#[track_caller]
fn says_the_same(command: &mut Command) {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), SAYS, "{command:?}: {error}");
    assert_eq!(output.status.code(), Some(3), "{error}");
}

/// Loads an archive into an empty store and runs what is in it; gives the image's ID (S251).
#[track_caller]
fn loads_and_runs(archive: &Path, name: &str) -> String {
    let project = Project::without_base();
    let loaded = project.ask(&["load", "-i", archive.to_str().unwrap()]);
    assert_eq!(loaded, format!("Loaded image: {name}\n"));
    assert_eq!(project.onggi(["run", "--rm", name]).run().exits(3).stdout, SAYS);
    project.inspect(name)["Id"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "requires root, docker"]
fn s250_s251_docker_requires_root() {
    let (project, id, archive) = saved();
    let daemon = Dockerd::start(&project.sandbox.path().join("docker")).unwrap().unwrap();
    let loaded = ask(daemon.docker().arg("load").arg("-i").arg(&archive));
    assert_eq!(loaded.lines().last(), Some(&*format!("Loaded image: {NAME}")));
    assert_eq!(ask(daemon.docker().args(["image", "inspect", "-f", "{{.Id}}", NAME])).trim(), id);
    says_the_same(daemon.docker().args(["run", "--rm", "--network", "none", NAME]));

    let back = project.sandbox.path().join("back.tar");
    ask(daemon.docker().args(["save", "-o"]).arg(&back).arg(NAME));
    assert_eq!(loads_and_runs(&back, NAME), id);

    // What docker has built on top of ours, and the rows of its history as both show them.
    let file = project.sandbox.write("derived/Dockerfile", format!("FROM {NAME}\nUSER node\nCMD [\"!\"]\n"));
    let mut build = daemon.docker();
    build.env("DOCKER_BUILDKIT", "1").args(["build", "-q", "-t", "localhost/derived:v1"]).arg(file.parent().unwrap());
    let derived = ask(&mut build);
    ask(daemon.docker().args(["save", "-o"]).arg(&back).arg("localhost/derived:v1"));
    assert_eq!(loads_and_runs(&back, "localhost/derived:v1"), derived.trim());
    project.ask(&["load", "-q", "-i", back.to_str().unwrap()]);
    let columns = "{{.CreatedBy}}|{{.Size}}|{{.Comment}}";
    let theirs = ask(daemon.docker().args(["history", "--no-trunc", "--format", columns, "localhost/derived:v1"]));
    assert_eq!(project.ask(&["history", "--no-trunc", "--format", columns, "localhost/derived:v1"]), theirs);
}

#[test]
#[ignore = "requires root, podman"]
fn s250_s251_podman_requires_root() {
    let (project, id, archive) = saved();
    let home = project.sandbox.path().join("podman");
    let podman = || peers::podman(&home).unwrap();
    let loaded = ask(podman().arg("load").arg("-q").arg("-i").arg(&archive));
    assert_eq!(loaded.trim(), format!("Loaded image: {NAME}"));
    assert_eq!(format!("sha256:{}", ask(podman().args(["image", "inspect", "-f", "{{.Id}}", NAME])).trim()), id);
    says_the_same(podman().args(["run", "--rm", "--network", "none"]).args(LIMITS).arg(NAME));
    for format in ["docker-archive", "oci-archive"] {
        let back = project.sandbox.path().join(format);
        ask(podman().args(["save", "-q", "--format", format, "-o"]).arg(&back).arg(NAME));
        // podman rewrites the config for OCI, whoever reads it; the archive itself says which ID is right.
        let expected = config_digest(&format!("{format}:{}", back.display()));
        assert!(format == "oci-archive" || expected == id, "{expected}");
        assert_eq!(loads_and_runs(&back, NAME), expected, "{format}");
    }
    peers::release_storage(&home);
}

fn config_digest(source: &str) -> String {
    checker::digest(ask(Command::new("skopeo").args(["inspect", "--raw", "--config", source])).as_bytes())
}

#[test]
#[ignore = "requires root, skopeo"]
fn s250_s251_skopeo_requires_root() {
    let (project, id, archive) = saved();
    let archive = archive.display();
    for (format, suffix) in [("docker-archive", ""), ("oci-archive", "")] {
        let source = format!("{format}:{archive}{suffix}");
        assert_eq!(config_digest(&source), id, "{source}");
        let described: serde_json::Value =
            serde_json::from_str(&ask(Command::new("skopeo").args(["inspect", &source]))).unwrap();
        assert_eq!(described["Labels"]["maintainer"], "your-email@example.com");
        assert_eq!(described["Env"][1], "NAME=dojin", "{described}");
        let copied = project.sandbox.path().join(format);
        let target = format!("{format}:{}:{NAME}", copied.display());
        ask(Command::new("skopeo").args(["copy", "-q", &source, &target]));
        assert_eq!(loads_and_runs(&copied, NAME), id, "{source}");
    }
}
