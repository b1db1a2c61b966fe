//! What the administrator of this machine has laid down: `/etc/onggi/config.json`.
//!
//! The keys are those of Docker's `daemon.json`. The file is read only by commands that need to know.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::{Engine, Error, ErrorKind};

pub(crate) const DEFAULT_PATH: &str = "/etc/onggi/config.json";

/// Settings of the whole machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostConfig {
    /// Where ports are published that name no address; all addresses otherwise (N052).
    pub(crate) ip: Option<IpAddr>,
    /// Mirrors of Docker Hub. These three are read by `registry::config`.
    #[serde(default, rename = "registry-mirrors")]
    _registry_mirrors: Elsewhere,
    /// Registries without TLS.
    #[serde(default, rename = "insecure-registries")]
    _insecure_registries: Elsewhere,
    /// The way to registries.
    #[serde(default, rename = "proxies")]
    _proxies: Elsewhere,
}

/// A key that another part of the program reads, with whatever value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "serde::de::IgnoredAny")]
pub(crate) struct Elsewhere;

impl From<serde::de::IgnoredAny> for Elsewhere {
    fn from(_: serde::de::IgnoredAny) -> Self {
        Self
    }
}

impl Engine {
    /// Reads the machine's settings from another file.
    #[must_use]
    pub fn with_config(self, path: Option<PathBuf>) -> Self {
        Self { config: path.unwrap_or(self.config), ..self }
    }

    pub(crate) fn host_config(&self) -> Result<HostConfig, Error> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            let message = format!("cannot read the configuration {}", self.config.display());
            Error::new(ErrorKind::InvalidInput, message).because(error).with_exit_code(125)
        };
        let text = match std::fs::read(&self.config) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HostConfig::default()),
            read => read.map_err(|error| failed(&error))?,
        };
        serde_json::from_slice(&text).map_err(|error| {
            failed(&error).with_hint("it is like `{\"ip\": \"127.0.0.1\"}`, the address where ports are published")
        })
    }
}
