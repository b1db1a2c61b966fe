//! Note 0's `hello-name`: a line of JavaScript that greets whoever `NAME` names.

use crate::debian_store::{project, project_with};
use crate::project::outcomes;

const DOCKERFILE: &str = "FROM node:18\n\nENV NAME=dojin\nWORKDIR .\nCOPY app.js .\n\nCMD [\"node\", \"./app.js\"]\n";

const APP: &str = "console.log(`Hello ${process.env.NAME}`);\n";

#[test]
#[ignore = "requires root, debootstrap"]
fn s046_s140_s144_s150_s152_s161_hello_name_requires_root() {
    let project = project_with(DOCKERFILE);
    project.file("app.js", APP);
    let built = project.onggi(["image", "build", "-t", "hello-name", "."]).run().success();
    assert!(built.stderr.contains("[internal] load metadata for docker.io/library/node:18\n"), "{}", built.stderr);
    let run = project.onggi(["container", "run", "hello-name"]).run().success();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("Hello dojin\n", ""));
    assert_eq!(project.ask(&["container", "run", "-e", "NAME=docker", "hello-name"]), "Hello docker\n");
    assert_eq!(
        project.history("hello-name")[1..],
        ["ENV NAME=dojin", "WORKDIR /", "COPY app.js . # buildkit", "CMD [\"node\" \"./app.js\"]"]
    );
    let sizes = project.ask(&["history", "--format", "{{.Size}} {{.Comment}}", "hello-name"]);
    let rows: Vec<&str> = sizes.lines().take(4).collect();
    let size = format!("{}B buildkit.dockerfile.v0", APP.len());
    let empty = "0B buildkit.dockerfile.v0";
    assert_eq!(rows, [empty, &size, empty, empty]);
}

#[test]
#[ignore = "requires root, debootstrap"]
fn s085_s086_the_dockerfile_from_standard_input_requires_root() {
    let project = project();
    project.file("app.js", APP);
    let text = "FROM node:18\nCMD [\"node\", \"./app.js\"]\nENV NAME=dojin\nCOPY app.js .\n";
    project.build(&["-t", "myimage-helloname:v1", "-f-"]).stdin(text).run().success();
    assert_eq!(project.ask(&["run", "--rm", "myimage-helloname:v1"]), "Hello dojin\n");
}

/// The exit code of the program is that of `run`, and what it says on each stream comes out of the same.
#[test]
#[ignore = "requires root, debootstrap"]
fn s045_s046_exit_code_and_streams_requires_root() {
    let project = project_with(DOCKERFILE);
    project.file("app.js", "console.log('out'); console.error('err'); process.exitCode = 42;\n");
    project.build_app();
    let run = project.onggi(["run", "--rm", "app"]).run().exits(42);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("out\n", "err\n"));
}

/// The notes' experiment: change the source, build again, and only what follows the change runs.
#[test]
#[ignore = "requires root, debootstrap"]
fn s180_s181_a_changed_source_requires_root() {
    let project = project_with(DOCKERFILE);
    project.file("app.js", APP);
    project.build(&["-t", "hello-name:v1"]).run().success();
    let again = project.build(&["-t", "hello-name:v2"]).run().success();
    assert_eq!(outcomes(&again), ["CACHED", "CACHED"]);
    project.file("app.js", APP.replace("Hello", "Annyeong"));
    let changed = project.build(&["-t", "hello-name:v3"]).run().success();
    assert_eq!(outcomes(&changed), ["CACHED", "DONE"]);
    assert_eq!(project.ask(&["run", "--rm", "hello-name:v2"]), "Hello dojin\n");
    assert_eq!(project.ask(&["run", "--rm", "hello-name:v3"]), "Annyeong dojin\n");
    let ids = project.ask(&["images", "--format", "{{.Tag}} {{.ID}}", "hello-name"]);
    let id = |tag: &str| ids.lines().find_map(|line| line.strip_prefix(&format!("{tag} "))).unwrap().to_owned();
    assert_eq!(id("v1"), id("v2"));
    assert_ne!(id("v2"), id("v3"));
}

#[test]
#[ignore = "requires root, debootstrap"]
fn s047_s048_what_the_container_sees_of_itself_requires_root() {
    let project = project_with(DOCKERFILE);
    project.file("app.js", "console.log(JSON.stringify([process.env, require('os').hostname()]));\n");
    project.build_app();
    let text = project.onggi(["run", "app"]).env("HOST_SECRET", "leaked").run().success().stdout;
    let seen: serde_json::Value = serde_json::from_str(&text).unwrap();
    let id = project.ask(&["ps", "-aq"]);
    assert_eq!(seen[1], id.trim());
    let mut names: Vec<&String> = seen[0].as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "HOSTNAME", "NAME", "PATH"]);
    assert_eq!(seen[0]["HOSTNAME"], id.trim());
}

/// ARG is for the build alone, ENV wins over ARG and `--build-arg`, and each takes effect below its line.
#[test]
#[ignore = "requires root, debootstrap"]
fn s145_s146_s147_s148_arg_and_env_requires_root() {
    let project = project_with(
        "FROM node:18\nRUN echo \"before: $NAME\" > /seen\nARG VERSION=1.0\nARG NAME=from-arg\n\
         RUN echo \"arg: $VERSION $NAME\" >> /seen\nENV NAME=dojin FOO=/bar\nRUN echo \"env: $VERSION $NAME\" >> /seen\n\
         ADD . $FOO\nWORKDIR $FOO\nCMD cat /seen && echo \"run: $VERSION $NAME\" && ls\n",
    );
    project.file("app.js", APP).file(".dockerignore", "Dockerfile\n");
    project.build(&["-t", "one"]).run().success();
    assert_eq!(
        project.ask(&["run", "--rm", "one"]),
        "before: \narg: 1.0 from-arg\nenv: 1.0 dojin\nrun:  dojin\napp.js\n"
    );
    let arguments = ["-t", "two", "--build-arg", "VERSION=2.0", "--build-arg", "NAME=typed"];
    let built = project.build(&arguments).run().success();
    assert_eq!(outcomes(&built)[..3], ["CACHED", "CACHED", "DONE"], "{}", built.stderr);
    assert_eq!(project.ask(&["run", "--rm", "two"]), "before: \narg: 2.0 typed\nenv: 2.0 dojin\nrun:  dojin\napp.js\n");
}
