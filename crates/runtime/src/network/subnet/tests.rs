use super::*;

fn subnet(text: &str) -> Subnet {
    text.parse().unwrap()
}

#[test]
fn subnets_are_read_and_written_in_normal_form() {
    for (text, normal) in [
        ("172.17.0.0/16", "172.17.0.0/16"),
        ("10.1.2.3/24", "10.1.2.0/24"),
        ("1.2.3.4/32", "1.2.3.4/32"),
        ("1.2.3.4/0", "0.0.0.0/0"),
    ] {
        assert_eq!(subnet(text).to_string(), normal);
    }
    for invalid in [
        "",
        "172.17.0.0",
        "172.17.0.0/33",
        "172.17.0/16",
        "fe80::/10",
        "172.17.0.0/-1",
        "172.17.0.0/16/2",
        "172.17.0.0/256",
    ] {
        assert_eq!(invalid.parse::<Subnet>(), Err(InvalidSubnet(invalid.to_owned())));
    }
}

#[test]
fn first_last_and_hosts() {
    for (text, gateway, broadcast, hosts) in [
        ("172.17.0.0/16", "172.17.0.1", "172.17.255.255", 65_534),
        ("10.0.0.0/30", "10.0.0.1", "10.0.0.3", 2),
        ("10.0.0.0/31", "10.0.0.1", "10.0.0.1", 0),
        ("255.255.255.255/32", "255.255.255.255", "255.255.255.255", 0),
    ] {
        let subnet = subnet(text);
        assert_eq!(
            (subnet.gateway().to_string(), subnet.broadcast().to_string()),
            (gateway.to_owned(), broadcast.to_owned())
        );
        assert_eq!(subnet.hosts().count(), hosts, "{text}");
    }
}

#[test]
fn overlap_is_containment_either_way() {
    for (one, other, expected) in [
        ("172.17.0.0/16", "172.17.0.0/16", true),
        ("172.17.0.0/16", "172.17.9.0/24", true),
        ("172.17.0.0/16", "172.16.0.0/12", true),
        ("172.17.0.0/16", "172.18.0.0/16", false),
        ("172.17.0.0/16", "0.0.0.0/0", true),
        ("10.0.0.1/32", "10.0.0.2/32", false),
    ] {
        assert_eq!(subnet(one).overlaps(subnet(other)), expected, "{one} {other}");
        assert_eq!(subnet(other).overlaps(subnet(one)), expected, "{other} {one}");
    }
}

#[test]
fn the_first_free_subnet_is_chosen() {
    for (used, expected) in [
        (&[][..], "172.17.0.0/16"),
        (&["172.17.0.0/16"], "172.18.0.0/16"),
        (&["192.168.1.0/24", "172.17.3.4/32", "172.19.0.0/16"], "172.18.0.0/16"),
        (&["172.16.0.0/12"], "10.0.0.0/16"),
        (&["172.16.0.0/12", "10.0.0.0/9"], "10.128.0.0/16"),
    ] {
        let used: Vec<Subnet> = used.iter().map(|text| subnet(text)).collect();
        assert_eq!(Subnet::first_free(&used), Some(subnet(expected)));
    }
    assert_eq!(Subnet::first_free(&[subnet("172.16.0.0/12"), subnet("10.0.0.0/8")]), None);
}
