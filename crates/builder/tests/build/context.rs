//! The context: what is reachable, what the ignore file takes out, what happens when there is none.

use crate::kitchen::Kitchen;

/// Files, ignore file, instructions after `FROM base`, changes or error.
#[track_caller]
fn check(cases: &[(&str, &str, &str, &str)]) {
    for (files, ignore, instructions, expected) in cases {
        let kitchen = Kitchen::with(files);
        std::fs::write(kitchen.context().join(".dockerignore"), ignore).unwrap();
        let outcome = kitchen.build(&format!("FROM base\n{instructions}"));
        let seen = if outcome.result.is_ok() { outcome.changes() } else { outcome.error() };
        assert_eq!(seen, *expected, "for\n{ignore}\nand\n{instructions}");
    }
}

#[test]
fn s192_d160_d161_the_ignore_file() {
    let files =
        "node_modules/x=1 .git/HEAD=2 README.md=3 app.js=4 src/a.js=5 src/README.md=6 src/log/keep=7 src/log/b=8";
    check(&[
        (
            files,
            "node_modules\n.git\nREADME.md\n.dockerignore",
            "COPY . /x/",
            "/x/ 755\n/x/app.js 644 \"4\"\n/x/src/ 755\n/x/src/README.md 644 \"6\"\n/x/src/a.js 644 \"5\"\n\
             /x/src/log/ 755\n/x/src/log/b 644 \"8\"\n/x/src/log/keep 644 \"7\"",
        ),
        (files, "*\n!app.js", "COPY . /x/", "/x/ 755\n/x/app.js 644 \"4\""),
        (files, "**\n!src/log/keep", "COPY . /x/", "/x/ 755\n/x/src/ 755\n/x/src/log/ 755\n/x/src/log/keep 644 \"7\""),
        (files, "**/*.md\nsrc/log", "COPY src /x/", "/x/ 755\n/x/a.js 644 \"5\""),
    ]);
    check(&[("a.md=1 b.js=2", "*.md", "COPY *.* /x/", "/x/ 755\n/x/.dockerignore 644 \"*.md\"\n/x/b.js 644 \"2\"")]);
}

#[test]
fn s157_a_file_that_is_ignored_is_named() {
    check(&[
        (
            "a=1",
            "a",
            "COPY a /",
            "line 2: `a` is excluded from the build context by the ignore file [left out by .dockerignore]\n  help: \
             add the line `!a` to .dockerignore, or copy something else",
        ),
        (
            "d/a=1",
            "d",
            "COPY d/a /",
            "line 2: `d/a` is excluded from the build context by the ignore file [left out by .dockerignore]\n  help: \
             add the line `!d/a` to .dockerignore, or copy something else",
        ),
        (
            "d/a=1",
            "d",
            "COPY d /",
            "line 2: `d` is excluded from the build context by the ignore file [left out by .dockerignore]\n  help: \
             add the line `!d` to .dockerignore, or copy something else",
        ),
        (
            "a.js=1 b.js=2",
            "*.js",
            "COPY *.js /",
            "line 2: no source files match `*.js`\n  help: check the pattern, and that .dockerignore does not leave \
             the files out",
        ),
    ]);
}

#[test]
fn all_missing_files_are_reported_at_once() {
    let kitchen = Kitchen::with("a=1");
    let error = kitchen.build("FROM base\nRUN say\nCOPY b c /\nCOPY a /\nCOPY d /").error();
    let lines: Vec<&str> = error.lines().filter(|line| line.starts_with("line")).collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert_eq!(kitchen.recorder.calls(), "");
}

#[test]
fn d151_a_build_without_a_context() {
    let kitchen = Kitchen::new();
    let build = |file: &str| kitchen.build_as(file, |request| request.context = None);
    assert_eq!(build("FROM base\nRUN write /a b").changes(), "/a 644 \"b\"");
    assert_eq!(
        build("FROM base\nCOPY a /").error(),
        "line 2: `a` cannot be copied: this build has no context\n  help: give a folder as the build context, as in \
         `onggi build .`"
    );
}

