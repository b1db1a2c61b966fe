use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::keep;
use super::*;
use crate::progress::{Event, StepId, StepOutcome, Stream};

/// Each look at the clock is a second after the one before.
fn clock() -> Timestamp {
    static NOW: AtomicI64 = AtomicI64::new(1_764_000_000);
    Timestamp::from_second(NOW.fetch_add(1, Ordering::Relaxed)).unwrap()
}

fn engine() -> (tempfile::TempDir, Engine) {
    let home = tempfile::tempdir().unwrap();
    let engine = Engine::open(&home.path().join("store"), clock).unwrap();
    (home, engine)
}

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The events of one step that writes these pieces.
fn step(number: u32, name: &str, pieces: &[&str], outcome: StepOutcome) -> Vec<Event> {
    let step = StepId(number);
    let mut events = vec![
        Event::StepQueued { step, name: name.to_owned(), at: at(1) },
        Event::StepStarted { step, at: at(2) },
        Event::StepRuns { step, at: at(3) },
    ];
    let mut offset = 0;
    for piece in pieces {
        let data = piece.as_bytes().to_vec();
        events.push(Event::StepLog { step, stream: Stream::Stdout, offset, data, at: at(4) });
        offset += piece.len() as u64;
    }
    events.push(Event::StepFinished { step, outcome, at: at(12) });
    events
}

/// Keeps a build of these events; the failed step with a log, and what was handed on.
fn record(engine: &Engine, events: Vec<Event>, result: Result<&oci::ImageId, &Error>) -> (Option<u32>, Vec<Event>) {
    let seen = Mutex::new(Vec::new());
    let forward = |event| seen.lock().unwrap().push(event);
    let recorder = Recorder::new(engine, BuildRecord::begun(engine.now()), &forward);
    events.into_iter().for_each(|event| recorder.take(event));
    let failed = recorder.finish(result).map(|(_, step)| step);
    drop(recorder);
    (failed, seen.into_inner().unwrap())
}

fn failure() -> Error {
    Error::new(ErrorKind::InvalidInput, "`RUN make` exited with status 2")
}

fn read_all(engine: &Engine, build: &BuildRecord, number: u32) -> Option<String> {
    let mut text = String::new();
    step_log(engine, build, number).unwrap()?.read_to_string(&mut text).unwrap();
    Some(text)
}

#[test]
fn n016_all_that_steps_write_is_kept() {
    let (_home, engine) = engine();
    let mut events = step(5, "[2/3] RUN make", &["cc ma", "in.c\n", "\x1b[31mno\n"], StepOutcome::Failed("no".into()));
    events.extend(step(6, "[3/3] COPY . .", &[], StepOutcome::Canceled));
    let (failed, seen) = record(&engine, events.clone(), Err(&failure()));
    assert_eq!(failed, Some(5));

    // Handed on unchanged, and where the output can be read again before the first of it.
    let place = seen.iter().position(|event| matches!(event, Event::StepKept { .. })).unwrap();
    let Event::StepKept { step: StepId(5), log } = &seen[place] else { panic!("{seen:?}") };
    assert!(matches!(seen[place + 1], Event::StepLog { offset: 0, .. }));
    let mut again = [0; 8];
    assert_eq!(log.read_at(3, &mut again).unwrap(), 8);
    assert_eq!(&again, b"main.c\n\x1b");
    assert_eq!(log.read_at(15, &mut again).unwrap(), 3, "the end is shorter");
    let rest: Vec<Event> = seen.into_iter().filter(|event| !matches!(event, Event::StepKept { .. })).collect();
    assert_eq!(rest, events);

    let build = build_log(&engine, None).unwrap();
    assert_eq!((build.id.len(), build.result), (12, BuildResult::Failed));
    assert_eq!(build.error.as_deref(), Some("`RUN make` exited with status 2"));
    assert_eq!(read_all(&engine, &build, 5).unwrap(), "cc main.c\n\x1b[31mno\n");
    assert_eq!(read_all(&engine, &build, 6), None);
    let make = build.failed_step().unwrap();
    assert_eq!((make.number, make.log_bytes, make.started_ms, make.ended_ms), (5, 18, Some(2), Some(12)));
    assert_eq!(build.steps[1].outcome, RecordedOutcome::Canceled);
    let unknown = step_log(&engine, &build, 7).unwrap_err();
    assert_eq!(unknown.message, format!("build {} has no step 7", build.id));
    assert_eq!(unknown.hint, Some(format!("`onggi build logs {}` lists its steps", build.id)));
}

