//! What of the machine a build can reach: the files below one folder, less those that the ignore file takes out
//! (S190 to S194).

use std::fs;
use std::os::unix::fs::symlink;

use crate::build_project::{Project, file_digest, outcomes};

#[test]
fn s190_paths_begin_at_the_context_however_they_are_written() {
    let project = Project::new();
    project.file("outside", "no").file("context/inside", "yes").file("context/deep/inside", "yes");
    for source in ["inside", "/inside", "./inside", "../inside", "../../../inside", "deep/../inside"] {
        let text = format!("FROM busybox\nCOPY {source} /x\n");
        project.onggi(["build", "-t", "app", "-f-", "context"]).stdin(text).run().success();
        assert_eq!(project.image("app").tree["x"].kind, file_digest("yes"), "{source}");
    }
    let failed = project.onggi(["build", "-f-", "context"]).stdin("FROM busybox\nCOPY ../outside /x\n").run().exits(1);
    assert!(failed.stderr.contains("is not in the build context"), "{}", failed.stderr);
}

/// A link that leads out is taken as leading to a place of the same name inside (field notes, CVE-2018-15664).
#[test]
fn s190_links_do_not_lead_out_of_the_context() {
    let project = Project::with("FROM busybox\nCOPY . /all/\n");
    let work = project.sandbox.work();
    project.file("real/file", "inside");
    symlink("/etc", work.join("etc")).unwrap();
    symlink("../../../../etc/passwd", work.join("passwd")).unwrap();
    symlink("/real", work.join("absolute")).unwrap();
    project.build_app();
    // Copied as links, not followed.
    assert_eq!(project.names("app", "all").join(" "), "Dockerfile absolute etc passwd real/ real/file");
    for source in ["passwd", "etc/passwd", "etc/hostname"] {
        let text = format!("FROM busybox\nCOPY {source} /x\n");
        project.build(&["-f-"]).stdin(text).run().exits(1);
    }
    project.build(&["-f-", "-t", "app"]).stdin("FROM busybox\nCOPY absolute/file /x\n").run().success();
    assert_eq!(project.image("app").tree["x"].kind, file_digest("inside"));
}

#[test]
fn s191_d150_the_size_of_what_was_read_is_told() {
    let project = Project::with("FROM busybox\nCOPY part /part\n");
    project.file("part/a", vec![b'x'; 12_345]).file("unused/big", vec![b'x'; 3_000_000]);
    project.wait_for_the_clock();
    let built = project.build_app();
    assert!(built.stderr.contains(" transferring context: 12.35kB done\n"), "{}", built.stderr);
    project.dockerfile("FROM busybox\nCOPY . /all\n").file(".dockerignore", "unused\nDockerfile\n.dockerignore\n");
    project.wait_for_the_clock();
    assert!(project.build_app().stderr.contains(" transferring context: 0B done\n"), "known from the build before");
}

#[test]
fn s192_the_notes_ignore_file() {
    let project = Project::with("FROM busybox\nWORKDIR /usr/src/app\nCOPY . .\n");
    project.file(".dockerignore", "node_modules\nnpm-debug.log\npackage-lock.json\n.git\nREADME.md\n");
    for name in [
        "node_modules/a/b.js",
        "npm-debug.log",
        "package-lock.json",
        "package.json",
        ".git/HEAD",
        "README.md",
        "app.js",
    ] {
        project.file(name, name);
    }
    project.build_app();
    assert_eq!(project.names("app", "usr/src/app"), [".dockerignore", "Dockerfile", "app.js", "package.json"]);
    // What is left out does not matter to the cache either.
    project.file("node_modules/a/b.js", "changed").file("README.md", "changed");
    assert_eq!(outcomes(&project.build_app()), ["CACHED"; 3]);
}

