//! `--build-context` on the command line, with images of this machine's other tools where they are layouts (B016, D159).

use crate::build_project::{Project, file_digest};

#[test]
fn b016_d159_folders_stages_and_images_by_name() {
    let project = Project::with("FROM alpine\nCOPY --from=docs a /docs/\nCOPY --from=tools /bin/busybox /b\n");
    project.file("docs/a", "1").file("docs/.dockerignore", "b\n");
    let flags = [
        "--build-context",
        "alpine=docker-image://busybox",
        "--build-context",
        "docs=docs",
        "--build-context=tools=docker-image://busybox",
    ];
    let built = project.build(&[&["-t", "app"], &flags[..]].concat()).run().success();
    assert!(built.stderr.contains("[context docs] load from client"), "{}", built.stderr);
    let tree = project.image("app").tree;
    assert_eq!(tree["docs/a"].kind, file_digest("1"));
    assert!(tree.contains_key("b") && tree.contains_key("bin/busybox"));
}

/// A folder with a name has an ignore file of its own, at its root, that nothing of the context's replaces.
#[test]
fn d164_the_ignore_file_of_a_folder_with_a_name() {
    let project = Project::with("FROM scratch\nCOPY --from=docs . /docs/\nCOPY *.txt /\n");
    project
        .file("docs/a.txt", "1")
        .file("docs/b.md", "2")
        .file("docs/sub/c.md", "3")
        .file("docs/sub/.dockerignore", "*\n");
    project.file("docs/.dockerignore", "# of the folder\n**/*.md\n!b.md\n.dockerignore\n");
    project.file("x.txt", "4").file("y.txt", "5").file(".dockerignore", "*\n!x.txt\n!a.txt\n");
    project.file("Dockerfile.dockerignore", "y.txt\n");
    project.build(&["-t", "app", "--build-context", "docs=docs"]).run().success();
    assert_eq!(project.names("app", "docs"), ["a.txt", "b.md", "sub/", "sub/.dockerignore"]);
    let tree = project.image("app").tree;
    assert!(tree.contains_key("x.txt") && !tree.contains_key("y.txt"));
}

/// buildah's name for an ignore file is a file like any other.
#[test]
fn d165_a_containerignore_is_an_ordinary_file() {
    let project = Project::with("FROM scratch\nCOPY . /all/\n");
    project.file(".containerignore", "a\n").file("a", "1").file(".dockerignore", "Dockerfile\n").build_app();
    assert_eq!(project.names("app", "all"), [".containerignore", ".dockerignore", "a"]);
    let refused = project.build(&["--ignorefile", ".containerignore"]).run();
    assert!(refused.code != 0 && refused.stderr.contains("--ignorefile"), "{}", refused.stderr);
}

#[test]
fn d158_object_stores_are_refused_by_name() {
    let project = Project::with("FROM busybox\nCOPY Dockerfile /x\n");
    for url in ["s3://bucket/context.tar.gz", "gs://bucket/context.tar", "az://container/context.tar"] {
        let failed = project.onggi(["build", url]).run().exits(1);
        let expected = format!("`{}://`: object stores are not supported", url.split(':').next().unwrap());
        assert!(failed.stderr.contains(&expected), "{}", failed.stderr);
        assert!(failed.stderr.contains("hint: fetch the archive with the store's own tool"), "{}", failed.stderr);
    }
    // What the hint says, with tar in the place of the store's tool.
    let typed = format!("tar -c Dockerfile | {} build -t app -", testkit::binary().display());
    project.sandbox.command("sh").arguments(["-c", &typed]).run().success();
}

#[test]
fn d159_an_oci_layout_that_onggi_wrote_itself() {
    let project = Project::with("FROM busybox\nENV A=b\nCOPY Dockerfile /\n");
    project.build_app();
    project.ask(&["save", "-o", "app.tar", "app"]);
    project.sandbox.command("sh").arguments(["-c", "mkdir layout && tar -xf app.tar -C layout"]).run().success();
    let other = Project::without_base();
    other.dockerfile("FROM app\nCOPY Dockerfile /second\n");
    let layout = project.sandbox.work().join("layout");
    for name in ["", ":latest"] {
        let context = format!("app=oci-layout://{}{name}", layout.display());
        other.build(&["-t", "next", "--build-context", &context]).run().success();
    }
    let image = other.image("next");
    assert_eq!(image.diff_ids[..image.diff_ids.len() - 1], project.image("app").diff_ids);
    assert!(other.config("next")["Env"].to_string().contains("A=b"));
    assert_eq!(other.ask(&["images", "-a", "--format", "{{.Repository}}"]), "next\n");
}

#[test]
fn b016_contexts_that_cannot_be() {
    let project = Project::with("FROM x\n");
    project.file("file", "1");
    for (context, expected) in [
        ("x", "`x` is not a context with a name"),
        ("x=", "`x=` is not a context with a name"),
        ("scratch=.", "`scratch` cannot be the name of a context"),
        ("A B=.", "`A B` cannot be the name of a context"),
        ("x=nope", "cannot open the context `x`, nope"),
        ("x=file", "cannot open the context `x`, file"),
        ("x=docker-image://nope:1", "docker.io/library/nope:1 is blocked by"),
        ("x=oci-layout://nope", "nope is not an OCI layout"),
        ("x=oci-layout://.", ". is not an OCI layout"),
        ("x=target:nope", "the context `x` is stage `nope`, which is not above this one"),
        ("x=ftp://example.com/x", "`ftp://` is not a kind of source"),
        ("x=https://example.com/r.git?ref=a#b", "names two values for the ref"),
        ("x::nonsense/a/b/c=.", "is not a platform"),
    ] {
        let failed = project.build(&["--build-context", context]).run().exits(1);
        assert!(failed.stderr.contains(expected), "{context}: {}", failed.stderr);
        assert!(failed.stderr.contains("hint: "), "{context}: {}", failed.stderr);
    }
}
