//! A namespace's connection to a bridge: a veth pair, an address, a default route.
//!
//! Both ends are made in one request, the inner one directly in its namespace. Nothing is ever
//! deleted here on success: the pair goes with the namespace, which the kernel does in its own
//! time (20 ms), while the address's file is free at once. So that the next container does not get
//! the address of a namespace that still answers ARP, the outer interface is named after the
//! address: creating it fails while the old one exists, and the next address is taken.

use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use super::addresses::{Lease, Owner, Pool, allocate, allocate_exactly};
use super::bridge::{Bridge, BridgeConfig, check_interface_name, mac_for, open_routes};
use super::namespace::{self, NetworkNamespace};
use super::rtnetlink::{Mac, RouteSocket, VethPair};
use super::{NetlinkError, NetworkError};

/// How long to wait for a dying namespace that still has the address asked for.
const DYING_PAUSE: Duration = Duration::from_millis(5);
const DYING_ATTEMPTS: u32 = 100;

/// How a namespace wants to be attached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttachOptions {
    /// Name of the interface inside; Docker's is `eth0`.
    pub interface: String,
    /// `--ip`, or `None` for the lowest free address.
    pub address: Option<Ipv4Addr>,
    /// `--mac-address`, or `None` for one derived from the address.
    pub mac: Option<Mac>,
    /// Its way to everywhere else leads through this network.
    pub default_route: bool,
    /// How it is called in this network, its own name first.
    pub names: Vec<String>,
}

impl Default for AttachOptions {
    fn default() -> Self {
        Self { interface: "eth0".to_owned(), address: None, mac: None, default_route: true, names: Vec::new() }
    }
}

/// An attached namespace. Dropping it gives the address back; the interfaces go with the namespace.
#[derive(Debug)]
pub struct Attachment {
    /// The container's address.
    pub address: Ipv4Addr,
    /// Length of the subnet's prefix.
    pub prefix: u8,
    /// The default route's next hop: the host.
    pub gateway: Ipv4Addr,
    /// The container's hardware address.
    pub mac: Mac,
    /// Largest packet of the interface.
    pub mtu: u32,
    /// Name of the interface's other end on the host.
    pub host_interface: String,
    lease: Lease,
}

impl Attachment {
    /// Leaves the address to another process (a detached container's monitor): it is free when that one
    /// ends, not when this value is dropped.
    ///
    /// # Errors
    /// When the address's file cannot be rewritten; the address is given back then.
    pub fn hand_over(self, owner: &Owner) -> Result<(), NetworkError> {
        self.lease.hand_over(owner)
    }
}

/// Connects a namespace to a bridge.
///
/// # Errors
/// When no address is free, the interface's name is taken, or the kernel refuses; the address is free again then.
pub fn attach(
    bridge: &Bridge,
    namespace: &mut NetworkNamespace,
    owner: &Owner,
    options: &AttachOptions,
) -> Result<Attachment, NetworkError> {
    check_interface_name(&options.interface)?;
    let mut host = open_routes()?;
    let lease = match options.address {
        Some(address) => {
            let lease = allocate_exactly(&bridge.state, pool(bridge), address, owner)?;
            connect_when_free(&mut host, bridge, namespace, &lease, options)?;
            lease
        }
        None => connect_lowest_free(&mut host, bridge, namespace, owner, options)?,
    };
    let host_interface = host_interface(lease.address);
    if let Err(error) = configure(bridge, namespace, &lease, options) {
        // Why it could not be configured matters more; a pair that stays goes with the namespace.
        host.delete_link(&host_interface).unwrap_or_default();
        return Err(error);
    }
    Ok(Attachment {
        address: lease.address,
        prefix: bridge.subnet.prefix(),
        gateway: bridge.gateway,
        mac: mac(&lease, options),
        mtu: bridge.mtu,
        host_interface,
        lease,
    })
}

/// Takes a namespace off a bridge while it lives: its interface is removed, and its address is free.
///
/// # Errors
/// With the kernel's refusal.
pub fn detach(bridge_state: &std::path::Path, address: Ipv4Addr) -> Result<(), NetworkError> {
    let mut host = open_routes()?;
    match host.delete_link(&host_interface(address)) {
        Err(error) if error.source == Errno::NODEV => {}
        deleted => deleted?,
    }
    super::addresses::release_address(bridge_state, address)
}

