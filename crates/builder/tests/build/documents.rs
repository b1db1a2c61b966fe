//! Here-documents as sources of COPY and ADD (D122 to D125).

use crate::kitchen::{Kitchen, check};

#[test]
fn d122_a_document_is_a_file() {
    check(&[
        ("", "COPY <<EOF /file\nhi\nthere\nEOF", "/file 644 \"hi\\nthere\\n\""),
        ("", "ADD <<EOF /file\nhi\nEOF", "/file 644 \"hi\\n\""),
        ("", "COPY <<EOF /file\nEOF", "/file 644 \"\""),
        ("", "WORKDIR /w\nCOPY <<EOF file\nhi\nEOF", "/w/ 755\n/w/file 644 \"hi\\n\""),
        // In a folder it is called as its marker.
        ("", "COPY <<hello.txt /srv/\nhi\nhello.txt", "/srv/hello.txt 644 \"hi\\n\""),
        ("", "COPY <<EOF /srv\nhi\nEOF", "/srv/EOF 644 \"hi\\n\""),
        ("", "COPY <<EOF /new/\nhi\nEOF", "/new/ 755\n/new/EOF 644 \"hi\\n\""),
        ("", "COPY <<EOF .\nhi\nEOF", "/EOF 644 \"hi\\n\""),
        ("", "COPY <<EOF /link/x\nhi\nEOF", "/srv/x 644 \"hi\\n\""),
        ("", "COPY --chown=app:staff --chmod=750 <<EOF /d/f\nhi\nEOF", "/d/ 755 1000:50\n/d/f 750 \"hi\\n\" 1000:50"),
        ("", "COPY --chmod=+x <<EOF /f\n#!/bin/sh\nEOF", "/f 755 \"#!/bin/sh\\n\""),
        ("", "COPY 0<<EOF /f\nhi\nEOF", "/f 644 \"hi\\n\""),
        ("", "COPY <<EOF \\\n  /f\nhi\nEOF", "/f 644 \"hi\\n\""),
    ]);
}

#[test]
fn d122_several_documents_and_other_sources() {
    check(&[
        ("", "COPY <<one <<two /x/\n1\none\n2\ntwo", "/x/ 755\n/x/one 644 \"1\\n\"\n/x/two 644 \"2\\n\""),
        ("a=A", "COPY a <<b /x/\n1\nb", "/x/ 755\n/x/a 644 \"A\"\n/x/b 644 \"1\\n\""),
        ("a=A", "COPY <<b a /x/\n1\nb", "/x/ 755\n/x/a 644 \"A\"\n/x/b 644 \"1\\n\""),
        ("d/a=A d/c=C", "ADD d <<b /x/\n1\nb", "/x/ 755\n/x/a 644 \"A\"\n/x/b 644 \"1\\n\"\n/x/c 644 \"C\""),
        // Documents come last, wherever they are written: of two with the same name the later one wins.
        ("a=A", "COPY <<a a /x/\n1\na", "/x/ 755\n/x/a 644 \"1\\n\""),
        ("", "COPY <<a <<a /x/\n1\na\n2\na", "/x/ 755\n/x/a 644 \"2\\n\""),
        ("", "COPY *.none <<a /x/\n1\na", "/x/ 755\n/x/a 644 \"1\\n\""),
    ]);
}

#[test]
fn d123_leading_tabs() {
    check(&[
        ("", "COPY <<-EOF /f\n\t\ta\n\t b\n  c\n\tEOF", "/f 644 \"a\\n b\\n  c\\n\""),
        ("", "COPY <<EOF /f\n\ta\nEOF", "/f 644 \"\\ta\\n\""),
    ]);
}

