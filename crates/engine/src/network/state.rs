//! What a container's connection is, as long as it runs: `network.json` in its folder. And which networks it is to be
//! connected to at its next start, once that is not what its record says: `endpoints.json`.
//!
//! Files of their own beside the container's state, because others than its owner may change them.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use runtime::network::{DEFAULT_BRIDGE, release_dead_address, remove_dead_ports, set_names};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::published::{self, PublishedPort};
use super::settings::EndpointSettings;
use crate::containers::container::Container;
use crate::{Engine, Error, ErrorKind};

pub(super) const FILE: &str = "network.json";
const ENDPOINTS: &str = "endpoints.json";

/// Where a container is connected, and which of its ports are published.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkState {
    /// Its addresses, by network.
    pub endpoints: Vec<EndpointState>,
    /// What is published.
    pub ports: Vec<PublishedPort>,
    /// It is answered at 127.0.0.11.
    pub has_name_server: bool,
}

/// A container's place in one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointState {
    /// The network's name.
    pub network: String,
    /// Its ID; empty for the default one.
    pub network_id: String,
    /// Folder of the network's addresses.
    pub state: PathBuf,
    /// Name of the bridge.
    pub bridge: String,
    /// Nothing goes out of this network.
    pub internal: bool,
    /// Its address.
    pub address: Ipv4Addr,
    /// Length of the subnet's prefix.
    pub prefix: u8,
    /// The host's address.
    pub gateway: Ipv4Addr,
    /// The way to everywhere else leads through this network.
    pub is_default: bool,
    /// Its hardware address, with colons.
    pub mac: String,
    /// Name of the interface inside.
    pub interface: String,
    /// How it is called there, its own name first.
    pub names: Vec<String>,
}

impl EndpointState {
    /// What `inspect` calls the endpoint's ID.
    pub(crate) fn id(&self, container: &str) -> String {
        oci::Digest::of(format!("{} {container}", self.network_id).as_bytes()).hex()
    }

    /// It is in a network that knows names.
    pub(crate) fn knows_names(&self) -> bool {
        !self.network_id.is_empty()
    }
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
        Ok(container.folder.write(FILE, &bytes(self))?)
    }

    /// A running container has another name now, also to its neighbours.
    pub(crate) fn rename(container: &Container, new: &str) -> Result<(), Error> {
        let mut state = Self::of_running(container)?;
        for endpoint in state.endpoints.iter_mut().filter(|endpoint| endpoint.knows_names()) {
            endpoint.names.retain(|name| *name != container.record.name && name != new);
            endpoint.names.insert(0, new.to_owned());
            set_names(&endpoint.state, endpoint.address, &endpoint.names).map_err(|error| {
                let message = format!("cannot tell network {} the new name {new}", endpoint.network);
                Error::new(ErrorKind::Internal, message).because(&error)
            })?;
        }
        if state.endpoints.is_empty() { Ok(()) } else { state.write(container) }
    }

    /// What a killed owner has left behind on the host goes.
    pub(crate) fn forget(engine: &Engine, container: &Container) -> Result<(), Error> {
        let state = Self::read(container)?;
        for endpoint in &state.endpoints {
            release_dead_address(&endpoint.state, endpoint.address).map_err(|error| {
                let message = format!("cannot take back the address of {}", container.record.name);
                Error::new(ErrorKind::Internal, message).because(&error)
            })?;
        }
        if state.ports.is_empty() {
            return Ok(());
        }
        let wrong = |error| {
            let message = format!("cannot take back the published ports of {}", container.record.name);
            Error::new(ErrorKind::Internal, message).because(&error)
        };
        // An outer namespace takes its rules with it.
        let Some(ground) = engine.ground_if_any().map_err(wrong)? else { return Ok(()) };
        let default = (DEFAULT_BRIDGE.to_owned(), engine.network_state().join(DEFAULT_BRIDGE));
        let bridges = state.endpoints.iter().map(|endpoint| (endpoint.bridge.clone(), endpoint.state.clone()));
        for (bridge, state) in bridges.chain([default]) {
            ground.run(|| remove_dead_ports(&bridge, &state)).map_err(wrong)?;
        }
        Ok(())
    }

    /// `NetworkSettings` of `inspect`.
    pub(crate) fn inspect(container: &Container) -> Result<Value, Error> {
        let is_running = container.state()?.is_running();
        let state = if is_running { Self::read(container)? } else { Self::default() };
        let settings = &container.record.network;
        let exposed = if is_running { &settings.exposed[..] } else { &[] };
        // Docker's old fields are about the default network alone.
        let default = state.endpoints.iter().find(|endpoint| !endpoint.knows_names());
        let mut networks = Map::new();
        for endpoint in wanted_endpoints(container)? {
            let known = state.endpoints.iter().find(|known| known.network == endpoint.network);
            networks.insert(endpoint.network.clone(), inspect_endpoint(container, &endpoint, known));
        }
        if let super::NetworkMode::Host | super::NetworkMode::None = settings.mode {
            networks.insert(settings.mode.name(), inspect_endpoint(container, &EndpointSettings::default(), None));
        }
        networks.sort_keys();
        Ok(json!({
            "Ports": published::inspected(&state.ports, exposed),
            "Gateway": default.map(|known| known.gateway.to_string()).unwrap_or_default(),
            "IPAddress": default.map(|known| known.address.to_string()).unwrap_or_default(),
            "IPPrefixLen": default.map_or(0, |known| known.prefix),
            "MacAddress": default.map(|known| known.mac.clone()).unwrap_or_default(),
            "Networks": networks,
        }))
    }
}

fn inspect_endpoint(container: &Container, wanted: &EndpointSettings, known: Option<&EndpointState>) -> Value {
    let id = &container.record.id;
    let or_null = |list: &[String]| if list.is_empty() { Value::Null } else { json!(list) };
    json!({
        "IPAMConfig": wanted.address.map(|address| json!({"IPv4Address": address})),
        "Links": null,
        "Aliases": or_null(&wanted.aliases),
        "MacAddress": known.map(|known| known.mac.clone()).unwrap_or_default(),
        "DriverOpts": null,
        "GwPriority": 0,
        "NetworkID": known.map(|known| known.network_id.clone()).unwrap_or_default(),
        "EndpointID": known.map(|known| known.id(id)).unwrap_or_default(),
        "Gateway": known.map(|known| known.gateway.to_string()).unwrap_or_default(),
        "IPAddress": known.map(|known| known.address.to_string()).unwrap_or_default(),
        "IPPrefixLen": known.map_or(0, |known| known.prefix),
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": or_null(known.map(|known| &known.names[..]).unwrap_or_default()),
    })
}

/// The networks that a container is in, or will be in once it is started.
pub(crate) fn wanted_endpoints(container: &Container) -> Result<Vec<EndpointSettings>, Error> {
    match container.folder.read(ENDPOINTS)? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("the networks of container {} are damaged", container.record.id);
            Error::new(ErrorKind::Corrupt, message).because(&error)
        }),
        None => Ok(container.record.network.endpoints.clone()),
    }
}

pub(crate) fn want_endpoints(container: &Container, endpoints: &[EndpointSettings]) -> Result<(), Error> {
    Ok(container.folder.write(ENDPOINTS, &bytes(&endpoints))?)
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our records have text keys only, so they are always JSON")
}
