use super::*;

fn bridge(text: &str) -> String {
    resolv_conf(
        &HostResolver { resolv_conf: text, systemd_resolved: None },
        NameServerReach::Bridge,
        &ResolverOptions::default(),
    )
}

#[test]
fn name_servers_that_a_container_cannot_reach_are_left_out() {
    let public = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";
    for (host, expected) in [
        ("nameserver 10.255.255.53\n", "nameserver 10.255.255.53\n"),
        ("nameserver 127.0.0.1\nnameserver 10.0.0.2\n", "nameserver 10.0.0.2\n"),
        ("nameserver 10.0.0.2\nnameserver fd00::53\nnameserver fe80::1%eth0\n", "nameserver 10.0.0.2\n"),
        ("nameserver 127.0.0.53\n", public),
        ("nameserver ::1\n", public),
        ("nameserver 0.0.0.0\n", public),
        ("nameserver nonsense\nnameserver\n", public),
        ("", public),
        ("# nothing\n; here\n\n", public),
    ] {
        assert_eq!(bridge(host), expected, "{host:?}");
    }
}

#[test]
fn search_list_options_and_other_lines_are_kept() {
    let host = "# made by hand\n search a.example b.example \nnameserver  10.0.0.2 # trailing\n\
                options ndots:2\noptions edns0 trust-ad\nsortlist 10.0.0.0/8\n";
    let expected =
        "nameserver 10.0.0.2\nsearch a.example b.example\noptions ndots:2 edns0 trust-ad\nsortlist 10.0.0.0/8\n";
    assert_eq!(bridge(host), expected);
    assert_eq!(
        bridge("domain one.example\nsearch two.example\nnameserver 10.0.0.2"),
        "nameserver 10.0.0.2\nsearch two.example\n"
    );
}

#[test]
fn the_real_servers_behind_systemd_resolved_are_used() {
    let real = "nameserver 192.168.1.1\nnameserver fe80::1\nsearch home\n";
    let ask = |text| {
        let host = HostResolver { resolv_conf: text, systemd_resolved: Some(real) };
        resolv_conf(&host, NameServerReach::Bridge, &ResolverOptions::default())
    };
    assert_eq!(
        ask("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch stub\n"),
        "nameserver 192.168.1.1\nsearch home\n"
    );
    // Another local resolver, or one beside it, was chosen by hand: not systemd's business.
    assert_eq!(ask("nameserver 127.0.0.53\nnameserver 10.0.0.2\n"), "nameserver 10.0.0.2\n");
    assert_eq!(ask("nameserver 127.0.0.1\n"), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
}

#[test]
fn the_hosts_network_has_the_hosts_file_to_the_letter() {
    let text = "# comment\nnameserver 127.0.0.53\n";
    let host = HostResolver { resolv_conf: text, systemd_resolved: Some("nameserver 10.0.0.1\n") };
    assert_eq!(resolv_conf(&host, NameServerReach::Host, &ResolverOptions::default()), text);
    let options = ResolverOptions { search: vec!["x.example".to_owned()], ..ResolverOptions::default() };
    assert_eq!(resolv_conf(&host, NameServerReach::Host, &options), "nameserver 127.0.0.53\nsearch x.example\n");
}

#[test]
fn what_the_user_asks_for_replaces_what_the_host_has() {
    let host =
        HostResolver { resolv_conf: "nameserver 10.0.0.2\nsearch home\noptions edns0\n", systemd_resolved: None };
    let asked = |servers: &[&str], search: &[&str], options: &[&str]| {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let name_servers = servers.iter().map(|server| server.parse().unwrap()).collect();
        let options = ResolverOptions { name_servers, search: words(search), options: words(options) };
        resolv_conf(&host, NameServerReach::Bridge, &options)
    };
    assert_eq!(
        asked(&["1.1.1.1", "127.0.0.1"], &[], &[]),
        "nameserver 1.1.1.1\nnameserver 127.0.0.1\nsearch home\noptions edns0\n"
    );
    assert_eq!(asked(&[], &["a", "b"], &["ndots:1"]), "nameserver 10.0.0.2\nsearch a b\noptions ndots:1\n");
    assert_eq!(asked(&[], &["."], &[]), "nameserver 10.0.0.2\noptions edns0\n");
}