/// One namespace for all RUN steps of a build, and its address.
#[derive(Debug)]
pub struct BuildNetwork {
    /// What the steps' processes enter.
    pub namespace: NetworkNamespace,
    /// Its connection.
    pub attachment: Attachment,
}

/// Makes the network of a build: namespace and bridge at the same time, then their connection.
///
/// # Errors
/// As [`NetworkNamespace::create`], [`Bridge::ensure`] and [`attach`].
pub fn prepare_build_network(config: &BridgeConfig, owner: &Owner) -> Result<BuildNetwork, NetworkError> {
    let creating = NetworkNamespace::start_creating()?;
    let bridge = Bridge::ensure(config);
    let mut namespace = namespace::join(creating)?;
    let attachment = attach(&bridge?, &mut namespace, owner, &AttachOptions::default())?;
    Ok(BuildNetwork { namespace, attachment })
}

/// Tries addresses upwards until one's interface can be made.
fn connect_lowest_free(
    host: &mut RouteSocket,
    bridge: &Bridge,
    namespace: &mut NetworkNamespace,
    owner: &Owner,
    options: &AttachOptions,
) -> Result<Lease, NetworkError> {
    let mut after = None;
    loop {
        let lease = allocate(&bridge.state, pool(bridge), after, owner)?;
        if connect(host, bridge, namespace, &lease, options)? {
            return Ok(lease);
        }
        after = Some(lease.address);
    }
}

/// Waits for the namespace that had this address to be gone.
fn connect_when_free(
    host: &mut RouteSocket,
    bridge: &Bridge,
    namespace: &mut NetworkNamespace,
    lease: &Lease,
    options: &AttachOptions,
) -> Result<(), NetworkError> {
    for _ in 0..DYING_ATTEMPTS {
        if connect(host, bridge, namespace, lease, options)? {
            return Ok(());
        }
        thread::sleep(DYING_PAUSE);
    }
    let reason = format!("interface `{}` still has it", host_interface(lease.address));
    Err(NetworkError::UnusableAddress { address: lease.address, subnet: bridge.subnet, reason })
}

/// Makes the pair; `false` if another namespace's interface still has the address.
fn connect(
    host: &mut RouteSocket,
    bridge: &Bridge,
    namespace: &mut NetworkNamespace,
    lease: &Lease,
    options: &AttachOptions,
) -> Result<bool, NetworkError> {
    let pair = VethPair {
        name: &host_interface(lease.address),
        master: Some(bridge.index),
        peer_name: &options.interface,
        peer_mac: mac(lease, options),
        peer_namespace: namespace.as_fd(),
        mtu: bridge.mtu,
    };
    match host.create_veth(&pair) {
        Ok(()) => Ok(true),
        // Either of the two names is taken: only the outer one can be evaded.
        Err(NetlinkError { source: Errno::EXIST, .. }) => match namespace.routes().lookup_link(&options.interface)? {
            Some(_) => Err(NetworkError::InterfaceExists(options.interface.clone())),
            None => Ok(false),
        },
        Err(error) => Err(error.into()),
    }
}

fn configure(
    bridge: &Bridge,
    namespace: &mut NetworkNamespace,
    lease: &Lease,
    options: &AttachOptions,
) -> Result<(), NetworkError> {
    lease.register(&options.names)?;
    let routes = namespace.routes();
    let gateway = (options.default_route && !bridge.internal).then_some(bridge.gateway);
    Ok(routes.configure(&options.interface, lease.address, bridge.subnet, gateway)?)
}

fn pool(bridge: &Bridge) -> Pool {
    Pool { subnet: bridge.subnet, range: bridge.range, gateway: bridge.gateway }
}

fn mac(lease: &Lease, options: &AttachOptions) -> Mac {
    options.mac.unwrap_or_else(|| mac_for(lease.address))
}

fn host_interface(address: Ipv4Addr) -> String {
    format!("ong{:08x}", u32::from(address))
}
