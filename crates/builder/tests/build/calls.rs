//! Questions about a Dockerfile, answered without a build.

use builder::{BuildError, BuildRequest};

use crate::kitchen::Kitchen;

/// Findings and mistakes: `Name 3` and `line 3: message`. Nothing is written meanwhile.
fn check(kitchen: &Kitchen, request: &BuildRequest) -> String {
    let before = kitchen.snapshot();
    let report = builder::check(request, &kitchen.store).unwrap();
    assert_eq!(kitchen.snapshot(), before, "nothing is written");
    let mut lines: Vec<String> =
        report.warnings.iter().map(|found| format!("{} {}", found.rule.name, found.location.first_line)).collect();
    let line = |place: usize| request.dockerfile[..place].iter().filter(|byte| **byte == b'\n').count() + 1;
    lines.extend(
        report.problems.iter().map(|problem| format!("line {}: {}", line(problem.span.start), problem.message)),
    );
    lines.join("; ")
}

fn checked(kitchen: &Kitchen, file: &str) -> String {
    check(kitchen, &kitchen.request(file))
}

#[test]
fn d182_checks_look_at_all_stages_or_at_those_of_the_target() {
    let kitchen = Kitchen::new();
    let file = "FROM base AS a\nCMD echo\nFROM base AS b\nWORKDIR x\nFROM base\nLABEL a=$X";
    assert_eq!(checked(&kitchen, file), "JSONArgsRecommended 2; WorkdirRelativePath 4; UndefinedVar 6");
    let mut request = kitchen.request(file);
    request.target = Some("b".to_owned());
    assert_eq!(check(&kitchen, &request), "WorkdirRelativePath 4");
    request.target = Some("c".to_owned());
    assert!(matches!(builder::check(&request, &kitchen.store), Err(BuildError::Target(_))));
}

#[test]
fn d182_the_base_need_not_be_there() {
    let kitchen = Kitchen::new();
    let file = "FROM node:18 AS a\nLABEL a=$NODE_VERSION\nUSER $USER\nWORKDIR ${DIR:?}\nFROM a\nCOPY --from=tools /x /y\nCMD echo";
    assert_eq!(checked(&kitchen, file), "JSONArgsRecommended 7", "what node:18 sets is not known");
    assert_eq!(
        checked(&kitchen, "FROM base\nUSER $USER\nWORKDIR ${DIR:?}"),
        "UndefinedVar 2; line 3: cannot expand `${DIR:?}`: DIR: is not allowed to be unset or empty",
    );
    assert_eq!(
        checked(&kitchen, "FROM node:18\nUSER 1:2:3\n"),
        checked(&kitchen, "FROM base\nUSER 1:2:3\n"),
        "what is no matter of variables is one everywhere"
    );
}

#[test]
fn d182_mistakes_are_told_with_the_findings() {
    let kitchen = Kitchen::with("a=A");
    assert_eq!(
        checked(&kitchen, "FROM base as A\nRUM x\nCMD echo $X"),
        "StageNameCasing 1; FromAsCasing 1; JSONArgsRecommended 3; line 2: unknown instruction `RUM`"
    );
    assert_eq!(
        checked(&kitchen, "FROM base\nARG A=${B\nCMD echo\nWORKDIR x"),
        "JSONArgsRecommended 3; line 2: invalid variable: the closing `}` is missing",
        "values are not looked at"
    );
    assert_eq!(checked(&kitchen, "FROM base\nCOPY missing /\n"), "", "the context is not looked at");
}

#[test]
fn d178_checks_of_a_call_are_chosen_as_in_a_build() {
    let kitchen = Kitchen::with(".dockerignore=b");
    assert_eq!(checked(&kitchen, "# check=skip=all\nFROM base\nCMD echo"), "");
    let file = "# check=skip=JSONArgsRecommended;experimental=all;error=true\nFROM base\nCMD echo\nCOPY b /";
    assert_eq!(checked(&kitchen, file), "CopyIgnoredFile 4");
    let mut request = kitchen.request(file);
    request.build_args.push(("BUILDKIT_DOCKERFILE_CHECK".to_owned(), "skip=none".to_owned()));
    assert_eq!(check(&kitchen, &request), "JSONArgsRecommended 3");
}

#[test]
fn d180_an_outline_has_the_values_of_this_build() {
    let kitchen = Kitchen::new();
    let mut request =
        kitchen.request("ARG BASE=nowhere\nFROM $BASE AS one\nARG A=$PATH\nFROM base AS two\nARG B=$PATH");
    request.target = Some("one".to_owned());
    request.build_args.push(("BASE".to_owned(), "base".to_owned()));
    let values = |request: &BuildRequest| {
        let outline = builder::outline(request, &kitchen.store).unwrap();
        outline.args.iter().map(|arg| format!("{}={}", arg.name, arg.value)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(values(&request), "BASE=base A=/bin");
    request.target = Some("two".to_owned());
    assert_eq!(values(&request), "B=/bin");
    request.target = Some("three".to_owned());
    assert!(matches!(builder::outline(&request, &kitchen.store), Err(BuildError::Target(_))));
    request.dockerfile = b"FORM x".to_vec();
    assert!(matches!(builder::outline(&request, &kitchen.store), Err(BuildError::Dockerfile(_))));
    assert!(matches!(builder::targets(&request), Err(BuildError::Dockerfile(_))));
}
