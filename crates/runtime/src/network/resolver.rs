//! The container's `/etc/resolv.conf`, from the host's, by Docker's rules. Pure text.

use std::net::{IpAddr, Ipv4Addr};

/// Docker's choice where the host has no name server that a container can reach.
const PUBLIC_NAME_SERVERS: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

/// What the host knows about name servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HostResolver<'a> {
    /// Text of `/etc/resolv.conf`; empty if there is none.
    pub resolv_conf: &'a str,
    /// Text of `/run/systemd/resolve/resolv.conf`, if there: the real servers behind systemd-resolved.
    pub systemd_resolved: Option<&'a str>,
}

/// Which name servers a container can reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameServerReach {
    /// `--network host`: whatever the host reaches, loopback included.
    Host,
    /// An own namespace with IPv4: no loopback, no IPv6.
    Bridge,
    /// The same, where somebody asks the host's servers for those who ask at this address.
    By(Ipv4Addr),
}

/// What the user asked for instead.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResolverOptions {
    /// `--dns`: replaces all name servers.
    pub name_servers: Vec<IpAddr>,
    /// `--dns-search`: replaces the search list; `.` alone empties it.
    pub search: Vec<String>,
    /// `--dns-option`: replaces the options.
    pub options: Vec<String>,
}

/// Returns the text of the container's `/etc/resolv.conf`.
#[must_use]
pub fn resolv_conf(host: &HostResolver<'_>, reach: NameServerReach, options: &ResolverOptions) -> String {
    if reach == NameServerReach::Host && *options == ResolverOptions::default() {
        return host.resolv_conf.to_owned();
    }
    let mut file = Parsed::read(host.resolv_conf);
    if reach != NameServerReach::Host {
        if file.points_at_systemd_resolved()
            && let Some(real) = host.systemd_resolved
        {
            file = Parsed::read(real);
        }
        file.name_servers.retain(|server| is_reachable(server));
    }
    if !options.name_servers.is_empty() {
        file.name_servers = options.name_servers.iter().map(IpAddr::to_string).collect();
    } else if file.name_servers.is_empty() {
        match reach {
            NameServerReach::Host => {}
            NameServerReach::Bridge => file.name_servers = PUBLIC_NAME_SERVERS.map(str::to_owned).to_vec(),
            NameServerReach::By(address) => file.name_servers = vec![address.to_string()],
        }
    }
    if !options.search.is_empty() {
        file.search = options.search.iter().filter(|domain| *domain != ".").cloned().collect();
    }
    if !options.options.is_empty() {
        file.options.clone_from(&options.options);
    }
    file.write()
}

/// The parts of a resolv.conf(5) that matter; comments are dropped.
#[derive(Default)]
struct Parsed {
    name_servers: Vec<String>,
    search: Vec<String>,
    options: Vec<String>,
    /// Lines with other keywords (`sortlist`), as they are.
    others: Vec<String>,
}

impl Parsed {
    fn read(text: &str) -> Self {
        let mut parsed = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                None => {}
                Some(first) if first.starts_with(['#', ';']) => {}
                Some("nameserver") => parsed.name_servers.extend(words.next()),
                // `domain` is the old word for a search list of one; the last line of either counts.
                Some("search" | "domain") => parsed.search = words.collect(),
                Some("options") => parsed.options.extend(words),
                Some(_) => parsed.others.push(line.trim().to_owned()),
            }
        }
        parsed
    }

    /// The stub of systemd-resolved, and nothing else, is configured.
    fn points_at_systemd_resolved(&self) -> bool {
        !self.name_servers.is_empty()
            && self.name_servers.iter().all(|server| matches!(server.as_str(), "127.0.0.53" | "127.0.0.54"))
    }

    fn write(&self) -> String {
        let mut text = String::new();
        let mut line = |keyword: &str, words: &str| {
            text.push_str(keyword);
            text.push(' ');
            text.push_str(words);
            text.push('\n');
        };
        for server in &self.name_servers {
            line("nameserver", server);
        }
        if !self.search.is_empty() {
            line("search", &self.search.join(" "));
        }
        if !self.options.is_empty() {
            line("options", &self.options.join(" "));
        }
        for other in &self.others {
            text.push_str(other);
            text.push('\n');
        }
        text
    }
}

/// Loopback is the container's own there, and our networks have no IPv6.
fn is_reachable(server: &str) -> bool {
    // An IPv6 address may carry its interface: fe80::1%eth0.
    let address = server.split('%').next().unwrap_or(server);
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => !address.is_loopback() && !address.is_unspecified(),
        Ok(IpAddr::V6(_)) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
