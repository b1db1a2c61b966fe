//! Networks that users have defined: made, found, removed.
//!
//! A definition is a file of the store and stays; its bridge is the host's, is made with it, and is made again by the first
//! container after a reboot.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use runtime::network::{Bridge, BridgeConfig, NetworkError, StateLock, Subnet, free_subnet};
use serde::{Deserialize, Serialize};

use super::{HostFiles, NetworkState};
use crate::containers::container::Container;
use crate::containers::random_id;
use crate::{Engine, Error, ErrorKind};

/// Names that are always there.
pub(crate) const BUILT_IN: [&str; 3] = ["bridge", "host", "none"];

/// What a new network should be.
#[derive(Debug, Clone, Default)]
pub struct NetworkOptions {
    /// Its name.
    pub name: String,
    /// `bridge`, or nothing for that.
    pub driver: Option<String>,
    /// `172.30.0.0/16`; a free one otherwise.
    pub subnet: Option<String>,
    /// The host's address; the first one otherwise.
    pub gateway: Option<Ipv4Addr>,
    /// Part of the subnet that containers get addresses of.
    pub ip_range: Option<String>,
    /// No way out, and none in.
    pub internal: bool,
    /// Kept for `inspect`: every network of ours is.
    pub attachable: bool,
    /// With IPv6 addresses.
    pub ipv6: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

/// A network as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// `172.30.0.0/16`.
    pub subnet: String,
    /// The host's address in it.
    pub gateway: Ipv4Addr,
    /// Part of the subnet that containers get addresses of.
    pub ip_range: Option<String>,
    /// No way out, and none in.
    pub internal: bool,
    /// As asked for.
    pub attachable: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Name of the bridge.
    pub bridge: String,
}

impl NetworkRecord {
    /// What its bridge is to be, with its addresses in the folder `state`.
    pub(super) fn bridge_config(&self, state: PathBuf) -> BridgeConfig {
        BridgeConfig {
            name: self.bridge.clone(),
            subnet: self.subnet.parse().ok(),
            gateway: Some(self.gateway),
            internal: self.internal,
            mtu: self.options.get("com.docker.network.driver.mtu").and_then(|mtu| mtu.parse().ok()),
            range: self.ip_range.as_deref().and_then(|range| range.parse().ok()),
            ..BridgeConfig::new(state)
        }
    }
}

/// Makes a network, and gives its ID.
///
/// # Errors
/// When its name is taken, or what is asked for cannot be.
pub fn create_network(engine: &Engine, options: &NetworkOptions) -> Result<String, Error> {
    check(options)?;
    engine.check_rights()?;
    let id = random_id()?;
    let failed = |error: NetworkError| cannot("create", &options.name, &error);
    // One at a time on this host, so that no two get the same subnet.
    let ground = engine.ground_if_any().map_err(failed)?;
    let _lock = StateLock::acquire(&engine.network_state()).map_err(failed)?;
    let others = all_networks(engine)?;
    let taken: Vec<Subnet> = others.iter().filter_map(|other| other.subnet.parse().ok()).collect();
    let subnet = match &options.subnet {
        Some(text) => chosen_subnet(text, &taken)?,
        None => {
            let avoid = [HostFiles::read().name_servers_as_subnets(), engine.unseen_subnets()?, taken].concat();
            match &ground {
                Some(ground) => ground.run(|| free_subnet(&avoid)),
                None => free_subnet(&avoid),
            }
            .map_err(failed)?
        }
    };
    let (gateway, range) = parts(options, subnet)?;
    let bridge = options.options.get("com.docker.network.bridge.name").cloned();
    let bridge = bridge.unwrap_or_else(|| format!("br-{}", &id[..12]));
    if others.iter().any(|other| other.bridge == bridge) || bridge == runtime::network::DEFAULT_BRIDGE {
        let message = format!("cannot create network {}: bridge name {bridge} already in use", options.name);
        return Err(Error::new(ErrorKind::Conflict, message).with_exit_code(1));
    }
    let record = NetworkRecord {
        name: options.name.clone(),
        created: engine.now().to_string(),
        subnet: subnet.to_string(),
        gateway,
        ip_range: range.map(|range| range.to_string()),
        internal: options.internal,
        attachable: options.attachable,
        labels: options.labels.clone(),
        options: options.options.clone(),
        bridge,
        id,
    };
    let bytes = serde_json::to_vec(&record).expect("our records have text keys only, so they are always JSON");
    if !engine.store().create_network(&record.name, &bytes)? {
        return Err(exists(&options.name));
    }
    let config = engine.bridge_of(&record);
    // Without an outer namespace the first container makes both.
    if let Some(Err(error)) = ground.map(|ground| ground.run(|| Bridge::ensure(&config))) {
        // Why it could not be made matters more.
        engine.store().remove_network(&record.name).ok();
        return Err(failed(error));
    }
    Ok(record.id)
}

