//! `--parents` and `--exclude` (D083, D084), of the context, of a stage and of an image.

use crate::kitchen::Kitchen;

/// The same files as a context and as an image `files`.
fn kitchen(files: &str) -> Kitchen {
    let kitchen = Kitchen::with(files);
    let folders = with_folders(files);
    kitchen.image("files", &folders, "{}");
    kitchen
}

/// A layer lists every folder.
fn with_folders(files: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in files.split_whitespace() {
        let end = word.find(['=', ':', '-']).unwrap_or(word.len());
        for (at, _) in word[..end].trim_end_matches('/').match_indices('/') {
            let folder = word[..at].to_owned();
            let is_known = |known: &String| {
                known.trim_end_matches('/').split(':').next() == Some(folder.as_str())
                    || known.starts_with(&format!("{folder}/:"))
            };
            if !words.iter().any(is_known) {
                words.push(format!("{folder}/"));
            }
        }
        words.push(word.to_owned());
    }
    words.join(" ")
}

/// What the instruction's words give, wherever the files come from.
#[track_caller]
fn check(files: &str, words: &str, expected: &str) {
    let kitchen = kitchen(files);
    for (verb, stage) in [
        ("COPY", ""),
        ("COPY --from=files", ""),
        ("COPY --from=middle", "FROM files AS middle\nRUN nothing\n"),
        ("COPY --link", ""),
    ] {
        let outcome = kitchen.build(&format!("{stage}FROM base\n{verb} {words}"));
        let seen = if outcome.result.is_ok() { outcome.changes() } else { outcome.error() };
        assert_eq!(seen, expected, "{verb} {words}");
    }
}

/// The same for ADD of the context.
#[track_caller]
fn check_add(files: &str, words: &str, expected: &str) {
    check(files, words, expected);
    assert_eq!(kitchen(files).build(&format!("FROM base\nADD {words}")).changes(), expected, "ADD {words}");
}

const MEDIA: &str =
    "dir1/:755 dir1/101.png=1 dir1/102.txt=2 dir2/201.pdf=3 dir2/203.png=4 dir3/301.mp3=5 dir3/302.mpeg=6";

#[test]
fn d084_excluded_files_of_folders() {
    check_add(
        MEDIA,
        "--exclude=*/*.png --exclude=*/*.mp3 . /x",
        "/x/ 755\n/x/dir1/ 755\n/x/dir1/102.txt 644 \"2\"\n/x/dir2/ 755\n/x/dir2/201.pdf 644 \"3\"\n/x/dir3/ 755\n\
         /x/dir3/302.mpeg 644 \"6\"",
    );
    check_add(MEDIA, "--exclude=*.mp3 dir3/ /x/", "/x/ 755\n/x/302.mpeg 644 \"6\"");
    // Patterns begin at the source, not at the root.
    check_add(MEDIA, "--exclude=dir3/*.mp3 dir3 /x/", "/x/ 755\n/x/301.mp3 644 \"5\"\n/x/302.mpeg 644 \"6\"");
    check_add(MEDIA, "--exclude=*.png --exclude=*.pdf --exclude=*.mp* dir* /x", "/x/ 755\n/x/102.txt 644 \"2\"");
    // All is left out: a folder that is empty is no mistake.
    check_add(MEDIA, "--exclude=* dir* /x", "/x/ 755");
    check_add(
        "d/e/f/a=1 d/e/b=2 d/c=3",
        "--exclude=**/a --exclude=c d /x",
        "/x/ 755\n/x/e/ 755\n/x/e/b 644 \"2\"\n/x/e/f/ 755",
    );
    check_add("d/e/a=1 d/c=3", "--exclude=e d /x", "/x/ 755\n/x/c 644 \"3\"");
}

