//! Pauses between attempts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ureq::http::{HeaderMap, HeaderValue};

use super::{Retry, retry_after};
use crate::error::{Failure, Kind};
use crate::limits::Limits;
use crate::wire::Halt;

fn recording() -> (Limits, Arc<Mutex<Vec<Duration>>>) {
    let pauses: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let seen = Arc::clone(&pauses);
    let wait: crate::limits::Wait = Arc::new(move |pause| seen.lock().unwrap().push(pause));
    (Limits { wait: Some(wait), ..Limits::default() }, pauses)
}

fn unavailable() -> Failure {
    Failure::new("x", Kind::Unavailable { status: 503 })
}

#[test]
fn c011_pauses_double_and_progress_gives_a_new_budget() {
    let (limits, pauses) = recording();
    let mut retry = Retry::new(&limits, false);
    let halt = Halt::default();
    for _ in 1..limits.attempts {
        assert!(retry.pause(&unavailable(), &halt));
    }
    assert!(!retry.pause(&unavailable(), &halt));
    let pauses = pauses.lock().unwrap();
    for (rank, pause) in pauses.iter().enumerate() {
        let middle = limits.pause * (1 << rank);
        assert!(*pause >= middle.mul_f64(0.75) && *pause <= middle.mul_f64(1.25), "{rank}: {pause:?}");
    }
    retry.progressed();
    drop(pauses);
    assert!(retry.pause(&unavailable(), &halt));
    halt.set();
    assert!(!retry.pause(&unavailable(), &halt));
}

#[test]
fn c011_what_will_not_pass_is_not_tried_again() {
    let (limits, _) = recording();
    let halt = Halt::default();
    for kind in [Kind::NotFound, Kind::Denied { had_credential: true }, Kind::Tls(String::new()), Kind::Host] {
        assert!(!Retry::new(&limits, false).pause(&Failure::new("x", kind), &halt));
    }
    let refused = || Failure::new("x", Kind::Connect(std::io::ErrorKind::ConnectionRefused.into()));
    assert!(!Retry::new(&limits, true).pause(&refused(), &halt), "there are others");
    let mut retry = Retry::new(&limits, false);
    assert_eq!(
        [retry.pause(&refused(), &halt), retry.pause(&refused(), &halt), retry.pause(&refused(), &halt)],
        [true, true, false]
    );
}

#[test]
fn c011_servers_say_when_to_come_again() {
    let asked = |after: &'static str, date: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static(after));
        if let Some(date) = date {
            headers.insert("date", HeaderValue::from_static(date));
        }
        retry_after(&headers).map(|pause| pause.as_secs())
    };
    let date = Some("Tue, 14 Nov 2023 22:13:20 GMT");
    assert_eq!(asked("7", None), Some(7));
    assert_eq!(asked("Tue, 14 Nov 2023 22:13:50 GMT", date), Some(30));
    assert_eq!(asked("Tue, 14 Nov 2023 22:13:00 GMT", date), Some(0));
    assert_eq!(asked("Tue, 14 Nov 2023 22:13:50 GMT", None), None);
    for wrong in ["", "-1", "99999999999", "soon"] {
        assert_eq!(asked(wrong, date), None, "{wrong}");
    }
    let (limits, pauses) = recording();
    let failure = Failure { retry_after: Some(Duration::from_secs(5)), ..unavailable() };
    assert!(Retry::new(&limits, false).pause(&failure, &Halt::default()));
    let failure = Failure { retry_after: Some(Duration::from_secs(100_000)), ..unavailable() };
    assert!(Retry::new(&limits, false).pause(&failure, &Halt::default()));
    assert_eq!(*pauses.lock().unwrap(), [Duration::from_secs(5), limits.longest_pause]);
}