#[test]
fn s192_patterns_of_the_ignore_file() {
    for (patterns, left) in [
        ("*.md\n!README.md\n", "README.md a.js docs/ docs/b.md src/ src/c.js src/deep/ src/deep/d.md"),
        ("**/*.md\n", "a.js docs/ src/ src/c.js src/deep/"),
        ("docs\nsrc/deep\n", "NOTES.md README.md a.js src/ src/c.js"),
        ("/docs/\n./src\n", "NOTES.md README.md a.js"),
        ("*\n!src/c.js\n", "src/ src/c.js"),
        ("src\n!src/deep/d.md\n", "NOTES.md README.md a.js docs/ docs/b.md src/ src/deep/ src/deep/d.md"),
        ("# a comment\n\n  *.js  \n", "NOTES.md README.md docs/ docs/b.md src/ src/c.js src/deep/ src/deep/d.md"),
        ("?OTES.md\n[a-b].js\n", "README.md docs/ docs/b.md src/ src/c.js src/deep/ src/deep/d.md"),
        ("*/*.md\n*/*/*.md\n", "NOTES.md README.md a.js docs/ src/ src/c.js src/deep/"),
        ("\u{feff}docs\r\nsrc\r\n", "NOTES.md README.md a.js"),
    ] {
        let project = Project::with("FROM busybox\nCOPY . /x/\n");
        for name in ["README.md", "NOTES.md", "a.js", "docs/b.md", "src/c.js", "src/deep/d.md"] {
            project.file(name, "1");
        }
        project.file(".dockerignore", format!("{patterns}Dockerfile\n.dockerignore\n"));
        project.build_app();
        assert_eq!(project.names("app", "x").join(" "), left, "{patterns:?}");
    }
}

#[test]
fn s192_the_ignore_file_stands_at_the_root_of_the_context_and_the_dockerfile_may_be_ignored() {
    let project = Project::new();
    project.file(".dockerignore", "kept\n").file("context/kept", "1").file("context/left-out", "1");
    project.file("context/.dockerignore", "left-out\nDockerfile\n.dockerignore\n");
    project.file("context/sub/.dockerignore", "file\n").file("context/sub/file", "1");
    project.file("context/Dockerfile", "FROM busybox\nCOPY . /x/\n");
    project.onggi(["build", "-t", "app", "context"]).run().success();
    assert_eq!(project.names("app", "x"), ["kept", "sub/", "sub/.dockerignore", "sub/file"]);
}

#[test]
fn s194_dockerfile_and_context_in_different_places() {
    let project = Project::new();
    project
        .file("build/web.Dockerfile", "FROM busybox\nCOPY a /\n")
        .file("src/a", "the context's")
        .file("build/a", "no");
    let built = project.onggi(["build", "-t", "app", "-f", "build/web.Dockerfile", "src"]).run().success();
    assert!(built.stderr.contains("load build definition from web.Dockerfile"), "{}", built.stderr);
    assert_eq!(project.image("app").tree["a"].kind, file_digest("the context's"));
}

#[test]
#[ignore = "requires root"]
fn s193_what_run_makes_is_there_though_the_ignore_file_names_it_requires_root() {
    let project = Project::with(
        "FROM busybox\nWORKDIR /usr/src/app\nCOPY package*.json ./\nRUN mkdir node_modules && touch package-lock.json\nCOPY . .\n",
    );
    project.file(".dockerignore", "node_modules\npackage-lock.json\nDockerfile\n.dockerignore\n");
    project.file("package.json", "{}").file("package-lock.json", "{}").file("node_modules/host", "1");
    project.build_app();
    assert_eq!(project.ask(&["run", "--rm", "app", "ls"]), "node_modules\npackage-lock.json\npackage.json\n");
    assert_eq!(project.ask(&["run", "--rm", "app", "ls", "node_modules"]), "");
}

#[test]
fn names_with_any_byte_and_files_that_are_no_files() {
    use std::os::unix::ffi::OsStrExt;
    let project = Project::with("FROM busybox\nCOPY files /x/\n");
    project.file("files/옹기 \u{1b}[31m\n", "1");
    fs::write(project.sandbox.work().join("files").join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "2").unwrap();
    let socket = std::os::unix::net::UnixListener::bind(project.sandbox.work().join("files/socket")).unwrap();
    let built = project.build_app();
    drop(socket);
    assert!(!built.stderr.contains('\x1b'));
    let names = project.names("app", "x");
    assert!(names.contains(&"옹기 \u{1b}[31m\n".to_owned()) && names.len() >= 2, "{names:?}");
}