#[test]
fn d124_variables_in_documents() {
    let names = "ARG A=one\nENV B=two\n";
    for (marker, text, expected) in [
        ("EOF", "$A ${B} ${C:-three}", "one two three"),
        ("EOF", "\\$A \\\\ \"$A\" '$B' `x`", "$A \\ \"one\" 'two' `x`"),
        ("EOF", "a\\nb \\", "anb "),
        ("\"EOF\"", "$A \\$A \\\\", "$A \\$A \\\\"),
        ("'EOF'", "${B}", "${B}"),
        ("\\EOF", "$A", "$A"),
        ("-EOF", "$A", "one"),
        ("-\"EOF\"", "$A", "$A"),
    ] {
        let kitchen = Kitchen::new();
        let outcome = kitchen.build(&format!("FROM base\n{names}COPY <<{marker} /f\n{text}\nEOF"));
        assert_eq!(outcome.changes(), format!("/f 644 {:?}", format!("{expected}\n")), "{marker} {text}");
    }
    // The escape character of the file does not matter here.
    let kitchen = Kitchen::new();
    let backtick = kitchen.build("# escape=`\nFROM base\nARG A=1\nCOPY <<EOF /f\n`$A \\$A\nEOF");
    assert_eq!(backtick.changes(), "/f 644 \"`1 $A\\n\"");
    let unset = kitchen.build("FROM base\nCOPY <<EOF /f\n[$NOBODY]\nEOF");
    assert_eq!(unset.changes(), "/f 644 \"[]\\n\"");
    assert!(
        unset.text().contains("check: UndefinedVar: Usage of undefined variable '$NOBODY', line 2"),
        "{}",
        unset.text()
    );
    let help = "help: write `<<\"EOF\"` to keep the text as it is, or a backslash before the `$`";
    assert_eq!(
        kitchen.build("FROM base\nCOPY <<EOF /f\none\n${A:?must be given}\nEOF").error(),
        "line 4: cannot expand the here-document `EOF`: A: must be given\n  help: give it with `--build-arg A=…` and `ARG A` \
         above, or with `ENV A=…`"
    );
    assert_eq!(
        kitchen.build("FROM base\nCOPY <<-EOF /f\n\tone\n\t${A\nEOF").error(),
        format!("line 3: cannot expand the here-document `EOF`: the closing `}}` is missing\n  {help}")
    );
}

#[test]
fn d125_names_history_and_cache() {
    let kitchen = Kitchen::with("a=A");
    let build = |file: &str| kitchen.build(&format!("FROM base\nARG V=1\n{file}"));
    let first = build("copy --chown=1:2 <<-EOF  <<\"two\" /x/\n$V\nEOF\nb\ntwo");
    assert_eq!(
        first.steps(),
        "CACHED [1/2] FROM docker.io/library/base@sha256:…\nDONE [2/2] COPY --chown=1:2 <<-EOF  <<\"two\" /x/ (because no earlier build of this context had this step)"
    );
    assert_eq!(first.history(), "- ARG V=1\nCOPY --chown=1:2 <<EOF <<two /x/ # buildkit");
    assert!(!first.text().contains("load build context"), "{}", first.text());
    let outcome = |file: &str| build(file).steps().lines().nth(1).unwrap().to_owned();
    assert!(outcome("COPY --chown=1:2 <<EOF <<two /x/\n1\nEOF\nb\ntwo").starts_with("CACHED"));
    assert!(
        outcome("COPY --chown=1:2 <<EOF <<two /x/\n$V\nEOF\nc\ntwo")
            .ends_with("(because the here-document `two` changed)")
    );
    let other = kitchen.build_as("FROM base\nARG V=1\nCOPY --chown=1:2 <<EOF <<two /x/\n$V\nEOF\nb\ntwo", |request| {
        request.build_args.push(("V".to_owned(), "2".to_owned()));
    });
    assert!(other.steps().contains("(because the here-document `EOF` changed)"), "{}", other.steps());
    let mixed = build("COPY a <<EOF /y/\n1\nEOF");
    assert_eq!(mixed.history(), "- ARG V=1\nCOPY a <<EOF /y/ # buildkit");
    assert!(mixed.text().contains("[internal] load build context"));
    assert!(outcome("COPY a <<EOF /y/\n1\nEOF").starts_with("CACHED"));
    kitchen.files("a=B");
    assert!(
        outcome("COPY a <<EOF /y/\n1\nEOF").contains("a file changed: a"),
        "{}",
        outcome("COPY a <<EOF /y/\n1\nEOF")
    );
}

#[test]
fn d125_a_document_is_as_old_as_its_neighbours() {
    let kitchen = Kitchen::with("a=A b=B");
    kitchen.set_mtime("a", 100);
    kitchen.set_mtime("b", 200);
    let outcome = kitchen.build("FROM base\nCOPY a b <<c /x/\n1\nc\nCOPY <<c /srv/y/z\n1\nc");
    assert_eq!((outcome.mtime("x/c"), outcome.mtime("x")), (200, 200));
    assert_eq!((outcome.mtime("srv/y/z"), outcome.mtime("srv/y")), (1_700_000_000, 1_700_000_000));
    let scratch = kitchen.build("FROM scratch\nCOPY <<c /y/z\n1\nc");
    assert_eq!((scratch.mtime("y/z"), scratch.mtime("y")), (0, 0));
}