#[test]
fn d084_exceptions_take_back_in() {
    check_add(
        "d/e/:711 d/e/a=1 d/e/b=2 d/f/c=3 d/g=4",
        "--exclude=* --exclude=!e/b d /x",
        "/x/ 755\n/x/e/ 711\n/x/e/b 644 \"2\"",
    );
    check_add("d/a.md=1 d/README.md=2", "--exclude=*.md --exclude=!README.md d /x", "/x/ 755\n/x/README.md 644 \"2\"");
    // The last pattern that matches decides.
    check_add("d/a.md=1 d/b=2", "--exclude=!a.md --exclude=*.md d /x", "/x/ 755\n/x/b 644 \"2\"");
}

#[test]
fn d084_files_are_excluded_by_their_names() {
    check_add(
        "home=1 homework.txt=2 hom.md=3",
        "--exclude=*.txt hom* /x/",
        "/x/ 755\n/x/hom.md 644 \"3\"\n/x/home 644 \"1\"",
    );
    check_add("a=1 b=2", "--exclude=a a b /x/", "/x/ 755\n/x/b 644 \"2\"");
    check_add("d/a=1 d/b=2", "--exclude=a d/a d/b /x/", "/x/ 755\n/x/b 644 \"2\"");
    check_add("a=1", "--exclude=a a /x/", "/x/ 755");
    check_add("a=1", "--exclude=a a /x", "");
}

#[test]
fn d060_d084_variables_and_history() {
    let kitchen = Kitchen::with("d/a=1 d/b=2");
    let outcome = kitchen.build("FROM base\nARG WHAT=a\nCOPY --exclude=$WHAT d /x/\nADD --exclude=\"b\" d /y/");
    assert_eq!(outcome.changes(), "/x/ 755\n/x/b 644 \"2\"\n/y/ 755\n/y/a 644 \"1\"");
    assert_eq!(outcome.history(), "- ARG WHAT=a\nCOPY d /x/ # buildkit\nADD d /y/ # buildkit");
    assert!(outcome.text().contains("] COPY --exclude=a d /x/\n"), "{}", outcome.text());
}

#[test]
fn d084_what_is_excluded_is_in_no_key_and_not_read() {
    let kitchen = Kitchen::with("d/a=1 d/skipped/b=2");
    let file = "FROM base\nCOPY --exclude=skipped d /x/";
    let first = kitchen.build(file);
    assert!(first.text().contains("transferring context: 1B\n"), "only what is copied is read: {}", first.text());
    kitchen.files("d/skipped/b=3 d/skipped/c=4");
    let again = kitchen.build(file);
    assert!(again.steps().ends_with("CACHED [2/2] COPY --exclude=skipped d /x/"), "{}", again.steps());
    let other = kitchen.build("FROM base\nCOPY --exclude=skipped --exclude=a d /x/");
    assert!(other.steps().ends_with("(because sources changed: new is `--exclude=a`)"), "{}", other.steps());
    // The folder that holds nothing but what is left out is no secret: it is a folder of the image.
    let folder = kitchen.build("FROM base\nCOPY --exclude=**/b --exclude=**/c d /x/");
    assert_eq!(folder.changes(), "/x/ 755\n/x/a 644 \"1\"\n/x/skipped/ 755");
}

#[test]
fn d084_archives_are_excluded_as_files() {
    let kitchen = Kitchen::with("in/f=1");
    let tar = std::process::Command::new("tar")
        .args(["--owner=0", "--group=0", "-C", "in", "-cf", "a.tar", "f"])
        .current_dir(kitchen.context())
        .status();
    assert!(tar.unwrap().success());
    let build = |words: &str| kitchen.build(&format!("FROM base\nADD {words}")).changes();
    assert_eq!(build("--exclude=f a.tar /x/"), "/x/ 755\n/x/f 644 \"1\"", "what is in it is not asked");
    assert_eq!(build("--exclude=*.tar a.tar /x/"), "/x/ 755");
}

