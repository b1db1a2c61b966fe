use std::net::Ipv4Addr;

use super::*;

#[test]
fn the_containers_name_comes_last() {
    let address = Some(IpAddr::V4(Ipv4Addr::new(172, 17, 0, 2)));
    let extra = [("db".to_owned(), "10.0.0.5".parse().unwrap()), ("six".to_owned(), "fd00::1".parse().unwrap())];
    for (hostname, address, extra, expected) in [
        ("0123456789ab", address, &[][..], "172.17.0.2\t0123456789ab\n"),
        ("web.example.org", address, &[], "172.17.0.2\tweb.example.org web\n"),
        ("web", address, &extra, "10.0.0.5\tdb\nfd00::1\tsix\n172.17.0.2\tweb\n"),
        ("web", None, &extra, "10.0.0.5\tdb\nfd00::1\tsix\n"),
        ("web", None, &[], ""),
    ] {
        assert_eq!(hosts_file(hostname, address, extra), format!("{STANDARD}{expected}"));
    }
}

#[test]
fn the_standard_names_are_dockers() {
    assert_eq!(hosts_file("x", None, &[]).lines().next(), Some("127.0.0.1\tlocalhost"));
    assert_eq!(STANDARD.lines().count(), 6);
}
