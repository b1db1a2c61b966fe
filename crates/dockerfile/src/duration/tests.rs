use super::*;

#[test]
fn d140_durations_of_go() {
    let ms = Duration::from_millis;
    for (text, expected) in [
        ("0", ms(0)),
        ("-0", ms(0)),
        ("0s", ms(0)),
        ("30s", ms(30_000)),
        ("1h30m", ms(5_400_000)),
        ("1.5s", ms(1500)),
        (".5s", ms(500)),
        ("1.s", ms(1000)),
        ("250ms", ms(250)),
        ("+2m", ms(120_000)),
        ("10us", Duration::from_micros(10)),
        ("10µs", Duration::from_micros(10)),
        ("10μs", Duration::from_micros(10)),
        ("7ns", Duration::from_nanos(7)),
        ("1h1m1s1ms1us1ns", Duration::from_nanos(3_661_001_001_001)),
    ] {
        assert_eq!(parse_duration(text), Ok(expected), "{text}");
    }
}

#[test]
fn texts_that_are_none() {
    for (text, expected) in [
        ("", DurationError::NumberMissing),
        ("-", DurationError::NumberMissing),
        ("s", DurationError::NumberMissing),
        (".s", DurationError::NumberMissing),
        ("5", DurationError::UnitMissing),
        ("1h5", DurationError::UnitMissing),
        ("5sec", DurationError::UnitUnknown),
        ("5 s", DurationError::UnitUnknown),
        ("5d", DurationError::UnitUnknown),
        ("-5s", DurationError::Negative),
        ("9999999h", DurationError::TooLong),
        ("99999999999999999999999999999999999999999999s", DurationError::TooLong),
    ] {
        assert_eq!(parse_duration(text), Err(expected), "{text}");
    }
}
