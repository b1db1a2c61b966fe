use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};

use super::*;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn a_port_held_is_nobody_elses() {
    let held = Reservation::take(Transport::Tcp, LOCALHOST, 0).unwrap();
    let address = (Ipv4Addr::LOCALHOST, held.port);
    // The standard library says that addresses may be shared.
    assert_eq!(TcpListener::bind(address).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(Reservation::take(Transport::Tcp, LOCALHOST, held.port).unwrap_err(), Errno::ADDRINUSE);
    let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    assert_eq!(Reservation::take(Transport::Tcp, everywhere, held.port).unwrap_err(), Errno::ADDRINUSE);
    // Nobody is there who would answer.
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    drop(held);
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_server_of_the_host_was_first() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    assert_eq!(Reservation::take(Transport::Tcp, LOCALHOST, port).unwrap_err(), Errno::ADDRINUSE);
    // The other protocol's port of the same number is another port.
    Reservation::take(Transport::Udp, LOCALHOST, port).unwrap();
    // What is left of its connections does not stand in the way.
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    drop(server.accept().unwrap());
    drop(client);
    drop(server);
    Reservation::take(Transport::Tcp, LOCALHOST, port).unwrap();
}

#[test]
fn datagrams_too() {
    let held = Reservation::take(Transport::Udp, LOCALHOST, 0).unwrap();
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, held.port)).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn an_address_of_another_host_is_refused() {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));
    assert_eq!(Reservation::take(Transport::Tcp, address, 0).unwrap_err(), Errno::ADDRNOTAVAIL);
}
