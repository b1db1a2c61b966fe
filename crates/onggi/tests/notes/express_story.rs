//! Note 4's second half with the real `npm`: packages come from the registry while the image is built, the server is
//! reached by a published port, and a shell looks at it from inside.

use std::time::{Duration, Instant};

use testkit::Terminal;

use crate::debian_store::project_with;
use crate::http::get;
use crate::project::Project;

const PATIENCE: Duration = Duration::from_secs(300);

const DOCKERFILE: &str = "FROM node:12-alpine\n\nWORKDIR /usr/src/app\n\nCOPY package*.json ./\n\nRUN npm install\n\n\
                          COPY . .\n\nEXPOSE 8080\nCMD [ \"npm\", \"start\" ]\n";

const PACKAGE: &str = r#"{
  "name": "simple-express",
  "version": "1.0.0",
  "main": "index.js",
  "scripts": { "start": "node index.js" },
  "dependencies": { "express": "^4.17.1" }
}
"#;

const INDEX: &str = "const express = require('express')\nconst app = express()\n\
                     app.get('/', (req, res) => res.send('Hello World!'))\n\
                     app.listen(8080, () => console.log('Example app listening at http://localhost:8080'))\n";

/// Whom this machine believes: where a proxy stands between it and the registry, the container must believe it too.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Debian with its `npm` under the note's name; Alpine's shell is one of the names of a shell there.
fn project() -> Project {
    let project = project_with(
        "FROM node:18\nRUN apt-get update && apt-get install -y --no-install-recommends npm\n\
         RUN ln -s dash /bin/ash\nCOPY authorities.crt /etc/ssl/certs/ca-certificates.crt\n\
         ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\nCMD [\"node\"]\n",
    );
    project.file("authorities.crt", std::fs::read(AUTHORITIES).unwrap_or_default());
    project.build(&["-t", "node:12-alpine"]).limit(PATIENCE).run().success();
    project.dockerfile(DOCKERFILE);
    project.file("package.json", PACKAGE).file("index.js", INDEX);
    project.file(".dockerignore", "node_modules\nnpm-debug.log\n");
    project
}

#[test]
#[ignore = "requires root, debootstrap, Debian's mirror, npm's registry"]
fn s052_s057_s058_s112_express_with_npm_requires_root() {
    let project = project();
    let built = project.build(&["-t", "simple-express:alpine", "--progress", "plain"]).limit(PATIENCE).run().success();
    assert!(built.stderr.contains("added ") && built.stderr.contains(" packages"), "{}", built.stderr);

    let words = ["run", "-d", "--rm", "-p", "127.0.0.1::8080", "--name", "simple-express-alpine"];
    project.ask(&[&words[..], &["simple-express:alpine"]].concat());
    let port = project.ask(&["port", "simple-express-alpine", "8080/tcp"]);
    let port = port.trim_end();
    assert!(port.starts_with("127.0.0.1:"), "{port}");
    let end = Instant::now() + PATIENCE;
    let answer = loop {
        match get(port) {
            Ok(answer) if !answer.is_empty() => break answer,
            other => assert!(Instant::now() < end, "{port}: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(answer.contains("X-Powered-By: Express") && answer.ends_with("Hello World!"), "{answer}");
    assert!(project.ask(&["logs", "simple-express-alpine"]).contains("Example app listening"));

    // S058: the shell starts in the image's folder.
    let command = project.onggi(["exec", "-it", "simple-express-alpine", "ash"]);
    let mut terminal = Terminal::start(&command, 100, 30);
    terminal.wait_for("# ", PATIENCE);
    terminal.write("pwd; ls; exit 3\n");
    let (code, shown) = terminal.finish(PATIENCE);
    assert_eq!(code, 3, "{shown}");
    for text in ["/usr/src/app", "index.js", "node_modules", "package-lock.json"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    project.ask(&["stop", "-t", "1", "simple-express-alpine"]);
    assert_eq!(project.ask(&["ps", "-aq"]), "");
}
