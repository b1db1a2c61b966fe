use super::super::namespace::NetworkNamespace;
use super::*;

fn subnet() -> Subnet {
    "172.17.0.0/16".parse().unwrap()
}

/// Runs the test on a host of its own, if the program is installed.
fn on_a_host(program: &str, test: impl FnOnce() + Send) {
    match run(program, &["--version"], &[]) {
        Ok(_) => NetworkNamespace::create().unwrap().run(test).unwrap(),
        Err(error) => println!("skipped: requires {program}: {error}"),
    }
}

fn listed(program: &str, table: &str, chain: &str) -> Vec<String> {
    let output = run(program, &["-t", table, "-S", chain], &[]).unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "requires root"]
fn the_fallback_makes_each_rule_once_requires_root() {
    on_a_host("iptables", || {
        assert!(!ensure("onggi0", subnet(), false).unwrap());
        for _ in 0..2 {
            assert!(ensure("onggi0", subnet(), true).unwrap());
            assert_eq!(
                listed("iptables", "filter", "FORWARD"),
                [
                    "-P FORWARD ACCEPT",
                    "-A FORWARD -o onggi0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                    "-A FORWARD -o onggi0 -m conntrack --ctstate DNAT -j ACCEPT",
                    "-A FORWARD -i onggi0 -j ACCEPT",
                    "-A FORWARD ! -i onggi0 -o onggi0 -j DROP",
                ]
            );
        }
        let nat = listed("iptables", "nat", "POSTROUTING");
        assert_eq!(nat.last().unwrap(), "-A POSTROUTING -s 172.17.0.0/16 ! -o onggi0 -j MASQUERADE");
        remove("onggi", true).unwrap();
        assert_eq!(listed("iptables", "filter", "FORWARD").len(), 5, "another bridge, whose name begins alike");
        remove("onggi0", true).unwrap();
        assert_eq!(listed("iptables", "filter", "FORWARD"), ["-P FORWARD ACCEPT"]);
        assert_eq!(listed("iptables", "nat", "POSTROUTING"), ["-P POSTROUTING ACCEPT"]);
        let refused = insert("iptables", "filter", "ABSENT", &["-j", "ACCEPT"]).unwrap_err().to_string();
        assert!(refused.starts_with("`iptables -w -t filter -I ABSENT -j ACCEPT` failed: "), "{refused}");
    });
}

#[test]
#[ignore = "requires root"]
fn a_closed_legacy_chain_is_passed_and_an_open_one_left_alone_requires_root() {
    on_a_host("iptables-legacy", || {
        let policy =
            |policy: &str| assert!(run("iptables-legacy", &["-P", "FORWARD", policy], &[]).unwrap().status.success());
        assert!(pass_legacy_forward_chain("onggi0", false).unwrap(), "no old tables");
        policy("ACCEPT");
        assert!(pass_legacy_forward_chain("onggi0", false).unwrap());
        policy("DROP");
        assert!(!pass_legacy_forward_chain("onggi0", false).unwrap());
        for _ in 0..2 {
            assert!(pass_legacy_forward_chain("onggi0", true).unwrap());
            assert_eq!(
                listed("iptables-legacy", "filter", "FORWARD"),
                ["-P FORWARD DROP", "-A FORWARD -o onggi0 -j ACCEPT", "-A FORWARD -i onggi0 -j ACCEPT"]
            );
        }
        remove("onggi0", false).unwrap();
        assert_eq!(listed("iptables-legacy", "filter", "FORWARD"), ["-P FORWARD DROP"]);
    });
}