#[test]
fn d083_parents_are_kept() {
    let files = "foo1/:700 foo1/foo2/:711 foo1/foo2/bar:600=1 foo1/foo2/baz=2 foo1/other=3 top=4";
    check(files, "--parents foo1/foo2/bar /", "/foo1/ 700\n/foo1/foo2/ 711\n/foo1/foo2/bar 600 \"1\"");
    check(
        files,
        "--parents foo1/foo2/ba* /x",
        "/x/ 755\n/x/foo1/ 700\n/x/foo1/foo2/ 711\n/x/foo1/foo2/bar 600 \"1\"\n/x/foo1/foo2/baz 644 \"2\"",
    );
    check(files, "--parents ./foo1/other top /x/", "/x/ 755\n/x/foo1/ 700\n/x/foo1/other 644 \"3\"\n/x/top 644 \"4\"");
    check(
        files,
        "--parents /foo1/foo2 /x",
        "/x/ 755\n/x/foo1/ 700\n/x/foo1/foo2/ 711\n/x/foo1/foo2/bar 600 \"1\"\n/x/foo1/foo2/baz 644 \"2\"",
    );
    check(files, "--parents top /x", "/x/ 755\n/x/top 644 \"4\"");
    check(
        files,
        "--parents --chown=5:6 --chmod=u=rwX,go= foo1/other /x",
        "/x/ 755 5:6\n/x/foo1/ 700 5:6\n/x/foo1/other 600 \"3\" 5:6",
    );
    check("a/x=1 b/x=2", "--parents a/x b/x /p/", "/p/ 755\n/p/a/ 755\n/p/a/x 644 \"1\"\n/p/b/ 755\n/p/b/x 644 \"2\"");
    check("a/x=1", "--parents=false a/x /p/", "/p/ 755\n/p/x 644 \"1\"");
    check("a/x=1 b=2", "--parents . /p/", "/p/ 755\n/p/a/ 755\n/p/a/x 644 \"1\"\n/p/b 644 \"2\"");
}

/// What BuildKit's own tests copy.
const DEEP: &str =
    "test/a/b/c/d/foo=1 test/a/b/c/d/e/bay=2 test/a/b2/c/d/e/bar=3 test/a/b/c2/d/e/baz=4 test/a/b/c2/d/e2/baz=5";

#[track_caller]
fn check_files(words: &str, expected: &[&str]) {
    let kitchen = kitchen(DEEP);
    for verb in ["COPY", "COPY --from=files"] {
        let outcome = kitchen.build(&format!("FROM base\n{verb} {words}"));
        let changes = outcome.changes();
        let files: Vec<&str> =
            changes.lines().filter_map(|line| line.split(' ').next()).filter(|path| !path.ends_with('/')).collect();
        assert_eq!(files, expected, "{verb} {words}");
    }
}

#[test]
fn d083_the_pivot() {
    check_files("--parents /test/a/b/./c/d /out/", &["/out/c/d/e/bay", "/out/c/d/foo"]);
    check_files("--parents /test/a/b/c/d/. /out/", &["/out/test/a/b/c/d/e/bay", "/out/test/a/b/c/d/foo"]);
    check_files("--parents ./test/a/b/c/d /out/", &["/out/test/a/b/c/d/e/bay", "/out/test/a/b/c/d/foo"]);
    check_files("--parents /test/a/./b/./c /out/", &["/out/b/c/d/e/bay", "/out/b/c/d/foo"]);
    check_files("--parents test/a/b/c/d/./ /out/", &["/out/e/bay", "/out/foo"]);
    check_files("--parents test/./a/../a/b/c/d/foo test/a/b/c/./d/foo /out/", &["/out/a/b/c/d/foo", "/out/d/foo"]);
}

