//! `network ls` and `network inspect`: which networks there are, in Docker's shape.

use jiff::Timestamp;
use runtime::network::DEFAULT_BRIDGE;
use serde_json::{Map, Value, json};

use super::definition::{BUILT_IN, NetworkRecord, all_networks, find_network, members};
use crate::{Engine, Error, ErrorKind};

/// One network for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSummary {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `bridge`, `host` or `null`.
    pub driver: String,
    /// When it was made, RFC 3339; empty for those that are always there.
    pub created: String,
    /// No way out.
    pub internal: bool,
    /// Labels.
    pub labels: Vec<(String, String)>,
}

/// Conditions, of which those of one kind are alternatives: `name=web`, `label=a=b`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkFilters(Vec<(String, String)>);

/// What `--filter` of `network ls` knows.
const KEYS: [&str; 8] = ["dangling", "driver", "id", "label", "name", "scope", "type", "until"];

impl NetworkFilters {
    /// Reads `KEY=VALUE`s.
    ///
    /// # Errors
    /// With what is none.
    pub fn parse(texts: &[String]) -> Result<Self, Error> {
        let mut all = Vec::new();
        for text in texts {
            let wrong = |message: String| Error::new(ErrorKind::InvalidInput, message);
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| wrong(format!("invalid filter `{text}`: write it as `KEY=VALUE`")))?;
            let key = key.trim().to_ascii_lowercase();
            if !KEYS.contains(&key.trim_end_matches('!')) {
                return Err(
                    wrong(format!("invalid filter '{key}'")).with_hint(format!("there are {}", KEYS.join(", ")))
                );
            }
            all.push((key, value.trim().to_owned()));
        }
        Ok(Self(all))
    }

    /// Whether `prune` takes a network.
    pub(crate) fn takes(&self, network: &NetworkRecord, now: Timestamp) -> bool {
        let labels: Vec<(String, String)> = network.labels.clone().into_iter().collect();
        self.0.iter().all(|(key, value)| match key.as_str() {
            "label" => has_label(&labels, value),
            "label!" => !has_label(&labels, value),
            "until" => {
                until(value, now).is_none_or(|limit| network.created.parse().is_ok_and(|made: Timestamp| made < limit))
            }
            _ => true,
        })
    }

    fn shows(&self, network: &NetworkSummary, is_used: bool) -> bool {
        KEYS.iter().all(|key| {
            let mut values =
                self.0.iter().filter(|(known, _)| known == key).map(|(_, value)| value.as_str()).peekable();
            let fits = |value: &str| match *key {
                "name" => network.name.contains(value),
                "id" => network.id.starts_with(value),
                "driver" => network.driver == value,
                "scope" => value == "local",
                "type" => (value == "builtin") == BUILT_IN.contains(&network.name.as_str()),
                "dangling" => {
                    let is_dangling = !is_used && !BUILT_IN.contains(&network.name.as_str());
                    matches!(value, "true" | "1") == is_dangling
                }
                _ => true,
            };
            match *key {
                // Of labels all must be there.
                "label" => values.all(|value| has_label(&network.labels, value)),
                _ => values.peek().is_none() || values.any(fits),
            }
        })
    }
}

fn has_label(labels: &[(String, String)], wanted: &str) -> bool {
    labels.iter().any(|(name, value)| match wanted.split_once('=') {
        Some((key, text)) => name == key && value == text,
        None => name == wanted,
    })
}

/// A time, or so long ago: `24h`.
fn until(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    let span: jiff::SignedDuration = text.parse().ok()?;
    now.checked_sub(span).ok()
}

/// All networks, by name.
///
/// # Errors
/// When the store cannot be read.
pub fn networks(engine: &Engine, filters: &NetworkFilters) -> Result<Vec<NetworkSummary>, Error> {
    let mut all: Vec<NetworkSummary> = BUILT_IN.map(built_in).to_vec();
    all.extend(all_networks(engine)?.into_iter().map(|network| NetworkSummary {
        id: network.id,
        name: network.name,
        driver: "bridge".to_owned(),
        created: network.created,
        internal: network.internal,
        labels: network.labels.into_iter().collect(),
    }));
    all.sort_by(|one, other| one.name.cmp(&other.name));
    let mut shown = Vec::new();
    let asks_for_use = filters.0.iter().any(|(key, _)| key == "dangling");
    for network in all {
        let is_used = asks_for_use && !members(engine, &network.name)?.is_empty();
        if filters.shows(&network, is_used) {
            shown.push(network);
        }
    }
    Ok(shown)
}

/// One that is always there; its ID is the same on every machine.
fn built_in(name: &str) -> NetworkSummary {
    let driver = if name == "none" { "null" } else { name };
    NetworkSummary {
        id: oci::Digest::of(format!("onggi network {name}").as_bytes()).hex(),
        name: name.to_owned(),
        driver: driver.to_owned(),
        created: String::new(),
        internal: false,
        labels: Vec::new(),
    }
}

/// A network in Docker's shape.
///
/// # Errors
/// When there is none of that name.
pub fn inspect_network(engine: &Engine, name: &str) -> Result<Value, Error> {
    let known = BUILT_IN.map(built_in);
    if let Some(network) = known.iter().find(|network| network.name == name || is_prefix(&network.id, name)) {
        return inspect_built_in(engine, network);
    }
    let network = find_network(engine, name)?;
    let mut config = json!({"Subnet": network.subnet});
    if let Some(range) = &network.ip_range {
        config["IPRange"] = json!(range);
    }
    config["Gateway"] = json!(network.gateway.to_string());
    Ok(json!({
        "Name": network.name,
        "Id": network.id,
        "Created": network.created,
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": {"Driver": "default", "Options": {}, "Config": [config]},
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Containers": containers(engine, &network.name)?,
        "Options": network.options,
        "Labels": network.labels,
    }))
}

fn is_prefix(id: &str, text: &str) -> bool {
    text.len() >= 3 && id.starts_with(text)
}

fn inspect_built_in(engine: &Engine, network: &NetworkSummary) -> Result<Value, Error> {
    let mut config = Vec::new();
    let mut options = json!({});
    if network.name == "bridge" {
        options = json!({"com.docker.network.bridge.name": DEFAULT_BRIDGE});
        // Before the first container there is no bridge, and no subnet chosen for it.
        let found = engine.ground_if_any().and_then(|ground| match ground {
            Some(ground) => ground.find_bridge(DEFAULT_BRIDGE),
            None => Ok(None),
        });
        if let Ok(Some((gateway, subnet))) = found {
            config.push(json!({"Subnet": subnet.to_string(), "Gateway": gateway.to_string()}));
        }
    }
    Ok(json!({
        "Name": network.name,
        "Id": network.id,
        "Created": "0001-01-01T00:00:00Z",
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": {"Driver": "default", "Options": null, "Config": config},
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Containers": containers(engine, &network.name)?,
        "Options": options,
        "Labels": {},
    }))
}

fn containers(engine: &Engine, network: &str) -> Result<Value, Error> {
    let mut object = Map::new();
    for (container, endpoint) in members(engine, network)? {
        let entry = json!({
            "Name": container.record.name,
            "EndpointID": endpoint.id(&container.record.id),
            "MacAddress": endpoint.mac,
            "IPv4Address": format!("{}/{}", endpoint.address, endpoint.prefix),
            "IPv6Address": "",
        });
        object.insert(container.record.id.clone(), entry);
    }
    object.sort_keys();
    Ok(Value::Object(object))
}
