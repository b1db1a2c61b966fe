//! When a container ends, and what comes then.

use std::time::Duration;

use oci::ContainerConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::restart_policy::RestartPolicy;
use super::stop::parse_signal;
use crate::{Error, ErrorKind};

/// `--rm`, `--restart`, and how `stop` asks it to end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifetime {
    /// It goes when it ends.
    pub auto_remove: bool,
    /// Signal that asks it to end; TERM otherwise.
    pub stop_signal: Option<String>,
    /// Seconds that `stop` waits before it kills; for ever if negative, 10 otherwise.
    pub stop_timeout: Option<i64>,
    /// Whether it is started again when it ends.
    pub restart: RestartPolicy,
}

/// Docker's patience in `stop`.
const GRACE: i64 = 10;

impl Lifetime {
    /// Refuses what cannot be.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(signal) = &self.stop_signal {
            parse_signal(signal).map_err(|error| error.with_exit_code(125))?;
        }
        if self.auto_remove && self.restart.restarts() {
            let message = "conflicting options: cannot specify both --restart and --rm";
            return Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125));
        }
        Ok(())
    }

    /// What was not asked for is as the image says.
    pub(crate) fn or_image(self, config: &ContainerConfig) -> Self {
        Self { stop_signal: self.stop_signal.or_else(|| config.stop_signal.clone()), ..self }
    }

    /// How long it may take to end when it is asked to; for ever otherwise.
    pub(crate) fn grace(&self) -> Option<Duration> {
        grace(self.stop_timeout.unwrap_or(GRACE))
    }

    /// Its part of `HostConfig`.
    pub(crate) fn describe(&self, host_config: &mut Map<String, Value>) {
        host_config.insert("AutoRemove".to_owned(), json!(self.auto_remove));
        host_config.insert("RestartPolicy".to_owned(), self.restart.describe());
    }
}

/// Seconds; for ever if they are negative.
pub(crate) fn grace(seconds: i64) -> Option<Duration> {
    u64::try_from(seconds).ok().map(Duration::from_secs)
}
