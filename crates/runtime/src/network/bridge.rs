//! The bridge that containers hang on: made if missing, completed if half made, left alone if whole.
//!
//! The same steps run twice at most: first only looking, without a lock; then, if something
//! was missing, under the lock of the network's state folder and writing.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use rustix::io::Errno;

use super::addresses::StateLock;
use super::rtnetlink::{Link, Mac, RouteSocket};
use super::subnet::Subnet;
use super::{NetworkError, firewall};

/// The bridge's name where the user did not make another network.
pub const DEFAULT_BRIDGE: &str = "onggi0";

const IP_FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
/// What Ethernet carries, where no route says better.
const ETHERNET_MTU: u32 = 1500;

/// What a bridge network should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BridgeConfig {
    /// Name of the bridge and of its packet filter table.
    pub name: String,
    /// The subnet, or `None` for the first one that the host does not use.
    pub subnet: Option<Subnet>,
    /// What the chosen subnet must not hide from containers: the host's name servers, and its networks where those are not seen.
    pub avoid: Vec<Subnet>,
    /// Folder of the network's addresses and lock. It should be the same for all who use this bridge
    /// and vanish with a reboot, as the bridge does: a folder below `/run`.
    pub state: PathBuf,
    /// The host's address, or `None` for the subnet's first.
    pub gateway: Option<Ipv4Addr>,
    /// Nothing goes out of this network, and nothing comes in.
    pub internal: bool,
    /// Largest packet, or `None` for that of the way to the internet.
    pub mtu: Option<u32>,
    /// Part of the subnet that containers get addresses of; all of it otherwise.
    pub range: Option<Subnet>,
}

impl BridgeConfig {
    /// Describes the default network, its state below `state`.
    #[must_use]
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            name: DEFAULT_BRIDGE.to_owned(),
            subnet: None,
            avoid: Vec::new(),
            state: state.into(),
            gateway: None,
            internal: false,
            mtu: None,
            range: None,
        }
    }
}

/// A bridge network that is in place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bridge {
    /// Name of the bridge.
    pub name: String,
    /// Its interface number.
    pub index: u32,
    /// Its subnet.
    pub subnet: Subnet,
    /// The host's address in it: the containers' gateway, and `host-gateway` in `--add-host`.
    pub gateway: Ipv4Addr,
    /// Largest packet that gets through to the internet.
    pub mtu: u32,
    /// Folder of its addresses.
    pub state: PathBuf,
    /// Nothing goes out of it.
    pub internal: bool,
    /// Part of the subnet that containers get addresses of.
    pub range: Subnet,
}

impl Bridge {
    /// Makes sure that the network exists and works, and describes it.
    ///
    /// Any number of processes may call this at once. Where all is in place nothing is written and
    /// no lock is taken.
    ///
    /// # Errors
    /// With what is missing: rights, a free subnet, a packet filter; or when an interface of that
    /// name is something else.
    pub fn ensure(config: &BridgeConfig) -> Result<Self, NetworkError> {
        check_interface_name(&config.name)?;
        let mut host = open_routes()?;
        if let Some(bridge) = converge(&mut host, config, false)? {
            return Ok(bridge);
        }
        let _lock = StateLock::acquire(&config.state)?;
        let bridge = converge(&mut host, config, true)?;
        // A bridge that vanishes under our hands is somebody deleting it right now.
        bridge.ok_or_else(|| NetworkError::NotABridge(config.name.clone()))
    }

    /// The host's address in a network that is there, and its subnet; nothing is made.
    ///
    /// # Errors
    /// With the kernel's refusal.
    pub fn find(name: &str) -> Result<Option<(Ipv4Addr, Subnet)>, NetworkError> {
        let mut host = open_routes()?;
        let Some(link) = host.lookup_link(name)? else { return Ok(None) };
        let addresses = host.addresses()?;
        let own = addresses.iter().find(|(index, ..)| *index == link.index);
        Ok(own.and_then(|(_, address, prefix)| Some((*address, Subnet::containing(*address, *prefix)?))))
    }

