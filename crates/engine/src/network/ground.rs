//! Where networks are made: on this host by whoever may, in an outer namespace by everybody else.
//!
//! The same code makes them on both; here is all that is different: where it runs, where its state is, and what
//! containers find around them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use runtime::network::{
    Bridge, BridgeConfig, DEFAULT_BRIDGE, NetworkError, OUTER_MTU, OuterNetwork, PublishedPorts, Subnet,
    is_administrator, uplink_address, used_subnets,
};

use super::HostFiles;
use super::definition::{NetworkRecord, all_networks};
use crate::doctor::remedies::DOCTOR;
use crate::{Engine, Error, ErrorKind};

/// The hidden command that holds an outer namespace; its argument is the path of the holder's socket.
pub const COMMAND: &str = "hold-network";
/// One for each host and not one for each store: bridges are the host's.
const HOST_STATE: &str = "/run/onggi/network";
/// Folder of the store for the outer namespace.
const OUTER: &str = "outer";

/// What the engine knows about it.
#[derive(Debug, Default)]
pub(crate) struct Grounds {
    is_outer: OnceLock<bool>,
    joined: OnceLock<Result<Arc<Ground>, Error>>,
}

/// Where networks are.
#[derive(Debug)]
pub(crate) enum Ground {
    /// On this host.
    Host,
    /// In a namespace of its own.
    Outer(OuterNetwork),
}

impl Engine {
    /// Whether networks are not this host's, but in a namespace of their own.
    pub(crate) fn is_outer(&self) -> bool {
        // Without netlink there are no networks anyway, and why not is said by who wants one.
        *self.grounds.is_outer.get_or_init(|| !is_administrator().unwrap_or(true))
    }

    /// Where networks are made. An outer namespace begins to be made if need be; what it needs to reach the world may come later.
    pub(crate) fn ground(&self) -> Result<Arc<Ground>, Error> {
        self.grounds.joined.get_or_init(|| self.join_ground().map(Arc::new)).clone()
    }

    fn join_ground(&self) -> Result<Ground, Error> {
        if !self.is_outer() {
            return Ok(Ground::Host);
        }
        // A program that is started before would have no rights.
        self.check_rights()?;
        let mut holder = Command::new("/proc/self/exe");
        std::os::unix::process::CommandExt::arg0(&mut holder, "onggi");
        holder.arg(COMMAND);
        let failed = |error| {
            Error::new(ErrorKind::Internal, "cannot make a network without root").because(&error).with_hint(DOCTOR)
        };
        runtime::close_on_exec_from(3).map_err(|source| failed(NetworkError::Namespace { action: "hold", source }))?;
        OuterNetwork::join(&self.outer_folder(), holder).map(Ground::Outer).map_err(failed)
    }

    /// The same, if there is any: an outer namespace is not made.
    pub(crate) fn ground_if_any(&self) -> Result<Option<Arc<Ground>>, NetworkError> {
        if let Some(Ok(joined)) = self.grounds.joined.get() {
            return Ok(Some(Arc::clone(joined)));
        }
        match self.is_outer() {
            false => Ok(Some(Arc::new(Ground::Host))),
            true => Ok(OuterNetwork::find(&self.outer_folder())?.map(|outer| Arc::new(Ground::Outer(outer)))),
        }
    }

    fn outer_folder(&self) -> PathBuf {
        let path = self.store.path().join(OUTER);
        std::path::absolute(&path).unwrap_or(path)
    }

    /// Folder of the networks' state; its lock is held while a subnet is chosen.
    pub(super) fn network_state(&self) -> PathBuf {
        if self.is_outer() { self.outer_folder().join("networks") } else { PathBuf::from(HOST_STATE) }
    }

    /// The default bridge network.
    pub(crate) fn default_bridge(&self, host: &HostFiles) -> Result<BridgeConfig, Error> {
        let avoid = [host.name_servers_as_subnets(), self.unseen_subnets()?].concat();
        let mtu = self.is_outer().then_some(OUTER_MTU);
        Ok(BridgeConfig { avoid, mtu, ..BridgeConfig::new(self.network_state().join(DEFAULT_BRIDGE)) })
    }

    /// The bridge of a network with a name.
    pub(crate) fn bridge_of(&self, network: &NetworkRecord) -> BridgeConfig {
        let config = network.bridge_config(self.network_state().join(&network.bridge));
        BridgeConfig { mtu: config.mtu.or_else(|| self.is_outer().then_some(OUTER_MTU)), ..config }
    }

    /// Subnets that are in use, and that no bridge and no route tells of in an outer namespace: the host's, and those of networks whose bridges
    /// are not there at the moment.
    pub(super) fn unseen_subnets(&self) -> Result<Vec<Subnet>, Error> {
        if !self.is_outer() {
            return Ok(Vec::new());
        }
        let mut unseen = used_subnets().map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot see which subnets this host uses").because(&error)
        })?;
        unseen.extend(all_networks(self)?.iter().filter_map(|network| network.subnet.parse::<Subnet>().ok()));
        Ok(unseen)
    }

    /// Where a container reaches this host, whose address in the container's network is `gateway`.
    pub(crate) fn host_address(&self, gateway: Ipv4Addr) -> IpAddr {
        let own = || uplink_address().ok().flatten();
        IpAddr::V4(if self.is_outer() { own().unwrap_or(gateway) } else { gateway })
    }
}

impl Ground {
    /// Runs `work` there.
    pub(crate) fn run<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, NetworkError> + Send,
    ) -> Result<T, NetworkError> {
        match self {
            Self::Host => work(),
            Self::Outer(outer) => outer.run(work)?,
        }
    }

    /// The default bridge, if it is there.
    pub(super) fn find_bridge(&self, name: &str) -> Result<Option<(Ipv4Addr, Subnet)>, NetworkError> {
        self.run(|| Bridge::find(name))
    }

    /// Has ports of the host lead there, where the packet filter does not.
    pub(super) fn relay(&self, ports: &mut PublishedPorts) -> Result<(), NetworkError> {
        match self {
            Self::Host => Ok(()),
            Self::Outer(outer) => ports.relay(outer),
        }
    }

    /// Waits until containers reach the world.
    pub(crate) fn wait(&self) -> Result<(), NetworkError> {
        match self {
            Self::Host => Ok(()),
            Self::Outer(outer) => outer.wait_for_way_out(),
        }
    }
}

/// The holder itself: stays until nobody uses the outer namespace any more.
///
/// # Errors
/// When it was not started as it should.
pub fn hold(socket: &Path) -> Result<(), Error> {
    runtime::network::hold(socket, HostFiles::read().names_are_ours_alone())
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot hold a network").because(&error))
}
