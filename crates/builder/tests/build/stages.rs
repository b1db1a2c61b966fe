//! Several stages: what is built, what waits for what, what is copied between them, what ends with what.

use std::sync::atomic::Ordering;

use builder::{BuildError, Event};

use crate::kitchen::Kitchen;

#[test]
fn s142_s143_s307_copy_from_a_stage_leaves_the_rest_behind() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build(
        "FROM base AS build-stage\nENV X=1\nLABEL l=1\nRUN write /app/target/my.jar jar && write /app/junk x\n\
         FROM base as production-stage\nCOPY --from=build-stage /app/target/my.jar /app/my.jar",
    );
    assert_eq!(outcome.changes(), "/app/ 755\n/app/my.jar 644 \"jar\"");
    assert_eq!(outcome.config(), "Env=[\"PATH=/bin\"]\nCmd=[\"sh\"]");
}

#[test]
fn s143_d037_stages_that_nobody_needs_are_not_built() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build("FROM base AS one\nRUN say 1\nFROM base AS two\nRUN say 2\nFROM base\nRUN say 3");
    assert_eq!(outcome.calls(), "/bin/sh -c say 3");
    assert!(outcome.text().contains("[stage-2 2/2] RUN say 3"));
    // Not even their bases have to be there.
    kitchen.build("FROM nothere AS one\nFROM base").id();
}

#[test]
fn s087_s088_b004_target() {
    let kitchen = Kitchen::new();
    let file = "FROM base AS Build-Stage\nRUN say 1\nFROM base\nRUN say 2";
    let target = |name: &str| kitchen.build_as(file, |request| request.target = Some(name.to_owned())).calls();
    assert_eq!(target("build-stage"), "/bin/sh -c say 1");
    assert_eq!(target("BUILD-STAGE"), "");
    assert_eq!(target("1"), "/bin/sh -c say 2");
    let error = kitchen.build_as(file, |request| request.target = Some("biuld-stage".to_owned())).error();
    assert!(error.contains("biuld-stage"), "{error}");
}

#[test]
fn d023_d029_a_stage_as_base_hands_on_what_it_has() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build(
        "FROM base AS one\nARG A=1\nENV E=2\nWORKDIR /w\nUSER app\nSHELL [\"/s\"]\nRUN write /a x\nEXPOSE 1\n\
         FROM one AS two\nRUN write /b y",
    );
    assert_eq!(outcome.calls(), "/s write /a x E=2 A=1 user=app in=/w\n/s write /b y E=2 A=1 user=app in=/w");
    assert_eq!(outcome.changes(), "/a 644 \"x\"\n/b 644 \"y\"\n/w/ 755");
    assert_eq!(outcome.history().lines().count(), 8);
    assert_eq!(outcome.layers().len(), 4);
    // `FROM stage` is not counted as a step.
    let names: Vec<String> = outcome.steps().lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        [
            "CACHED [one 1/3] FROM docker.io/library/base@sha256:…",
            "DONE [one 2/3] WORKDIR /w",
            "DONE [one 3/3] RUN write /a x",
            "DONE [two 1/1] RUN write /b y"
        ]
    );
}

#[test]
fn d078_from_takes_a_number_a_name_in_any_case_or_an_image() {
    let kitchen = Kitchen::new();
    kitchen.image("other", "o/x=1", "{}");
    for from in ["0", "One", "one", "other", "other:latest"] {
        let file = format!("FROM other AS one\nFROM base\nCOPY --from={from} /o/x /y");
        assert_eq!(kitchen.build(&file).changes(), "/y 644 \"1\"", "{from}");
    }
}

#[test]
fn s307_files_of_a_stage_that_is_the_same_are_not_read() {
    let kitchen = Kitchen::new();
    let file = |line: &str| format!("FROM base AS one\nRUN write /o/a first\nFROM base\n{line}\nRUN write /b 2");
    let copy = file("COPY --from=one /o /x");
    let first = kitchen.build(&copy);
    let layers = kitchen.build_as(&copy, |request| request.target = Some("one".to_owned())).layers();
    // Whoever read it would find something else in it.
    let path = kitchen.store.path().join(format!("layers/{}.tar", layers[1].0.hex()));
    let mut tar = std::fs::read(&path).unwrap();
    let place = tar.windows(5).position(|bytes| bytes == b"first").unwrap();
    tar[place..place + 5].copy_from_slice(b"other");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &tar).unwrap();
    let before = kitchen.snapshot();
    let again = kitchen.build(&copy);
    assert!(!again.steps().contains("DONE"), "{}", again.steps());
    assert_eq!(again.layers(), first.layers());
    assert_eq!(kitchen.snapshot(), before);
    // Other files of the same layers are another question.
    for line in ["COPY --from=one /o/a /x", "COPY --from=one --parents /o /x", "COPY --from=one --exclude=b /o /x"] {
        let other = kitchen.build(&file(line));
        assert!(other.changes().contains("\"other\""), "{line}: {}", other.changes());
    }
}

