//! Note 2's Dockerfiles of several stages, and its python one with everything in a single RUN.

use crate::debian_store::project_with;
use crate::project::{outcomes, steps};

const MAVEN: &str = "FROM maven:3.8-openjdk-11 AS build-stage\nWORKDIR /app\nCOPY . .\nRUN mvn package\n\n\
                     FROM openjdk:11-jre-slim as production-stage\nWORKDIR /app\n\
                     COPY --from=build-stage /app/target/myapp.jar /app/myapp.jar\n\
                     EXPOSE 8080\nENTRYPOINT [\"java\", \"-jar\", \"myapp.jar\"]\n";

#[test]
#[ignore = "requires root, debootstrap"]
fn s087_s088_s142_s143_s307_build_stage_and_production_stage_requires_root() {
    let project = project_with(MAVEN);
    project.file("src/main.sh", "echo Hello ${1:-dojin}\n").file(".dockerignore", "Dockerfile\n.dockerignore\n");
    project.build(&["-t", "my-java-app"]).run().success();
    assert_eq!(project.ask(&["run", "--rm", "my-java-app"]), "Hello dojin\n");
    assert_eq!(project.ask(&["run", "--rm", "my-java-app", "docker"]), "Hello docker\n");
    assert_eq!(project.names("my-java-app", "app"), ["myapp.jar"]);

    let target = project.build(&["--target", "BUILD-stage", "-t", "my-java-app-build"]).run().success();
    assert_eq!(outcomes(&target), ["CACHED", "CACHED", "CACHED", "CACHED"]);
    assert_eq!(project.names("my-java-app-build", "app"), ["src/", "src/main.sh", "target/", "target/myapp.jar"]);
}

/// FROM node:18 AS build-stage: the same image on both sides, and a stage that nobody asks for.
#[test]
#[ignore = "requires root, debootstrap"]
fn s143_a_stage_that_nobody_needs_is_not_built_requires_root() {
    let project = project_with(
        "FROM node:18 AS build-stage\nWORKDIR /src\nCOPY app.js .\n\
         RUN node -e \"fs.writeFileSync('app.min.js', fs.readFileSync('app.js', 'utf8').trim())\"\n\
         FROM node:18 AS test-stage\nRUN exit 1\n\
         FROM node:18 AS production-stage\nENV NAME=dojin\n\
         COPY --from=build-stage /src/app.min.js ./app.js\nCMD [\"node\", \"./app.js\"]\n",
    );
    project.file("app.js", "\n\nconsole.log('Hello ' + process.env.NAME)\n\n\n");
    let built = project.build(&["-t", "app"]).run().success();
    assert!(steps(&built.stderr).iter().all(|(name, _)| !name.contains("test-stage")), "{}", built.stderr);
    assert_eq!(project.ask(&["run", "--rm", "-e", "NAME=docker", "app"]), "Hello docker\n");
    project.build(&["--target", "test-stage"]).run().exits(1);
}

const PYTHON: &str = "FROM python:3.9-alpine\nLABEL maintainer=\"your-email@example.com\"\nARG VERSION=1.0\n\
                      ENV FOO=/bar\nRUN \\\n  apk add --no-cache bash curl git && \\\n  # tools of the build only\n  \
                      apk del --no-cache git\n\nADD . $FOO\nWORKDIR ${FOO}\nUSER root\nEXPOSE 80\n\
                      ENTRYPOINT [\"python3\", \"app.py\"]\nCMD [\"--help\"]\n";

#[test]
#[ignore = "requires root, debootstrap"]
fn s054_s055_s145_s159_s160_s162_to_s165_one_run_and_an_entrypoint_requires_root() {
    let project = project_with(PYTHON);
    project.file("app.py", "print('never run: python3 is a stand-in')\n");
    project.build(&["-t", "py"]).run().success();
    assert_eq!(project.ask(&["run", "--rm", "py"]), "python3 app.py --help\n");
    assert_eq!(project.ask(&["run", "--rm", "py", "--version"]), "python3 app.py --version\n");
    assert_eq!(project.ask(&["run", "--rm", "--entrypoint", "ls", "py"]), "Dockerfile\napp.py\n");
    assert_eq!(project.ask(&["run", "--rm", "--entrypoint", "id", "py", "-un"]), "root\n");
    let config = project.config("py");
    assert_eq!(config["Labels"]["maintainer"], "your-email@example.com");
    assert_eq!(config["ExposedPorts"], serde_json::json!({"80/tcp": {}}));
    assert_eq!((&config["User"], &config["WorkingDir"]), (&"root".into(), &"/bar".into()));

    // S055: without an entrypoint the words are the whole command line.
    project.dockerfile(&PYTHON.replace("ENTRYPOINT [\"python3\", \"app.py\"]\nCMD [\"--help\"]", "CMD [\"ls\"]"));
    project.build(&["-t", "plain"]).run().success();
    assert_eq!(project.ask(&["run", "--rm", "plain", "echo", "--rm", "-it"]), "--rm -it\n");

    // S160: what one RUN makes and takes away never reaches a layer.
    assert_eq!(project.names("py", "opt/apk"), ["bash/", "bash/data", "curl/", "curl/data"]);
    let size = project.ask(&["history", "--no-trunc", "--format", "{{.Size}} {{.CreatedBy}}", "py"]);
    let row = size.lines().find(|line| line.contains("apk add")).unwrap();
    assert!(row.starts_with("2MB RUN |1 VERSION=1.0 /bin/sh -c apk add --no-cache bash curl git &&"), "{row}");
}

/// S151, S158: `cd` ends with its RUN, redirections and quotes arrive at the shell as typed.
#[test]
#[ignore = "requires root, debootstrap"]
fn s151_s155_s158_cd_quotes_and_redirections_requires_root() {
    let project = project_with(
        "FROM ubuntu:18.04\nRUN cd /tmp\nRUN pwd > /pwd\nWORKDIR /var/www/html\nADD index.html .\n\
         RUN echo \"<h1>I-scream edu</h1>\" > eng.html\nCMD cat /pwd index.html eng.html\n",
    );
    project.file("index.html", "<p>note 4</p>\n");
    project.build_app();
    assert_eq!(project.ask(&["run", "--rm", "app"]), "/\n<p>note 4</p>\n<h1>I-scream edu</h1>\n");
}
