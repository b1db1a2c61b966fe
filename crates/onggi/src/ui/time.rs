//! Points in time: how old, and the two spellings of a date that Docker prints.

use jiff::{Timestamp, tz::TimeZone};

use super::duration::human_duration;

/// `23 hours ago`; `N/A` for something that does not say when it was made.
pub(crate) fn ago(created: Option<Timestamp>, now: Timestamp) -> String {
    match created {
        Some(created) => format!("{} ago", human_duration(now.as_second() - created.as_second())),
        None => "N/A".to_owned(),
    }
}

/// `2026-11-21 04:30:17 +0000 UTC`, as Go prints a time (column `CreatedAt` of lists).
pub(crate) fn go_time(created: Option<Timestamp>, zone: &TimeZone) -> String {
    created.map_or_else(
        || "N/A".to_owned(),
        |created| created.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string(),
    )
}

/// `2026-11-21T04:30:17Z` or with the zone's offset (`history --human=false`).
pub(crate) fn rfc3339(created: Option<Timestamp>, zone: &TimeZone) -> String {
    let Some(created) = created else { return "N/A".to_owned() };
    let zoned = created.to_zoned(zone.clone());
    match zoned.offset().is_zero() {
        true => zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        false => zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    }
}

#[cfg(test)]
mod tests;
