//! What can be asked of a container's network: filled by the command line, kept by the record, obeyed at each start.

use std::net::{IpAddr, Ipv4Addr};

use oci::ContainerConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::definition::find_network;
use super::ports::{self, ContainerPort, PortBinding};
use super::published;
use crate::containers::container::Container;
use crate::{Engine, Error, ErrorKind};

/// How a container's network is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum NetworkMode {
    /// An address of its own behind the default bridge.
    #[default]
    Bridge,
    /// Only `lo`.
    None,
    /// The host's.
    Host,
    /// Another container's, by ID.
    Container(String),
    /// An address in a network that a user has defined.
    Named(String),
}

/// A container's wishes for its place in one network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointSettings {
    /// The network's name.
    pub network: String,
    /// Further names of the container there.
    pub aliases: Vec<String>,
    /// Its address; a free one otherwise.
    pub address: Option<Ipv4Addr>,
    /// Its hardware address; made of the address otherwise.
    pub mac: Option<String>,
}

/// Flags of `run` and `create` about the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSettings {
    /// Which network, or the first of several.
    pub mode: NetworkMode,
    /// Its place in each network; none for modes that have no address.
    pub endpoints: Vec<EndpointSettings>,
    /// Host name as asked for; the short ID otherwise.
    pub hostname: Option<String>,
    /// Domain of the host.
    pub domain: Option<String>,
    /// Ports that are wanted on the host.
    pub ports: Vec<PortBinding>,
    /// Ports that it says it has: those of the image, of the command line, and the published ones.
    pub exposed: Vec<ContainerPort>,
    /// All exposed ports are wanted on the host.
    pub publish_all: bool,
    /// Name servers in place of the host's.
    pub name_servers: Vec<IpAddr>,
    /// Search list in place of the host's.
    pub search: Vec<String>,
    /// Options of the resolver in place of the host's.
    pub resolver_options: Vec<String>,
    /// Names in `/etc/hosts` with addresses, or `host-gateway`.
    pub extra_hosts: Vec<(String, String)>,
    /// Containers and what they are called in this one.
    pub links: Vec<(String, String)>,
}

/// In place of an address in `--add-host`: this host's.
pub(crate) const HOST_GATEWAY: &str = "host-gateway";

impl NetworkSettings {
    /// With what the image says.
    pub(crate) fn or_image(mut self, config: &ContainerConfig) -> Self {
        self.exposed.extend(ports::of_image(config.exposed_ports.keys()));
        self.exposed.extend(self.ports.iter().map(|binding| binding.container));
        self.exposed.sort_unstable();
        self.exposed.dedup();
        self
    }

    /// With networks and containers that are there.
    pub(crate) fn resolved(mut self, engine: &Engine) -> Result<Self, Error> {
        let code = |error: Error| error.with_exit_code(125);
        if let NetworkMode::Container(name) = &self.mode {
            let target = Container::find(engine, name).map_err(code)?.record;
            self.hostname = Some(target.hostname);
            self.mode = NetworkMode::Container(target.id);
            return Ok(self);
        }
        for endpoint in &mut self.endpoints {
            if endpoint.network != NetworkMode::Bridge.name() {
                endpoint.network = find_network(engine, &endpoint.network).map_err(code)?.name;
            }
        }
        if let (NetworkMode::Named(name), Some(first)) = (&mut self.mode, self.endpoints.first()) {
            name.clone_from(&first.network);
        }
        for (name, _) in &self.links {
            Container::find(engine, name).map_err(code)?;
        }
        Ok(self)
    }

