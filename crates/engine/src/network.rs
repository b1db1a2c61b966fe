//! The network of containers: what can be asked for, what is there, and how one leads to the other.
//!
//! [`NetworkSettings`] is what the command line fills and the container's record keeps; [`NetworkState`] what came of it
//! when the container was started; [`connection`] the way from one to the other, and what lives as long as the container.

mod connection;
mod files;
mod ports;
mod published;
mod state;

use oci::ContainerConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Error, ErrorKind};

pub(crate) use connection::{Connection, connect};
pub(crate) use files::HostFiles;
pub use ports::{ContainerPort, ExposeSpec, PortBinding, PortSpec};
pub use published::{PublishedPort, ports_column, published_ports};
pub use state::{EndpointState, NetworkState};

/// How a container's network is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// An address of its own behind the bridge.
    #[default]
    Bridge,
    /// Only `lo`.
    None,
    /// The host's.
    Host,
}

/// Flags of `run` and `create` about the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSettings {
    /// Which network.
    pub mode: NetworkMode,
    /// Host name as asked for; the short ID otherwise.
    pub hostname: Option<String>,
    /// Ports that are wanted on the host.
    pub ports: Vec<PortBinding>,
    /// Ports that it says it has: those of the image, of the command line, and the published ones.
    pub exposed: Vec<ContainerPort>,
    /// All exposed ports are wanted on the host.
    pub publish_all: bool,
}

impl NetworkSettings {
    /// With what the image says.
    pub(crate) fn or_image(mut self, config: &ContainerConfig) -> Self {
        self.exposed.extend(ports::of_image(config.exposed_ports.keys()));
        self.exposed.extend(self.ports.iter().map(|binding| binding.container));
        self.exposed.sort_unstable();
        self.exposed.dedup();
        self
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
        host_config.insert("NetworkMode".to_owned(), json!(self.mode.name()));
        host_config.insert("PortBindings".to_owned(), published::bindings(&self.ports));
        host_config.insert("PublishAllPorts".to_owned(), json!(self.publish_all));
    }

    /// `Config.ExposedPorts`.
    pub(crate) fn describe_exposed(&self) -> Value {
        let mut ports: Map<String, Value> = self.exposed.iter().map(|port| (port.to_string(), json!({}))).collect();
        ports.sort_keys();
        Value::Object(ports)
    }
}

impl std::str::FromStr for NetworkMode {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, crate::Error> {
        match text {
            "" | "default" | "bridge" => Ok(Self::Bridge),
            "none" => Ok(Self::None),
            "host" => Ok(Self::Host),
            other => Err(crate::Error::new(crate::ErrorKind::Unsupported, format!("network {other} not found"))
                .with_hint("use `--network bridge`, `none` or `host`; networks with names are not there yet")),
        }
    }
}

impl NetworkMode {
    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::None => "none",
            Self::Host => "host",
        }
    }
}

/// It goes into `/etc/hosts`, where a line break would be more than a name; the kernel takes 64 bytes.
pub(crate) fn check_hostname(name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_valid = (1..=64).contains(&name.len()) && !name.starts_with(['-', '.']) && name.bytes().all(word);
    if is_valid {
        return Ok(());
    }
    let message = format!("invalid hostname `{name}`: letters, digits, `.` and `-` are allowed, 64 at most");
    Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125))
}
