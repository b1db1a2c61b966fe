//! Go's durations: `1h30m`, `1.5s`, `250ms`, as HEALTHCHECK takes them.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// No number where one must stand.
    #[error("a number is expected")]
    NumberMissing,
    /// A number without unit.
    #[error("the unit is missing")]
    UnitMissing,
    /// A unit that is not one.
    #[error("the unit is unknown")]
    UnitUnknown,
    /// Below zero.
    #[error("it is negative")]
    Negative,
    /// Beyond what Docker can store (292 years).
    #[error("it is too long")]
    TooLong,
}

/// Reads a duration in Go's notation.
///
/// # Errors
/// When the text is not one, is negative, or is longer than Docker can store.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(DurationError::NumberMissing);
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (value, after) = number_and_unit(rest)?;
        nanos = nanos.saturating_add(value);
        rest = after;
    }
    // Docker stores nanoseconds in a signed 64-bit number.
    if nanos > u128::from(u64::MAX >> 1) {
        return Err(DurationError::TooLong);
    }
    if negative && nanos > 0 {
        return Err(DurationError::Negative);
    }
    Ok(Duration::from_nanos(u64::try_from(nanos).map_err(|_| DurationError::TooLong)?))
}

/// Nanoseconds of one `12.5s`, and what follows.
fn number_and_unit(text: &str) -> Result<(u128, &str), DurationError> {
    let whole_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = &text[..whole_end];
    let mut rest = &text[whole_end..];
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        (fraction, rest) = after.split_at(end);
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::NumberMissing);
    }
    let unit_end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let scale: u128 = match unit {
        "" => return Err(DurationError::UnitMissing),
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(DurationError::UnitUnknown),
    };
    if whole.len() > 19 {
        return Err(DurationError::TooLong);
    }
    let mut nanos = whole.parse::<u128>().unwrap_or(0) * scale;
    // Digits beyond the 18th cannot make a nanosecond of an hour.
    let digits = &fraction[..fraction.len().min(18)];
    let power = 10_u128.pow(u32::try_from(digits.len()).unwrap_or(0));
    nanos += digits.parse::<u128>().unwrap_or(0) * scale / power;
    Ok((nanos, rest))
}

#[cfg(test)]
mod tests;