fn check(options: &NetworkOptions) -> Result<(), Error> {
    let wrong = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
    let name = &options.name;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if !name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) || !name.bytes().all(word) {
        return wrong(format!("invalid network name \"{name}\": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
    }
    if BUILT_IN.contains(&name.as_str()) || name == "default" {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("operation is not permitted on predefined {name} network"),
        ));
    }
    match options.driver.as_deref() {
        None | Some("" | "bridge" | "default") => {}
        Some(driver @ ("overlay" | "macvlan" | "ipvlan" | "host" | "null")) => {
            let error = Error::new(ErrorKind::Unsupported, format!("networks of driver {driver} are not there yet"));
            return Err(error.with_hint(format!("a bridge network: `onggi network create {name}`")));
        }
        Some(driver) => return wrong(format!("plugin \"{driver}\" not found")),
    }
    if options.ipv6 {
        let error = Error::new(ErrorKind::Unsupported, "IPv6 in networks of containers is not there yet");
        return Err(error.with_hint(format!("an IPv4 network: `onggi network create {name}`")));
    }
    Ok(())
}

fn chosen_subnet(text: &str, taken: &[Subnet]) -> Result<Subnet, Error> {
    let wrong = |message: String| Error::new(ErrorKind::InvalidInput, message);
    let subnet: Subnet = text.parse().map_err(|_| {
        let message = format!("invalid subnet {text}: it is not an IPv4 subnet such as 172.30.0.0/16");
        wrong(message)
    })?;
    let given = text.split('/').next().unwrap_or_default();
    if subnet.network().to_string() != given {
        return Err(wrong(format!("invalid subnet {text}: it should be {subnet}")));
    }
    if subnet.prefix() > 30 {
        return Err(wrong(format!("invalid subnet {text}: it has no room for containers")));
    }
    if taken.iter().any(|other| other.overlaps(subnet)) {
        let message = "invalid pool request: Pool overlaps with other one on this address space";
        return Err(Error::new(ErrorKind::Conflict, message)
            .with_hint("see which subnets there are: `onggi network inspect $(onggi network ls -q)`"));
    }
    Ok(subnet)
}

/// Gateway and range, which lie in the subnet.
fn parts(options: &NetworkOptions, subnet: Subnet) -> Result<(Ipv4Addr, Option<Subnet>), Error> {
    let wrong = |message: String| Error::new(ErrorKind::InvalidInput, message);
    let needs_subnet = options.subnet.is_none() && (options.gateway.is_some() || options.ip_range.is_some());
    if needs_subnet {
        return Err(wrong("no matching subnet for gateway or range: give `--subnet` too".to_owned()));
    }
    let gateway = options.gateway.unwrap_or_else(|| subnet.gateway());
    if !subnet.contains(gateway) || [subnet.network(), subnet.broadcast()].contains(&gateway) {
        return Err(wrong(format!("no matching subnet for gateway {gateway}")));
    }
    let range: Option<Subnet> = match &options.ip_range {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| wrong(format!("invalid range {text}")))?),
    };
    if let Some(range) = range.filter(|range| !subnet.holds(*range)) {
        return Err(wrong(format!("no matching subnet for range {range}")));
    }
    Ok((gateway, range))
}

fn exists(name: &str) -> Error {
    let error = Error::new(ErrorKind::AlreadyExists, format!("network with name {name} already exists"));
    error.with_hint(format!("remove it with `onggi network rm {name}`, or choose another name"))
}

