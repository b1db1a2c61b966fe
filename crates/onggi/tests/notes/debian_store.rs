//! A store that holds the base images of the notes: Debian with Node.js under the names that the notes use.
//!
//! Nothing is pulled: `node:18` and the rest are one Debian root. Where a Dockerfile of the notes calls a program that
//! Debian's `nodejs` does not bring (`npm`, `mvn`, `java`, `apk`, `python3`), the base has a small stand-in of that
//! name, which does what the Dockerfile needs to see of it and nothing else.
//!
//! The store is made once for each binary under test and then linked into the sandbox of each test, not copied: layers
//! are never written again, and 250 MB a test would be slow.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use testkit::Debian;

use crate::project::Project;

/// Names for the plain Debian root.
const PLAIN: [&str; 4] = ["diamol/node", "node:lts-alpine", "ubuntu:18.04", "ubuntu:20.04"];

/// Names for the same with the stand-ins.
const WITH_STAND_INS: [&str; 4] =
    ["node:12-alpine", "maven:3.8-openjdk-11", "openjdk:11-jre-slim", "python:3.9-alpine"];

/// `npm install` and `npm start`: the first makes `node_modules` of the names in `package.json`, each a web server of
/// express's shape in eight lines of node's own `http`.
const NPM: &str = r#"#!/usr/bin/node
const fs = require("fs");
const manifest = JSON.parse(fs.readFileSync("package.json"));
const express = `const http = require("http");
module.exports = () => {
  const routes = {};
  return {
    get: (path, answer) => (routes[path] = answer),
    listen: (port, then) => http.createServer((request, response) => {
      response.send = (text) => response.end(text);
      (routes[request.url] || ((_, r) => { r.statusCode = 404; r.end(); }))(request, response);
    }).listen(port, then),
  };
};`;
if (process.argv[2] === "install") {
  const names = Object.keys(manifest.dependencies);
  for (const name of names) {
    fs.mkdirSync(`node_modules/${name}`, { recursive: true });
    fs.writeFileSync(`node_modules/${name}/index.js`, express);
  }
  fs.writeFileSync("package-lock.json", JSON.stringify({ lockfileVersion: 1 }));
  console.log(`\nadded ${names.length} packages`);
} else if (process.argv[2] === "start") {
  console.log(`> ${manifest.scripts.start}`);
  require("child_process").spawn("/bin/sh", ["-c", `exec ${manifest.scripts.start}`], { stdio: "inherit" });
}
"#;

/// `mvn package` packs the sources into one file.
const MVN: &str = "#!/bin/sh\nset -e\n[ \"$1\" = package ]\nmkdir target\ncat src/* > target/myapp.jar\n";

/// `java -jar FILE` runs that file.
const JAVA: &str = "#!/bin/sh\n[ \"$1\" = -jar ] && shift && exec sh \"$@\"\n";

/// `python3 FILE WORDS`: says what it was given.
const PYTHON: &str = "#!/bin/sh\necho \"python3 $*\"\n";

/// `apk add NAMES` makes a program of each name with a megabyte of data, `apk del` takes them away.
const APK: &str = r#"#!/bin/sh
set -e
verb=$1; shift
for name in "$@"; do
  case $verb:$name in
    *:--no-cache) ;;
    add:*) mkdir -p /opt/apk/$name; head -c 1000000 /dev/zero > /opt/apk/$name/data; ln -sf true /usr/bin/apk-$name ;;
    del:*) rm -r /opt/apk/$name /usr/bin/apk-$name ;;
  esac
done
"#;

/// A project whose store has the notes' base images, and nothing else.
pub(crate) fn project() -> Project {
    let project = Project::without_base();
    link_folder(&store(), &project.sandbox.root());
    project
}

/// The same with a Dockerfile.
pub(crate) fn project_with(dockerfile: &str) -> Project {
    let project = project();
    project.dockerfile(dockerfile);
    project
}

fn store() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (store, stamp) = (cache.join("debian-store"), cache.join("debian-store.stamp"));
    let binary = fs::metadata(testkit::binary()).unwrap();
    let now = format!("{:?} {}", binary.modified().unwrap(), binary.len());
    let lock = fs::File::create(cache.join("debian-store.lock")).unwrap();
    lock.lock().unwrap();
    if fs::read_to_string(&stamp).is_ok_and(|made| made == now) {
        return store;
    }
    if store.exists() {
        fs::remove_dir_all(&store).unwrap();
    }
    let project = Project::without_base();
    let tar = testkit::debian_root_tar(Debian::Node);
    project.ask(&["import", "--change", "CMD [\"node\"]", tar.to_str().unwrap(), "node:18"]);
    for name in PLAIN {
        project.ask(&["tag", "node:18", name]);
    }
    for (name, text) in [("npm", NPM), ("mvn", MVN), ("java", JAVA), ("python3", PYTHON), ("apk", APK)] {
        let path = project.sandbox.write(format!("bin/{name}"), text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    project.dockerfile("FROM node:18\nCOPY bin /usr/local/bin\n");
    let tags = WITH_STAND_INS.map(|name| format!("--tag={name}"));
    project.build(&tags.each_ref().map(String::as_str)).run().success();
    link_folder(&project.sandbox.root(), &store);
    fs::write(&stamp, now).unwrap();
    store
}

/// Layers are linked; everything else is small, and may be written again.
fn link_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => link_folder(&entry.path(), &target),
            kind if kind.is_symlink() => {
                std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
            }
            _ if from.ends_with("layers") => fs::hard_link(entry.path(), &target).unwrap(),
            _ => drop(fs::copy(entry.path(), &target).unwrap()),
        }
    }
}
