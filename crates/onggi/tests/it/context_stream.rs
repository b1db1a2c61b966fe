//! Contexts that come as a stream: a tar on standard input, compressed or not (D151, D152), with the rules of every
//! context (D160 to D163).

use testkit::TarWriter;

use crate::build_project::{Project, file_digest, outcomes};

/// A context as a tar.
fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = TarWriter::default();
    for (name, content) in files {
        tar.file(name, 0o644, content.as_bytes());
    }
    tar.finish()
}

const DOCKERFILE: &str = "FROM busybox\nCOPY . /x/\n";

#[test]
fn d152_a_tar_on_standard_input_compressed_in_every_way() {
    let project = Project::new();
    let files =
        [("./Dockerfile", DOCKERFILE), ("./a", "1"), ("./d/b", "2"), (".dockerignore", "Dockerfile\n.dockerignore\n")];
    project.file("context.tar", tar(&files));
    let plain = std::fs::read(project.sandbox.work().join("context.tar")).unwrap();
    let built = project.onggi(["build", "-t", "plain", "-"]).stdin(plain).run().success();
    assert!(built.stderr.contains("[internal] load remote build context"), "{}", built.stderr);
    assert_eq!(project.names("plain", "x"), ["a", "d/", "d/b"]);
    assert_eq!(project.image("plain").tree["x/d/b"].kind, file_digest("2"));
    for tool in ["gzip", "bzip2", "xz", "zstd"] {
        let script = format!("{tool} -c context.tar | '{}' build -t {tool} -", testkit::binary().display());
        let found = project.sandbox.command("sh").arguments(["-c", &format!("command -v {tool}")]).run();
        if found.code != 0 {
            eprintln!("skipped: requires {tool}: d152_a_tar_on_standard_input_compressed_in_every_way");
            continue;
        }
        let built = project.sandbox.command("sh").arguments(["-c", &script]).run().success();
        assert_eq!(outcomes(&built), ["CACHED"; 2], "{tool}: the same files");
        assert_eq!(project.inspect(tool)["Id"], project.inspect("plain")["Id"]);
    }
}

#[test]
fn d152_the_dockerfile_is_the_one_in_the_tar() {
    let project = Project::new();
    // What is in the current folder does not count.
    project.dockerfile("FROM nothing\n").file("docker/web", "FROM nothing\n").file("a", "wrong");
    let context =
        tar(&[("docker/web", "FROM busybox\nCOPY a /web\n"), ("dockerfile", "FROM busybox\nCOPY a /y\n"), ("a", "1")]);
    project.onggi(["build", "-t", "web", "-f", "docker/web", "-"]).stdin(context.clone()).run().success();
    assert_eq!(project.image("web").tree["web"].kind, file_digest("1"));
    project.onggi(["build", "-t", "small", "-"]).stdin(context.clone()).run().success();
    assert_eq!(project.image("small").tree["y"].kind, file_digest("1"), "S084: `dockerfile` is found as well");
    // An absolute path is one of this machine.
    let own = project.sandbox.write("own", "FROM busybox\nCOPY a /own\n");
    let words = ["build", "-t", "own", "-f", own.to_str().unwrap(), "-"];
    project.onggi(words).stdin(context).run().success();
    assert_eq!(project.image("own").tree["own"].kind, file_digest("1"));
}

#[test]
fn d152_whoever_owned_the_files_links_and_modes_stay() {
    let project = Project::new();
    let mut tar = TarWriter::default();
    tar.file("Dockerfile", 0o644, b"FROM busybox\nCOPY d /x/\nCOPY link/tool /y\n");
    tar.folder("d", 0o750).file("d/tool", 0o755, b"run").symlink("d/to", "tool").hard_link("d/same", "d/tool");
    tar.symlink("link", "/d");
    project.onggi(["build", "-t", "app", "-"]).stdin(tar.finish()).run().success();
    let tree = project.image("app").tree;
    assert_eq!(tree["x/tool"].mode & 0o7777, 0o755);
    assert_eq!(tree["y"].kind, file_digest("run"), "links are followed within");
    assert_eq!(tree["x/same"].kind, tree["x/tool"].kind);
    assert_eq!(project.names("app", "x"), ["same", "to", "tool"]);
}

#[test]
fn d152_the_same_files_as_a_folder_give_the_same_layers_and_hits() {
    let project = Project::new();
    project.file("Dockerfile", "FROM busybox\nCOPY src /x/\n").file("src/a", "1").file("src/d/b", "2");
    project.build_app();
    let packed = project.sandbox.command("tar").arguments(["-c", "."]).to_std().output().unwrap().stdout;
    let built = project.onggi(["build", "-t", "streamed", "-"]).stdin(packed).run().success();
    assert_eq!(outcomes(&built), ["CACHED"; 2]);
    assert_eq!(project.inspect("streamed")["Id"], project.inspect("app")["Id"]);
}

