//! The host's part in a container's `/etc/hosts` and `/etc/resolv.conf`, and in the default bridge.

use std::net::{IpAddr, Ipv4Addr};

use runtime::network::{BridgeConfig, HostResolver, NameServerReach, ResolverOptions, hosts_file, resolv_conf};

use super::NetworkMode;

/// One for each host and not one for each store: the bridge is the host's.
const STATE: &str = "/run/onggi/network/onggi0";

/// What the host's own files say.
#[derive(Debug, Default)]
pub(crate) struct HostFiles {
    resolv_conf: String,
    systemd_resolved: Option<String>,
    hosts: String,
}

impl HostFiles {
    /// Reads them; one that is missing is as good as empty.
    pub(crate) fn read() -> Self {
        let text = |path| std::fs::read_to_string(path).ok();
        Self {
            resolv_conf: text("/etc/resolv.conf").unwrap_or_default(),
            systemd_resolved: text("/run/systemd/resolve/resolv.conf"),
            hosts: text("/etc/hosts").unwrap_or_default(),
        }
    }

    /// The bridge network; its subnet must not hide the host's name servers.
    pub(crate) fn bridge_config(&self) -> BridgeConfig {
        let servers = self.resolv_conf.lines().filter_map(|line| line.strip_prefix("nameserver"));
        let avoid: Vec<Ipv4Addr> = servers.filter_map(|server| server.trim().parse().ok()).collect();
        BridgeConfig { avoid, ..BridgeConfig::new(STATE) }
    }

    /// The container's `/etc/resolv.conf`.
    pub(crate) fn resolv_conf(&self, mode: &NetworkMode) -> String {
        let host = HostResolver { resolv_conf: &self.resolv_conf, systemd_resolved: self.systemd_resolved.as_deref() };
        let reach = if *mode == NetworkMode::Host { NameServerReach::Host } else { NameServerReach::Bridge };
        resolv_conf(&host, reach, &ResolverOptions::default())
    }

    /// The container's `/etc/hosts`, with added names.
    pub(crate) fn hosts(
        &self,
        mode: &NetworkMode,
        hostname: &str,
        address: Option<Ipv4Addr>,
        added: &[(String, IpAddr)],
    ) -> String {
        match mode {
            NetworkMode::Host => {
                let mut text = self.hosts.clone();
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.extend(added.iter().map(|(name, address)| format!("{address}\t{name}\n")));
                text
            }
            _ => hosts_file(hostname, address.map(IpAddr::V4), added),
        }
    }
}
