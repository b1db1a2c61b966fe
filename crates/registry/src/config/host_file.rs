//! The machine's settings with the keys of Docker's `daemon.json`: ours, and then Docker's own.
//!
//! Of each key the first file that has it counts. Looked at are `registry-mirrors`, `insecure-registries`, `proxies`.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::authority::Authority;
use super::error::ConfigError;
use super::files;
use super::origin::Origin;
use super::settings::Settings;
use crate::Scheme;

/// A mirror of Docker Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubMirror {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) origin: Origin,
}

/// The files that are there.
#[derive(Debug)]
pub(crate) struct HostFiles {
    files: Vec<(PathBuf, Map<String, Value>)>,
}

impl HostFiles {
    pub(crate) fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let ours = settings.onggi_config.clone().unwrap_or_else(|| settings.system.join("etc/onggi/config.json"));
        let mut files = Vec::new();
        for path in [ours, settings.system.join("etc/docker/daemon.json")] {
            if let Some(content) = files::read(&path)? {
                let object = files::object(&path, &content)?;
                files.push((path, object));
            }
        }
        Ok(Self { files })
    }

    fn first(&self, key: &str) -> Option<(&PathBuf, &Value)> {
        self.files.iter().find_map(|(path, object)| Some((path, object.get(key).filter(|value| !value.is_null())?)))
    }

    /// Texts of a list with their places.
    fn list(&self, key: &str) -> Result<Vec<(&str, Origin)>, ConfigError> {
        let Some((path, value)) = self.first(key) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| ConfigError::value(Origin::key(path, key), "not a list"))?;
        let text = |(index, item): (usize, &'_ Value)| {
            let origin = Origin::key(path, format!("{key}[{index}]"));
            match item.as_str() {
                Some(_) => Ok((index, origin)),
                None => Err(ConfigError::value(origin, "not a text")),
            }
        };
        let places = items.iter().enumerate().map(text).collect::<Result<Vec<_>, _>>()?;
        Ok(places.into_iter().map(|(index, origin)| (items[index].as_str().unwrap_or_default(), origin)).collect())
    }

    /// Mirrors of Docker Hub, in the order in which they are asked.
    pub(crate) fn mirrors(&self) -> Result<Vec<HubMirror>, ConfigError> {
        let parse = |(text, origin): (&str, Origin)| {
            let (scheme, rest) = match text.split_once("://") {
                Some(("https", rest)) => (Scheme::Https, rest),
                Some(("http", rest)) => (Scheme::Http, rest),
                _ => {
                    return Err(ConfigError::value(
                        origin,
                        format!("`{text}` does not begin with `https://` or `http://`"),
                    ));
                }
            };
            let written = rest.strip_suffix('/').unwrap_or(rest);
            match Authority::parse(written) {
                Some(authority)
                    if scheme == Scheme::Http && !written.ends_with(":443") && authority.has_default_port() =>
                {
                    Ok(HubMirror { scheme, authority: authority.with_port(80), origin })
                }
                Some(authority) => Ok(HubMirror { scheme, authority, origin }),
                None => Err(ConfigError::value(origin, format!("`{text}` is not a URL of a host alone"))),
            }
        };
        self.list("registry-mirrors")?.into_iter().map(parse).collect()
    }

    /// What lists this registry as insecure, if anything does: its name, or a range with its address.
    pub(crate) fn insecure(&self, server: &Authority) -> Result<Option<Origin>, ConfigError> {
        for (text, origin) in self.list("insecure-registries")? {
            let is_listed = match text.split_once('/') {
                Some((network, bits)) => {
                    let range = network.parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
                    let Some((network, bits)) = range else {
                        return Err(ConfigError::value(origin, format!("`{text}` is neither a host nor a range")));
                    };
                    server.address().is_some_and(|address| fetch::is_within(address, network, bits))
                }
                None => match Authority::parse(text) {
                    Some(listed) => listed == *server,
                    None => return Err(ConfigError::value(origin, format!("`{text}` is neither a host nor a range"))),
                },
            };
            if is_listed {
                return Ok(Some(origin));
            }
        }
        Ok(None)
    }

    /// One of `http-proxy`, `https-proxy`, `no-proxy`.
    pub(crate) fn proxy(&self, name: &str) -> Result<Option<(String, Origin)>, ConfigError> {
        let Some((path, table)) = self.first("proxies") else { return Ok(None) };
        let origin = Origin::key(path, format!("proxies.{name}"));
        match table.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some((text.clone(), origin)).filter(|(text, _)| !text.is_empty())),
            Some(_) => Err(ConfigError::value(origin, "not a text")),
        }
    }
}
