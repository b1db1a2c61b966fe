//! Moments as people give them to `--since`, `--until` and filters.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A point in time: `10m` before now, `2026-01-02T15:04:05Z`, the same without a zone or a time for the zone of this machine,
/// or seconds since 1970. None for anything else.
pub fn parse_moment(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(duration) = dockerfile::parse_duration(text) {
        return now.checked_sub(duration).ok();
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains(['-', ':']) {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        return Timestamp::new(seconds.parse().ok()?, nanoseconds).ok();
    }
    let with_zone = text.parse::<Timestamp>().ok();
    with_zone.or_else(|| Some(text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok()?.timestamp()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::{Offset, TimeZone};

    use super::parse_moment;

    #[test]
    fn c224_moments_are_written_as_dockers() {
        let now: Timestamp = "2026-05-06T07:08:09Z".parse().unwrap();
        let zone = TimeZone::fixed(Offset::constant(9));
        for (text, expected) in [
            ("10m", "2026-05-06T06:58:09Z"),
            ("1h30m", "2026-05-06T05:38:09Z"),
            ("0s", "2026-05-06T07:08:09Z"),
            ("2026-01-02T15:04:05Z", "2026-01-02T15:04:05Z"),
            ("2026-01-02T15:04:05.5+09:00", "2026-01-02T06:04:05.5Z"),
            ("2026-01-02T15:04:05", "2026-01-02T06:04:05Z"),
            ("2026-01-02T15:04", "2026-01-02T06:04:00Z"),
            ("2026-01-02", "2026-01-01T15:00:00Z"),
            ("1136073845", "2006-01-01T00:04:05Z"),
            ("1136073845.000000001", "2006-01-01T00:04:05.000000001Z"),
            ("1136073845.5", "2006-01-01T00:04:05.5Z"),
        ] {
            assert_eq!(
                parse_moment(text, now, &zone).map(|moment| moment.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in ["", "soon", "10x", "1136073845.x", "2026-13-01", "-10m"] {
            assert_eq!(parse_moment(text, now, &zone), None, "{text}");
        }
    }
}
