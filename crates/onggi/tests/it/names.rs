//! Names of images as they are typed, kept and shown (S001 to S010).

use std::fs;

use crate::build_project::Project;

/// `REPOSITORY:TAG` of all rows, sorted.
fn rows(project: &Project) -> Vec<String> {
    let text = project.ask(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

fn naming(project: &Project, tag: &str) -> String {
    let built = project.build(&["-t", tag]).run().success();
    let line = built.stderr.lines().find_map(|line| line.split_once(" naming to ")).unwrap();
    line.1.trim_end_matches(" done").to_owned()
}

#[test]
fn s001_s002_s003_s005_s006_s008_names_in_full() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    for (typed, full, shown) in [
        ("diamol/ch03-web-ping", "docker.io/diamol/ch03-web-ping:latest", "diamol/ch03-web-ping:latest"),
        ("hello-name:v2", "docker.io/library/hello-name:v2", "hello-name:v2"),
        ("diamol/node", "docker.io/diamol/node:latest", "diamol/node:latest"),
        (
            "123.dkr.ecr.ap-northeast-2.amazonaws.com/mzdtest:latest",
            "123.dkr.ecr.ap-northeast-2.amazonaws.com/mzdtest:latest",
            "123.dkr.ecr.ap-northeast-2.amazonaws.com/mzdtest:latest",
        ),
        ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
        ("here:5000/a", "here:5000/a:latest", "here:5000/a:latest"),
        ("here/a", "docker.io/here/a:latest", "here/a:latest"),
        (
            "voyagerwoo/simple-express:alpine",
            "docker.io/voyagerwoo/simple-express:alpine",
            "voyagerwoo/simple-express:alpine",
        ),
        ("docker.io/library/plain", "docker.io/library/plain:latest", "plain:latest"),
        ("index.docker.io/who/what:1", "docker.io/who/what:1", "who/what:1"),
    ] {
        assert_eq!(naming(&project, typed), full);
        assert!(rows(&project).contains(&shown.to_owned()), "{typed}: {:?}", rows(&project));
        for name in [typed, full, shown] {
            project.inspect(name);
        }
        project.ask(&["rmi", "--no-prune", typed]);
        assert!(!rows(&project).contains(&shown.to_owned()));
    }
}

#[test]
fn s004_name_tag_and_digest_together_are_shown_in_the_step() {
    let project = Project::new();
    let digest = project.base_digest();
    project.dockerfile(&format!("FROM busybox:latest@{digest}\nCMD [\"x\"]\n"));
    let built = project.build_app();
    assert!(built.stderr.contains(&format!("FROM docker.io/library/busybox:latest@{digest}")), "{}", built.stderr);
}

#[test]
fn s007_s206_another_name_is_a_row_and_no_copy() {
    let project = Project::new();
    let layers = || fs::read_dir(project.sandbox.root().join("layers")).unwrap().count();
    let before = layers();
    assert_eq!(project.ask(&["image", "tag", "busybox", "my-app:v1"]), "");
    project.ask(&["tag", "busybox:latest", "my-app:v2"]);
    assert_eq!(rows(&project), ["busybox:latest", "my-app:v1", "my-app:v2"]);
    let ids = project.ask(&["images", "-q"]);
    let ids: Vec<_> = ids.lines().collect();
    assert!(ids.iter().all(|id| *id == ids[0]) && !ids.is_empty());
    assert_eq!(layers(), before);
}

#[test]
fn s009_images_by_the_beginning_of_their_id() {
    let project = Project::new();
    let mut ids = Vec::new();
    while ids.len() < 17 {
        project.dockerfile(&format!("FROM busybox\nLABEL n={}\n", ids.len()));
        ids.push(project.build(&["-q"]).run().success().stdout.trim_end()["sha256:".len()..].to_owned());
    }
    let first = |id: &String| id.as_bytes()[0];
    let shared = ids.iter().find(|id| ids.iter().filter(|other| first(other) == first(id)).count() > 1).unwrap();
    let ambiguous = project.onggi(["image", "inspect", &shared[..1]]).run().exits(1);
    assert!(ambiguous.stderr.contains("ambiguous"), "{}", ambiguous.stderr);
    for text in [&shared[..12], shared, &format!("sha256:{shared}"), &format!("sha256:{}", &shared[..12])] {
        assert_eq!(project.inspect(text)["Id"], format!("sha256:{shared}"));
    }
    // The shortest beginning that is only one image's.
    let prefix = (1..64).find(|&n| ids.iter().filter(|id| id.starts_with(&shared[..n])).count() == 1).unwrap();
    let base = project.inspect("busybox")["Id"].as_str().unwrap()["sha256:".len()..].to_owned();
    if !base.starts_with(&shared[..prefix]) {
        project.ask(&["tag", &shared[..prefix], "found"]);
        assert_eq!(project.inspect("found")["Id"], format!("sha256:{shared}"));
    }
}

#[test]
fn s010_names_that_cannot_be_are_refused() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    for (name, cause) in [
        ("/simple-express:alpine", "empty"),
        ("a//b", "empty"),
        ("a/", "empty"),
        ("", "empty"),
        (":v1", "empty"),
        ("Simple-express", "lower case"),
        ("user/Simple", "lower case"),
        ("a:", "tag"),
        ("a:b:c", ""),
        ("a:-x", "tag"),
        ("a b", ""),
        ("a..b", ""),
        ("_a", ""),
        ("a@sha256:12", "digest"),
        ("../../../etc/passwd", ""),
    ] {
        for words in [&["tag", "busybox", name][..], &["build", "-q", "-t", name, "."]] {
            let refused = project.onggi(words).run();
            assert!([1, 125].contains(&refused.code), "{words:?}: {}", refused.snapshot());
            assert!(
                refused.stderr.starts_with("error: ") && refused.stderr.contains(cause),
                "{words:?}: {}",
                refused.stderr
            );
        }
    }
    assert_eq!(rows(&project), ["busybox:latest"]);
}
