//! The checks of a build: what they know of images, contexts and options, and what comes of their findings.

use builder::Event;

use crate::kitchen::{Kitchen, Outcome};

/// `Name 3`, for each finding.
fn found(outcome: &Outcome<'_>) -> String {
    let names = outcome.events.iter().filter_map(|event| match event {
        Event::Check(found) => Some(format!("{} {}", found.rule.name, found.location.first_line)),
        _ => None,
    });
    names.collect::<Vec<_>>().join(", ")
}

#[test]
fn d178_variables_of_the_base_are_known() {
    let kitchen = Kitchen::new();
    kitchen.image(
        "rich",
        "bin/ bin/sh:755=sh",
        r#"{"Env":["HOME=/root"],"Shell":["/bin/sh","-c"],"OnBuild":["ENV T=1"]}"#,
    );
    let built = kitchen.build("FROM rich\nLABEL a=$HOME$PATH$T b=$NONE\nCMD echo");
    assert_eq!(found(&built), "UndefinedVar 2", "an image with SHELL means its CMD");
    assert_eq!(found(&kitchen.build("FROM base\nLABEL a=$HOME\nCMD echo")), "UndefinedVar 2, JSONArgsRecommended 3");
}

#[test]
fn d178_stages_that_are_not_needed_are_left_alone() {
    let kitchen = Kitchen::new();
    let file = "FROM base AS a\nCMD echo\nFROM base AS b\nWORKDIR x\nFROM a";
    assert_eq!(found(&kitchen.build(file)), "JSONArgsRecommended 2");
    assert_eq!(
        found(&kitchen.build_as(file, |request| request.target = Some("b".to_owned()))),
        "WorkdirRelativePath 4"
    );
}

#[test]
fn d177_files_that_the_ignore_file_leaves_out() {
    let kitchen = Kitchen::with("a=A .dockerignore=b\\n");
    let outcome = kitchen.build("# check=experimental=CopyIgnoredFile\nFROM base\nCOPY a b /x/");
    assert_eq!(found(&outcome), "CopyIgnoredFile 3", "before the build fails for want of it");
    assert!(outcome.error().contains("`b`"), "{}", outcome.error());
}

#[test]
fn d176_platforms_of_bases() {
    let kitchen = Kitchen::new();
    let mut image = oci::ImageConfig::scratch(&"linux/s390x".parse().unwrap());
    image.os = "linux".to_owned();
    let id = kitchen.store.publish_image(&image.to_bytes(), None).unwrap();
    kitchen.store.set_reference(&"foreign:latest".parse().unwrap(), id).unwrap();
    assert_eq!(found(&kitchen.build("FROM foreign\nLABEL a=b")), "InvalidBaseImagePlatform 1");
    assert_eq!(found(&kitchen.build("FROM base\nLABEL a=b")), "");
}

/// Nothing runs, nothing is named; the finding is told as in any build.
#[test]
fn d178_findings_can_end_the_build() {
    let kitchen = Kitchen::new();
    for (file, error) in [
        (
            "# check=error=true\nFROM base\nRUN say 1\nCMD echo $X\nWORKDIR y",
            "JSONArgsRecommended, WorkdirRelativePath",
        ),
        (
            "# check=skip=JSONArgsRecommended;error=true\nFROM base\nRUN say 1\nCMD echo\nWORKDIR y\nWORKDIR z",
            "WorkdirRelativePath",
        ),
    ] {
        let outcome = kitchen.build(file);
        assert_eq!(outcome.error(), format!("lint violation found for rules: {error}"), "{file}");
        assert_eq!(outcome.calls(), "");
        assert!(found(&outcome).contains("WorkdirRelativePath"), "{file}");
    }
    let clean = kitchen.build("# check=error=true\nFROM base\nRUN say 1\nCMD [\"echo\"]");
    clean.id();
    assert_eq!(clean.calls().lines().count(), 1);
}

#[test]
fn d178_the_build_argument_counts_instead_of_the_directive() {
    let kitchen = Kitchen::new();
    let with = |file: &str, value: &str| {
        let outcome = kitchen.build_as(file, |request| {
            request.build_args.push(("BUILDKIT_DOCKERFILE_CHECK".to_owned(), value.to_owned()));
        });
        let error = outcome.result.as_ref().err().map_or_else(String::new, ToString::to_string);
        (found(&outcome), error, outcome.text().matches("warning: ").count())
    };
    let file = "# check=skip=all;error=true\nFROM base\nCMD echo\nWORKDIR x";
    let none = String::new;
    assert_eq!(found(&kitchen.build(file)), "");
    assert_eq!(with(file, "skip=JSONArgsRecommended"), ("WorkdirRelativePath 4".to_owned(), none(), 0));
    assert_eq!(with(file, "skip=all"), (none(), none(), 0));
    let (findings, error, _) = with(file, "error=true");
    assert_eq!(findings, "JSONArgsRecommended 3, WorkdirRelativePath 4");
    assert_eq!(error, "lint violation found for rules: JSONArgsRecommended, WorkdirRelativePath");
    let (_, error, _) = with(file, "skpi=all");
    assert_eq!(error, "invalid check option `skpi=all` in BUILDKIT_DOCKERFILE_CHECK");
}