#[test]
fn d083_wildcards_on_both_sides_of_the_pivot() {
    check_files("--parents /test/a/./*/c /out/", &["/out/b/c/d/e/bay", "/out/b/c/d/foo", "/out/b2/c/d/e/bar"]);
    check_files("--parents /test/a/b*/./c/**/e /out/", &["/out/c/d/e/bar", "/out/c/d/e/bay"]);
    check_files(
        "--parents /test/a/b/c*/./d/**/baz /test/a/b*/./c/**/bar /out/",
        &["/out/c/d/e/bar", "/out/d/e/baz", "/out/d/e2/baz"],
    );
    check_files(
        "--parents **/ba[yz] /out/",
        &["/out/test/a/b/c/d/e/bay", "/out/test/a/b/c2/d/e/baz", "/out/test/a/b/c2/d/e2/baz"],
    );
    check_files("--parents test/**/foo /out/", &["/out/test/a/b/c/d/foo"]);
    check_files(
        "--parents test/a/./** /out/",
        &["/out/b/c/d/e/bay", "/out/b/c/d/foo", "/out/b/c2/d/e/baz", "/out/b/c2/d/e2/baz", "/out/b2/c/d/e/bar"],
    );
    check_files("--parents --exclude=**/ba? test/a/./** /out/", &["/out/b/c/d/foo"]);
    check_files("--parents --exclude=b/c/d/e --exclude=b/c2 test/a/./b /out/", &["/out/b/c/d/foo"]);
}

#[test]
fn d083_folders_without_what_is_wanted_are_left_out() {
    check(
        "a/b/x.c=1 a/empty/y=2 z/x.h=3",
        "--parents **/*.c /o/",
        "/o/ 755\n/o/a/ 755\n/o/a/b/ 755\n/o/a/b/x.c 644 \"1\"",
    );
}

#[test]
fn d083_folders_that_the_image_has_take_only_the_mode() {
    let kitchen = Kitchen::with("srv/:711 srv/new/:750 srv/new/a=1");
    kitchen.set_mtime("srv", 100);
    let outcome = kitchen.build("FROM base\nCOPY --parents --chown=5:6 srv/new/a /");
    assert_eq!(outcome.changes(), "/srv/ 711 7:8\n/srv/new/ 750 5:6\n/srv/new/a 644 \"1\" 5:6");
    assert_eq!(outcome.mtime("srv"), 1_700_000_000);
    // A folder that is wanted itself brings all that it has.
    let whole = kitchen.build("FROM base\nCOPY --parents --chown=5:6 srv /");
    assert_eq!(whole.changes(), "/srv/ 711 5:6\n/srv/new/ 750 5:6\n/srv/new/a 644 \"1\" 5:6");
    assert_eq!(
        kitchen.build("FROM base\nCOPY --parents srv/new/a /").history(),
        "COPY --parents srv/new/a / # buildkit"
    );
}

#[test]
fn d083_links() {
    let files = "real/d/a=1 l->real real/m->d/a";
    check(files, "--parents real/m l /x/", "/x/ 755\n/x/l -> real\n/x/real/ 755\n/x/real/m -> d/a");
    // What stands before the pivot is followed.
    check(files, "--parents l/./d/a /x/", "/x/ 755\n/x/d/ 755\n/x/d/a 644 \"1\"");
    let kitchen = kitchen(files);
    assert_eq!(
        kitchen.build("FROM base\nCOPY --parents l/d/a /x/").error(),
        "line 2: `l/d/a` leads through a symbolic link, which --parents does not follow\n  help: write where it leads: \
         `real/d/a`"
    );
    assert_eq!(
        kitchen.build("FROM base\nCOPY --from=files --parents /l/d/a /x/").error(),
        "line 2: `l/d/a` leads through a symbolic link, which --parents does not follow\n  help: write where it leads: \
         `/real/d/a`"
    );
}