    /// Refuses what contradicts itself, in Docker's words.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125));
        if let Some(name) = &self.hostname {
            super::check_hostname(name)?;
        }
        let in_container = matches!(self.mode, NetworkMode::Container(_));
        for (is_given, message) in [
            (self.hostname.is_some(), "conflicting options: hostname and the network mode"),
            (!self.links.is_empty(), "conflicting options: container type network can't be used with links"),
            (!self.name_servers.is_empty(), "conflicting options: dns and the network mode"),
            (!self.extra_hosts.is_empty(), "conflicting options: custom host-to-IP mapping and the network mode"),
            (
                !self.ports.is_empty() || self.publish_all,
                "conflicting options: port publishing and the container type network mode",
            ),
            (!self.exposed.is_empty(), "conflicting options: port exposing and the container type network mode"),
        ] {
            if in_container && is_given {
                return wrong(message);
            }
        }
        if self.mode == NetworkMode::Host && !self.links.is_empty() {
            return wrong(
                "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
            );
        }
        for endpoint in &self.endpoints {
            endpoint.check()?;
        }
        Ok(())
    }

    /// The host name of the container with this ID.
    pub(crate) fn own_hostname(&self, id: &str, shares_hosts_name: bool) -> String {
        match (&self.mode, &self.hostname) {
            (_, Some(name)) => name.clone(),
            (mode, None) if shares_hosts_name || *mode == NetworkMode::Host => {
                rustix::system::uname().nodename().to_string_lossy().into_owned()
            }
            (_, None) => id[..12].to_owned(),
        }
    }

    /// What is wanted on the host, with `-P`.
    pub(crate) fn bindings(&self) -> Vec<PortBinding> {
        let mut all = self.ports.clone();
        if self.publish_all {
            let is_bound = |port: &ContainerPort| self.ports.iter().any(|binding| binding.container == *port);
            let unbound = self.exposed.iter().filter(|port| !is_bound(port));
            all.extend(unbound.map(|port| PortBinding { container: *port, host_address: None, host_ports: None }));
        }
        all
    }

    /// Their part of `HostConfig`.
    pub(crate) fn describe(&self, host_config: &mut Map<String, Value>) {
        let mut set = |key: &str, value: Value| host_config.insert(key.to_owned(), value);
        set("NetworkMode", json!(self.mode.name()));
        set("PortBindings", published::bindings(&self.ports));
        set("PublishAllPorts", json!(self.publish_all));
        set("Dns", json!(self.name_servers));
        set("DnsOptions", json!(self.resolver_options));
        set("DnsSearch", json!(self.search));
        let hosts: Vec<String> = self.extra_hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect();
        set("ExtraHosts", if hosts.is_empty() { Value::Null } else { json!(hosts) });
        let links: Vec<String> = self.links.iter().map(|(name, alias)| format!("{name}:{alias}")).collect();
        set("Links", if links.is_empty() { Value::Null } else { json!(links) });
    }

    /// `Config.ExposedPorts`.
    pub(crate) fn describe_exposed(&self) -> Value {
        let mut ports: Map<String, Value> = self.exposed.iter().map(|port| (port.to_string(), json!({}))).collect();
        ports.sort_keys();
        Value::Object(ports)
    }
}

impl EndpointSettings {
    /// A place in the default network has an address and nothing that could be chosen.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125));
        if self.network == NetworkMode::Bridge.name() {
            if !self.aliases.is_empty() {
                return wrong("network-scoped aliases are only supported for user-defined networks");
            }
            if self.address.is_some() {
                return wrong("user specified IP address is supported on user defined networks only");
            }
        }
        if let Some(mac) = &self.mac {
            parse_mac(mac)?;
        }
        Ok(())
    }
}

/// `02:42:ac:11:00:02`.
pub(crate) fn parse_mac(text: &str) -> Result<[u8; 6], Error> {
    let wrong =
        || Error::new(ErrorKind::InvalidInput, format!("{text} is not a valid mac address")).with_exit_code(125);
    let mut octets = [0; 6];
    let mut parts = text.split([':', '-']);
    for octet in &mut octets {
        *octet = parts
            .next()
            .filter(|part| part.len() == 2)
            .and_then(|part| u8::from_str_radix(part, 16).ok())
            .ok_or_else(wrong)?;
    }
    if parts.next().is_some() || octets[0] & 1 != 0 {
        return Err(wrong());
    }
    Ok(octets)
}

impl NetworkMode {
    /// The word for it.
    pub fn name(&self) -> String {
        self.clone().into()
    }

    /// The container has addresses of its own.
    pub(crate) fn has_endpoints(&self) -> bool {
        matches!(self, Self::Bridge | Self::Named(_))
    }
}

impl From<String> for NetworkMode {
    fn from(text: String) -> Self {
        match text.as_str() {
            "" | "default" | "bridge" => Self::Bridge,
            "none" => Self::None,
            "host" => Self::Host,
            _ => match text.strip_prefix("container:") {
                Some(name) => Self::Container(name.to_owned()),
                None => Self::Named(text),
            },
        }
    }
}

impl From<NetworkMode> for String {
    fn from(mode: NetworkMode) -> Self {
        match mode {
            NetworkMode::Bridge => "bridge".to_owned(),
            NetworkMode::None => "none".to_owned(),
            NetworkMode::Host => "host".to_owned(),
            NetworkMode::Container(name) => format!("container:{name}"),
            NetworkMode::Named(name) => name,
        }
    }
}