#[test]
fn d161_d163_ignore_rules_hold_for_a_tar() {
    let project = Project::new();
    let files = [
        ("Dockerfile", DOCKERFILE),
        (".dockerignore", "*\n!src\nsrc/log\n!src/log/keep\n*.md\n"),
        ("README.md", "1"),
        ("src/a.js", "2"),
        ("src/log/b", "3"),
        ("src/log/keep", "4"),
    ];
    project.onggi(["build", "-t", "app", "-"]).stdin(tar(&files)).run().success();
    assert_eq!(project.names("app", "x"), ["src/", "src/a.js", "src/log/", "src/log/keep"]);
    let named = [("Dockerfile", "FROM busybox\nCOPY src/log/b /\n"), files[1], files[4]];
    let failed = project.onggi(["build", "-"]).stdin(tar(&named)).run().exits(1);
    assert!(
        failed.stderr.contains("`src/log/b` is excluded from the build context by the ignore file"),
        "{}",
        failed.stderr
    );
}

#[test]
fn d162_the_ignore_file_beside_the_dockerfile_wins() {
    let project = Project::new();
    project
        .file("build/web", DOCKERFILE)
        .file("build/web.dockerignore", "\u{feff}b\nbuild\n")
        .file(".dockerignore", "a\n")
        .file("a", "1")
        .file("b", "2");
    project.onggi(["build", "-t", "app", "-f", "build/web", "."]).run().success();
    assert_eq!(project.names("app", "x"), [".dockerignore", "a"]);
    // An empty one is one: nothing is left out.
    project.file("build/web.dockerignore", "");
    project.onggi(["build", "-t", "app", "-f", "build/web", "."]).run().success();
    assert_eq!(project.names("app", "x").len(), 6);
    // The same for `Dockerfile`, and in a tar.
    project.dockerfile(DOCKERFILE).file("Dockerfile.dockerignore", "*\n!b\n");
    project.build_app();
    assert_eq!(project.names("app", "x"), ["b"]);
    let files = [("d/web", DOCKERFILE), ("d/web.dockerignore", "d\n"), (".dockerignore", "a\n"), ("a", "1")];
    project.onggi(["build", "-t", "app", "-f", "d/web", "-"]).stdin(tar(&files)).run().success();
    assert_eq!(project.names("app", "x"), [".dockerignore", "a"]);
    // Its mistakes are shown under its own name.
    project.file("Dockerfile.dockerignore", "a[\n");
    let failed = project.build(&[]).run().exits(1);
    assert!(failed.stderr.contains("Dockerfile.dockerignore:1"), "{}", failed.stderr);
}

#[test]
fn d151_a_dockerfile_on_standard_input_has_no_context() {
    let project = Project::new();
    project.file("a", "1");
    project.onggi(["build", "-t", "app", "-"]).stdin("FROM busybox\nENV A=b\n").run().success();
    let failed = project.onggi(["build", "-"]).stdin("FROM busybox\nCOPY a /\n").run().exits(1);
    assert!(failed.stderr.contains("this build has no context"), "{}", failed.stderr);
}

#[test]
fn streams_that_are_no_context() {
    let project = Project::new();
    let whole = tar(&[("Dockerfile", DOCKERFILE), ("a", "1")]);
    // The word `text`, compressed.
    let gzip =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x2b\x49\xad\x28\x01\x00\xc7\xa7\x8b\x3b\x04\x00\x00\x00".to_vec();
    let zip = b"PK\x03\x04".iter().copied().chain(std::iter::repeat_n(b'x', 9 << 20)).collect::<Vec<u8>>();
    for (words, input, expected, hint) in [
        (&["build", "-"][..], Vec::new(), "error: ", ""),
        (
            &["build", "-"],
            whole[..700].to_vec(),
            "the build context from standard input cannot be read",
            "tar -c . | onggi build -",
        ),
        (&["build", "-"], gzip, "the build context from standard input cannot be read", "tar -c . | onggi build -"),
        (&["build", "-"], zip, "standard input is a zip archive", "as a folder"),
        (
            &["build", "-"],
            tar(&[("dockerfil", "FROM busybox\n")]),
            "there is no `Dockerfile` in the build context from standard input",
            "did you mean `-f dockerfil`?",
        ),
        (
            &["build", "-"],
            tar(&[("a", "1")]),
            "there is no `Dockerfile` in the build context from standard input",
            "name it with `-f PATH`",
        ),
        (
            &["build", "-f", "web", "-"],
            whole.clone(),
            "there is no `web` in the build context",
            "did you mean `-f Dockerfile`?",
        ),
        (
            &["build", "-f", "web", "-"],
            b"FROM busybox\n".to_vec(),
            "is a Dockerfile itself, and no archive",
            "onggi build -f web .",
        ),
        (&["build", "-f", "-", "-"], whole.clone(), "standard input cannot be both", "onggi build -f - ."),
    ] {
        let failed = project.onggi(words).stdin(input).run().exits(1);
        assert!(failed.stderr.contains(expected), "{words:?}: {}", failed.stderr);
        assert!(failed.stderr.contains(hint), "{words:?}: {}", failed.stderr);
    }
    assert_eq!(project.ask(&["images", "-aq"]).lines().count(), 1, "only busybox");
}
