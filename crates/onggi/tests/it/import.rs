//! `import`: tarballs of files from everywhere become images (C110).

use std::fs;

use serde_json::json;
use testkit::{HttpServer, Request, Response, TarWriter};

use crate::build_project::Project;

fn tarball() -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.file("etc/motd", 0o644, b"hello\n").file("bin/tool", 0o755, b"#!/bin/true\n");
    tar.finish()
}

/// The only layer and the remark of its history.
fn made(project: &Project, name: &str) -> (String, String) {
    let image = project.image(name);
    assert_eq!(image.diff_ids.len(), 1);
    assert!(image.tree.contains_key("etc/motd"));
    let comment = project.ask(&["history", "--format", "{{.Comment}}", name]);
    (image.diff_ids[0].clone(), comment.trim_end().to_owned())
}

#[test]
fn c110_from_a_file_a_stream_and_compressed() {
    let project = Project::without_base();
    project.file("root.tar", tarball());
    let id = project.ask(&["import", "root.tar", "plain"]);
    assert_eq!(id.trim_end(), project.inspect("plain")["Id"]);
    let (layer, comment) = made(&project, "plain");
    assert_eq!(comment, "Imported from -");
    for (name, words) in [("stdin", "- stdin < root.tar"), ("piped", "- piped"), ("packed", "packed.gz packed")] {
        let script = format!("gzip -c root.tar > packed.gz; cat root.tar | \"$0\" import {words}");
        project.sandbox.command("sh").arguments(["-c", &script, testkit::binary().to_str().unwrap()]).run().success();
        assert_eq!(made(&project, name), (layer.clone(), "Imported from -".to_owned()), "{name}");
    }
    // Without a name it is there all the same.
    let nameless = project.ask(&["image", "import", "-m", "by hand", "root.tar"]);
    assert_eq!(made(&project, nameless.trim_end()), (layer, "by hand".to_owned()));
}

#[test]
fn c110_changes_and_platform_are_in_the_config() {
    let project = Project::without_base();
    project.file("root.tar", tarball());
    let changes = [
        "ENV A=b C=\"d e\"",
        "WORKDIR /srv",
        "EXPOSE 80",
        "VOLUME /data",
        "USER 7:8",
        "LABEL x=y",
        "ENTRYPOINT [\"tool\"]",
        "CMD one two",
    ];
    let mut words = vec!["import", "--platform", "linux/s390x"];
    words.extend(changes.iter().flat_map(|change| ["-c", *change]));
    project.ask(&[&words[..], &["root.tar", "app:v1"]].concat());
    let image = project.inspect("app:v1");
    assert_eq!((&image["Architecture"], &image["Os"]), (&json!("s390x"), &json!("linux")));
    let config = &image["Config"];
    assert_eq!(config["Env"], json!(["A=b", "C=d e"]));
    assert_eq!((&config["WorkingDir"], &config["User"]), (&json!("/srv"), &json!("7:8")));
    assert_eq!((&config["ExposedPorts"], &config["Volumes"]), (&json!({"80/tcp": {}}), &json!({"/data": {}})));
    assert_eq!((&config["Labels"], &config["Entrypoint"]), (&json!({"x": "y"}), &json!(["tool"])));
    assert_eq!(config["Cmd"], json!(["/bin/sh", "-c", "one two"]));
    for (words, problem) in [
        (["import", "-c", "RUN x", "root.tar"], "cannot apply the change `RUN x`"),
        (["import", "--platform", "plan9/amd64", "root.tar"], "`plan9` is not an operating system"),
        (["import", "-m", "x", "nothing.tar"], "cannot read `nothing.tar`"),
    ] {
        let refused = project.onggi(words).run();
        assert!(refused.code != 0 && refused.stderr.contains(problem), "{}", refused.stderr);
    }
    assert_eq!(project.ask(&["images", "-aq"]).lines().count(), 1);
}

/// A server's tarball is taken in while it comes; what breaks off, or is none, leaves nothing.
#[test]
fn c110_from_a_server() {
    let server = HttpServer::serving(|request: &Request| match request.path.as_str() {
        "/root.tar" => Response::ok(tarball()),
        "/moved" => Response::status(302).header("Location", "/root.tar"),
        "/private.tar" if request.header("authorization") == Some("Basic bWU6c2VjcmV0") => Response::ok(tarball()),
        "/private.tar" => Response::status(401),
        "/cut.tar" => Response { missing: 4096, ..Response::ok(&tarball()[..1024]) },
        "/text" => Response::ok("no tarball at all"),
        _ => Response::status(404),
    });
    let project = Project::without_base();
    let host = format!("127.0.0.1:{}", server.port());
    for (path, name) in [("/root.tar", "plain"), ("/moved", "moved")] {
        let url = format!("http://{host}{path}");
        project.ask(&["import", &url, name]);
        assert_eq!(made(&project, name).1, format!("Imported from {url}"));
    }
    // The password goes to the server, and into nothing that is kept.
    project.ask(&["import", &format!("http://me:secret@{host}/private.tar"), "private"]);
    assert_eq!(made(&project, "private").1, format!("Imported from http://{host}/private.tar"));
    for (url, problem) in [
        (format!("http://{host}/nothing.tar"), "the server answered 404"),
        (format!("http://me:wrong@{host}/private.tar"), "the server answered 401"),
        (format!("http://{host}/cut.tar"), "cannot fetch"),
        (format!("http://{host}/text"), "the tarball cannot be a layer"),
        ("http://".to_owned(), "is not a valid URL"),
    ] {
        let refused = project.onggi(["import", &url, "bad"]).run().exits(1);
        assert!(refused.stderr.contains(problem) && !refused.stderr.contains("wrong"), "{url}: {}", refused.stderr);
    }
    assert_eq!(project.ask(&["images", "-aq"]).lines().count(), 3);
    let kept = fs::read_dir(project.sandbox.root().join("layers")).unwrap().count();
    let one = Project::without_base();
    one.file("root.tar", tarball());
    one.ask(&["import", "root.tar", "plain"]);
    assert_eq!(kept, fs::read_dir(one.sandbox.root().join("layers")).unwrap().count());
}
