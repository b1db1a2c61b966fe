//! When a container ends, and what comes then.

use oci::ContainerConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// `--rm`, and how `stop` asks it to end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifetime {
    /// It goes when it ends.
    pub auto_remove: bool,
    /// Signal that asks it to end; TERM otherwise.
    pub stop_signal: Option<String>,
}

impl Lifetime {
    /// What was not asked for is as the image says.
    pub(crate) fn or_image(self, config: &ContainerConfig) -> Self {
        Self { stop_signal: self.stop_signal.or_else(|| config.stop_signal.clone()), ..self }
    }

    /// Its part of `HostConfig`.
    pub(crate) fn describe(&self, host_config: &mut Map<String, Value>) {
        host_config.insert("AutoRemove".to_owned(), json!(self.auto_remove));
    }
}
