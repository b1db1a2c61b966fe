use super::human_duration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// S203: every threshold, from both sides.
#[test]
fn thresholds_are_dockers() {
    for (seconds, expected) in [
        (-5, "Less than a second"),
        (0, "Less than a second"),
        (1, "1 second"),
        (2, "2 seconds"),
        (4, "4 seconds"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (9 * MINUTE, "9 minutes"),
        (59 * MINUTE + 59, "59 minutes"),
        (HOUR, "About an hour"),
        (HOUR + 29 * MINUTE + 59, "About an hour"),
        (HOUR + 30 * MINUTE, "2 hours"),
        (23 * HOUR, "23 hours"),
        (47 * HOUR, "47 hours"),
        (47 * HOUR + 30 * MINUTE, "2 days"),
        (48 * HOUR, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY - 31 * MINUTE, "13 days"),
        (14 * DAY, "2 weeks"),
        (6 * 7 * DAY, "6 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (300 * DAY, "10 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
        (56 * 365 * DAY, "56 years"),
    ] {
        assert_eq!(human_duration(seconds), expected, "{seconds}");
    }
}
