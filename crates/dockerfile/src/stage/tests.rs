use super::*;
use crate::parse;

fn file(text: &str) -> Dockerfile {
    parse(text.as_bytes()).dockerfile
}

const THREE: &str = "FROM alpine AS base\nFROM base AS Build\nRUN make\nFROM scratch AS unused\nFROM alpine\n\
                     COPY --from=build /a /a\n";

#[test]
fn targets_by_name_and_number() {
    let file = file(THREE);
    for (target, expected) in [
        (None, Ok(3)),
        (Some(""), Ok(3)),
        (Some("build"), Ok(1)),
        (Some("BUILD"), Ok(1)),
        (Some("0"), Ok(0)),
        (Some("3"), Ok(3)),
        (Some("4"), Err(None)),
        (Some("biuld"), Err(Some("build"))),
        (Some("production"), Err(None)),
    ] {
        let found = file.target(target).map_err(|unknown| unknown.suggestion);
        assert_eq!(found, expected.map_err(|meant| meant.map(str::to_owned)), "{target:?}");
    }
    let unknown = file.target(Some("x")).expect_err("no such stage");
    assert_eq!(unknown.names, ["base", "build", "unused"]);
    assert_eq!(unknown.to_string(), "target stage `x` could not be found");
}

#[test]
fn d022_a_name_given_twice_means_the_later_stage() {
    let file = file("FROM a AS x\nFROM b AS x\nFROM c\nCOPY --from=x / /\n");
    assert_eq!(file.target(Some("x")), Ok(1));
    assert_eq!(file.from(2, "x"), StageReference::Stage(1));
    assert_eq!(file.base(1, "x"), StageReference::Stage(0));
}

#[test]
fn references() {
    let file = file(THREE);
    assert_eq!(file.base(1, "BASE"), StageReference::Stage(0));
    assert_eq!(file.base(0, "base"), StageReference::Other("base"));
    // FROM takes names only, `--from` numbers too.
    assert_eq!(file.base(1, "0"), StageReference::Other("0"));
    assert_eq!(file.from(1, "0"), StageReference::Stage(0));
    assert_eq!(file.from(1, "1"), StageReference::Other("1"));
    assert_eq!(file.from(3, "nginx:1"), StageReference::Other("nginx:1"));
}

#[test]
fn d037_only_needed_stages() {
    let none = |_: usize| None;
    let file_three = file(THREE);
    assert_eq!(file_three.needed_stages(3, &none, &|_| None), [0, 1, 3]);
    assert_eq!(file_three.needed_stages(2, &none, &|_| None), [2]);
    assert_eq!(file_three.needed_stages(0, &none, &|_| None), [0]);
    let by_mount = file(
        "FROM a AS tools\nFROM b AS other\nFROM c\nRUN --mount=type=bind,from=tools,target=/t --mount=type=cache,from=1,target=/c make\n",
    );
    assert_eq!(by_mount.needed_stages(2, &none, &|_| None), [0, 1, 2]);
    let by_variable = file("ARG base=dev\nFROM a AS dev\nFROM b AS prod\nFROM ${base}\n");
    let expand = |index: usize| (index == 2).then(|| "prod".to_owned());
    assert_eq!(by_variable.needed_stages(2, &expand, &|_| None), [1, 2]);
    assert_eq!(by_variable.needed_stages(2, &none, &|_| None), [2]);
    // A trigger's `--from` belongs to the build that it triggers.
    let trigger = file("FROM a AS x\nFROM b\nONBUILD COPY --from=x / /\n");
    assert_eq!(trigger.needed_stages(1, &none, &|_| None), [1]);
}

#[test]
fn d159_names_may_stand_for_something_else() {
    use super::Instead;
    let text = b"FROM a AS one\nFROM b AS two\nFROM one AS three\nCOPY --from=two / /\nFROM three\nCOPY --from=x / /\n";
    let file = crate::parse(text).dockerfile;
    let needed = |instead: &dyn Fn(&str) -> Option<Instead>| file.needed_stages(3, &|_| None, instead);
    assert_eq!(needed(&|_| None), [0, 1, 2, 3]);
    // A stage that is replaced needs nothing, but is there to be looked at.
    assert_eq!(needed(&|name| (name == "two").then_some(Instead::Elsewhere)), [0, 2, 3]);
    assert_eq!(needed(&|name| (name == "three").then_some(Instead::Elsewhere)), [3]);
    assert_eq!(needed(&|name| (name == "one").then(|| Instead::Stage("two".to_owned()))), [1, 2, 3]);
    assert_eq!(needed(&|name| (name == "x").then(|| Instead::Stage("one".to_owned()))), [0, 1, 2, 3]);
}
