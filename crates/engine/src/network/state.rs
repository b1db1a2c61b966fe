//! What a container's connection is, as long as it runs: `network.json` in its folder.
//!
//! A file of its own beside the container's state, because others than its owner may change it: a running container
//! can be connected to one more network.

use std::net::Ipv4Addr;

use runtime::network::remove_dead_ports;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::HostFiles;
use super::published::{self, PublishedPort};
use crate::containers::container::Container;
use crate::{Error, ErrorKind};

const FILE: &str = "network.json";

/// Where a container is connected, and which of its ports are published.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkState {
    /// Its addresses, by network.
    pub endpoints: Vec<EndpointState>,
    /// What is published.
    pub ports: Vec<PublishedPort>,
}

/// A container's place in one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointState {
    /// The network's name.
    pub network: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Length of the subnet's prefix.
    pub prefix: u8,
    /// The next hop to everywhere else.
    pub gateway: Ipv4Addr,
    /// Its hardware address, with colons.
    pub mac: String,
}

impl NetworkState {
    /// As it was written down when the container was last started.
    pub(crate) fn read(container: &Container) -> Result<Self, Error> {
        let bytes = container.folder.read(FILE)?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// As it is; a container that does not run has none.
    pub(crate) fn of_running(container: &Container) -> Result<Self, Error> {
        if container.state()?.is_running() { Self::read(container) } else { Ok(Self::default()) }
    }

    pub(crate) fn write(&self, container: &Container) -> Result<(), Error> {
        let bytes = serde_json::to_vec(self).expect("our records have text keys only, so they are always JSON");
        Ok(container.folder.write(FILE, &bytes)?)
    }

    /// What a killed owner has left behind on the host goes.
    pub(crate) fn forget(container: &Container) -> Result<(), Error> {
        if Self::read(container)?.ports.is_empty() {
            return Ok(());
        }
        let bridge = HostFiles::default().bridge_config();
        remove_dead_ports(&bridge.name, &bridge.state).map_err(|error| {
            let message = format!("cannot take back the published ports of {}", container.record.name);
            Error::new(ErrorKind::Internal, message).because(&error)
        })
    }

    /// `NetworkSettings` of `inspect`.
    pub(crate) fn inspect(container: &Container) -> Result<Value, Error> {
        let state = Self::of_running(container)?;
        let settings = &container.record.network;
        let is_running = !state.endpoints.is_empty();
        let exposed = if is_running { &settings.exposed[..] } else { &[] };
        let first = state.endpoints.first();
        let address = |endpoint: Option<&EndpointState>| endpoint.map(|known| known.address.to_string());
        let endpoint = |endpoint: Option<&EndpointState>| {
            json!({
                "MacAddress": endpoint.map(|known| known.mac.as_str()).unwrap_or_default(),
                "Gateway": endpoint.map(|known| known.gateway.to_string()).unwrap_or_default(),
                "IPAddress": address(endpoint).unwrap_or_default(),
                "IPPrefixLen": endpoint.map_or(0, |known| known.prefix),
            })
        };
        let name = settings.mode.name();
        Ok(json!({
            "Ports": published::inspected(&state.ports, exposed),
            "Gateway": first.map(|known| known.gateway.to_string()).unwrap_or_default(),
            "IPAddress": address(first).unwrap_or_default(),
            "IPPrefixLen": first.map_or(0, |known| known.prefix),
            "MacAddress": first.map(|known| known.mac.as_str()).unwrap_or_default(),
            "Networks": { name: endpoint(state.endpoints.iter().find(|known| known.network == name)) },
        }))
    }
}
