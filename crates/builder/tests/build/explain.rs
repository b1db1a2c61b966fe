//! Why steps ran, and what was not needed (N001, N002).

use builder::Event;

use crate::kitchen::{Kitchen, Outcome};

fn reasons(outcome: &Outcome<'_>) -> Vec<String> {
    let reason = |event: &Event| match event {
        Event::CacheMiss { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    outcome.events.iter().filter_map(reason).collect()
}

#[test]
fn n001_everything_that_changed_is_told() {
    let kitchen = Kitchen::with("a=1 d/b=1 d/c=1 d/e=1 d/m=1");
    kitchen.build("FROM base\nENV A=1 B=1\nARG V=1\nRUN say\nCOPY d /d/\nCOPY a /a").id();
    kitchen.files("d/b=2 -d/c d/n=1 d/m:755=1");
    let outcome =
        kitchen.build_as("FROM base\nENV A=2 C=1\nARG V=1\nRUN say\nCOPY --chmod=o=r d /e/\nCOPY a /a", |request| {
            request.build_args.push(("V".to_owned(), "2".to_owned()));
        });
    assert_eq!(
        reasons(&outcome),
        [
            "environment changed: was `A=1`, is `A=2`",
            "environment changed: new is `C=1`",
            "environment changed: was `V=1`, is `V=2`",
            "environment changed: `B=1` is gone",
            "destination changed: was `/d/`, is `/e/`",
            "mode changed: new is `o=r`",
            "files changed: d/b, d/c (gone), d/n (new)",
            "the layers below changed",
        ]
    );
}

#[test]
fn n001_a_new_base_is_told_by_its_digest() {
    let kitchen = Kitchen::new();
    let file = "FROM base AS one\nFROM one\nRUN say\nRUN say again";
    kitchen.build(file).id();
    kitchen.image("base", "bin/ bin/sh:755=other", r#"{"Env":["PATH=/bin","NEW=1"]}"#);
    let told = reasons(&kitchen.build(file));
    assert!(told[0].starts_with("the base image changed: was `docker.io/library/base@sha256:"), "{told:?}");
    assert!(told[0].contains("`, is `docker.io/library/base@sha256:"), "{told:?}");
    assert_eq!((told[1].as_str(), told.len()), ("environment changed: new is `NEW=1`", 4), "{told:?}");
}

#[test]
fn n001_files_of_other_stages_and_of_mounts_are_told_too() {
    let kitchen = Kitchen::with("m/a=1 m/b=1");
    let file = |text: &str| {
        format!(
            "FROM base AS made\nRUN write /out/x {text} && write /out/y same\nFROM base\nCOPY --from=made /out /out\n\
             RUN --mount=type=bind,source=m,target=/m say\n"
        )
    };
    kitchen.build(&file("1")).id();
    kitchen.files("m/b=2");
    let told = reasons(&kitchen.build(&file("2")));
    assert_eq!(told[1], "a file changed: x");
    assert_eq!(told[2], "a file changed: m/b");
}

#[test]
fn n001_hits_are_told_with_the_time_of_their_result() {
    let kitchen = Kitchen::with("a=1");
    kitchen.build("FROM base\nCOPY a /\nRUN say").id();
    kitchen.later(60);
    let hits = |explain| {
        let outcome = kitchen.build_as("FROM base\nCOPY a /\nRUN say", |request| request.explain = explain);
        let created = |event: &Event| match event {
            Event::CacheHit { created, .. } => Some(created.clone()),
            _ => None,
        };
        outcome.events.iter().filter_map(created).collect::<Vec<_>>()
    };
    assert_eq!(hits(true), ["2026-01-01T00:00:00Z"; 2]);
    assert_eq!(hits(false), [""; 0]);
}

/// N002: what the target does not need is neither looked at nor called cached.
#[test]
fn n002_stages_that_are_not_needed_are_called_so() {
    let kitchen = Kitchen::with("a=1");
    let file =
        "FROM base AS one\nCOPY a /\nFROM nowhere AS test\nRUN say\nRUN say\nFROM one\nRUN say\nFROM base\nRUN exit 1";
    let not_needed = |target: Option<&str>| {
        let outcome = kitchen.build_as(file, |request| request.target = target.map(str::to_owned));
        let stages = outcome.events.iter().filter_map(|event| match event {
            Event::StageNotNeeded { stage, instructions } => Some(format!("{stage} {instructions}")),
            _ => None,
        });
        (outcome.steps().contains("test"), stages.collect::<Vec<_>>().join(", "))
    };
    assert_eq!(not_needed(Some("2")), (false, "test 3, stage-3 2".to_owned()));
    assert_eq!(not_needed(Some("one")), (false, "test 3, stage-2 2, stage-3 2".to_owned()));
}
