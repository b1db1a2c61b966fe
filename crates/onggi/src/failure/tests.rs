use engine::{Error, ErrorKind, SourceText};

use super::Failure;
use crate::render::problem;

fn shown(failure: &Failure) -> String {
    match failure {
        Failure::Problems { problems, status } => format!("{}{status:?}", problem::render(problems, false)),
        Failure::Output(error) => format!("output: {error}"),
    }
}

#[test]
fn engine_errors_keep_all_they_know() {
    let plain = Error {
        causes: vec!["no such file".to_owned()],
        ..Error::new(ErrorKind::NotFound, "no such image: x").with_hint("`onggi images` lists what is there")
    };
    insta::assert_snapshot!(shown(&plain.into()), @"
    error: no such image: x
    caused by: no such file

    hint: `onggi images` lists what is there
    None
    ");

    let place = |span, message: &str| engine::Problem {
        is_error: true,
        span,
        message: message.to_owned(),
        label: String::new(),
        help: None,
    };
    let in_file = Error {
        problems: vec![place(0..4, "unknown instruction `FORM`"), place(7..10, "`RUN` before `FROM`")],
        source: Some(SourceText { name: "Dockerfile".to_owned(), text: b"FORM a\nRUN b\n".to_vec() }),
        causes: vec!["because".to_owned()],
        hint: Some("do this".to_owned()),
        exit_code: Some(7),
        ..Error::new(ErrorKind::InvalidInput, "the Dockerfile has errors")
    };
    insta::assert_snapshot!(shown(&in_file.into()), @"
    error: unknown instruction `FORM`
     --> Dockerfile:1:1
      |
    1 | FORM a
      | ^^^^

    error: `RUN` before `FROM`
     --> Dockerfile:2:1
      |
    2 | RUN b
      | ^^^
    caused by: because

    hint: do this
    Some(7)
    ");
}

/// C210: `run` ends with 125 where the engine says nothing else.
#[test]
fn a_failure_keeps_its_own_status() {
    let failure: Failure = Error::new(ErrorKind::NotFound, "x").with_exit_code(127).into();
    assert!(matches!(failure.or_status(125), Failure::Problems { status: Some(127), .. }));
    let failure: Failure = Error::new(ErrorKind::NotFound, "x").into();
    assert!(matches!(failure.or_status(125), Failure::Problems { status: Some(125), .. }));
}
