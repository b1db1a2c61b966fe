//! Whether what a container is for works: HEALTHCHECK and `--health-*`.
//!
//! The image's check and the command line's become one, field by field, when the container is made. What came of the
//! probes is a file of its own in the container's folder, which its owner replaces and everybody reads.

pub(super) mod watch;

use std::time::Duration;

use oci::{ContainerConfig, Healthcheck};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, ErrorKind};

/// The file with what came of the probes.
pub(super) const HEALTH: &str = "health.json";

/// How health is looked after; times are nanoseconds, 0 for what is usual.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthSettings {
    /// `CMD` or `CMD-SHELL` and words, or `NONE`; empty for the image's.
    pub test: Vec<String>,
    /// Between two probes.
    pub interval: i64,
    /// Longest time of one probe.
    pub timeout: i64,
    /// Failures at the beginning that do not count.
    pub start_period: i64,
    /// Between two probes at the beginning.
    pub start_interval: i64,
    /// Failures in a row that count.
    pub retries: i64,
    /// Words before the text of `CMD-SHELL`.
    pub shell: Vec<String>,
}

/// What came of the probes, in Docker's shape.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Health {
    /// `starting`, `healthy` or `unhealthy`.
    pub status: String,
    /// Failures in a row.
    pub failing_streak: u32,
    /// The latest probes, oldest first.
    pub log: Vec<HealthProbe>,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HealthProbe {
    /// When it began, RFC 3339.
    pub start: String,
    /// When it ended.
    pub end: String,
    /// How it ended; -1 if it took too long.
    pub exit_code: i32,
    /// The beginning of what it wrote.
    pub output: String,
}

impl Health {
    /// Before the first probe.
    pub(crate) fn starting() -> Self {
        Self { status: "starting".to_owned(), ..Self::default() }
    }
}

impl HealthSettings {
    /// Refuses what cannot be, in Docker's words.
    pub(crate) fn check(&self) -> Result<(), Error> {
        const LEAST: i64 = 1_000_000;
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125));
        let times = [
            (self.interval, "--health-interval", "interval"),
            (self.timeout, "--health-timeout", "timeout"),
            (self.start_period, "--health-start-period", "start period"),
            (self.start_interval, "--health-start-interval", "start interval"),
        ];
        for (time, flag, name) in times {
            if time < 0 {
                return wrong(format!("{flag} cannot be negative"));
            }
            if time != 0 && time < LEAST {
                return wrong(format!("{name} in Healthcheck cannot be less than 1ms"));
            }
        }
        if self.retries < 0 {
            return wrong("--health-retries cannot be negative".to_owned());
        }
        Ok(())
    }

    /// What was not asked for is as the image says.
    pub(crate) fn or_image(mut self, config: &ContainerConfig) -> Self {
        self.shell.clone_from(&config.shell);
        if self.shell.is_empty() {
            self.shell = vec!["/bin/sh".to_owned(), "-c".to_owned()];
        }
        let Some(image) = &config.healthcheck else { return self };
        let Healthcheck { test, interval, timeout, start_period, start_interval, retries } = image.clone();
        if self.test.is_empty() {
            self.test = test;
        }
        let or = |own: i64, image: i64| if own == 0 { image } else { own };
        self.interval = or(self.interval, interval);
        self.timeout = or(self.timeout, timeout);
        self.start_period = or(self.start_period, start_period);
        self.start_interval = or(self.start_interval, start_interval);
        self.retries = or(self.retries, retries);
        self
    }

    /// The words of a probe; `None` where nothing is looked after.
    pub(crate) fn command(&self) -> Option<Vec<String>> {
        let (kind, words) = self.test.split_first()?;
        match (kind.as_str(), words) {
            ("CMD", [_, ..]) => Some(words.to_vec()),
            ("CMD-SHELL", [text, ..]) => Some(self.shell.iter().chain([text]).cloned().collect()),
            _ => None,
        }
    }

    /// Its part of `Config`.
    pub(crate) fn describe(&self) -> Option<Value> {
        if self.test.is_empty() {
            return None;
        }
        let rows = [
            ("Interval", self.interval),
            ("Timeout", self.timeout),
            ("StartPeriod", self.start_period),
            ("StartInterval", self.start_interval),
            ("Retries", self.retries),
        ];
        let mut described = serde_json::Map::from_iter([("Test".to_owned(), json!(self.test))]);
        described.extend(
            rows.into_iter().filter(|(_, value)| *value != 0).map(|(name, value)| (name.to_owned(), json!(value))),
        );
        Some(described.into())
    }
}

/// A time of the settings, or the usual one.
fn or_usual(nanoseconds: i64, usual: Duration) -> Duration {
    u64::try_from(nanoseconds).ok().filter(|time| *time > 0).map_or(usual, Duration::from_nanos)
}

#[cfg(test)]
mod tests;
