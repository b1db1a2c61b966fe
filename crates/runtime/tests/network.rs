//! Bridge networks against the real kernel, each test in a host of its own: a network namespace
//! that plays the host, with an uplink into a second one that plays the internet.
//!
//! Only the last test works on the real host, with a bridge of its own name, and removes it again.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests, which clippy does not take for tests")]

#[path = "network/ports.rs"]
mod ports;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use runtime::network::{
    AttachOptions, Attachment, Bridge, BridgeConfig, NetworkError, NetworkNamespace, Owner, RouteSocket, Subnet,
    VethPair, attach, prepare_build_network,
};

const PATIENCE: Duration = Duration::from_secs(2);
const HOST_UPLINK: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const INTERNET: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// Not Ethernet's, so that taking it over can be seen.
const UPLINK_MTU: u32 = 1400;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("onggi-network-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // With the network its state goes.
        if self.0.exists() {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

/// A host with an uplink, and what is behind it.
struct World {
    host: NetworkNamespace,
    internet: NetworkNamespace,
    state: Folder,
}

impl World {
    fn new() -> Self {
        let mut host = NetworkNamespace::create().unwrap();
        let mut internet = NetworkNamespace::create().unwrap();
        let pair = VethPair {
            name: "up0",
            master: None,
            peer_name: "eth0",
            peer_mac: [2, 0, 0, 0, 0, 1],
            peer_namespace: internet.as_fd(),
            mtu: UPLINK_MTU,
        };
        let subnet: Subnet = "198.51.100.0/24".parse().unwrap();
        let routes = host.routes();
        routes.create_veth(&pair).unwrap();
        routes.configure("up0", HOST_UPLINK, subnet, INTERNET).unwrap();
        let eth0 = internet.routes().link("eth0").unwrap();
        internet.routes().add_address("eth0", eth0.index, INTERNET, subnet).unwrap();
        Self { host, internet, state: Folder::new() }
    }

    fn config(&self) -> BridgeConfig {
        BridgeConfig::new(&self.state.0)
    }

    fn ensure(&self) -> Bridge {
        self.try_ensure(&self.config()).unwrap()
    }

    fn try_ensure(&self, config: &BridgeConfig) -> Result<Bridge, NetworkError> {
        self.host.run(|| Bridge::ensure(config)).unwrap()
    }

    fn try_attach(
        &self,
        bridge: &Bridge,
        namespace: &mut NetworkNamespace,
        address: Option<Ipv4Addr>,
    ) -> Result<Attachment, NetworkError> {
        let options = AttachOptions { address, ..AttachOptions::default() };
        self.host.run(|| attach(bridge, namespace, &owner("test"), &options)).unwrap()
    }

    fn container(&self, bridge: &Bridge) -> (NetworkNamespace, Attachment) {
        let mut namespace = NetworkNamespace::create().unwrap();
        let attachment = self.try_attach(bridge, &mut namespace, None).unwrap();
        (namespace, attachment)
    }

    /// The internet is reached from there, and sees the host's address.
    fn assert_reaches_internet(&self, container: &NetworkNamespace) {
        let seen = connect_between(&self.internet, INTERNET, container).unwrap();
        assert_eq!(seen, IpAddr::V4(HOST_UPLINK));
    }

    fn addresses_of(&mut self, bridge: &Bridge) -> usize {
        let addresses = self.host.routes().addresses().unwrap();
        addresses.iter().filter(|(of, ..)| *of == bridge.index).count()
    }
}

fn owner(id: &str) -> Owner {
    Owner::this_process(id).unwrap()
}

fn on_threads<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Serves one connection in `server` to `client`, and returns the client's address as the server saw it.
fn connect_between(server: &NetworkNamespace, address: Ipv4Addr, client: &NetworkNamespace) -> std::io::Result<IpAddr> {
    let listener = server.run(|| TcpListener::bind((address, 0)).unwrap()).unwrap();
    let target = listener.local_addr()?;
    let mut stream = client.run(|| TcpStream::connect_timeout(&target, PATIENCE)).unwrap()?;
    let (mut accepted, peer) = listener.accept()?;
    // Full packets, in both directions.
    let sent = vec![7; 100_000];
    let echo = thread::spawn(move || {
        let mut received = vec![0; 100_000];
        accepted.read_exact(&mut received).unwrap();
        accepted.write_all(&received).unwrap();
    });
    stream.write_all(&sent)?;
    let mut received = vec![0; sent.len()];
    stream.read_exact(&mut received)?;
    echo.join().unwrap();
    assert_eq!(received, sent);
    Ok(peer.ip())
}

#[test]
#[ignore = "requires root"]
fn a_container_reaches_the_internet_with_the_hosts_address_requires_root() {
    let world = World::new();
    let bridge = world.ensure();
    let (container, attachment) = world.container(&bridge);
    assert_eq!(bridge.gateway, Ipv4Addr::new(172, 17, 0, 1));
    assert_eq!(attachment.address, Ipv4Addr::new(172, 17, 0, 2));
    assert_eq!(attachment.mac, [0x02, 0x42, 172, 17, 0, 2]);
    world.assert_reaches_internet(&container);
}

#[test]
#[ignore = "requires root"]
fn containers_and_host_reach_each_other_with_their_own_addresses_requires_root() {
    let world = World::new();
    let bridge = world.ensure();
    let (one, first) = world.container(&bridge);
    let (two, second) = world.container(&bridge);
    assert_eq!(second.address, Ipv4Addr::new(172, 17, 0, 3));
    assert_eq!(connect_between(&two, second.address, &one).unwrap(), IpAddr::V4(first.address));
    assert_eq!(connect_between(&world.host, bridge.gateway, &one).unwrap(), IpAddr::V4(first.address));
    assert_eq!(connect_between(&one, first.address, &world.host).unwrap(), IpAddr::V4(bridge.gateway));
}

#[test]
#[ignore = "requires root"]
fn neighbours_of_the_host_cannot_route_into_the_network_requires_root() {
    let mut world = World::new();
    let bridge = world.ensure();
    let (container, attachment) = world.container(&bridge);
    let eth0 = world.internet.routes().lookup_link("eth0").unwrap().unwrap();
    world.internet.routes().add_default_route(eth0.index, HOST_UPLINK).unwrap();
    let refused = connect_between(&container, attachment.address, &world.internet);
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}

#[test]
#[ignore = "requires root"]
fn the_network_has_the_uplinks_mtu_and_follows_it_requires_root() {
    let mut world = World::new();
    let bridge = world.ensure();
    assert_eq!(bridge.mtu, UPLINK_MTU);
    let (mut container, _attachment) = world.container(&bridge);
    let inside = container.routes().lookup_link("eth0").unwrap().unwrap();
    assert_eq!((inside.mtu, inside.is_up, inside.kind.as_str()), (UPLINK_MTU, true, "veth"));
    world.host.routes().set_mtu("up0", 1380).unwrap();
    assert_eq!(world.ensure().mtu, 1380);
    assert_eq!(world.host.routes().lookup_link("onggi0").unwrap().unwrap().mtu, 1380);
}

#[test]
#[ignore = "requires root"]
fn a_host_without_uplink_still_has_a_network_requires_root() {
    let mut world = World::new();
    world.host.routes().delete_link("up0").unwrap();
    let bridge = world.ensure();
    assert_eq!(bridge.mtu, 1500);
    let (container, attachment) = world.container(&bridge);
    assert_eq!(connect_between(&world.host, bridge.gateway, &container).unwrap(), IpAddr::V4(attachment.address));
}

#[test]
#[ignore = "requires root"]
fn many_at_once_get_one_network_requires_root() {
    let mut world = World::new();
    let found = on_threads(|_| world.ensure());
    assert!(found.iter().all(|bridge| *bridge == found[0]), "{found:?}");
    assert_eq!(world.addresses_of(&found[0]), 1);
    assert_eq!(world.ensure(), found[0]);
}

#[test]
#[ignore = "requires root"]
fn many_with_different_state_folders_get_one_network_requires_root() {
    let mut world = World::new();
    let folders: Vec<Folder> = (0..8).map(|_| Folder::new()).collect();
    let found = on_threads(|number| world.try_ensure(&BridgeConfig::new(&folders[number].0)).unwrap());
    let same = |bridge: &Bridge| bridge.subnet == found[0].subnet && bridge.index == found[0].index;
    assert!(found.iter().all(same), "{found:?}");
    assert_eq!(world.addresses_of(&found[0]), 1);
    // The folders do not know of each other; the kernel keeps the addresses apart.
    let (_one, first) = world.container(&found[0]);
    let (_two, second) = world.container(&found[1]);
    assert_ne!(first.address, second.address);
}

#[test]
#[ignore = "requires root"]
fn what_was_torn_down_is_whole_again_requires_root() {
    let mut world = World::new();
    let bridge = world.ensure();
    let (container, _attachment) = world.container(&bridge);
    let switch_off = || std::fs::write("/proc/sys/net/ipv4/ip_forward", "0");
    world.host.run(switch_off).unwrap().unwrap();
    assert_eq!(world.ensure(), bridge);
    world.assert_reaches_internet(&container);

    world.host.routes().delete_link("onggi0").unwrap();
    let again = world.ensure();
    assert_ne!(again.index, bridge.index);
    assert_eq!(again.subnet, bridge.subnet);
    let (container, _attachment) = world.container(&again);
    world.assert_reaches_internet(&container);

    for _ in 0..2 {
        world.host.run(|| Bridge::remove(&world.config())).unwrap().unwrap();
        assert_eq!(world.host.routes().lookup_link("onggi0").unwrap(), None);
    }
    let again = world.ensure();
    let (container, _attachment) = world.container(&again);
    world.assert_reaches_internet(&container);
}

#[test]
#[ignore = "requires root"]
fn a_half_made_bridge_is_completed_requires_root() {
    let mut world = World::new();
    world.host.routes().create_bridge("onggi0", [2, 0, 0, 0, 0, 9], 1500).unwrap();
    let bridge = world.ensure();
    let (container, _attachment) = world.container(&bridge);
    world.assert_reaches_internet(&container);
}

#[test]
#[ignore = "requires root"]
fn the_subnet_avoids_the_hosts_networks_and_name_servers_requires_root() {
    let mut world = World::new();
    let routes = world.host.routes();
    routes.create_bridge("docker0", [2, 0, 0, 0, 0, 9], 1500).unwrap();
    let docker0 = routes.lookup_link("docker0").unwrap().unwrap();
    let docker: Subnet = "172.17.0.0/16".parse().unwrap();
    routes.add_address("docker0", docker0.index, docker.gateway(), docker).unwrap();
    let config = BridgeConfig { avoid: vec!["172.18.9.9/32".parse().unwrap()], ..world.config() };
    assert_eq!(world.try_ensure(&config).unwrap().subnet.to_string(), "172.19.0.0/16");
}

#[test]
#[ignore = "requires root"]
fn a_subnet_asked_for_is_used_or_refused_requires_root() {
    let world = World::new();
    let with_subnet = |text: &str| BridgeConfig { subnet: Some(text.parse().unwrap()), ..world.config() };
    let bridge = world.try_ensure(&with_subnet("10.9.8.0/30")).unwrap();
    assert_eq!(bridge.gateway, Ipv4Addr::new(10, 9, 8, 1));
    let refused = world.try_ensure(&with_subnet("10.9.9.0/24")).unwrap_err();
    assert_eq!(refused.to_string(), "bridge `onggi0` has subnet 10.9.8.0/30, not 10.9.9.0/24");
    let (_container, attachment) = world.container(&bridge);
    assert_eq!(attachment.address, Ipv4Addr::new(10, 9, 8, 2));
    let mut another = NetworkNamespace::create().unwrap();
    let full = world.try_attach(&bridge, &mut another, None).unwrap_err();
    assert_eq!(full.to_string(), "no free address is left in 10.9.8.0/30");
}

#[test]
#[ignore = "requires root"]
fn another_kind_of_interface_is_not_taken_for_the_bridge_requires_root() {
    let world = World::new();
    let config = BridgeConfig { name: "up0".to_owned(), ..world.config() };
    let refused = world.try_ensure(&config).unwrap_err();
    assert_eq!(refused.to_string(), "interface `up0` exists and is not a bridge");
    let removal = world.host.run(|| Bridge::remove(&config)).unwrap().unwrap_err();
    assert_eq!(removal.to_string(), refused.to_string());
}

#[test]
#[ignore = "requires root"]
fn an_address_comes_back_when_the_namespace_is_gone_requires_root() {
    let mut world = World::new();
    let bridge = world.ensure();
    let (container, attachment) = world.container(&bridge);
    let (first, interface) = (attachment.address, attachment.host_interface.clone());
    assert_eq!(world.state.names(), [first.to_string()]);
    drop(attachment);
    assert_eq!(world.state.names(), Vec::<String>::new());

    // The namespace lives on, so its address is not given to anyone.
    let (_other, second) = world.container(&bridge);
    assert_ne!(second.address, first);
    drop(container);
    let deadline = Instant::now() + PATIENCE;
    while world.host.routes().lookup_link(&interface).unwrap().is_some() {
        assert!(Instant::now() < deadline, "the interface outlives its namespace");
        thread::yield_now();
    }
    let (_third, third) = world.container(&bridge);
    assert_eq!(third.address, first);
}

#[test]
#[ignore = "requires root"]
fn containers_in_quick_succession_all_have_a_working_network_requires_root() {
    let world = World::new();
    let bridge = world.ensure();
    for _ in 0..30 {
        let (container, _attachment) = world.container(&bridge);
        world.assert_reaches_internet(&container);
    }
}

#[test]
#[ignore = "requires root"]
fn an_address_asked_for_is_used_or_refused_requires_root() {
    let world = World::new();
    let bridge = world.ensure();
    let wanted = Ipv4Addr::new(172, 17, 5, 6);
    let mut container = NetworkNamespace::create().unwrap();
    let attachment = world.try_attach(&bridge, &mut container, Some(wanted)).unwrap();
    assert_eq!(attachment.address, wanted);
    world.assert_reaches_internet(&container);
    for (address, reason) in [
        ("172.17.5.6", "`test` has it"),
        ("172.17.0.1", "it is the gateway's"),
        ("172.18.0.2", "it is not a host's address there"),
        ("172.17.255.255", "it is not a host's address there"),
    ] {
        let mut container = NetworkNamespace::create().unwrap();
        let refused = world.try_attach(&bridge, &mut container, Some(address.parse().unwrap())).unwrap_err();
        assert_eq!(refused.to_string(), format!("address {address} cannot be used in 172.17.0.0/16: {reason}"));
    }
    // The same address at once, as for a restarted container, while its namespace is still dying.
    drop((attachment, container));
    let mut container = NetworkNamespace::create().unwrap();
    assert_eq!(world.try_attach(&bridge, &mut container, Some(wanted)).unwrap().address, wanted);
}

#[test]
#[ignore = "requires root"]
fn a_second_interface_of_the_same_name_is_refused_and_leaves_nothing_requires_root() {
    let world = World::new();
    let bridge = world.ensure();
    let (mut container, attachment) = world.container(&bridge);
    let refused = world.try_attach(&bridge, &mut container, None).unwrap_err();
    assert_eq!(refused.to_string(), "the namespace already has an interface `eth0`");
    assert_eq!(world.state.names(), [attachment.address.to_string()]);
}

#[test]
#[ignore = "requires root"]
fn many_containers_at_once_get_different_addresses_requires_root() {
    let world = World::new();
    let bridge = world.ensure();
    let containers = on_threads(|_| world.container(&bridge));
    let mut addresses: Vec<u8> = containers.iter().map(|(_, attachment)| attachment.address.octets()[3]).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, [2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
#[ignore = "requires root"]
fn a_build_has_one_network_and_steps_enter_it_by_descriptor_requires_root() {
    let world = World::new();
    let build = world.host.run(|| prepare_build_network(&world.config(), &owner("build"))).unwrap().unwrap();
    assert_eq!(build.attachment.address, Ipv4Addr::new(172, 17, 0, 2));
    let step = NetworkNamespace::open(build.namespace.as_fd().try_clone_to_owned().unwrap()).unwrap();
    world.assert_reaches_internet(&step);
}

#[test]
#[ignore = "requires root"]
fn a_handed_over_address_is_free_when_its_new_owner_has_died_requires_root() {
    let world = World::new();
    let bridge = world.ensure();
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let (container, attachment) = world.container(&bridge);
    let address = attachment.address;
    attachment.hand_over(&Owner::process("detached", child.id()).unwrap()).unwrap();
    assert_eq!(world.state.names(), [address.to_string()]);
    drop(container);
    let mut container = NetworkNamespace::create().unwrap();
    let taken = world.try_attach(&bridge, &mut container, Some(address)).unwrap_err();
    assert!(taken.to_string().ends_with("`detached` has it"), "{taken}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world.try_attach(&bridge, &mut container, Some(address)).unwrap().address, address);
}

#[test]
#[ignore = "requires root"]
fn a_namespace_of_its_own_has_loopback_and_open_ports_requires_root() {
    let namespace = NetworkNamespace::create().unwrap();
    connect_between(&namespace, Ipv4Addr::LOCALHOST, &namespace).unwrap();
    let read = |name: &str| std::fs::read_to_string(Path::new("/proc/sys/net/ipv4").join(name)).unwrap();
    let settings = namespace.run(|| [read("ip_unprivileged_port_start"), read("ping_group_range")]).unwrap();
    assert_eq!(settings, ["0\n", "0\t2147483647\n"]);
}

/// The one test on the real host: through its real uplink, beside whatever firewall is there.
#[test]
#[ignore = "requires root"]
fn the_real_host_lets_containers_out_requires_root() {
    let state = Folder::new();
    let config = BridgeConfig { name: "onggi-test0".to_owned(), ..BridgeConfig::new(&state.0) };
    let outcome = std::panic::catch_unwind(|| {
        let build = prepare_build_network(&config, &owner("test")).unwrap();
        reach_the_host(&build.namespace);
        ask_the_name_server(&build.namespace);
    });
    Bridge::remove(&config).unwrap();
    assert_eq!(RouteSocket::open().unwrap().lookup_link("onggi-test0").unwrap(), None);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn reach_the_host(container: &NetworkNamespace) {
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    probe.connect("1.1.1.1:53").unwrap();
    let listener = TcpListener::bind((probe.local_addr().unwrap().ip(), 0)).unwrap();
    let target = listener.local_addr().unwrap();
    container.run(|| TcpStream::connect_timeout(&target, PATIENCE)).unwrap().unwrap();
}

fn ask_the_name_server(container: &NetworkNamespace) {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver ")?.trim().parse::<Ipv4Addr>().ok());
    for server in servers.filter(|server| !server.is_loopback()) {
        let server = SocketAddrV4::new(server, 53);
        match query(server) {
            Ok(()) => container.run(|| query(server)).unwrap().unwrap(),
            Err(_) => eprintln!("skipped: name server {server} does not answer the host either"),
        }
    }
}

/// Asks for the root zone's name servers and expects an answer with the same number.
fn query(server: SocketAddrV4) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(SocketAddr::V4(server))?;
    socket.send(&[0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1])?;
    let mut answer = [0; 1500];
    let len = socket.recv(&mut answer)?;
    assert_eq!(answer[..len].get(..2), Some(&[0xab, 0xcd][..]));
    Ok(())
}
