use engine::{BuildRecord, BuildResult, RecordedOutcome, RecordedStep};

use super::{builds, steps, summary};

fn build() -> BuildRecord {
    let step = |number, name: &str, outcome, started_ms, ended_ms, log_bytes| RecordedStep {
        number,
        name: name.to_owned(),
        outcome,
        started_ms,
        ended_ms,
        log_bytes,
        error: None,
        reasons: Vec::new(),
    };
    BuildRecord {
        id: "3f2a9c0011ab".to_owned(),
        started: "2026-11-21T04:20:17Z".to_owned(),
        duration_ms: Some(12_345),
        dockerfile: "Dockerfile".to_owned(),
        context: Some("/home/me/app".to_owned()),
        target: None,
        tags: vec!["app".to_owned(), "app:v2".to_owned()],
        result: BuildResult::Failed,
        error: Some("`RUN make` exited with status 2".to_owned()),
        image: None,
        process: (1, 2),
        steps: vec![
            step(1, "[internal] load build definition from Dockerfile", RecordedOutcome::Done, Some(0), Some(12), 0),
            step(4, "[1/3] FROM docker.io/library/node:18", RecordedOutcome::Cached, Some(30), Some(30), 0),
            step(5, "[2/3] RUN make '\u{1b}[2J'", RecordedOutcome::Failed, Some(31), Some(12_300), 1_234_567),
            step(6, "[3/3] COPY . .", RecordedOutcome::Waiting, None, None, 0),
        ],
        not_needed: Vec::new(),
    }
}

/// N016.
#[test]
fn n016_builds_and_steps_are_listed() {
    let now = "2026-11-21T04:30:17Z".parse().unwrap();
    insta::assert_snapshot!(builds(&[build()], None, now).unwrap(), @"
    BUILD          STARTED          TIME      RESULT    STEPS     DOCKERFILE   CONTEXT
    3f2a9c0011ab   10 minutes ago   12.3s     failed    4         Dockerfile   /home/me/app
    ");
    insta::assert_snapshot!(steps(&build(), None).unwrap(), @r"
    STEP      OUTCOME   TIME      OUTPUT    NAME
    1         done      0.0s      0B        [internal] load build definition from Dockerfile
    4         cached    0.0s      0B        [1/3] FROM docker.io/library/node:18
    5         failed    12.3s     1.23MB    [2/3] RUN make '\x1b[2J'
    6         waiting             0B        [3/3] COPY . .
    ");
    insta::assert_snapshot!(summary(&build(), now), @"build 3f2a9c0011ab, 10 minutes ago: failed: `RUN make` exited with status 2");
    let reasons = builds(&[build()], Some("{{.ID}} {{.Tags}} {{.Error}}"), now);
    assert_eq!(reasons.as_deref(), Ok("3f2a9c0011ab app,app:v2 `RUN make` exited with status 2\n"));
}