pub(crate) fn cannot(action: &str, name: &str, error: &NetworkError) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot {action} network {name}")).because(error)
}

/// All networks that users have defined, by name.
pub(crate) fn all_networks(engine: &Engine) -> Result<Vec<NetworkRecord>, Error> {
    engine.store().networks()?.into_iter().map(|(name, bytes)| parse(&name, &bytes)).collect()
}

fn parse(name: &str, bytes: &[u8]) -> Result<NetworkRecord, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::Corrupt, format!("the description of network {name} is damaged")).because(&error)
    })
}

/// Finds a network by name, ID or prefix.
pub(crate) fn find_network(engine: &Engine, text: &str) -> Result<NetworkRecord, Error> {
    if let Some(bytes) = engine.store().network(text)? {
        return parse(text, &bytes);
    }
    let mut matching = all_networks(engine)?;
    matching.retain(|network| !text.is_empty() && network.id.starts_with(text));
    match matching.len() {
        1 => Ok(matching.remove(0)),
        0 => Err(Error::new(ErrorKind::NotFound, format!("network {text} not found"))
            .with_hint("`onggi network ls` lists all networks")),
        _ => {
            let message = format!("network {text} is ambiguous ({} matches found based on ID prefix)", matching.len());
            Err(Error::new(ErrorKind::InvalidInput, message).with_hint("give more digits of the ID"))
        }
    }
}

/// Running containers of a network, with their place in it.
pub(crate) fn members(engine: &Engine, network: &str) -> Result<Vec<(Container, super::EndpointState)>, Error> {
    let mut found = Vec::new();
    for container in Container::all(engine)? {
        let state = NetworkState::of_running(&container)?;
        if let Some(endpoint) = state.endpoints.into_iter().find(|endpoint| endpoint.network == network) {
            found.push((container, endpoint));
        }
    }
    Ok(found)
}

/// Removes a network that nobody uses.
///
/// # Errors
/// When there is none of that name, or a running container is connected to it.
pub fn remove_network(engine: &Engine, name: &str) -> Result<(), Error> {
    if BUILT_IN.contains(&name) {
        let message = format!("{name} is a pre-defined network and cannot be removed");
        return Err(Error::new(ErrorKind::Forbidden, message));
    }
    let network = find_network(engine, name)?;
    remove(engine, &network)
}

fn remove(engine: &Engine, network: &NetworkRecord) -> Result<(), Error> {
    let failed = |error: NetworkError| cannot("remove", &network.name, &error);
    let _lock = StateLock::acquire(&engine.network_state()).map_err(failed)?;
    let members = members(engine, &network.name)?;
    if !members.is_empty() {
        let shown: Vec<String> = members
            .iter()
            .map(|(container, _)| format!("name:\"{}\" id:\"{}\"", container.record.name, &container.record.id[..12]))
            .collect();
        let message = format!(
            "error while removing network: network {} has active endpoints ({})",
            network.name,
            shown.join(", ")
        );
        let first = &members[0].0.record.name;
        return Err(Error::new(ErrorKind::Conflict, message)
            .with_hint(format!("take it off first: `onggi network disconnect {} {first}`", network.name)));
    }
    let config = engine.bridge_of(network);
    match engine.ground_if_any().map_err(failed)? {
        Some(ground) => ground.run(|| Bridge::remove(&config)).map_err(failed)?,
        // The bridge went with the outer namespace; what is left is a folder.
        None => std::fs::remove_dir_all(&config.state).unwrap_or_default(),
    }
    engine.store().remove_network(&network.name)?;
    Ok(())
}

/// Removes all networks that no running container uses; gives their names.
///
/// # Errors
/// When one cannot be removed.
pub fn prune_networks(engine: &Engine, filters: &super::NetworkFilters, dry_run: bool) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for network in all_networks(engine)? {
        if filters.takes(&network, engine.now()) && members(engine, &network.name)?.is_empty() {
            if !dry_run {
                remove(engine, &network)?;
            }
            removed.push(network.name);
        }
    }
    Ok(removed)
}
