use std::net::Ipv4Addr;

use super::super::namespace::NetworkNamespace;
use super::super::nftables::{Hook, ListedRule};
use super::*;

fn subnet() -> Subnet {
    "172.17.0.0/16".parse().unwrap()
}

/// Runs the test on a host of its own.
fn on_a_host(test: impl FnOnce() + Send) {
    NetworkNamespace::create().unwrap().run(test).unwrap();
}

fn rules(table: &str, chain: Option<&str>) -> Vec<ListedRule> {
    open().unwrap().rules(table, chain).unwrap()
}

/// What Docker leaves in the packet filter: a FORWARD chain that drops, and maybe one for users.
fn docker(other_chains: &[(&'static str, Hook)]) {
    let chains = [&[("FORWARD", FORWARD)], other_chains].concat();
    let mut socket = open().unwrap();
    socket.replace_table(&Table { name: "filter".to_owned(), chains, rules: Vec::new() }).unwrap();
    socket.drop_by_default("filter", "FORWARD");
}

#[test]
fn the_rules_say_what_they_are_for() {
    let comments: Vec<String> = table("onggi0", subnet()).rules.into_iter().map(|rule| rule.comment).collect();
    assert_eq!(
        comments,
        [
            "onggi: answers to containers",
            "onggi: published ports",
            "onggi: nothing else from outside",
            "onggi: 172.17.0.0/16 leaves with the host's address"
        ]
    );
}

#[test]
#[ignore = "requires root"]
fn rules_are_made_once_and_made_anew_for_another_subnet_requires_root() {
    on_a_host(|| {
        assert!(!ensure("onggi0", subnet(), false, false).unwrap(), "looking makes nothing");
        assert_eq!(rules("onggi0", None), []);
        assert!(ensure("onggi0", subnet(), false, true).unwrap());
        let made = rules("onggi0", None);
        assert_eq!(made.len(), 4);
        assert!(ensure("onggi0", subnet(), false, true).unwrap());
        assert_eq!(rules("onggi0", None), made, "the same rules, not new ones");
        assert!(ensure("onggi0", subnet(), false, false).unwrap());

        let other = Subnet::containing(Ipv4Addr::new(10, 1, 0, 0), 16).unwrap();
        assert!(!ensure("onggi0", other, false, false).unwrap());
        assert!(ensure("onggi0", other, false, true).unwrap());
        assert_eq!(rules("onggi0", None).len(), 4);
        assert_eq!(
            rules("onggi0", Some("postrouting"))[0].comment,
            "onggi: 10.1.0.0/16 leaves with the host's address"
        );

        assert!(ensure("onggi1", subnet(), false, true).unwrap());
        remove("onggi0").unwrap();
        remove("onggi0").unwrap();
        assert_eq!(rules("onggi0", None), []);
        assert_eq!(rules("onggi1", None).len(), 4, "networks have tables of their own");
    });
}

#[test]
#[ignore = "requires root"]
fn a_transaction_is_all_or_nothing_requires_root() {
    on_a_host(|| {
        let mut broken = table("onggi0", subnet());
        broken.chains.push(("absurd", Hook { kind: "nonsense", ..FORWARD }));
        let refused = open().unwrap().replace_table(&broken).unwrap_err();
        assert_eq!(refused.to_string(), "the kernel refused to create chain `absurd`");
        assert_eq!(rules("onggi0", None), []);
        assert!(!open().unwrap().has_chain("onggi0", "forward").unwrap());
    });
}

#[test]
#[ignore = "requires root"]
fn dockers_closed_forward_chain_is_passed_in_its_user_chain_requires_root() {
    on_a_host(|| {
        // Docker's is not a base chain; that makes no difference here.
        docker(&[("DOCKER-USER", FORWARD)]);
        assert!(ensure("onggi0", subnet(), false, true).unwrap());
        assert!(ensure("onggi1", subnet(), false, true).unwrap());
        let comments = || rules("filter", Some("DOCKER-USER")).into_iter().map(|rule| rule.comment).collect::<Vec<_>>();
        assert_eq!(comments(), ["onggi: onggi1", "onggi: onggi1", "onggi: onggi0", "onggi: onggi0"]);
        assert_eq!(rules("filter", Some("FORWARD")), []);
        assert!(ensure("onggi0", subnet(), false, true).unwrap());
        assert_eq!(comments().len(), 4);
        remove("onggi1").unwrap();
        assert_eq!(comments(), ["onggi: onggi0", "onggi: onggi0"]);
    });
}

#[test]
#[ignore = "requires root"]
fn another_closed_forward_chain_is_passed_at_its_head_requires_root() {
    on_a_host(|| {
        docker(&[]);
        assert!(!ensure("onggi0", subnet(), false, false).unwrap());
        assert!(ensure("onggi0", subnet(), false, true).unwrap());
        assert_eq!(rules("filter", Some("FORWARD")).len(), 2);
        // The owner of the chain starts over, as `ufw reload` does.
        open().unwrap().delete_rules("filter", &rules("filter", None)).unwrap();
        assert!(!ensure("onggi0", subnet(), false, false).unwrap());
        assert!(ensure("onggi0", subnet(), false, true).unwrap());
        assert_eq!(rules("filter", Some("FORWARD")).len(), 2);
    });
}

#[test]
#[ignore = "requires root"]
fn an_open_forward_chain_of_others_is_left_alone_requires_root() {
    on_a_host(|| {
        let hook = FORWARD;
        let others = Table { name: "filter".to_owned(), chains: vec![("FORWARD", hook)], rules: Vec::new() };
        open().unwrap().replace_table(&others).unwrap();
        assert!(ensure("onggi0", subnet(), false, true).unwrap());
        assert_eq!(rules("filter", None), []);
    });
}
