//! Published ports, on a host with neighbours.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use runtime::network::{
    NetworkNamespace, PortForward, PublishedPorts, Reservation, Transport, publish, remove_dead_ports,
};

use super::{HOST_UPLINK, INTERNET, PATIENCE, World, owner};

const SERVER_PORT: u16 = 80;

/// A container that serves, with a port of the host at `address`; gives that port.
fn serve(
    world: &World,
    address: Ipv4Addr,
) -> (NetworkNamespace, TcpListener, PublishedPorts, runtime::network::Attachment, u16) {
    let bridge = world.ensure();
    let (container, attachment) = world.container(&bridge);
    let listener = container.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, SERVER_PORT)).unwrap()).unwrap();
    let (ports, port) = world
        .host
        .run(|| {
            let host = Reservation::take(Transport::Tcp, address.into(), 0).unwrap();
            let port = host.port;
            let forwards = vec![PortForward { host, container_port: SERVER_PORT }];
            (publish(&bridge, &attachment, forwards, &owner("test")).unwrap(), port)
        })
        .unwrap();
    (container, listener, ports, attachment, port)
}

fn connect(from: &NetworkNamespace, to: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    from.run(|| TcpStream::connect_timeout(&SocketAddr::new(to.into(), port), PATIENCE)).unwrap()
}

#[test]
#[ignore = "requires root"]
fn c203_neighbours_come_in_with_their_own_address_requires_root() {
    let world = World::new();
    let (_container, listener, ports, _attachment, port) = serve(&world, Ipv4Addr::UNSPECIFIED);
    let _stream = connect(&world.internet, HOST_UPLINK, port).unwrap();
    assert_eq!(listener.accept().unwrap().1.ip(), INTERNET);
    // The host itself: by 127.0.0.1 it is seen as the bridge.
    let _stream = connect(&world.host, Ipv4Addr::LOCALHOST, port).unwrap();
    assert_eq!(listener.accept().unwrap().1.ip(), Ipv4Addr::new(172, 17, 0, 1));
    let _stream = connect(&world.host, HOST_UPLINK, port).unwrap();
    assert_eq!(listener.accept().unwrap().1.ip(), HOST_UPLINK);
    world.host.run(|| drop(ports)).unwrap();
    let refused = connect(&world.internet, HOST_UPLINK, port).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

/// Somebody on the same wire routes 127.0.0.0/8 to us (CVE-2020-8558, moby#45610).
#[test]
#[ignore = "requires root"]
fn n052_a_port_of_127_0_0_1_is_not_for_neighbours_requires_root() {
    let mut world = World::new();
    let (container, listener, _ports, _attachment, port) = serve(&world, Ipv4Addr::LOCALHOST);
    let _stream = connect(&world.host, Ipv4Addr::LOCALHOST, port).unwrap();
    listener.accept().unwrap();
    let refused = connect(&world.internet, HOST_UPLINK, port).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    // Without loopback, 127.0.0.0/8 goes out like any other address; the same from inside a container.
    let server = world.host.run(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
    let private = server.local_addr().unwrap().port();
    let eth0 = world.internet.routes().link("eth0").unwrap();
    world.internet.routes().add_default_route(eth0.index, HOST_UPLINK).unwrap();
    for from in [&world.internet, &container] {
        from.run(|| {
            std::fs::write("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1").unwrap();
            let delete = ["route", "delete", "local", "127.0.0.0/8", "table", "local"];
            let deleted = std::process::Command::new("ip").args(delete).status();
            let one = ["route", "delete", "local", "127.0.0.1", "table", "local"];
            drop(std::process::Command::new("ip").args(one).status());
            assert!(deleted.is_ok_and(|status| status.success()));
        })
        .unwrap();
        for port in [port, private] {
            assert!(connect(from, Ipv4Addr::LOCALHOST, port).is_err());
        }
    }
    drop(server);
}

#[test]
#[ignore = "requires root"]
fn c203_what_a_dead_owner_has_published_goes_requires_root() {
    let world = World::new();
    let bridge = world.ensure();
    let mut owner_process = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let dying = runtime::network::Owner::process("dying", owner_process.id()).unwrap();
    let (_container, attachment) = world.container(&bridge);
    let publish_for = |owner: &runtime::network::Owner| {
        world
            .host
            .run(|| {
                let host = Reservation::take(Transport::Tcp, Ipv4Addr::UNSPECIFIED.into(), 0).unwrap();
                let forwards = vec![PortForward { host, container_port: 1 }];
                publish(&bridge, &attachment, forwards, owner).unwrap()
            })
            .unwrap()
    };
    // Never dropped: its process is killed.
    std::mem::forget(publish_for(&dying));
    let listed = || {
        let list = || std::process::Command::new("nft").args(["list", "table", "ip", "onggi0-ports"]).output();
        String::from_utf8(world.host.run(list).unwrap().unwrap().stdout).unwrap()
    };
    world.host.run(|| remove_dead_ports(&bridge.name, &bridge.state)).unwrap().unwrap();
    assert!(listed().contains("dying"), "needs the program `nft`: {}", listed());
    let living = publish_for(&owner("living"));
    owner_process.kill().unwrap();
    owner_process.wait().unwrap();
    world.host.run(|| remove_dead_ports(&bridge.name, &bridge.state)).unwrap().unwrap();
    assert!(!listed().contains("dying") && listed().contains("living"), "{}", listed());
    world.host.run(|| drop(living)).unwrap();
    assert_eq!(listed(), "", "the table goes with the last port");
}

#[test]
#[ignore = "requires root"]
fn c203_containers_reach_each_other_by_the_hosts_address_requires_root() {
    let world = World::new();
    let (container, listener, _ports, _attachment, port) = serve(&world, Ipv4Addr::UNSPECIFIED);
    let bridge = world.ensure();
    let (other, _other_attachment) = world.container(&bridge);
    for from in [&other, &container] {
        let _stream = connect(from, HOST_UPLINK, port).unwrap();
        let seen = listener.accept().unwrap().1;
        assert_eq!(seen.ip(), bridge.gateway);
    }
}
