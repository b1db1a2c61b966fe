//! Published ports: connections to a port of the host go to a container.
//!
//! One table for each bridge that has any, beside the bridge's own, with a map from ports to containers: a thousand ports cost
//! a packet as much as one does. It goes with the last port. Each entry's comment names the process that
//! owns it, so what a killed one left behind is found and removed by the next that looks.
//!
//! What is rewritten where: packets that arrive, but never those to 127.0.0.0/8, which only come from neighbours that
//! try it; the host's own packets, also those to 127.0.0.1, which the bridge may carry once it is told to
//! (`route_localnet`), and which containers must not be able to send. A container that comes back to its own network by
//! the host's address must see the host as the sender, or the answer would not come by here.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::NetworkError;
use super::addresses::{Owner, StateLock};
use super::attachment::Attachment;
use super::bridge::{Bridge, open_routes};
use super::firewall::open;
use super::nftables::{
    Expression, ListedPort, OUTPUT, POSTROUTING, PREROUTING, PortChange, PortMap, PortRule, RAW, Rule,
    STATUS_DESTINATION_NAT, Table,
};
use super::outer::OuterNetwork;
use super::relay::Relay;
use super::reservation::Reservation;
use super::subnet::Subnet;

/// A port of the host and the port of the container that it leads to.
#[derive(Debug)]
pub struct PortForward {
    /// The host's.
    pub host: Reservation,
    /// The container's.
    pub container_port: u16,
}

/// Ports of one container that are published until this is dropped.
#[derive(Debug)]
pub struct PublishedPorts {
    bridge: String,
    state: PathBuf,
    comment: String,
    /// Held for their sockets, until they are relayed.
    forwards: Vec<PortForward>,
    address: Ipv4Addr,
    relay: Option<Relay>,
}

/// Publishes ports of a container that is attached to the bridge, all or none.
///
/// # Errors
/// With the kernel's refusal.
pub fn publish(
    bridge: &Bridge,
    attachment: &Attachment,
    forwards: Vec<PortForward>,
    owner: &Owner,
) -> Result<PublishedPorts, NetworkError> {
    let add: Vec<PortRule> = forwards.iter().filter_map(|forward| rule(forward, attachment.address)).collect();
    let comment = owner.to_comment();
    // Where bridged packets pass the packet filter too (br_netfilter), they are rewritten on the bridge.
    open_routes()?.set_hairpin(&attachment.host_interface)?;
    let _lock = StateLock::acquire(&bridge.state)?;
    let path = format!("/proc/sys/net/ipv4/conf/{}/route_localnet", bridge.name);
    fs::write(&path, "1").map_err(NetworkError::file("write", &path))?;
    let name = table_name(&bridge.name);
    let mut socket = open()?;
    let listed = socket.ports(&name)?;
    let table = table(&bridge.name, bridge.subnet);
    let create = listed.is_none().then_some(&table);
    // Whoever had the same port before lives no more: we hold its socket.
    let same = |old: &ListedPort| add.iter().any(|new| (new.protocol, new.address, new.port) == key(&old.rule));
    let mut dead = dead();
    let listed = listed.unwrap_or_default();
    let remove: Vec<PortRule> = listed.iter().filter(|port| same(port) || dead(port)).map(|port| port.rule).collect();
    socket.change_ports(&name, &PortChange { create, remove: &remove, add: &add, comment: &comment })?;
    Ok(PublishedPorts {
        bridge: bridge.name.clone(),
        state: bridge.state.clone(),
        comment,
        forwards,
        address: attachment.address,
        relay: None,
    })
}

/// Takes away what killed processes have left behind.
///
/// # Errors
/// With the kernel's refusal.
pub fn remove_dead_ports(bridge: &str, state: &std::path::Path) -> Result<(), NetworkError> {
    // Without the lock first: mostly there is nothing to do.
    let mut socket = open()?;
    let Some(listed) = socket.ports(&table_name(bridge))? else { return Ok(()) };
    if !listed.iter().any(dead()) {
        return Ok(());
    }
    let _lock = StateLock::acquire(state)?;
    remove(bridge, dead())
}

