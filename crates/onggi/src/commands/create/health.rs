//! `--health-*`: from words to the engine's settings.

use engine::{DurationError, HealthSettings, parse_duration};

use crate::cli::create::HealthFlags;
use crate::failure::Failure;
use crate::render::problem::Problem;

/// The engine's settings.
pub(in crate::commands) fn health(flags: &HealthFlags) -> Result<HealthSettings, Failure> {
    let is_said = flags.health_cmd.is_some()
        || flags.health_retries.is_some()
        || [&flags.health_interval, &flags.health_start_interval, &flags.health_start_period, &flags.health_timeout]
            .iter()
            .any(|flag| flag.is_some());
    if flags.no_healthcheck {
        if is_said {
            let problem = Problem::error("--no-healthcheck conflicts with --health-* options");
            return Err(Failure::new(problem.with_hint("leave out one of them")));
        }
        return Ok(HealthSettings { test: vec!["NONE".to_owned()], ..HealthSettings::default() });
    }
    let test = flags.health_cmd.as_ref().filter(|text| !text.is_empty());
    Ok(HealthSettings {
        test: test.map(|text| vec!["CMD-SHELL".to_owned(), text.clone()]).unwrap_or_default(),
        interval: time("--health-interval", flags.health_interval.as_ref())?,
        timeout: time("--health-timeout", flags.health_timeout.as_ref())?,
        start_period: time("--health-start-period", flags.health_start_period.as_ref())?,
        start_interval: time("--health-start-interval", flags.health_start_interval.as_ref())?,
        retries: flags.health_retries.unwrap_or_default(),
        shell: Vec::new(),
    })
}

/// Nanoseconds; 0 for what is usual.
fn time(flag: &str, text: Option<&String>) -> Result<i64, Failure> {
    let Some(text) = text else { return Ok(0) };
    match parse_duration(text) {
        Ok(time) => Ok(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)),
        // The engine says that it cannot be.
        Err(DurationError::Negative) => Ok(-1),
        Err(_) => {
            let problem = Problem::error(format!("invalid argument \"{text}\" for \"{flag}\" flag"));
            Err(Failure::new(problem.with_hint(format!("write for example `{flag} 1m30s`"))))
        }
    }
}
