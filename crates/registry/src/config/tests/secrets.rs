//! Whatever the files say, a secret is only for the host and port that its key names.

use std::net::IpAddr;

use proptest::prelude::*;

use super::World;
use crate::Credential;
use crate::config::{Purpose, route};

/// A second reading of keys, by other means than the one that is tested.
fn place(text: &str) -> Option<(String, u16)> {
    let lower = text.to_lowercase();
    let rest = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let authority: &str = rest.split('/').next()?;
    let (host, port) = match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => (&authority[..colon], authority[colon + 1..].parse().ok()?),
        _ => (authority, 443),
    };
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    let host = host.parse::<IpAddr>().map_or(host.to_owned(), |address| address.to_string());
    let is_hub = port == 443 && ["docker.io", "index.docker.io"].contains(&host.as_str());
    Some((if is_hub { "registry-1.docker.io".to_owned() } else { host }, port))
}

fn host() -> impl Strategy<Value = String> {
    let names = ["good.example", "evil.example", "docker.io", "index.docker.io", "localhost", "127.0.0.1", "[::1]"];
    let name = prop::sample::select(names.to_vec());
    let before = prop::sample::select(vec!["", "", "", "sub.", "evil-", "me@"]);
    let after = prop::sample::select(vec!["", "", "", ".", ".evil.example", ":443", ":80", ":5000", "@evil.example"]);
    (name, before, after, any::<bool>()).prop_map(|(name, before, after, is_upper)| {
        let host = format!("{before}{name}{after}");
        if is_upper { host.to_uppercase() } else { host }
    })
}

fn key() -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(vec!["", "", "https://", "http://"]);
    let path = prop::sample::select(vec!["", "", "/", "/v1/", "/v2/", "/team", "/team/app"]);
    (scheme, host(), path).prop_map(|(scheme, host, path)| format!("{scheme}{host}{path}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn c303_a_credential_goes_to_its_own_place_alone(
        keys in prop::collection::vec(key(), 1..6),
        name in (host(), prop::sample::select(vec!["app", "team/app", "team/other"])),
        mirror in host(),
        insecure in any::<bool>(),
    ) {
        let Ok(reference) = format!("{}/{}", name.0, name.1).parse::<oci::Reference>() else { return Ok(()) };
        // The password of each key is its number.
        let auths: serde_json::Map<_, _> = keys.iter().enumerate()
            .map(|(index, key)| (key.clone(), serde_json::json!({ "username": "me", "password": index.to_string() })))
            .collect();
        let config = serde_json::json!({ "auths": auths }).to_string();
        let conf = format!(
            "[[registry]]\nlocation = '{}'\ninsecure = {insecure}\n[[registry.mirror]]\nlocation = '{mirror}'\n", name.0
        );
        let conf = if mirror.contains('@') || name.0.contains('@') { String::new() } else { conf };
        let files = [("home/.docker/config.json", config.as_str()), ("etc/containers/registries.conf", &conf)];
        let world = World::new(&files);
        let explained = route(&world.settings(&[]), &reference, Purpose::Pull);
        let Ok(explained) = explained else { return Ok(()) };
        for endpoint in &explained.route.endpoints {
            let Credential::Password { password, .. } = &endpoint.credential else { continue };
            let key = &keys[password.expose().parse::<usize>().unwrap()];
            prop_assert_eq!(place(key), Some((endpoint.host.clone(), endpoint.port)), "{} for {:?}", key, endpoint);
        }
    }
}