#[test]
fn d122_documents_need_no_context() {
    let kitchen = Kitchen::new();
    let build = |file: &str| kitchen.build_as(file, |request| request.context = None);
    assert_eq!(build("FROM base\nCOPY <<EOF /x\nhi\nEOF").changes(), "/x 644 \"hi\\n\"");
    assert_eq!(
        build("FROM base\nCOPY a <<EOF /x/\nhi\nEOF").error(),
        "line 2: `a` cannot be copied: this build has no context\n  help: give a folder as the build context, as in \
         `onggi build .`"
    );
}

#[test]
fn d009_d138_documents_in_triggers() {
    let kitchen = Kitchen::new();
    let file =
        "FROM base AS parent\nONBUILD COPY --chmod=600 <<-EOF <<\"raw\" /x/\n\t$V\n\tEOF\n$V\nraw\nFROM parent\n";
    let outcome = kitchen.build(&file.replace("FROM parent\n", "FROM base\n"));
    assert_eq!(outcome.changes(), "", "a trigger does nothing where it stands");
    // A stage as base does not trigger; an image does.
    let id = kitchen.build_as(file, |request| {
        request.target = Some("parent".to_owned());
        request.tags.push("parent:v1".parse().unwrap());
    });
    assert!(id.config().contains("$V\\nEOF\\n$V\\nraw"), "{}", id.config());
    let child = kitchen.build("FROM parent:v1\nRUN nothing");
    assert_eq!(child.changes(), "/x/ 755\n/x/EOF 600 \"\\n\"\n/x/raw 600 \"$V\\n\"");
    assert!(child.history().contains("\nCOPY --chmod=600 <<EOF <<raw /x/ # buildkit\n"), "{}", child.history());
    // Mistakes in a trigger are shown at FROM: its own text is in another file.
    kitchen.image("wrong", "x/", r#"{"OnBuild":["COPY <<EOF $D/a\n${V:?}\nEOF","COPY nothere /"]}"#);
    assert_eq!(
        kitchen.build("# one\n\nFROM wrong AS it\nRUN nothing").error(),
        "line 3: cannot expand the here-document `EOF`: V: is not allowed to be unset or empty\n  help: give \
         it with `--build-arg V=…` and `ARG V` above, or with `ENV V=…`"
    );
}

#[test]
fn documents_that_cannot_be_used() {
    check(&[
        (
            "",
            "COPY <<a/b /x/\nhi\na/b",
            "line 2: `a/b` cannot be the name of a file [the marker is the name]\n  help: take a marker without slashes \
             and dots, as in `<<EOF`",
        ),
        (
            "",
            "COPY <<.. /x/\nhi\n..",
            "line 2: `..` cannot be the name of a file [the marker is the name]\n  help: take a marker without slashes \
             and dots, as in `<<EOF`",
        ),
        (
            "",
            "COPY <<EOF /srv/old/x\nhi\nEOF",
            "line 2: `/srv/old` in the image is not a folder\n  help: take another path, or remove what is there with RUN \
             first",
        ),
        (
            "",
            "COPY <<bin /\nhi\nbin",
            "line 2: `/bin` in the image is a folder\n  help: give the file another name, or remove the folder with RUN \
             first",
        ),
        (
            "",
            "COPY <<a <<b /x\n1\na\n2\nb",
            "line 2: COPY has 2 sources, so the destination must be a folder [no slash at the end]\n  help: write `/x/`",
        ),
        (
            "",
            "COPY --from=base <<a /x\n1\na",
            "line 2: a here-document cannot come from `base`\n  help: use two COPY instructions, the one with the \
             here-document without `--from`",
        ),
        (
            "",
            "COPY <<a /x\n1",
            "line 2: here-document `a` is never ended [begins here]\n  help: end the text with a line that holds only `a`",
        ),
        (
            "",
            "COPY a <<b\n1\nb",
            "line 2: a here-document cannot be the destination\n  help: write the destination last: `COPY <<b /file`",
        ),
    ]);
}