/// The same of files that a command has mounted.
#[test]
fn d102_mounted_files_of_a_stage_that_is_the_same_are_not_read() {
    let kitchen = Kitchen::with("c=1");
    kitchen.let_files_age();
    let file = |mounts: &str| format!("FROM base AS one\nRUN write /o/a first\nFROM base\nRUN {mounts} take /m/a /x");
    let mounts = "--mount=from=one,source=/o,target=/m --mount=target=/c --mount=from=base,target=/b";
    let first = kitchen.build(&file(mounts));
    let layers = kitchen.build_as(&file(mounts), |request| request.target = Some("one".to_owned())).layers();
    // Whoever read it would find something else in it.
    let path = kitchen.store.path().join(format!("layers/{}.tar", layers[1].0.hex()));
    let mut tar = std::fs::read(&path).unwrap();
    let place = tar.windows(5).position(|bytes| bytes == b"first").unwrap();
    tar[place..place + 5].copy_from_slice(b"other");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &tar).unwrap();
    let before = kitchen.snapshot();
    let again = kitchen.build(&file(mounts));
    assert_eq!((again.calls().as_str(), again.layers()), ("", first.layers()));
    assert_eq!(kitchen.snapshot(), before);
    // Other files of the same layers are another question, and so is another context.
    let other = kitchen.build(&file("--mount=from=one,source=/o/a,target=/m/a"));
    assert!(other.changes().contains("\"other\""), "{}", other.changes());
    kitchen.files("c=2");
    assert!(kitchen.build(&file(mounts)).changes().contains("\"other\""));
}

/// Found by its files where the layers are others.
#[test]
fn d102_a_stage_that_made_the_same_anew_leaves_who_mounts_it_a_hit() {
    let kitchen = Kitchen::new();
    let file = |extra: &str, text: &str| {
        format!(
            "FROM base AS one\nRUN write /o/a {text}\nRUN write /other {extra}\nFROM base\n\
             RUN --mount=from=one,source=/o,target=/m take /m/a /x"
        )
    };
    let calls = |extra: &str, text: &str| kitchen.build(&file(extra, text)).calls();
    assert!(calls("1", "same").contains("take"));
    assert_eq!(calls("2", "same"), "/bin/sh -c write /other 2");
    assert_eq!(calls("2", "same"), "");
    assert!(calls("2", "new").contains("take"));
    assert_eq!(calls("1", "same"), "");
}

#[test]
fn s307_a_stage_that_made_the_same_anew_is_found_by_its_files() {
    let kitchen = Kitchen::new();
    let file = |extra: &str, text: &str| {
        format!("FROM base AS one\nRUN write /o/a {text}\nRUN write /other {extra}\nFROM base\nCOPY --from=one /o /x")
    };
    let step = |file: &str| kitchen.build(file).steps().lines().find(|line| line.contains("COPY")).unwrap().to_owned();
    assert!(step(&file("1", "same")).starts_with("DONE"));
    assert!(step(&file("2", "same")).starts_with("CACHED"), "other layers, the same files");
    assert!(step(&file("2", "same")).starts_with("CACHED"));
    let changed = step(&file("2", "new"));
    assert!(changed.ends_with("(because a file changed: a)"), "{changed}");
}

