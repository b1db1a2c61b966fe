use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

use super::{ago, go_time, rfc3339};

#[test]
fn dates_are_spelled_as_docker_does() {
    let created: Timestamp = "2026-11-20T04:30:17.123Z".parse().unwrap();
    let now: Timestamp = "2026-11-21T03:30:17Z".parse().unwrap();
    assert_eq!(ago(Some(created), now), "23 hours ago");
    assert_eq!(ago(None, now), "N/A");
    assert_eq!(rfc3339(Some(created), &TimeZone::UTC), "2026-11-20T04:30:17Z");
    assert_eq!(go_time(Some(created), &TimeZone::UTC), "2026-11-20 04:30:17 +0000 UTC");
    let seoul = TimeZone::fixed(Offset::from_seconds(9 * 3600).unwrap());
    assert_eq!(rfc3339(Some(created), &seoul), "2026-11-20T13:30:17+09:00");
}