#[test]
fn n016_a_build_that_runs_nothing_keeps_nothing() {
    let (_home, engine) = engine();
    let mut events = step(1, "[1/2] FROM base", &[], StepOutcome::Cached);
    events.retain(|event| !matches!(event, Event::StepRuns { .. }));
    assert_eq!(record(&engine, events, Ok(&oci::ImageId(oci::Digest::of(b"")))).0, None);
    assert_eq!(build_logs(&engine).unwrap(), []);
    assert_eq!(build_log(&engine, None).unwrap_err().message, "no build has kept a log yet");
}

#[test]
fn n016_builds_are_found_by_the_first_digits() {
    let (_home, engine) = engine();
    for name in ["a", "b"] {
        record(&engine, step(5, name, &["x"], StepOutcome::Done), Ok(&oci::ImageId(oci::Digest::of(b""))));
    }
    let all = build_logs(&engine).unwrap();
    let names: Vec<&str> = all.iter().map(|build| build.steps[0].name.as_str()).collect();
    assert_eq!(names, ["b", "a"], "the newest first");
    assert_eq!(build_log(&engine, None).unwrap(), all[0]);
    assert_eq!(build_log(&engine, Some(&all[1].id)).unwrap(), all[1]);
    assert_eq!(build_log(&engine, Some("")).unwrap_err().message, "2 builds begin with ``");
    assert_eq!(build_log(&engine, Some("no")).unwrap_err().message, "no log of a build `no` is kept");
}

#[test]
fn n016_a_killed_build_is_interrupted() {
    let (_home, engine) = engine();
    record(&engine, step(5, "RUN x", &["x"], StepOutcome::Done), Ok(&oci::ImageId(oci::Digest::of(b""))));
    let mut build = build_log(&engine, None).unwrap();
    build.result = BuildResult::Running;
    let index = engine.store().path().join("logs").join(&build.id).join("index.json");
    std::fs::write(&index, serde_json::to_vec(&build).unwrap()).unwrap();
    assert_eq!(build_log(&engine, None).unwrap().result, BuildResult::Running, "we are alive");
    build.process.1 += 1;
    std::fs::write(&index, serde_json::to_vec(&build).unwrap()).unwrap();
    assert_eq!(build_log(&engine, None).unwrap().result, BuildResult::Interrupted);
    std::fs::write(&index, "torn").unwrap();
    assert_eq!(build_logs(&engine).unwrap(), [], "an index that is damaged stops nobody");
}

#[test]
fn n016_old_logs_make_room_for_new_ones() {
    let (_home, engine) = engine();
    let kept = || -> Vec<String> {
        let builds = build_logs(&engine).unwrap();
        builds.into_iter().map(|build| build.steps[0].name.clone()).collect()
    };
    let text = "x".repeat(10_000);
    for name in ["1", "2", "3", "4", "5"] {
        record(&engine, step(5, name, &[&text], StepOutcome::Done), Ok(&oci::ImageId(oci::Digest::of(b""))));
    }
    assert_eq!(kept(), ["5", "4", "3", "2", "1"]);
    let newest = build_log(&engine, None).unwrap().id;
    keep::remove(&engine, &newest, 4, u64::MAX).unwrap();
    assert_eq!(kept(), ["5", "4", "3", "2"]);
    keep::remove(&engine, &newest, 100, 25_000).unwrap();
    assert_eq!(kept(), ["5", "4", "3"], "the newest is not counted");
    keep::remove(&engine, &newest, 0, 0).unwrap();
    assert_eq!(kept(), ["5"]);
}

/// A full disk, as far as a build can tell: the folder cannot be made.
#[test]
fn n016_a_log_that_cannot_be_kept_is_a_warning() {
    let (_home, engine) = engine();
    let logs = engine.store().path().join("logs");
    std::fs::remove_dir(&logs).unwrap();
    std::fs::write(&logs, "in the way").unwrap();
    let events = step(5, "RUN x", &["a", "b"], StepOutcome::Failed("no".into()));
    let (failed, seen) = record(&engine, events.clone(), Err(&failure()));
    assert_eq!(failed, None);
    let warnings: Vec<&Event> = seen.iter().filter(|event| matches!(event, Event::Warning { .. })).collect();
    let [Event::Warning { message, .. }] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(message.starts_with("the log of this build is not kept: "), "{message}");
    assert_eq!(seen.len(), events.len() + 1);
}