impl PublishedPorts {
    /// Has a thread of this process take what comes to the host's sockets, where the packet filter is that of another namespace, `outer`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn relay(&mut self, outer: &OuterNetwork) -> Result<(), NetworkError> {
        let forwards = std::mem::take(&mut self.forwards);
        self.relay = Some(Relay::start(forwards, self.address, outer.as_fd())?);
        Ok(())
    }

    fn withdraw(&self) -> Result<(), NetworkError> {
        let _lock = StateLock::acquire(&self.state)?;
        let mut dead = dead();
        remove(&self.bridge, |port| port.comment == self.comment || dead(port))
    }
}

impl Drop for PublishedPorts {
    fn drop(&mut self) {
        drop(self.relay.take());
        // What stays is found to be a dead process's once this one has ended.
        self.withdraw().unwrap_or_default();
    }
}

/// Removes the entries that `is_unwanted` picks, and the table if none is left. The caller holds the lock.
fn remove(bridge: &str, mut is_unwanted: impl FnMut(&ListedPort) -> bool) -> Result<(), NetworkError> {
    let name = table_name(bridge);
    let mut socket = open()?;
    let Some(listed) = socket.ports(&name)? else { return Ok(()) };
    let unwanted: Vec<PortRule> = listed.iter().filter(|port| is_unwanted(port)).map(|port| port.rule).collect();
    if unwanted.len() == listed.len() {
        return Ok(socket.delete_table(&name)?);
    }
    Ok(socket.change_ports(&name, &PortChange { remove: &unwanted, ..PortChange::default() })?)
}

/// Whether a port's owner has ended; each one is looked at once.
fn dead() -> impl FnMut(&ListedPort) -> bool {
    let mut known = HashMap::new();
    move |port| {
        let look = || Owner::from_comment(&port.comment).is_none_or(|owner| !owner.is_alive(true));
        *known.entry(port.comment.clone()).or_insert_with(look)
    }
}

/// `None` for what the packet filter does not do.
fn rule(forward: &PortForward, address: Ipv4Addr) -> Option<PortRule> {
    let host = match forward.host.address {
        IpAddr::V4(host) => Some(host).filter(|host| !host.is_unspecified()),
        IpAddr::V6(_) => return None,
    };
    let target = (address, forward.container_port);
    Some(PortRule { protocol: forward.host.transport.number(), address: host, port: forward.host.port, target })
}

fn key(rule: &PortRule) -> (u8, Option<Ipv4Addr>, u16) {
    (rule.protocol, rule.address, rule.port)
}

pub(super) fn table_name(bridge: &str) -> String {
    format!("{bridge}-ports")
}

fn table(bridge: &str, subnet: Subnet) -> Table {
    let loopback = Subnet::containing(Ipv4Addr::LOCALHOST, 8).expect("8 is a prefix");
    let rule = |chain, comment: &str, expressions| Rule { chain, comment: format!("onggi: {comment}"), expressions };
    let forward = |map| {
        let not_loopback = vec![Expression::DestinationNotIn(loopback)];
        let local = vec![Expression::DestinationIsLocal, Expression::DestinationFrom(map)];
        [
            rule("prerouting", "from other machines to containers", [not_loopback, local.clone()].concat()),
            rule("output", "from this machine to containers", local),
        ]
    };
    let out = Expression::OutputIs(bridge.to_owned());
    let [at_arriving, at_own] = forward(PortMap::At);
    let [any_arriving, any_own] = forward(PortMap::Any);
    Table {
        name: table_name(bridge),
        chains: vec![("raw", RAW), ("prerouting", PREROUTING), ("output", OUTPUT), ("postrouting", POSTROUTING)],
        rules: vec![
            rule(
                "raw",
                "nothing from containers to 127.0.0.0/8",
                vec![Expression::InputIs(bridge.to_owned()), Expression::DestinationIn(loopback), Expression::Drop],
            ),
            at_arriving,
            at_own,
            any_arriving,
            any_own,
            rule(
                "postrouting",
                "from 127.0.0.0/8 with the bridge's address",
                vec![out.clone(), Expression::SourceIn(loopback), Expression::Masquerade],
            ),
            rule(
                "postrouting",
                "from containers to their neighbours by way of the host",
                vec![
                    out,
                    Expression::SourceIn(subnet),
                    Expression::ConnectionStatus(STATUS_DESTINATION_NAT),
                    Expression::Masquerade,
                ],
            ),
        ],
    }
}
