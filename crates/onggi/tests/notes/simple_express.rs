//! Note 4's `simple-express`: a web server with packages that are installed while the image is built.
//!
//! `npm` is a stand-in (see [`crate::debian_store`]) and `express` eight lines of node's `http`; the application, its
//! Dockerfile and its ignore file are the notes'.

use std::time::{Duration, Instant};

use crate::debian_store::project_with;
use crate::http::get;
use crate::project::{Project, outcomes};

const DOCKERFILE: &str = "FROM node:12-alpine\n\nWORKDIR /usr/src/app\n\nCOPY package*.json ./\n\nRUN npm install\n\n\
                          COPY . .\n\nEXPOSE 8080\nCMD [ \"npm\", \"start\" ]\n";

fn simple_express() -> Project {
    let project = project_with(DOCKERFILE);
    project
        .file("package.json", r#"{"scripts": {"start": "node index.js"}, "dependencies": {"express": "^4.17.1"}}"#)
        .file("package-lock.json", "from the developer's machine")
        .file("node_modules/express/index.js", "throw new Error('from the developer's machine')")
        .file("npm-debug.log", "noise")
        .file("README.md", "read me")
        .file(".git/HEAD", "ref: refs/heads/main\n")
        .file(".dockerignore", "node_modules\nnpm-debug.log\npackage-lock.json\n.git\nREADME.md\n")
        .file(
            "index.js",
            "const app = require('express')();\n\
             app.get('/', (req, res) => res.send('Hello World!'));\n\
             app.listen(8080, () => console.log('listening on 8080'));\n\
             process.on('SIGTERM', () => process.exit(0));\n",
        );
    project
}

#[test]
#[ignore = "requires root, debootstrap"]
fn s057_s153_s154_s161_s192_s193_simple_express_requires_root() {
    let project = simple_express();
    project.build(&["-t", "simple-express:alpine"]).run().success();
    // What the ignore file names came from `npm install`, not from the folder.
    assert_eq!(
        project.ask(&["run", "--rm", "simple-express:alpine", "ls", "-A"]),
        ".dockerignore\nDockerfile\nindex.js\nnode_modules\npackage-lock.json\npackage.json\n"
    );
    let lock = project.ask(&["run", "--rm", "simple-express:alpine", "cat", "package-lock.json"]);
    assert_eq!(lock, "{\"lockfileVersion\":1}");

    project.ask(&["run", "-d", "--rm", "--name", "simple-express-alpine", "simple-express:alpine"]);
    let inspected = project.ask(&["inspect", "simple-express-alpine"]);
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let address = inspected[0]["NetworkSettings"]["IPAddress"].as_str().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let answer = loop {
        match get((address, 8080)) {
            Ok(answer) => break answer,
            Err(error) => assert!(Instant::now() < end, "{address}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("Hello World!"), "{answer}");
    assert!(project.ask(&["logs", "simple-express-alpine"]).contains("listening on 8080"));
    project.ask(&["kill", "simple-express-alpine"]);
    let end = Instant::now() + Duration::from_secs(20);
    while !project.ask(&["ps", "-aq"]).is_empty() {
        assert!(Instant::now() < end, "--rm left the container behind");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The order of the notes pays: a change of the source does not install the packages again.
#[test]
#[ignore = "requires root, debootstrap"]
fn s111_s180_s183_packages_are_not_installed_again_requires_root() {
    let project = simple_express();
    project.build_app();
    project.file("README.md", "nobody looks at it").file("index.js", "console.log('changed')\n");
    let again = project.build_app();
    assert_eq!(outcomes(&again), ["CACHED", "CACHED", "CACHED", "CACHED", "DONE"], "{}", again.stderr);
    let package = r#"{"scripts": {"start": "node index.js"}, "dependencies": {"express": "^4.17.2"}}"#;
    project.file("package.json", package);
    let again = project.build_app();
    assert_eq!(outcomes(&again), ["CACHED", "CACHED", "DONE", "DONE", "DONE"], "{}", again.stderr);
}

/// S167: every instruction is one row of the history; those that make no layer say so.
#[test]
#[ignore = "requires root, debootstrap"]
fn s165_s166_s167_s309_instructions_and_rows_requires_root() {
    let project = simple_express();
    project.build_app();
    let rows = project.history("app");
    assert_eq!(
        rows[rows.len() - 6..],
        [
            "WORKDIR /usr/src/app",
            "COPY package*.json ./ # buildkit",
            "RUN /bin/sh -c npm install # buildkit",
            "COPY . . # buildkit",
            "EXPOSE [8080/tcp]",
            "CMD [\"npm\" \"start\"]"
        ]
    );
    let layers = |name: &str| project.inspect(name)["RootFS"]["Layers"].as_array().unwrap().len();
    assert_eq!(layers("app"), layers("node:12-alpine") + 4);
}
