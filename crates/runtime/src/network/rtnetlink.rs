//! Links, addresses and routes of one network namespace: the dozen rtnetlink requests that
//! container networks need, typed (rtnetlink(7), linux/if_link.h).
//!
//! It refuses to know what a container or a bridge network is; it keeps no state but the socket.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::netlink::{
    Attributes, FLAG_ACK, FLAG_CREATE, FLAG_DUMP, FLAG_EXCLUSIVE, NetlinkError, Request, Socket, text, u32_at,
};
use super::subnet::Subnet;

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const SET_LINK: u16 = 19;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;

const LINK_ADDRESS: u16 = 1;
const LINK_NAME: u16 = 3;
const LINK_MTU: u16 = 4;
const LINK_MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const LINK_NAMESPACE: u16 = 28;
const LINK_EXTENT: u16 = 29;
const LINK_PROTOCOL_INFO: u16 = 12;
const NESTED: u16 = 0x8000;
/// IFLA_BRPORT_MODE.
const BRIDGE_PORT_MODE: u16 = 4;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_PEER: u16 = 1;
/// RTEXT_FILTER_SKIP_STATS: half of an answer about a link would be counters.
const SKIP_STATISTICS: u32 = 8;

const ADDRESS_PEER: u16 = 1;
const ADDRESS_LOCAL: u16 = 2;
const ADDRESS_BROADCAST: u16 = 4;

const ROUTE_DESTINATION: u16 = 1;
const ROUTE_LINK: u16 = 4;
const ROUTE_GATEWAY: u16 = 5;
const ROUTE_METRICS: u16 = 8;
const METRIC_MTU: u16 = 2;
const TABLE_MAIN: u8 = 254;
const PROTOCOL_BOOT: u8 = 3;
const TYPE_UNICAST: u8 = 1;

const FAMILY_INET: u8 = 2;
const FAMILY_BRIDGE: u8 = 7;
const UP: u32 = 1;

/// A hardware address.
pub type Mac = [u8; 6];

/// A network interface as the kernel describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Number of the interface, unique in its namespace.
    pub index: u32,
    /// What made it: `bridge`, `veth`; empty for hardware.
    pub kind: String,
    /// Largest packet that it carries.
    pub mtu: u32,
    /// Whether it is switched on.
    pub is_up: bool,
    /// Its hardware address.
    pub mac: Mac,
}

/// A pair of connected interfaces, the second one in another namespace.
#[derive(Debug)]
pub struct VethPair<'a> {
    /// Name on this side.
    pub name: &'a str,
    /// Index of the bridge that this side joins.
    pub master: Option<u32>,
    /// Name in the other namespace.
    pub peer_name: &'a str,
    /// Hardware address in the other namespace.
    pub peer_mac: Mac,
    /// The other namespace.
    pub peer_namespace: BorrowedFd<'a>,
    /// Largest packet of both ends.
    pub mtu: u32,
}

/// Where packets to the internet leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uplink {
    /// Index of the interface.
    pub index: u32,
    /// Largest packet that goes through, by interface and route.
    pub mtu: u32,
}

/// The routing tables, addresses and links of the namespace it was opened in.
#[derive(Debug)]
pub struct RouteSocket(Socket);

impl RouteSocket {
    /// Opens a socket into the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel has no netlink or no descriptor is left.
    pub fn open() -> Result<Self, Errno> {
        // NETLINK_ROUTE is protocol 0, which rustix says as no protocol.
        Socket::open(None).map(Self)
    }

    /// Returns the interface of that name, or `None`.
    ///
    /// # Errors
    /// When the kernel refuses for another reason than absence.
    pub fn lookup_link(&mut self, name: &str) -> Result<Option<Link>, NetlinkError> {
        self.one_link(get_link(name))
    }

    /// Returns the interface of that name.
    ///
    /// # Errors
    /// With the kernel's refusal; `NODEV` when there is none.
    pub fn link(&mut self, name: &str) -> Result<Link, NetlinkError> {
        let absent = || get_link(name).error(Errno::NODEV);
        self.lookup_link(name)?.ok_or_else(absent)
    }

    /// Creates a bridge, or fails with `EXIST`.
    ///
    /// # Errors
    /// With the kernel's refusal.
    pub fn create_bridge(&mut self, name: &str, mac: Mac, mtu: u32) -> Result<(), NetlinkError> {
        self.0.execute(&mut [create_bridge(name, mac, mtu)])
    }

