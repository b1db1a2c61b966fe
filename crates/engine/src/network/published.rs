//! Ports that are published: how they are shown by `ps`, `port` and `inspect`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ports::{ContainerPort, PortBinding};
use crate::containers::container::Container;
use crate::{Engine, Error, ErrorKind};

/// A port of a container, and where it is on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The container's.
    pub container: ContainerPort,
    /// The host's.
    pub host: SocketAddr,
}

/// The PORTS column of `ps`: `0.0.0.0:8080->80/tcp, 443/tcp`, neighbours in one.
pub fn ports_column(published: &[PublishedPort], exposed: &[ContainerPort]) -> String {
    let is_published = |port: &&ContainerPort| published.iter().any(|known| known.container == **port);
    let unpublished = exposed.iter().filter(|port| !is_published(port)).map(|port| (*port, None));
    let mut all: Vec<(ContainerPort, Option<SocketAddr>)> =
        published.iter().map(|port| (port.container, Some(port.host))).chain(unpublished).collect();
    // Docker compares addresses as texts.
    all.sort_by_key(|(port, host)| {
        (port.number, host.map(|host| host.ip().to_string()), host.map(|host| host.port()), port.transport)
    });
    let (mut shown, mut mappings) = (Vec::new(), Vec::new());
    let mut groups: HashMap<(Option<IpAddr>, &str), (u16, u16)> = HashMap::new();
    let mut order = Vec::new();
    for (port, host) in all {
        if let Some(host) = host.filter(|host| host.port() != port.number) {
            mappings.push(format!("{host}->{port}"));
            continue;
        }
        let key = (host.map(|host| host.ip()), port.transport.name());
        match groups.get_mut(&key) {
            None => {
                groups.insert(key, (port.number, port.number));
                order.push(key);
            }
            Some((_, last)) if last.checked_add(1) == Some(port.number) => *last = port.number,
            Some(range) => {
                shown.push(group(key, *range));
                *range = (port.number, port.number);
            }
        }
    }
    shown.extend(order.into_iter().map(|key| group(key, groups[&key])));
    shown.extend(mappings);
    shown.join(", ")
}

fn group((address, transport): (Option<IpAddr>, &str), (first, last): (u16, u16)) -> String {
    let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
    match address {
        None => format!("{ports}/{transport}"),
        Some(IpAddr::V4(address)) => format!("{address}:{ports}->{ports}/{transport}"),
        Some(IpAddr::V6(address)) => format!("[{address}]:{ports}->{ports}/{transport}"),
    }
}

/// `NetworkSettings.Ports` of `inspect`.
pub(crate) fn inspected(published: &[PublishedPort], exposed: &[ContainerPort]) -> Value {
    let mut object: Map<String, Value> = exposed.iter().map(|port| (port.to_string(), Value::Null)).collect();
    for port in published {
        let host = json!({"HostIp": port.host.ip().to_string(), "HostPort": port.host.port().to_string()});
        push(&mut object, port.container, host);
    }
    object.sort_keys();
    Value::Object(object)
}

/// `HostConfig.PortBindings` of `inspect`.
pub(crate) fn bindings(asked: &[PortBinding]) -> Value {
    let mut object = Map::new();
    for binding in asked {
        let address = binding.host_address.map(|address| address.to_string()).unwrap_or_default();
        push(&mut object, binding.container, json!({"HostIp": address, "HostPort": binding.host_port()}));
    }
    object.sort_keys();
    Value::Object(object)
}

fn push(object: &mut Map<String, Value>, port: ContainerPort, entry: Value) {
    match object.entry(port.to_string()).or_insert(Value::Null) {
        Value::Array(entries) => entries.push(entry),
        empty => *empty = json!([entry]),
    }
}

/// `port`: where the ports of a running container are, all or one.
///
/// # Errors
/// When there is no such container, or the port asked for is not published.
pub fn published_ports(engine: &Engine, name: &str, port: Option<&str>) -> Result<Vec<PublishedPort>, Error> {
    let container = Container::find(engine, name)?;
    let mut all = super::NetworkState::of_running(&container)?.ports;
    all.sort();
    let Some(port) = port else { return Ok(all) };
    let wanted: ContainerPort = port.parse().map_err(|error: Error| Error { exit_code: None, ..error })?;
    all.retain(|known| known.container == wanted);
    if all.is_empty() {
        let message = format!("no public port '{wanted}' published for {name}");
        let hint = format!("see all with `onggi port {name}`");
        return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
