//! `--restart`: whether a container is started again when it ends, and how soon.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, ErrorKind};

/// When a container is started again. Nothing does so after a reboot: there is no daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// When it ends with another code than 0, at most so often; without end for 0.
    OnFailure(u32),
    /// Whenever it ends, unless it was stopped.
    Always,
    /// The same here.
    UnlessStopped,
}

impl RestartPolicy {
    /// Whether it may be started again at all.
    pub(crate) fn restarts(self) -> bool {
        self != Self::No
    }

    pub(crate) fn describe(self) -> Value {
        let (name, most) = match self {
            Self::No => ("no", 0),
            Self::OnFailure(most) => ("on-failure", most),
            Self::Always => ("always", 0),
            Self::UnlessStopped => ("unless-stopped", 0),
        };
        json!({"Name": name, "MaximumRetryCount": most})
    }
}

impl FromStr for RestartPolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |message: &str| {
            Error::new(ErrorKind::InvalidInput, message).with_exit_code(125).with_hint(
                "use `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3` for at most three times",
            )
        };
        let (name, most) = match text.split_once(':') {
            Some((name, most)) => (name, Some(most)),
            None => (text, None),
        };
        let count = match most {
            Some(most) => most.parse().map_err(|_| wrong("maximum retry count must be an integer"))?,
            None => 0,
        };
        match name {
            "on-failure" => Ok(Self::OnFailure(count)),
            "no" | "" | "always" | "unless-stopped" if count > 0 => {
                Err(wrong("invalid restart policy: maximum retry count can only be used with 'on-failure'"))
            }
            "no" | "" => Ok(Self::No),
            "always" => Ok(Self::Always),
            "unless-stopped" => Ok(Self::UnlessStopped),
            _ => Err(wrong(&format!("invalid restart policy: unknown policy '{name}'"))),
        }
    }
}

/// Docker's numbers.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Who has lived so long begins anew.
const LONG_LIFE: Duration = Duration::from_secs(10);

/// The starts of one container since somebody started it.
#[derive(Debug)]
pub(crate) struct Restarts {
    policy: RestartPolicy,
    count: u32,
    delay: Option<Duration>,
}

impl Restarts {
    pub(crate) fn new(policy: RestartPolicy) -> Self {
        Self { policy, count: 0, delay: None }
    }

    /// The policy is another one by now.
    pub(crate) fn obey(&mut self, policy: RestartPolicy) {
        self.policy = policy;
    }

    /// So often it was started again.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The container has ended after such a life: how long to wait before the next, if there is to be one.
    pub(crate) fn next(&mut self, code: u8, life: Duration) -> Option<Duration> {
        let is_wanted = match self.policy {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure(most) => code != 0 && (most == 0 || self.count < most),
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        };
        if !is_wanted {
            return None;
        }
        let delay = match self.delay {
            Some(last) if life < LONG_LIFE => (last * 2).min(LONGEST_DELAY),
            _ => FIRST_DELAY,
        };
        self.delay = Some(delay);
        self.count += 1;
        Some(delay)
    }
}

#[cfg(test)]
mod tests;