    /// Creates both ends of a veth pair where they belong and switches this one on, in one request:
    /// moving an end into its namespace afterwards would cost 20 ms of waiting for RCU.
    ///
    /// # Errors
    /// With the kernel's refusal; `EXIST` when either name is taken.
    pub fn create_veth(&mut self, pair: &VethPair<'_>) -> Result<(), NetlinkError> {
        self.0.execute(&mut [create_veth(pair)])
    }

    /// Removes an interface, and its other end with it.
    ///
    /// # Errors
    /// With the kernel's refusal.
    pub fn delete_link(&mut self, name: &str) -> Result<(), NetlinkError> {
        let mut request = Request::new(DELETE_LINK, FLAG_ACK, "delete interface", name);
        request.raw(&link_header(0, 0, 0)).string(LINK_NAME, name);
        self.0.execute(&mut [request])
    }

    /// Changes the largest packet size of an interface.
    ///
    /// # Errors
    /// With the kernel's refusal.
    pub fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<(), NetlinkError> {
        let mut request = Request::new(SET_LINK, FLAG_ACK, "set the MTU of", name);
        request.raw(&link_header(0, 0, 0)).string(LINK_NAME, name).u32(LINK_MTU, mtu);
        self.0.execute(&mut [request])
    }

    /// Lets a bridge send packets back to the member that they came from: a container that reaches itself by the
    /// host's address.
    ///
    /// # Errors
    /// With the kernel's refusal; `NODEV` when there is no such member.
    pub fn set_hairpin(&mut self, name: &str) -> Result<(), NetlinkError> {
        let link = self.link(name)?;
        let mut header = link_header(link.index, 0, 0);
        header[0] = FAMILY_BRIDGE;
        let mut request = Request::new(SET_LINK, FLAG_ACK, "set the hairpin mode of", name);
        request.raw(&header).nested(LINK_PROTOCOL_INFO | NESTED, |info| {
            info.attribute(BRIDGE_PORT_MODE, &[1]);
        });
        self.0.execute(&mut [request])
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// With the kernel's refusal.
    pub fn set_up(&mut self, name: &str) -> Result<(), NetlinkError> {
        self.0.execute(&mut [set_up(name)])
    }

    /// Gives an interface an address and switches it on; the kernel adds the subnet's route.
    ///
    /// # Errors
    /// With the kernel's refusal; `EXIST` when the address is already there.
    pub fn add_address(
        &mut self,
        name: &str,
        index: u32,
        address: Ipv4Addr,
        subnet: Subnet,
    ) -> Result<(), NetlinkError> {
        self.0.execute(&mut [add_address(index, address, subnet), set_up(name)])
    }

    /// Adds the default route through a gateway.
    ///
    /// # Errors
    /// With the kernel's refusal.
    pub fn add_default_route(&mut self, index: u32, gateway: Ipv4Addr) -> Result<(), NetlinkError> {
        self.0.execute(&mut [add_default_route(index, gateway)])
    }

    /// Makes an interface of a container ready: on, address, default route if it has one; one datagram.
    ///
    /// # Errors
    /// With the kernel's first refusal.
    pub fn configure(
        &mut self,
        name: &str,
        address: Ipv4Addr,
        subnet: Subnet,
        gateway: impl Into<Option<Ipv4Addr>>,
    ) -> Result<(), NetlinkError> {
        let link = self.link(name)?;
        let mut requests = vec![set_up(name), add_address(link.index, address, subnet)];
        requests.extend(gateway.into().map(|gateway| add_default_route(link.index, gateway)));
        self.0.execute(&mut requests)
    }

    /// Lists the IPv4 addresses of all interfaces, as (interface index, address, prefix length).
    ///
    /// # Errors
    /// With the kernel's refusal.
    pub fn addresses(&mut self) -> Result<Vec<(u32, Ipv4Addr, u8)>, NetlinkError> {
        let request = || {
            let mut request = Request::new(GET_ADDRESS, FLAG_DUMP, "list addresses of", "all interfaces");
            request.raw(&[FAMILY_INET, 0, 0, 0, 0, 0, 0, 0]);
            request
        };
        self.0.list(request, parse_address)
    }

    /// Lists the destinations of all IPv4 unicast routes but the default ones, as (interface index, network).
    ///
    /// # Errors
    /// With the kernel's refusal.
    pub fn routes(&mut self) -> Result<Vec<(u32, Subnet)>, NetlinkError> {
        let request = || {
            let mut request = Request::new(GET_ROUTE, FLAG_DUMP, "list routes of", "all tables");
            request.raw(&route_header(0, 0));
            request
        };
        self.0.list(request, parse_route)
    }

    /// Asks the routing tables which way the internet is; no packet is sent.
    ///
    /// # Errors
    /// With the kernel's refusal; a host without a default route is `None`.
    pub fn uplink(&mut self) -> Result<Option<Uplink>, NetlinkError> {
        // Any public address will do: the question is answered from the routing table.
        let somewhere = Ipv4Addr::new(1, 1, 1, 1);
        let mut request = Request::new(GET_ROUTE, FLAG_ACK, "look up the route to", "1.1.1.1");
        request.raw(&route_header(32, 0)).attribute(ROUTE_DESTINATION, &somewhere.octets());
        let mut found = None;
        match self.0.transact(&mut [request], &mut |_, payload| found = parse_uplink(payload).or(found)) {
            Err(error)
                if matches!(error.source, Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ACCESS | Errno::INVAL) =>
            {
                return Ok(None);
            }
            other => other?,
        }
        let Some((index, route_mtu)) = found else { return Ok(None) };
        let mut request = Request::new(GET_LINK, FLAG_ACK, "look up interface number", &index.to_string());
        request.raw(&link_header(index, 0, 0)).u32(LINK_EXTENT, SKIP_STATISTICS);
        let link = self.one_link(request)?;
        Ok(link.map(|link| Uplink { index, mtu: route_mtu.map_or(link.mtu, |mtu| mtu.min(link.mtu)) }))
    }

    fn one_link(&mut self, request: Request) -> Result<Option<Link>, NetlinkError> {
        let mut found = None;
        match self.0.transact(&mut [request], &mut |_, payload| found = parse_link(payload)) {
            Err(error) if error.source == Errno::NODEV => Ok(None),
            other => other.map(|()| found),
        }
    }
}

fn get_link(name: &str) -> Request {
    let mut request = Request::new(GET_LINK, FLAG_ACK, "look up interface", name);
    request.raw(&link_header(0, 0, 0)).string(LINK_NAME, name).u32(LINK_EXTENT, SKIP_STATISTICS);
    request
}

fn create_bridge(name: &str, mac: Mac, mtu: u32) -> Request {
    let flags = FLAG_ACK | FLAG_CREATE | FLAG_EXCLUSIVE;
    let mut request = Request::new(NEW_LINK, flags, "create bridge", name);
    request
        .raw(&link_header(0, 0, 0))
        .string(LINK_NAME, name)
        // An explicit address stays; by default a bridge takes over the lowest of its members',
        // and every neighbour's ARP entry would be wrong when that member goes.
        .attribute(LINK_ADDRESS, &mac)
        .u32(LINK_MTU, mtu)
        .nested(LINK_INFO, |info| {
            info.attribute(INFO_KIND, b"bridge");
        });
    request
}

fn create_veth(pair: &VethPair<'_>) -> Request {
    let flags = FLAG_ACK | FLAG_CREATE | FLAG_EXCLUSIVE;
    let mut request = Request::new(NEW_LINK, flags, "create interface", pair.name);
    request.raw(&link_header(0, UP, UP)).string(LINK_NAME, pair.name).u32(LINK_MTU, pair.mtu);
    if let Some(master) = pair.master {
        request.u32(LINK_MASTER, master);
    }
    let namespace = pair.peer_namespace.as_raw_fd().cast_unsigned();
    request.nested(LINK_INFO, |info| {
        info.attribute(INFO_KIND, b"veth").nested(INFO_DATA, |data| {
            data.nested(VETH_PEER, |peer| {
                // Not up yet: veth refuses to open an end before the other exists (ENOTCONN).
                peer.raw(&link_header(0, 0, 0))
                    .string(LINK_NAME, pair.peer_name)
                    .attribute(LINK_ADDRESS, &pair.peer_mac)
                    .u32(LINK_MTU, pair.mtu)
                    .u32(LINK_NAMESPACE, namespace);
            });
        });
    });
    request
}

fn set_up(name: &str) -> Request {
    let mut request = Request::new(SET_LINK, FLAG_ACK, "switch on interface", name);
    request.raw(&link_header(0, UP, UP)).string(LINK_NAME, name);
    request
}

fn add_address(index: u32, address: Ipv4Addr, subnet: Subnet) -> Request {
    let flags = FLAG_ACK | FLAG_CREATE | FLAG_EXCLUSIVE;
    let mut request = Request::new(NEW_ADDRESS, flags, "add address", &address.to_string());
    let [a, b, c, d] = index.to_ne_bytes();
    // ifaddrmsg: family, prefix length, flags, scope (universe), interface.
    request
        .raw(&[FAMILY_INET, subnet.prefix(), 0, 0, a, b, c, d])
        .attribute(ADDRESS_LOCAL, &address.octets())
        .attribute(ADDRESS_PEER, &address.octets())
        .attribute(ADDRESS_BROADCAST, &subnet.broadcast().octets());
    request
}

fn add_default_route(index: u32, gateway: Ipv4Addr) -> Request {
    let flags = FLAG_ACK | FLAG_CREATE | FLAG_EXCLUSIVE;
    let mut request = Request::new(NEW_ROUTE, flags, "add the default route through", &gateway.to_string());
    request.raw(&route_header(0, TYPE_UNICAST)).attribute(ROUTE_GATEWAY, &gateway.octets()).u32(ROUTE_LINK, index);
    request
}

/// ifinfomsg: family, padding, hardware type, index, flags, mask of the flags to change.
fn link_header(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

/// rtmsg: family, destination length, source length, type of service, table, protocol, scope, type, flags.
fn route_header(destination_len: u8, kind: u8) -> [u8; 12] {
    [FAMILY_INET, destination_len, 0, 0, TABLE_MAIN, PROTOCOL_BOOT, 0, kind, 0, 0, 0, 0]
}

fn parse_link(payload: &[u8]) -> Option<Link> {
    let attributes = payload.get(16..)?;
    let kind =
        Attributes::find(attributes, LINK_INFO).and_then(|info| Attributes::find(info, INFO_KIND)).and_then(text);
    let mac = Attributes::find(attributes, LINK_ADDRESS).and_then(|value| value.try_into().ok());
    Some(Link {
        index: u32_at(payload, 4)?,
        kind: kind.unwrap_or_default().to_owned(),
        mtu: u32_at(Attributes::find(attributes, LINK_MTU)?, 0)?,
        is_up: u32_at(payload, 8)? & UP != 0,
        mac: mac.unwrap_or_default(),
    })
}

fn parse_address(payload: &[u8]) -> Option<(u32, Ipv4Addr, u8)> {
    let prefix = *payload.get(1)?;
    let attributes = payload.get(8..)?;
    // On a point-to-point link ADDRESS is the far end; LOCAL is always ours.
    let address = Attributes::find(attributes, ADDRESS_LOCAL).or_else(|| Attributes::find(attributes, ADDRESS_PEER))?;
    Some((u32_at(payload, 4)?, ipv4(address)?, prefix))
}

fn parse_route(payload: &[u8]) -> Option<(u32, Subnet)> {
    let attributes = payload.get(12..)?;
    if *payload.get(7)? != TYPE_UNICAST {
        return None;
    }
    let destination = ipv4(Attributes::find(attributes, ROUTE_DESTINATION)?)?;
    let link = Attributes::find(attributes, ROUTE_LINK).and_then(|value| u32_at(value, 0));
    Some((link.unwrap_or(0), Subnet::containing(destination, *payload.get(1)?)?))
}

fn parse_uplink(payload: &[u8]) -> Option<(u32, Option<u32>)> {
    let attributes = payload.get(12..)?;
    if *payload.get(7)? != TYPE_UNICAST {
        return None;
    }
    let mtu = Attributes::find(attributes, ROUTE_METRICS)
        .and_then(|metrics| Attributes::find(metrics, METRIC_MTU))
        .and_then(|value| u32_at(value, 0));
    Some((u32_at(Attributes::find(attributes, ROUTE_LINK)?, 0)?, mtu))
}

fn ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests;
