use std::time::Duration;

use super::{RestartPolicy, Restarts};

#[test]
fn c205_policies_are_written_as_dockers() {
    for (text, expected) in [
        ("no", RestartPolicy::No),
        ("", RestartPolicy::No),
        ("always", RestartPolicy::Always),
        ("unless-stopped", RestartPolicy::UnlessStopped),
        ("on-failure", RestartPolicy::OnFailure(0)),
        ("on-failure:3", RestartPolicy::OnFailure(3)),
    ] {
        assert_eq!(text.parse::<RestartPolicy>().unwrap(), expected, "{text}");
    }
    for (text, said) in [
        ("sometimes", "invalid restart policy: unknown policy 'sometimes'"),
        ("on-failure:x", "maximum retry count must be an integer"),
        ("on-failure:-1", "maximum retry count must be an integer"),
        ("always:3", "invalid restart policy: maximum retry count can only be used with 'on-failure'"),
    ] {
        assert_eq!(text.parse::<RestartPolicy>().unwrap_err().message, said, "{text}");
    }
}

#[test]
fn c205_the_pause_doubles_until_a_life_was_long() {
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(10));
    let mut restarts = Restarts::new(RestartPolicy::Always);
    let mut next = |life| restarts.next(0, life).unwrap().as_millis();
    assert_eq!([(); 4].map(|()| next(short)), [100, 200, 400, 800]);
    assert_eq!([next(long), next(short)], [100, 200]);
    assert_eq!([(); 12].map(|()| next(short))[8..], [60_000; 4]);
}

#[test]
fn c205_failures_are_counted() {
    let life = Duration::ZERO;
    let mut twice = Restarts::new(RestartPolicy::OnFailure(2));
    assert!(twice.next(0, life).is_none());
    assert!(twice.next(1, life).is_some() && twice.next(1, life).is_some());
    assert!(twice.next(1, life).is_none());
    assert_eq!(twice.count(), 2);
    let mut ever = Restarts::new(RestartPolicy::OnFailure(0));
    assert!((0..100).all(|_| ever.next(3, life).is_some()));
    assert!(Restarts::new(RestartPolicy::No).next(1, life).is_none());
}