    /// Removes the bridge and its packet filter rules. Forwarding stays on: others may have come to need it.
    ///
    /// # Errors
    /// With the kernel's refusal; an absent bridge is no error.
    pub fn remove(config: &BridgeConfig) -> Result<(), NetworkError> {
        check_interface_name(&config.name)?;
        let _lock = StateLock::acquire(&config.state)?;
        let mut host = open_routes()?;
        match host.lookup_link(&config.name)? {
            Some(link) if link.kind != "bridge" => return Err(NetworkError::NotABridge(config.name.clone())),
            Some(_) => host.delete_link(&config.name)?,
            None => {}
        }
        firewall::remove(&config.name)?;
        if config.name != DEFAULT_BRIDGE {
            // The lock goes with it: nobody waits for a network that is removed.
            fs::remove_dir_all(&config.state).unwrap_or_default();
        }
        Ok(())
    }
}

/// Goes through all that a network needs. Returns `None` as soon as something is missing and may not be written.
fn converge(host: &mut RouteSocket, config: &BridgeConfig, may_write: bool) -> Result<Option<Bridge>, NetworkError> {
    // Packets larger than what the way out carries are lost without a word wherever ICMP is filtered on
    // the way: the TCP handshake works and the first large answer never comes. Clouds and tunnels have
    // 1400 or 1450, so the whole network takes over the value of the way out, not Ethernet's 1500.
    let mtu = match config.mtu {
        Some(mtu) => mtu,
        None => host.uplink()?.map_or(ETHERNET_MTU, |uplink| uplink.mtu),
    };
    let mut link = host.lookup_link(&config.name)?;
    if link.is_none() && !may_write {
        return Ok(None);
    }
    let addresses = host.addresses()?;
    let own = link.as_ref().and_then(|link| addresses.iter().find(|(index, ..)| *index == link.index));
    let found = own.and_then(|(_, address, prefix)| Some((*address, Subnet::containing(*address, *prefix)?)));
    if let (Some((_, found)), Some(wanted)) = (found, config.subnet)
        && found != wanted
    {
        return Err(NetworkError::SubnetDiffers { bridge: config.name.clone(), found, wanted });
    }
    if found.is_none() && !may_write {
        return Ok(None);
    }
    let (gateway, subnet) = match found {
        Some(found) => found,
        None => {
            let subnet = choose_subnet(host, config, link.as_ref(), &addresses)?;
            (config.gateway.unwrap_or_else(|| subnet.gateway()), subnet)
        }
    };
    if link.is_none() {
        tolerate_existing(host.create_bridge(&config.name, mac_for(gateway), mtu))?;
        link = host.lookup_link(&config.name)?;
    }
    let Some(link) = link else { return Ok(None) };
    if link.kind != "bridge" {
        return Err(NetworkError::NotABridge(config.name.clone()));
    }
    let is_whole = found.is_some() && link.is_up && link.mtu == mtu;
    if !is_whole && !may_write {
        return Ok(None);
    }
    complete(host, config, &link, found.is_none().then_some((gateway, subnet)), mtu)?;
    if !forwarding_is_on(may_write)? || !firewall::ensure(&config.name, subnet, config.internal, may_write)? {
        return Ok(None);
    }
    let (name, state) = (config.name.clone(), config.state.clone());
    let (internal, range) = (config.internal, config.range.unwrap_or(subnet));
    Ok(Some(Bridge { name, index: link.index, subnet, gateway, mtu, state, internal, range }))
}

/// Gives the bridge what it lacks: address, MTU, being switched on.
fn complete(
    host: &mut RouteSocket,
    config: &BridgeConfig,
    link: &Link,
    address: Option<(Ipv4Addr, Subnet)>,
    mtu: u32,
) -> Result<(), NetworkError> {
    if link.mtu != mtu {
        host.set_mtu(&config.name, mtu)?;
    }
    if let Some((gateway, subnet)) = address {
        tolerate_existing(host.add_address(&config.name, link.index, gateway, subnet))?;
    } else if !link.is_up {
        host.set_up(&config.name)?;
    }
    Ok(())
}

