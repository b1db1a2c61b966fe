//! `build context ls`: what a build may use, and which line hid or kept a file (N004).

use testkit::TarWriter;

use crate::build_project::Project;

fn project() -> Project {
    let project = Project::new();
    project
        .file("Dockerfile", "FROM busybox\nCOPY . /x/\n")
        .file("a", "12345")
        .file("src/app", "1")
        .file("src/app.log", "22")
        .file("src/keep.log", "333")
        .file("docs/note", "4")
        .file(".dockerignore", "# logs\n**/*.log\n!src/keep.log\ndocs\n.dockerignore\n");
    project
}

#[test]
fn n004_lists_what_a_build_finds() {
    let project = project();
    let listed = project.onggi(["build", "context", "ls"]).run().success();
    assert_eq!(
        listed.stdout,
        "SIZE      PATH\n24B       Dockerfile\n5B        a\n          src/\n1B        src/app\n3B        src/keep.log\n"
    );
    assert!(listed.stderr.ends_with("4 files, 33B\n"), "{}", listed.stderr);
    project.build_app();
    let in_image: Vec<String> =
        project.names("app", "x").iter().map(|name| name.trim_end_matches('/').into()).collect();
    let listed = project.ask(&["image", "build", "context", "list", "--format", "{{.Path}}", "."]);
    assert_eq!(listed.lines().collect::<Vec<_>>(), in_image, "the same as COPY finds");
}

#[test]
fn n004_why_names_the_line_that_decides() {
    let project = project();
    for (path, expected) in [
        ("src/app.log", "`src/app.log` is left out: line 2 of .dockerignore decides: `**/*.log`\n"),
        (
            "./src/keep.log",
            "`src/keep.log` is part of the build context: line 3 of .dockerignore decides: `!src/keep.log`\n",
        ),
        ("/docs/note", "`docs/note` is left out: line 4 of .dockerignore decides: `docs`\n"),
        ("docs/", "`docs` is left out: line 4 of .dockerignore decides: `docs`\n"),
        ("src/app", "`src/app` is part of the build context: no line of .dockerignore speaks of it\n"),
        (".", "`.` is part of the build context: no line of .dockerignore speaks of it\n"),
    ] {
        assert_eq!(project.ask(&["build", "context", "ls", "--why", path, "."]), expected);
    }
    // The file beside a Dockerfile wins (D162).
    project.file("web", "FROM busybox\n").file("web.dockerignore", "src\n!src/app\n");
    assert_eq!(
        project.ask(&["build", "context", "ls", "-f", "web", "--why", "src"]),
        "`src` is left out, but for what later lines take back in: line 1 of web.dockerignore decides: `src`\n"
    );
    // Rules speak of paths without links.
    std::os::unix::fs::symlink("docs", project.sandbox.work().join("link")).unwrap();
    assert!(
        project.ask(&["build", "context", "ls", "--why", "link/note"]).starts_with("`docs/note` is left out: line 4")
    );
}

#[test]
fn n004_a_tar_on_standard_input_needs_no_dockerfile() {
    let project = Project::new();
    let mut tar = TarWriter::default();
    tar.file("a", 0o644, b"1").file("b", 0o644, b"2").symlink("c", "a").file(".dockerignore", 0o644, b"b\n");
    let tar = tar.finish();
    let listed = project.onggi(["build", "context", "ls", "-"]).stdin(tar.clone()).run().success();
    assert_eq!(listed.stdout, "SIZE      PATH\n2B        .dockerignore\n1B        a\n          c -> a\n");
    let why = project.onggi(["build", "context", "ls", "--why", "b", "-"]).stdin(tar).run().success();
    assert_eq!(why.stdout, "`b` is left out: line 1 of .dockerignore decides: `b`\n");
}

#[test]
fn n004_mistakes_say_what_to_do() {
    let project = project();
    for (words, message, hint) in [
        (&["ls", "--why", "src/ap"][..], "there is no `src/ap` in the build context", "did you mean `src/app`?"),
        (&["ls", "--why", "zzzzzzzz"], "there is no `zzzzzzzz` in the build context", "from the root of the context"),
        (&["ls", "--why", "a/b"], "there is no `a/b` in the build context", "from the root of the context"),
        (&["ls", "srx"], "cannot open the build context srx", "did you mean `src`?"),
        (&["ls", "a"], "the build context a is not a folder", "give the folder"),
        (&["ls", "-f", "nothing"], "cannot read the Dockerfile nothing", "`-f` is taken from the current folder"),
        (&[], "does not say what to do", "`onggi build ./context` builds a folder of that name"),
    ] {
        let failed = project.onggi([&["build", "context"], words].concat()).run().exits(1);
        assert!(failed.stderr.contains(message) && failed.stderr.contains(hint), "{words:?}: {}", failed.stderr);
    }
    let failed = project.onggi(["build", "context", "ls", "-"]).stdin("FROM busybox\n").run().exits(1);
    assert!(failed.stderr.contains("is a Dockerfile, and holds no files"), "{}", failed.stderr);
    project.file(".dockerignore", "[a\n");
    let failed = project.onggi(["build", "context", "ls"]).run().exits(1);
    assert!(failed.stderr.contains("--> .dockerignore:1:1"), "{}", failed.stderr);
}
