//! Which proxy leads to a registry: the environment's, else that of docker's `config.json`, else the machine's.
//!
//! The rules are those of `fetch`, so that a build's downloads and a pull go the same way.

use serde_json::Value;

use super::auth_file::AuthFile;
use super::error::ConfigError;
use super::host_file::HostFiles;
use super::origin::Origin;
use super::settings::{Settings, Variable};

/// The three values that decide, with their places.
#[derive(Debug, Default)]
pub(crate) struct ProxyRules {
    http: Option<(String, Origin)>,
    https: Option<(String, Origin)>,
    direct: Option<(String, Origin)>,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// No proxy is set.
    Direct,
    /// One is set, and this keeps it from being used.
    Excepted(Origin),
    /// By this one.
    Through(String, Origin),
}

impl ProxyRules {
    pub(crate) fn collect(
        settings: &Settings,
        docker: Option<&AuthFile>,
        host: &HostFiles,
    ) -> Result<Self, ConfigError> {
        let one = |variable: &Option<Variable>, of_client: &str, of_daemon: &str| {
            if let Some(Variable { name, value }) = variable {
                return Ok(Some((value.clone(), Origin::Variable(name.clone()))));
            }
            match of_client_config(docker, of_client)? {
                Some(found) => Ok(Some(found)),
                None => host.proxy(of_daemon),
            }
        };
        Ok(Self {
            http: one(&settings.proxies.http, "httpProxy", "http-proxy")?,
            https: one(&settings.proxies.https, "httpsProxy", "https-proxy")?,
            direct: one(&settings.proxies.direct, "noProxy", "no-proxy")?,
        })
    }

    /// The way to a host.
    pub(crate) fn way(&self, is_https: bool, host: &str, port: u16) -> Way {
        let text = |value: &Option<(String, Origin)>| value.as_ref().map(|(text, _)| text.clone());
        let surroundings = fetch::Surroundings {
            http_proxy: text(&self.http),
            https_proxy: text(&self.https),
            no_proxy: text(&self.direct),
            ..fetch::Surroundings::default()
        };
        let set = if is_https { &self.https } else { &self.http };
        match (fetch::proxy(&surroundings, is_https, host, port), set) {
            (Some(url), Some((_, origin))) => Way::Through(url.to_owned(), origin.clone()),
            (None, Some(_)) => {
                let loopback = Origin::Default("loopback is never reached through a proxy");
                let direct = self.direct.as_ref().map(|(_, origin)| origin.clone());
                let without_list = fetch::Surroundings { no_proxy: None, ..surroundings };
                let is_listed = fetch::proxy(&without_list, is_https, host, port).is_some();
                Way::Excepted(direct.filter(|_| is_listed).unwrap_or(loopback))
            }
            _ => Way::Direct,
        }
    }
}

/// `proxies.default` of docker's `config.json`. Entries for a daemon's address are about another machine.
fn of_client_config(docker: Option<&AuthFile>, name: &str) -> Result<Option<(String, Origin)>, ConfigError> {
    let Some(docker) = docker else { return Ok(None) };
    let Some(value) = docker.value("proxies").and_then(|proxies| proxies.get("default")?.get(name)) else {
        return Ok(None);
    };
    let origin = Origin::key(&docker.path, format!("proxies.default.{name}"));
    match value {
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some((text.clone(), origin))),
        _ => Err(ConfigError::value(origin, "not a text")),
    }
}
