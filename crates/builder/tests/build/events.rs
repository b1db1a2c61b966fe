//! The events of a build as text: what every progress display is made of.

use crate::kitchen::Kitchen;

#[test]
fn s101_to_s109_a_first_build() {
    let kitchen = Kitchen::with("app.js=12345 .dockerignore=x");
    let outcome =
        kitchen.build_as("FROM base\nWORKDIR /web-ping\nCOPY app.js .\nRUN say hello && warn oh", |request| {
            request.tags = vec!["web-ping".parse().unwrap(), "web-ping:v2".parse().unwrap()];
            request.explain = false;
        });
    let expected = "\
[internal] load build definition from Dockerfile
  transferring dockerfile: 66B
  DONE
[internal] load .dockerignore
  transferring context: 1B
  DONE
[internal] load metadata for docker.io/library/base:latest
  DONE
[internal] load build context
  transferring context: 5B
  DONE
[1/4] FROM docker.io/library/base@sha256:…
  CACHED
[2/4] WORKDIR /web-ping
  DONE
[3/4] COPY app.js .
  DONE
[4/4] RUN say hello && warn oh
  | hello
  | oh
  DONE
exporting to image
  exporting layers
  writing image sha256:…
  naming to docker.io/library/web-ping:latest
  naming to docker.io/library/web-ping:v2
  DONE
";
    assert_eq!(outcome.text(), expected);
    let text = format!("writing image {}", outcome.id());
    let written =
        outcome.events.iter().any(|event| matches!(event, builder::Event::StepStatus { text: t, .. } if *t == text));
    assert!(written, "the ID is the image's");
}

#[test]
fn s104_s113_the_base_is_shown_as_typed_with_its_digest() {
    let kitchen = Kitchen::new();
    let id = image::find(&kitchen.store, "base").unwrap().unwrap();
    kitchen.store.set_reference(&"base:18".parse().unwrap(), id).unwrap();
    for (typed, metadata, shown) in [
        ("base", "docker.io/library/base:latest", "docker.io/library/base@sha256:…"),
        ("base:18", "docker.io/library/base:18", "docker.io/library/base:18@sha256:…"),
    ] {
        let text = kitchen.build(&format!("FROM {typed}\nRUN nothing")).text();
        assert!(text.contains(&format!("[internal] load metadata for {metadata}\n  DONE\n")), "{text}");
        assert!(text.contains(&format!("[1/2] FROM {shown}\n  CACHED\n")), "{text}");
    }
}

#[test]
fn s106_only_what_changed_is_read_again() {
    let kitchen = Kitchen::with("a=12345 b=1234567");
    let file = "FROM base\nCOPY . /x/";
    assert!(kitchen.build(file).text().contains("transferring context: 12B"));
    kitchen.let_files_age();
    // Read again if they were too young to be trusted the first time.
    kitchen.build(file).id();
    assert!(kitchen.build(file).text().contains("transferring context: 0B"));
    kitchen.files("a=123");
    assert!(kitchen.build(file).text().contains("transferring context: 3B"));
}

#[test]
fn s107_s108_what_is_counted() {
    let kitchen = Kitchen::with("a=1");
    let outcome = kitchen.build("FROM base\nCMD x\nENV a=b\nCOPY a .\nWORKDIR .");
    assert_eq!(outcome.steps().lines().count(), 2);
    assert!(outcome.steps().contains("[2/3] COPY a ."), "{}", outcome.steps());
    assert_eq!(outcome.history().lines().last(), Some("- WORKDIR /"));
    // Numbers are as wide as the total; a single stage is not named.
    let runs = "RUN nothing\n".repeat(10);
    let outcome = kitchen.build(&format!("FROM base AS only\n{runs}"));
    assert!(outcome.text().contains("[ 1/11] FROM "), "{}", outcome.text());
    // Scratch is no step.
    let outcome = kitchen.build("FROM scratch\nCOPY a /");
    assert!(outcome.steps().starts_with("DONE [1/1] COPY a /"), "{}", outcome.steps());
}

#[test]
fn s111_cached_steps_are_marked() {
    let kitchen = Kitchen::with("a=1");
    let file = "FROM base\nRUN nothing\nCOPY a /\nRUN say";
    kitchen.build(file).id();
    kitchen.files("a=2");
    assert_eq!(
        kitchen.build(file).steps(),
        "CACHED [1/4] FROM docker.io/library/base@sha256:…\nCACHED [2/4] RUN nothing\n\
         DONE [3/4] COPY a / (because a file changed: a)\nDONE [4/4] RUN say (because the layers below changed)"
    );
}

#[test]
fn s114_a_name_without_a_tag_is_latest() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build_as("FROM base\nCMD x", |request| request.tags = vec!["me/app".parse().unwrap()]);
    assert!(outcome.text().contains("naming to docker.io/me/app:latest"));
    assert_eq!(kitchen.store.reference(&"me/app:latest".parse().unwrap()).unwrap(), Some(outcome.id()));
}

#[test]
fn a_failure_ends_every_step_that_began() {
    let kitchen = Kitchen::with("a=1");
    let files = [
        "FROM base\nRUN exit 3\nRUN say",
        "FROM nothere",
        "FROM base\nCOPY nothere /",
        "FROM base\nCOPY a /srv/old/x",
        "FROM base AS x\nRUN exit 1\nFROM base\nCOPY --from=x /a /",
    ];
    for file in files {
        let outcome = kitchen.build(file);
        let text = outcome.text();
        assert!(outcome.result.is_err() && text.contains("  ERROR: "), "{text}");
        let names = text.lines().filter(|line| !line.starts_with(' ') && !line.starts_with("warning")).count();
        let ends = text
            .lines()
            .filter(|line| ["  DONE", "  CACHED", "  CANCELED"].contains(line) || line.starts_with("  ERROR: "))
            .count();
        assert_eq!(names, ends, "{text}");
    }
    let text = kitchen.build("FROM base\nRUN exit 3").text();
    assert!(text.contains("  ERROR: `RUN exit 3` exited with status 3\n"), "{text}");
}
