//! From the flags about a container's network to what the engine knows of it.

use engine::{EndpointSettings, ExposeSpec, NetworkMode, NetworkSettings, PortSpec};

use crate::cli::create::NetworkFlags;
use crate::cli::options::Options;
use crate::failure::Failure;
use crate::render::problem::Problem;

pub(super) fn settings(flags: &NetworkFlags) -> Result<NetworkSettings, Failure> {
    let endpoints = endpoints(flags)?;
    let mode = endpoints.first().map(|first| NetworkMode::from(first.network.clone())).unwrap_or_default();
    let has_endpoints = matches!(mode, NetworkMode::Bridge | NetworkMode::Named(_));
    if !has_endpoints && endpoints[0] != only(&endpoints[0].network) {
        return Err(wrong(
            "invalid config for network: addresses and aliases are for networks that users have defined",
        ));
    }
    let mut settings = NetworkSettings {
        mode,
        endpoints: if has_endpoints { endpoints } else { Vec::new() },
        hostname: flags.hostname.clone(),
        domain: flags.domain.clone(),
        publish_all: flags.publish_all,
        name_servers: flags.dns.clone(),
        search: flags.dns_search.clone(),
        resolver_options: flags.dns_options.clone(),
        links: flags.links.iter().map(|text| link(text)).collect(),
        ..NetworkSettings::default()
    };
    for text in &flags.add_hosts {
        settings.extra_hosts.push(extra_host(text)?);
    }
    for text in &flags.publish {
        settings.ports.extend(text.parse::<PortSpec>()?.0);
    }
    for text in &flags.expose {
        settings.exposed.extend(text.parse::<ExposeSpec>()?.0);
    }
    Ok(settings)
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::from(engine::Error::new(engine::ErrorKind::InvalidInput, message).with_exit_code(125))
}

fn only(network: &str) -> EndpointSettings {
    EndpointSettings { network: network.to_owned(), ..EndpointSettings::default() }
}

/// Each `--network`; the flags of one network are about the first.
fn endpoints(flags: &NetworkFlags) -> Result<Vec<EndpointSettings>, Failure> {
    let mut all = Vec::new();
    for text in &flags.networks {
        let mut endpoint = if text.contains('=') { long(text)? } else { only(text) };
        // `default` and the like have one spelling.
        endpoint.network = NetworkMode::from(endpoint.network).name();
        all.push(endpoint);
    }
    if all.is_empty() {
        all.push(only("bridge"));
    }
    let has_address =
        |network: &str| matches!(NetworkMode::from(network.to_owned()), NetworkMode::Bridge | NetworkMode::Named(_));
    if all.len() > 1 && !all.iter().all(|endpoint| has_address(&endpoint.network)) {
        return Err(wrong("conflicting options: cannot attach both user-defined and non-user-defined network-modes"));
    }
    for (number, endpoint) in all.iter().enumerate() {
        if all[..number].iter().any(|other| other.network == endpoint.network) {
            return Err(wrong(format!("network \"{}\" is specified multiple times", endpoint.network)));
        }
    }
    let first = &mut all[0];
    first.aliases.extend(flags.aliases.iter().cloned());
    first.address = flags.ip.or(first.address);
    first.mac = flags.mac_address.clone().or(first.mac.take());
    Ok(all)
}

/// `name=net1,alias=web,ip=172.30.0.9`.
fn long(text: &str) -> Result<EndpointSettings, Failure> {
    let mut options = Options::parse("--network", text)?;
    let aliases = options.take_all(|name, value| (name == "alias").then(|| Ok(value.to_owned())))?;
    let Some(network) = options.take("name") else {
        return Err(wrong(format!("`--network {text}` names no network")));
    };
    let address = match options.take("ip") {
        None => None,
        Some(ip) => Some(ip.parse().map_err(|_| wrong(format!("invalid IPv4 address: {ip}")))?),
    };
    let mac = options.take("mac-address");
    options.finish("--network", &["name", "alias", "ip", "mac-address"])?;
    Ok(EndpointSettings { network, aliases, address, mac })
}

/// `web:db`, or `web` for the same name.
fn link(text: &str) -> (String, String) {
    let (name, alias) = text.split_once(':').unwrap_or((text, text));
    (name.to_owned(), alias.to_owned())
}

/// `name:address` or `name=address`; an address may have colons itself, and brackets.
fn extra_host(text: &str) -> Result<(String, String), Failure> {
    let bad = || {
        let problem = Problem::error(format!("bad format for add-host: \"{text}\""));
        let failure = problem.with_hint("write it as `NAME:ADDRESS`, or `NAME:host-gateway` for this machine");
        Failure::new(failure).or_status(125)
    };
    let (name, address) = text.split_once(['=', ':']).filter(|(name, _)| !name.is_empty()).ok_or_else(bad)?;
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if bare != "host-gateway" && bare.parse::<std::net::IpAddr>().is_err() {
        return Err(wrong(format!("invalid IP address in add-host: \"{bare}\"")));
    }
    Ok((name.to_owned(), bare.to_owned()))
}
