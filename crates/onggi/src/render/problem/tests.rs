use super::{Excerpt, Problem, Severity, render};
use crate::template::{Mode, Template};

fn excerpt(source: &[u8], marked: &[u8], label: &str) -> Excerpt {
    let start = source.windows(marked.len()).position(|window| window == marked).unwrap();
    let span = start..start + marked.len();
    Excerpt { path: "Dockerfile".to_owned(), source: source.to_vec(), span, label: label.to_owned() }
}

/// Style 7.6: the shape of an error on the screen (S112).
#[test]
fn error_has_source_causes_and_hint() {
    let source = b"FROM node:18\n\nWORKDIR /src\nCOPY . .\nRUN make -j4\nCMD [\"x\"]\n";
    let problem = Problem {
        excerpt: Some(excerpt(source, b"RUN make -j4", "")),
        causes: vec!["process `/bin/sh -c \"make -j4\"` exited with status 2".to_owned()],
        ..Problem::error("`RUN make -j4` exited with status 2")
            .with_hint("rerun with `--progress plain` to see the whole output")
    };
    insta::assert_snapshot!(render(&[problem], false), @r#"
    error: `RUN make -j4` exited with status 2
     --> Dockerfile:5:1
      |
    5 | RUN make -j4
      | ^^^^^^^^^^^^
    caused by: process `/bin/sh -c "make -j4"` exited with status 2

    hint: rerun with `--progress plain` to see the whole output
    "#);
}

#[test]
fn all_problems_of_a_file_come_in_one_run() {
    let source = b"FORM node:18\nRUN echo \\\n  a \\\n  b\nCOPPY a b";
    let problems = [
        Problem {
            excerpt: Some(excerpt(source, b"FORM", "not an instruction")),
            ..Problem::error("unknown instruction `FORM`").with_hint("did you mean `FROM`?")
        },
        Problem {
            severity: Severity::Warning,
            excerpt: Some(excerpt(source, b"RUN echo \\\n  a \\\n  b", "")),
            ..Problem::error("spans several lines")
        },
        Problem { excerpt: Some(excerpt(source, b"COPPY", "")), ..Problem::error("unknown instruction `COPPY`") },
    ];
    insta::assert_snapshot!(render(&problems, false), @r"
    error: unknown instruction `FORM`
     --> Dockerfile:1:1
      |
    1 | FORM node:18
      | ^^^^ not an instruction

    hint: did you mean `FROM`?

    warning: spans several lines
     --> Dockerfile:2:1
      |
    2 | / RUN echo \
    3 | |   a \
    4 | |   b
      | |___^

    error: unknown instruction `COPPY`
     --> Dockerfile:5:1
      |
    5 | COPPY a b
      | ^^^^^
    ");
}

#[test]
fn plain_errors_are_short() {
    let problem = Problem::error("no such image `nope`").with_hint("list what is there with `onggi images`");
    insta::assert_snapshot!(render(&[problem], false), @"
    error: no such image `nope`
    hint: list what is there with `onggi images`
    ");
    let colored = render(&[Problem::error("no such image")], true);
    assert!(colored.contains("\x1b[") && colored.contains("no such image"), "{colored}");
}

#[test]
fn mistakes_in_templates_are_pointed_at() {
    let template = "{{.ID}} {{.Foo}}";
    let error = Template::parse(template).unwrap().render(&serde_json::json!({"ID": ""}), Mode::Data).unwrap_err();
    insta::assert_snapshot!(render(&[Problem::in_template(error, template)], false), @"
    error: there is no field `.Foo`
     --> --format:1:11
      |
    1 | {{.ID}} {{.Foo}}
      |           ^^^^

    hint: use one of `.ID`
    ");
}

/// Field-notes, section 2, row 29; and spans that do not fit the text must not bring the program down.
#[test]
fn hostile_text_is_harmless() {
    let source = b"FROM a\nRUN \x1b[2J\xff \xe2\x80\xae x\ty";
    let mut excerpt = excerpt(source, b"\xff", "\x1b[31m");
    let problem = |excerpt: &Excerpt| Problem {
        excerpt: Some(excerpt.clone()),
        causes: vec!["two\nlines \x1b]0;x\x07".to_owned()],
        ..Problem::error("bad \x1b[31m byte")
    };
    let text = render(&[problem(&excerpt)], false);
    assert!(!text.contains('\x1b') && !text.contains('\u{202e}'), "{text:?}");
    for span in [0..1000, 1000..2000, 11..12, 17..18, 18..19, source.len()..source.len()] {
        excerpt.span = span;
        assert!(!render(&[problem(&excerpt)], false).is_empty());
    }
    let empty = Excerpt { path: String::new(), source: Vec::new(), span: 0..0, label: String::new() };
    assert!(!render(&[problem(&empty)], false).is_empty());
}
