//! Which requests go through a proxy: the rules of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` as Go's programs read
//! them, since that is what people know from Docker.

use std::net::IpAddr;

use crate::Surroundings;

/// The proxy for requests to a host; `None` to go there directly. `port` is the scheme's if none was written.
pub fn proxy<'s>(surroundings: &'s Surroundings, is_https: bool, host: &str, port: u16) -> Option<&'s str> {
    let proxy = if is_https { &surroundings.https_proxy } else { &surroundings.http_proxy };
    let proxy = proxy.as_deref().filter(|proxy| !proxy.is_empty())?;
    let is_direct =
        is_loopback(host) || surroundings.no_proxy.as_deref().is_some_and(|list| excludes(list, host, port));
    (!is_direct).then_some(proxy)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether `NO_PROXY` names the host: `*`, an address, a range of addresses, a domain with all below it, `.domain` for
/// only those below; each with or without a port.
fn excludes(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            let network = network.parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
            return network.zip(address).is_some_and(|((network, bits), address)| is_within(address, network, bits));
        }
        let (name, wanted) = split_port(&entry);
        if wanted.is_some_and(|wanted| wanted != port) {
            return false;
        }
        if let Ok(single) = name.parse::<IpAddr>() {
            return address == Some(single);
        }
        let name = name.strip_prefix('*').unwrap_or(name);
        match name.strip_prefix('.') {
            Some(_) => host.ends_with(name),
            None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
        }
    })
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.parse::<u16>().is_ok() => (name, port.parse().ok()),
        _ => (entry, None),
    }
}

/// Whether an address is in a network of so many bits.
pub fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(address) & mask == u32::from(network) & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(address) & mask == u128::from(network) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::proxy;
    use crate::Surroundings;

    #[test]
    fn hosts_that_are_reached_directly() {
        let through = |no_proxy: &str, host: &str, port| {
            let no_proxy = Some(no_proxy.to_owned());
            let surroundings =
                Surroundings { http_proxy: Some("http://p".to_owned()), no_proxy, ..Surroundings::default() };
            proxy(&surroundings, false, host, port).is_some()
        };
        for (no_proxy, host, port, expected) in [
            ("", "example.com", 80, true),
            ("*", "example.com", 80, false),
            ("example.com", "example.com", 80, false),
            ("example.com", "EXAMPLE.com.", 80, false),
            ("example.com", "a.example.com", 80, false),
            ("example.com", "notexample.com", 80, true),
            (".example.com", "a.example.com", 80, false),
            (".example.com", "example.com", 80, true),
            ("*.example.com", "a.example.com", 80, false),
            ("other, example.com:81", "example.com", 80, true),
            ("other, example.com:80", "example.com", 80, false),
            ("10.0.0.0/8", "10.1.2.3", 80, false),
            ("10.0.0.0/8", "11.1.2.3", 80, true),
            ("0.0.0.0/0", "11.1.2.3", 80, false),
            ("10.1.2.3", "10.1.2.3", 80, false),
            ("[fd00::1]:80", "fd00::1", 80, false),
            ("fd00::/8", "fd12::1", 80, false),
            ("", "localhost", 80, false),
            ("", "127.0.0.9", 80, false),
            ("", "::1", 80, false),
        ] {
            assert_eq!(through(no_proxy, host, port), expected, "{no_proxy} {host}:{port}");
        }
    }

    #[test]
    fn each_scheme_has_its_own() {
        let surroundings = Surroundings { https_proxy: Some("http://p".to_owned()), ..Surroundings::default() };
        assert_eq!(proxy(&surroundings, true, "example.com", 443), Some("http://p"));
        assert_eq!(proxy(&surroundings, false, "example.com", 80), None);
        let empty = Surroundings { https_proxy: Some(String::new()), ..Surroundings::default() };
        assert_eq!(proxy(&empty, true, "example.com", 443), None);
    }
}