#[test]
fn a_context_that_is_not_there() {
    let kitchen = Kitchen::new();
    let place = kitchen.context().join("nothere");
    let outcome = kitchen.build_as("FROM base\nCOPY a /", |request| request.context = Some(place.clone().into()));
    assert_eq!(outcome.error(), format!("cannot open the build context {}", place.display()));
}

#[test]
fn s194_the_dockerfile_need_not_be_in_the_context() {
    let kitchen = Kitchen::with("a=1");
    let outcome = kitchen.build_as("FROM base\nCOPY . /x/", |request| {
        request.dockerfile_name = "Dockerfile.dev".to_owned();
    });
    assert!(outcome.text().starts_with("[internal] load build definition from Dockerfile.dev\n"));
    assert_eq!(outcome.changes(), "/x/ 755\n/x/a 644 \"1\"");
}

#[test]
fn s193_what_a_command_makes_is_not_ignored() {
    check(&[(
        "node_modules/x=1",
        "node_modules\n.dockerignore",
        "COPY . .\nRUN write /node_modules/y 2",
        "/node_modules/ 755\n/node_modules/y 644 \"2\"",
    )]);
}

#[test]
fn a_file_that_cannot_be_read() {
    let kitchen = Kitchen::with("a:000=1");
    if rustix::process::geteuid().is_root() {
        // Root reads everything.
        return;
    }
    let error = kitchen.build("FROM base\nCOPY a /").error();
    assert!(error.contains("line 2: cannot read `a` of the build context"), "{error}");
}

#[test]
fn a_file_that_changes_during_the_build_is_not_copied() {
    let kitchen = Kitchen::with("a=1 b=2");
    let request = kitchen.request("FROM base\nRUN nothing\nCOPY . /x/");
    let outcome = kitchen.run_watched(&request, &|event| {
        if matches!(event, builder::Event::StepQueued { name, .. } if name.contains("COPY")) {
            kitchen.files("b=3");
        }
    });
    assert_eq!(
        outcome.error(),
        "line 3: `b` changed while it was read\n  help: build again; if something keeps writing to the file, leave it \
         out with a line in .dockerignore"
    );
    // Nothing of it stays.
    assert_eq!(
        kitchen.build("FROM base\nRUN nothing\nCOPY . /x/").changes(),
        "/x/ 755\n/x/a 644 \"1\"\n/x/b 644 \"3\""
    );
}

#[test]
fn names_that_mean_something_in_a_layer_are_refused() {
    let kitchen = Kitchen::with("d/.wh.a=1");
    assert_eq!(
        kitchen.build("FROM base\nCOPY d /x").error(),
        "line 2: `x/.wh.a` has a name that means a whiteout in a layer\n  help: rename the file, or leave it out with a \
         line in .dockerignore"
    );
}

#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let kitchen = Kitchen::new();
    let name = std::ffi::OsStr::from_bytes(b"d\xff");
    std::fs::write(kitchen.context().join(name), "1").unwrap();
    let layers = kitchen.build("FROM base\nCOPY . /x/").layers();
    let tree = image::Stack::open(&kitchen.store, &layers).unwrap().tree();
    assert!(tree.lookup(b"x/d\xff").unwrap().is_some());
}

#[test]
fn many_files_are_hashed_by_several_threads_with_the_same_result() {
    let words: Vec<String> = (0..300).map(|number| format!("d{}/f{number}={number}", number % 7)).collect();
    let many = Kitchen::with(&words.join(" "));
    let tree = many.build("FROM base\nCOPY . /x/").tree();
    for number in 0..300 {
        assert!(tree.contains(&format!("/x/d{}/f{number} 644 \"{number}\"", number % 7)), "{number}");
    }
}