fn choose_subnet(
    host: &mut RouteSocket,
    config: &BridgeConfig,
    link: Option<&Link>,
    addresses: &[(u32, Ipv4Addr, u8)],
) -> Result<Subnet, NetworkError> {
    if let Some(subnet) = config.subnet {
        return Ok(subnet);
    }
    let own = link.map(|link| link.index);
    let mut used: Vec<Subnet> =
        host.routes()?.into_iter().filter(|(index, _)| Some(*index) != own).map(|(_, subnet)| subnet).collect();
    used.extend(addresses.iter().filter_map(|(_, address, prefix)| Subnet::containing(*address, *prefix)));
    used.extend(&config.avoid);
    Subnet::first_free(&used).ok_or(NetworkError::NoFreeSubnet)
}

/// Chooses a subnet for a new network: the first of the pool that the host does not use and `taken` does not hold.
///
/// # Errors
/// When none is free, or the kernel refuses to list what is used.
pub fn free_subnet(taken: &[Subnet]) -> Result<Subnet, NetworkError> {
    let mut used = used_subnets()?;
    used.extend(taken);
    Subnet::first_free(&used).ok_or(NetworkError::NoFreeSubnet)
}

/// The subnets that have a route or an address here.
///
/// # Errors
/// When the kernel refuses to list them.
pub fn used_subnets() -> Result<Vec<Subnet>, NetworkError> {
    let mut host = open_routes()?;
    let mut used: Vec<Subnet> = host.routes()?.into_iter().map(|(_, subnet)| subnet).collect();
    used.extend(host.addresses()?.iter().filter_map(|(_, address, prefix)| Subnet::containing(*address, *prefix)));
    Ok(used)
}

/// The address by which this host reaches others, if it has one.
///
/// # Errors
/// When the kernel refuses to say.
pub fn uplink_address() -> Result<Option<Ipv4Addr>, NetworkError> {
    let mut host = open_routes()?;
    let Some(uplink) = host.uplink()? else { return Ok(None) };
    let addresses = host.addresses()?;
    Ok(addresses.into_iter().find(|(index, ..)| *index == uplink.index).map(|(_, address, _)| address))
}

/// Forwarding makes the host a router between all its interfaces, so it is only switched on here, when a
/// network is really wanted; what comes towards containers is filtered by `firewall`.
fn forwarding_is_on(may_write: bool) -> Result<bool, NetworkError> {
    let value = fs::read(IP_FORWARD).map_err(NetworkError::file("read", IP_FORWARD))?;
    if value.first() != Some(&b'0') {
        return Ok(true);
    }
    if may_write {
        fs::write(IP_FORWARD, "1").map_err(NetworkError::file("write", IP_FORWARD))?;
    }
    Ok(may_write)
}

/// The locally administered hardware address that Docker derives from an address too: when the address is given
/// to the next container, what neighbours have in their ARP tables is still right.
pub(super) fn mac_for(address: Ipv4Addr) -> Mac {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

pub(super) fn open_routes() -> Result<RouteSocket, NetworkError> {
    RouteSocket::open().map_err(|source| NetworkError::Socket { protocol: "route", source })
}

pub(super) fn check_interface_name(name: &str) -> Result<(), NetworkError> {
    let is_valid = (1..=15).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"/:%".contains(&byte));
    is_valid.then_some(()).ok_or_else(|| NetworkError::InvalidName(name.to_owned()))
}

/// Somebody with another state folder was quicker: what was wanted is there.
fn tolerate_existing(result: Result<(), super::NetlinkError>) -> Result<(), NetworkError> {
    match result {
        Err(error) if error.source == Errno::EXIST => Ok(()),
        other => Ok(other?),
    }
}
