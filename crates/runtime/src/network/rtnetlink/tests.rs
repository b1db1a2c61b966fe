use super::*;

/// Bytes of a little-endian machine, in hexadecimal with spaces where the reader likes them.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[track_caller]
fn check(request: Request, expected: &str) {
    assert_eq!(request.sealed(1), bytes(expected));
}

fn subnet() -> Subnet {
    "172.17.0.0/16".parse().unwrap()
}

#[test]
fn a_bridge_is_created_with_address_and_mtu() {
    check(
        create_bridge("onggi0", [2, 0x42, 172, 17, 0, 1], 1400),
        "50000000 1000 0506 01000000 00000000
         00000000 00000000 00000000 00000000
         0b00 0300 6f6e6767693000 00
         0a00 0100 0242ac110001 0000
         0800 0400 78050000
         1000 1200 0a00 0100 627269646765 0000",
    );
}

#[test]
fn a_veth_pair_is_created_with_its_peer_in_the_namespace() {
    let namespace = rustix::stdio::stdin();
    let pair = VethPair {
        name: "ong1",
        master: Some(9),
        peer_name: "eth0",
        peer_mac: [2, 0x42, 172, 17, 0, 2],
        peer_namespace: namespace,
        mtu: 1400,
    };
    check(
        create_veth(&pair),
        "88000000 1000 0506 01000000 00000000
         00000000 00000000 01000000 01000000
         0900 0300 6f6e673100 000000
         0800 0400 78050000
         0800 0a00 09000000
         4c00 1200
           0800 0100 76657468
           4000 0200
             3c00 0100
               00000000 00000000 00000000 00000000
               0900 0300 6574683000 000000
               0a00 0100 0242ac110002 0000
               0800 0400 78050000
               0800 1c00 00000000",
    );
}

#[test]
fn addresses_and_routes_are_added_exclusively() {
    check(
        add_address(3, Ipv4Addr::new(172, 17, 0, 2), subnet()),
        "30000000 1400 0506 01000000 00000000
         02 10 00 00 03000000
         0800 0200 ac110002  0800 0100 ac110002  0800 0400 ac11ffff",
    );
    check(
        add_default_route(3, Ipv4Addr::new(172, 17, 0, 1)),
        "2c000000 1800 0506 01000000 00000000
         02 00 00 00 fe 03 00 01 00000000
         0800 0500 ac110001  0800 0400 03000000",
    );
}

#[test]
fn links_are_read() {
    let header = "0000 0100 05000000 43100100 00000000";
    let attributes = "0b00 0300 6f6e6767693000 00  0a00 0100 0242ac110001 0000  0800 0400 78050000";
    let info = "1000 1200 0b00 0100 62726964676500 00";
    let whole = parse_link(&bytes(&[header, attributes, info].concat()));
    let bridge = Link { index: 5, kind: "bridge".to_owned(), mtu: 1400, is_up: true, mac: [2, 0x42, 172, 17, 0, 1] };
    assert_eq!(whole, Some(bridge.clone()));
    let hardware = parse_link(&bytes(&[header, attributes].concat()));
    assert_eq!(hardware, Some(Link { kind: String::new(), ..bridge }));
    for cut in [0, 8, 15, 16, 20] {
        assert_eq!(parse_link(&bytes(header)[..cut.min(16)]), None);
    }
}

#[test]
fn addresses_are_read_from_the_near_end() {
    let point_to_point = "02 20 80 00 04000000  0800 0100 0a000001  0800 0200 0a000002";
    assert_eq!(parse_address(&bytes(point_to_point)), Some((4, Ipv4Addr::new(10, 0, 0, 2), 32)));
    assert_eq!(parse_address(&bytes("02 20 80 00 04000000")), None);
    assert_eq!(parse_address(&[]), None);
}

#[test]
fn only_unicast_routes_with_a_destination_are_read() {
    let route = |kind: &str, rest: &str| parse_route(&bytes(&format!("02 10 00 00 fe 02 fd {kind} 00000000 {rest}")));
    let destination = "0800 0100 ac110000";
    assert_eq!(route("01", &format!("{destination} 0800 0400 07000000")), Some((7, subnet())));
    // Several next hops have no interface of their own.
    assert_eq!(route("01", destination), Some((0, subnet())));
    assert_eq!(route("02", destination), None);
    assert_eq!(route("01", "0800 0400 07000000"), None);
}

#[test]
fn the_way_out_has_an_interface_and_may_have_an_mtu() {
    let route = |rest: &str| parse_uplink(&bytes(&format!("02 20 00 00 fe 00 00 01 00020000 {rest}")));
    assert_eq!(route("0800 0400 04000000"), Some((4, None)));
    assert_eq!(route("0800 0400 04000000 0c00 0800 0800 0200 14050000"), Some((4, Some(1300))));
    assert_eq!(route(""), None);
}