#[test]
fn d083_d084_the_ignore_file_comes_first() {
    let kitchen = Kitchen::with("d/a=1 d/b=2 d/e/c=3 .dockerignore=d/b\\n!d/e\\n");
    let build = |words: &str| kitchen.build(&format!("FROM base\nCOPY {words}"));
    assert_eq!(
        build("--parents d/* /x/").changes(),
        "/x/ 755\n/x/d/ 755\n/x/d/a 644 \"1\"\n/x/d/e/ 755\n/x/d/e/c 644 \"3\""
    );
    assert_eq!(build("--exclude=e --exclude=!b d /x/").changes(), "/x/ 755\n/x/a 644 \"1\"");
    assert!(
        build("--parents d/b /x/")
            .error()
            .starts_with("line 2: `d/b` is excluded from the build context by the ignore file")
    );
}

/// The words of a COPY that fails, and how.
#[track_caller]
fn check_mistakes(cases: &[(&str, &str)]) {
    let kitchen = kitchen("d/a=1 app.js=2");
    for (words, expected) in cases {
        let error = kitchen.build(&format!("FROM base\nCOPY {words}")).error();
        assert_eq!(error, format!("line 2: {expected}"), "{words}");
    }
}

#[test]
fn d083_mistakes() {
    check_mistakes(&[
        (
            "--parents d/nothere /x/",
            "`d/nothere` is not in the build context [no such file or folder in the context]\n  help: create `d/nothere`, or \
             give another context",
        ),
        (
            "--parents app.jx /x/",
            "`app.jx` is not in the build context [no such file or folder in the context]\n  help: a similar name is \
             there: `app.js`",
        ),
        (
            "--parents nothere/./a /x/",
            "`nothere` is not in the build context [no such file or folder in the context]\n  help: create `nothere/a`, or \
             give another context",
        ),
        (
            "--parents d/**/*.c /x/",
            "no source files match `d/**/*.c`\n  help: check the pattern, and that .dockerignore does not leave the files out",
        ),
        (
            "--parents nothere*/./a /x/",
            "no source files match `nothere*/./a`\n  help: check the pattern, and that .dockerignore does not leave the files out",
        ),
        (
            "--parents [a-/x /x/",
            "`[a-/x` is not a valid pattern [`[` begins a set of characters]\n  help: write `[[]` for the character itself; a \
             list of words takes double quotes and commas: `[\"a\", \"b\"]`",
        ),
    ]);
}

#[test]
fn d083_d084_more_mistakes() {
    check_mistakes(&[
        (
            "--exclude=[a d /x/",
            "malformed pattern `[a`: `[` is never closed\n  help: write `[[]` for the character `[`; `**/` stands for any \
             folders",
        ),
        (
            "--exclude=! d /x/",
            "malformed pattern `!`: an exception needs a pattern behind `!`\n  help: write for example \
             `--exclude=*.md --exclude=!README.md`",
        ),
        (
            "--exclude=x nothere /x/",
            "`nothere` is not in the build context [no such file or folder in the context]\n  help: create `nothere`, or give another context",
        ),
        (
            "--exclude=x *.none /x/",
            "no source files match `*.none`\n  help: check the pattern, and that .dockerignore does not leave the files out",
        ),
        (
            "--from=files --parents /nothere/a /x/",
            "`/nothere/a` is not in image `docker.io/library/files`\n  help: check the path: it is taken from the root of the stage or image",
        ),
        (
            "--from=files --parents /d/**/*.c /x/",
            "no source files match `/d/**/*.c`\n  help: check the pattern: it is taken from the root of the stage or image",
        ),
        (
            "--from=files --parents /d/[a /x/",
            "`d/[a` is not a valid pattern\n  help: write `[[]` for the character `[`",
        ),
    ]);
    let kitchen = kitchen("d/a=1");
    assert_eq!(
        kitchen.build("FROM base\nADD --parents d /x/").error(),
        "line 2: ADD has no flag `--parents`\n  help: `--parents` belongs to COPY"
    );
    assert_eq!(
        kitchen.build("FROM base\nCOPY --exclude d /x/").error(),
        "line 2: `--exclude` needs a value\n  help: write `--exclude=d`, with `=` and no blank"
    );
}