#[test]
fn d061_n011_from_takes_variables() {
    let kitchen = Kitchen::new();
    kitchen.image("other", "o/x=1", r#"{"Env":["NEXT=second"]}"#);
    let stages = "FROM base AS unused\nRUN exit 1\nFROM base AS first\nRUN write /y 1\nFROM base AS second\nRUN write /y 2\n\
                  COPY --from=first /y /from-first\n";
    for (lines, args, expected) in [
        // Stages that nothing else needs, in the image that begins it and in one that takes a variable over.
        ("FROM base\nARG S=first\nCOPY --from=$S /y /y", "", "/y 644 \"1\""),
        ("FROM base\nARG S=first\nCOPY --from=${S} /y /y", "SECOND", "/y 644 \"2\""),
        ("FROM base\nENV S=sec\nCOPY --from=${S}ond /y /y", "", "/y 644 \"2\""),
        ("FROM other\nCOPY --from=$NEXT /y /y", "", "/o/ 755\n/o/x 644 \"1\"\n/y 644 \"2\""),
        ("FROM base\nARG S=1\nCOPY --from=$S /y /y", "", "/y 644 \"1\""),
        ("FROM base AS between\nARG S=first\nFROM between\nCOPY --from=$S /y /y", "", "/y 644 \"1\""),
        ("FROM base\nARG S=other:latest\nCOPY --from=\"$S\" /o/x /y", "", "/y 644 \"1\""),
    ] {
        let outcome = kitchen.build_as(&format!("{stages}{lines}"), |request| {
            if args == "SECOND" {
                request.build_args.push(("S".to_owned(), "second".to_owned()));
            }
        });
        let changes = outcome.changes();
        let seen: Vec<&str> = changes.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(seen.join("\n"), expected, "{lines}");
    }
    let names = kitchen.build(&format!("{stages}FROM base\nARG S=first\nCOPY --from=$S /y /y")).steps();
    assert!(names.contains(" [stage-3 2/2] COPY --from=first /y /y"), "{names}");
    assert!(!names.contains("exit 1") && !names.contains("second"), "{names}");
}

#[test]
fn d061_n011_a_variable_in_from_that_leads_nowhere() {
    let kitchen = Kitchen::new();
    let error = |lines: &str| kitchen.build(&format!("FROM base AS one\nFROM base AS two\n{lines}")).error();
    let help = "\n  help: name a stage that comes before, or an image";
    assert_eq!(error("ARG S=7\nCOPY --from=$S a /"), format!("line 4: there is no stage 7 [it is `7` here]{help}"));
    assert_eq!(
        error("ARG S=TWO\nCOPY --from=$S a /"),
        format!("line 4: stage `TWO` is not above this one [it is `TWO` here]{help}")
    );
    assert_eq!(
        error("ARG S=1\nCOPY --from=$S a /"),
        format!("line 4: stage 1 is not above this one [it is `1` here]{help}")
    );
    assert_eq!(
        error("ARG S\nCOPY --from=$S a /"),
        "line 4: `--from=$S` names nothing: it is empty\n  help: give it with `--build-arg S=…` or a default: `ARG S=…` \
         above"
    );
    assert_eq!(
        error("ARG S=on\nCOPY --from=${S}e /nothere /"),
        "line 4: `/nothere` is not in stage `one`\n  help: check the path: it is taken from the root of the stage or image"
    );
}

#[test]
fn copy_from_follows_links_keeps_owners_and_takes_wildcards() {
    let kitchen = Kitchen::new();
    kitchen.image("other", "usr/ usr/lib/ usr/lib/a.so=1 usr/lib/b.so==usr/lib/a.so usr/lib/c=3 lib->usr/lib", "{}");
    let copy = |line: &str| {
        let outcome = kitchen.build(&format!("FROM base\nCOPY --from=other {line}"));
        if outcome.result.is_ok() { outcome.changes() } else { outcome.error() }
    };
    assert_eq!(copy("/lib/*.so /x/"), "/x/ 755\n/x/a.so 644 \"1\"\n/x/b.so 644 \"1\"");
    assert_eq!(copy("/lib /x"), "/x/ 755\n/x/a.so 644 \"1\"\n/x/b.so = /x/a.so\n/x/c 644 \"3\"");
    assert_eq!(copy("lib/c usr/lib/a.so /x/"), "/x/ 755\n/x/a.so 644 \"1\"\n/x/c 644 \"3\"");
    let kept = kitchen.build("FROM base AS one\nFROM base\nCOPY --from=one / /copy/").changes();
    assert!(kept.contains("/copy/srv/ 750 7:8\n/copy/srv/old 644 \"old\""), "{kept}");
    assert_eq!(
        copy("/lib/d /x"),
        "line 2: `/lib/d` is not in image `docker.io/library/other`\n  help: check the path: it is taken from the \
         root of the stage or image"
    );
    assert_eq!(copy("/lib/c/d /x"), copy("/lib/d /x").replace("/lib/d", "/lib/c/d"));
    assert_eq!(
        copy("/lib/d* /x"),
        "line 2: no source files match `/lib/d*`\n  help: check the pattern: it is taken from the root of the stage \
         or image"
    );
}

#[test]
fn images_are_looked_up_once() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build(
        "FROM base AS one\nFROM base:latest AS two\nFROM base\nCOPY --from=one /etc /1\nCOPY --from=two /etc /2\n\
         COPY --from=base /etc /3",
    );
    let text = outcome.text();
    assert_eq!(text.matches("load metadata for docker.io/library/base:latest").count(), 1, "{text}");
}

