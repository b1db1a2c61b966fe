//! The network of containers for root: a bridge with addresses, masquerade, and one network
//! namespace per container or per build.
//!
//! Everything is said to the kernel directly over netlink; no `ip`, `nft` or daemon is
//! needed. What is in place is recognised, not remembered, so any number of processes may ask for
//! the same network at once, and a network that somebody tore down is whole again after the next
//! request. `docs/dev/network.md` lists what exists on the host, made by whom, gone when.
//!
//! What `--network` asks for is decided by the engine; here is what each answer needs:
//! `none` is [`NetworkNamespace::create`], `host` nothing at all, `bridge`
//! [`Bridge::ensure`] and [`attach`], a build [`prepare_build_network`]; the files in the
//! container's `/etc` are [`resolv_conf`] and [`hosts_file`].
//! It refuses to know images, the store's layout and the command line.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

mod addresses;
mod attachment;
mod bridge;
mod dns;
mod firewall;
mod hosts;
mod iptables;
mod name_server;
mod namespace;
mod netlink;
mod nftables;
mod outer;
mod ports;
mod relay;
mod reservation;
mod resolver;
mod rtnetlink;
mod subnet;

pub use addresses::{Owner, StateLock, release_dead_address, set_names};
pub use attachment::{AttachOptions, Attachment, BuildNetwork, attach, detach, prepare_build_network};
pub use bridge::{Bridge, BridgeConfig, DEFAULT_BRIDGE, free_subnet, uplink_address, used_subnets};
pub use firewall::try_nftables;
pub use hosts::hosts_file;
pub use iptables::IptablesError;
pub use name_server::{NameServer, Neighbourhood, RunningNameServer};
pub use namespace::NetworkNamespace;
pub use netlink::NetlinkError;
pub use outer::{OUTER_MTU, OUTER_NAME_SERVER, OuterNetwork, hold, is_administrator};
pub use ports::{PortForward, PublishedPorts, publish, remove_dead_ports};
pub use reservation::{Reservation, Transport};
pub use resolver::{HostResolver, NameServerReach, ResolverOptions, resolv_conf};
pub use rtnetlink::{Link, Mac, RouteSocket, Uplink, VethPair};
pub use subnet::{InvalidSubnet, Subnet};

/// Why a network could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No netlink socket: an exotic kernel, or no descriptor left.
    #[error("cannot open a {protocol} socket")]
    Socket {
        /// Which netlink protocol.
        protocol: &'static str,
        /// The kernel's reason.
        #[source]
        source: Errno,
    },
    /// The kernel refused a request.
    #[error(transparent)]
    Kernel(#[from] NetlinkError),
    /// A namespace could not be made or entered.
    #[error("cannot {action} a network namespace")]
    Namespace {
        /// `create`, `open`, `enter`, `hold`, `join`.
        action: &'static str,
        /// The kernel's reason.
        #[source]
        source: io::Error,
    },
    /// Without root, and without a program that carries packets to the world.
    #[error("the network has no way out: {reason}")]
    NoWayOut {
        /// What is missing, or what the program said.
        reason: String,
    },
    /// A file of the network's state or below `/proc/sys` could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// `read`, `write`, `create`, `lock`, `list`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Neither nf_tables nor iptables is there, so containers could not reach other hosts.
    #[error("the kernel refuses nf_tables ({nftables}) and the fallback failed")]
    NoPacketFilter {
        /// What the kernel said to the direct way.
        nftables: Box<NetworkError>,
        /// Why `iptables` did not help.
        #[source]
        iptables: IptablesError,
    },
    /// The old packet filter tables are in use and could not be changed.
    #[error("cannot let containers through the host's legacy iptables rules")]
    LegacyTables(#[from] IptablesError),
    /// The kernel takes interface names of 1 to 15 bytes without `/`, `:` and white space.
    #[error("`{0}` is not an interface name")]
    InvalidName(String),
    /// Another kind of interface has the bridge's name.
    #[error("interface `{0}` exists and is not a bridge")]
    NotABridge(String),
    /// The bridge exists with another subnet than asked for.
    #[error("bridge `{bridge}` has subnet {found}, not {wanted}")]
    SubnetDiffers {
        /// The bridge.
        bridge: String,
        /// What it has.
        found: Subnet,
        /// What was asked for.
        wanted: Subnet,
    },
    /// All subnets of the pool overlap routes or addresses of the host.
    #[error("every subnet from 172.17.0.0/16 to 172.31.0.0/16 and in 10.0.0.0/8 is in use on this host")]
    NoFreeSubnet,
    /// All addresses of the network are taken.
    #[error("no free address is left in {0}")]
    NoFreeAddress(Subnet),
    /// The address asked for is taken, or outside of the network.
    #[error("address {address} cannot be used in {subnet}: {reason}")]
    UnusableAddress {
        /// The address asked for.
        address: std::net::Ipv4Addr,
        /// The network.
        subnet: Subnet,
        /// Taken by whom, or why not.
        reason: String,
    },
    /// The namespace has an interface of that name already.
    #[error("the namespace already has an interface `{0}`")]
    InterfaceExists(String),
}

impl NetworkError {
    fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
