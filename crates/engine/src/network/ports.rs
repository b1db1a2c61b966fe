//! Ports as people write them: `-p 127.0.0.1:8080:80/tcp`, `--expose 8000-8010`.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use runtime::network::Transport;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// A port of a container: `80/tcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerPort {
    /// 1 to 65535.
    pub number: u16,
    /// What carries it.
    pub transport: Transport,
}

/// A port of a container, and where it is wanted on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortBinding {
    /// The container's.
    pub container: ContainerPort,
    /// Address of the host; the default otherwise.
    pub host_address: Option<IpAddr>,
    /// Any of these ports of the host; any free one otherwise.
    pub host_ports: Option<(u16, u16)>,
}

/// What one `-p` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec(pub Vec<PortBinding>);

/// What one `--expose` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposeSpec(pub Vec<ContainerPort>);

impl fmt::Display for ContainerPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.transport.name())
    }
}

impl From<ContainerPort> for String {
    fn from(port: ContainerPort) -> Self {
        port.to_string()
    }
}

impl TryFrom<String> for ContainerPort {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl FromStr for ContainerPort {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (number, transport) = with_transport(text)?;
        let number = number.parse().map_err(|_| wrong(format!("invalid port: {text}")))?;
        Ok(Self { number, transport })
    }
}

impl PortBinding {
    /// The host's port or ports as Docker shows them: `8080`, `8000-8010`, or nothing.
    pub fn host_port(&self) -> String {
        match self.host_ports {
            None => String::new(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        }
    }
}

impl FromStr for PortSpec {
    type Err = Error;

    /// `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`, or `published=8080,target=80,protocol=tcp`; either side may be a range.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.contains('=') {
            return short_form(text)?.parse();
        }
        let parts: Vec<&str> = text.rsplitn(3, ':').collect();
        let (container, host, address) =
            (parts[0], parts.get(1).copied().unwrap_or_default(), parts.get(2).copied().unwrap_or_default());
        let (ports, transport) = with_transport(container)?;
        let host_address = match address.strip_prefix('[').map_or(Some(address), |rest| rest.strip_suffix(']')) {
            Some("") => None,
            Some(bare) => Some(bare.parse().map_err(|_| wrong(format!("invalid IP address: {bare}")))?),
            None => return Err(wrong(format!("invalid IP address: {address}"))),
        };
        if ports.is_empty() {
            return Err(wrong(format!("no port specified: {text}<empty>")));
        }
        let numbers = range(ports).ok_or_else(|| wrong(format!("invalid containerPort: {ports}")))?;
        let host_range = match host {
            "" => None,
            // 0 asks for any free port.
            "0" => None,
            _ => Some(range(host).ok_or_else(|| wrong(format!("invalid hostPort: {host}")))?),
        };
        if let Some(host_range) = &host_range
            && numbers.len() > 1
            && host_range.len() != numbers.len()
        {
            let message = format!("invalid ranges specified for container and host Ports: {ports} and {host}");
            return Err(wrong(message).with_hint("both ranges need the same number of ports"));
        }
        let is_one = numbers.len() == 1;
        let first = *numbers.start();
        let binding = |number: u16| PortBinding {
            container: ContainerPort { number, transport },
            host_address,
            host_ports: host_range.as_ref().map(|range| match is_one {
                true => (*range.start(), *range.end()),
                false => (range.start() + (number - first), range.start() + (number - first)),
            }),
        };
        Ok(Self(numbers.map(binding).collect()))
    }
}

impl FromStr for ExposeSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.contains(':') {
            return Err(wrong(format!("invalid port format for --expose: {text}")));
        }
        let (ports, transport) = with_transport(text)?;
        let invalid = || wrong(format!("invalid range format for --expose: {text}"));
        let numbers = range(ports).ok_or_else(invalid)?;
        Ok(Self(numbers.map(|number| ContainerPort { number, transport }).collect()))
    }
}

/// The ports that an image's config exposes; what is none is passed over, as by Docker.
pub(crate) fn of_image<'a>(names: impl Iterator<Item = &'a String>) -> Vec<ContainerPort> {
    names.filter_map(|name| name.parse::<ExposeSpec>().ok()).flat_map(|spec| spec.0).collect()
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message).with_exit_code(125)
}

fn with_transport(text: &str) -> Result<(&str, Transport), Error> {
    let Some((ports, name)) = text.split_once('/') else { return Ok((text, Transport::Tcp)) };
    match name.to_ascii_lowercase().as_str() {
        "tcp" => Ok((ports, Transport::Tcp)),
        "udp" => Ok((ports, Transport::Udp)),
        "sctp" => Ok((ports, Transport::Sctp)),
        _ => Err(wrong(format!("invalid proto: {name}")).with_hint("a port is of `tcp`, `udp` or `sctp`")),
    }
}

/// `80` or `8000-8010`, never 0.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (0 < first && first <= last).then_some(first..=last)
}

/// The short form of a long one.
fn short_form(text: &str) -> Result<String, Error> {
    let (mut published, mut target, mut protocol) = ("", "", "tcp");
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("published", value)) => published = value,
            Some(("target", value)) => target = value,
            Some(("protocol", value)) => protocol = value,
            Some(("mode", _)) => {}
            _ => {
                let message = format!("invalid publish opts format (should be name=value but got '{field}')");
                return Err(wrong(message).with_hint("write `-p 8080:80`, or `-p published=8080,target=80`"));
            }
        }
    }
    Ok(format!("{published}:{target}/{protocol}"))
}

#[cfg(test)]
mod tests;