#[test]
fn d038_stages_run_at_the_same_time() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build(
        "FROM base AS one\nRUN meet 3 && write /1 x\nFROM base AS two\nRUN meet 3 && write /2 x\n\
         FROM base\nRUN meet 3\nCOPY --from=one /1 /\nCOPY --from=two /2 /",
    );
    assert_eq!(outcome.changes(), "/1 644 \"x\"\n/2 644 \"x\"");
}

#[test]
fn copy_from_waits_for_the_stage() {
    let kitchen = Kitchen::new();
    let outcome = kitchen
        .build("FROM base AS one\nRUN meet 2 && write /a b\nFROM base\nRUN meet 2\nCOPY --from=one /a /\nRUN nothing");
    let place = |wanted: &dyn Fn(&Event) -> Option<bool>| {
        outcome.events.iter().position(|event| wanted(event) == Some(true)).unwrap()
    };
    let step = |name: &str| {
        let queued = outcome.events.iter().find_map(|event| match event {
            Event::StepQueued { step, name: known, .. } if known.contains(name) => Some(*step),
            _ => None,
        });
        queued.unwrap()
    };
    let (made, copied) = (step("write /a b"), step("COPY"));
    let finished = place(&|event| match event {
        Event::StepFinished { step, .. } => Some(*step == made),
        _ => None,
    });
    let started = place(&|event| match event {
        Event::StepStarted { step, .. } => Some(*step == copied),
        _ => None,
    });
    assert!(finished < started);
}

#[test]
fn a_stage_that_fails_ends_the_others() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build(
        "FROM base AS one\nRUN meet 2 && exit 7\nFROM base AS two\nRUN meet 2 && until-cancelled\nRUN say never\n\
         FROM base\nCOPY --from=one / /1\nCOPY --from=two / /2",
    );
    assert!(outcome.error().starts_with("line 2: `RUN meet 2 && exit 7` exited with status 7"), "{}", outcome.error());
    assert!(!outcome.calls().contains("never"));
    let steps = outcome.steps();
    assert!(steps.contains("CANCELED [two 2/3] RUN meet 2 && until-cancelled"), "{steps}");
    assert!(steps.contains("CANCELED [stage-2 2/3] COPY --from=one / /1"), "{steps}");
}

#[test]
fn a_build_that_is_cancelled_from_outside_keeps_what_is_done() {
    let kitchen = Kitchen::new();
    let file = "FROM base\nRUN write /1 x\nRUN hold && until-cancelled";
    std::thread::scope(|scope| {
        let build = scope.spawn(|| kitchen.build(file).result);
        while !kitchen.recorder.calls().contains("hold") {
            std::thread::yield_now();
        }
        kitchen.cancelled.store(true, Ordering::Relaxed);
        kitchen.recorder.let_go();
        assert!(matches!(build.join().unwrap(), Err(BuildError::Cancelled)));
    });
    let again = kitchen.build("FROM base\nRUN write /1 x\nRUN nothing");
    assert!(again.steps().contains("CACHED [2/3] RUN write /1 x"), "{}", again.steps());
}

#[test]
fn the_same_step_in_two_stages_runs_once() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build(
        "FROM base AS one\nRUN write /a b\nFROM base AS two\nRUN write /a b\nFROM base\nCOPY --from=one /a /1\n\
         COPY --from=two /a /2",
    );
    assert_eq!(outcome.calls(), "/bin/sh -c write /a b");
    assert_eq!(outcome.changes(), "/1 644 \"b\"\n/2 644 \"b\"");
}

#[test]
fn s307_a_file_that_a_stage_made_anew_with_the_same_content_is_cached() {
    let kitchen = Kitchen::new();
    let file = |word: &str| {
        format!("FROM base AS one\nRUN write /a b && say {word}\nFROM base\nCOPY --from=one /a /\nRUN say z")
    };
    kitchen.build(&file("1")).id();
    let again = kitchen.build(&file("2"));
    assert_eq!(again.calls(), "/bin/sh -c write /a b && say 2");
    assert!(again.steps().contains("CACHED [stage-1 2/3] COPY --from=one /a /"), "{}", again.steps());
}
