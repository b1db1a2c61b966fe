//! The host's part in a container's network: the bridge's state folder, and the texts of `/etc/hosts` and
//! `/etc/resolv.conf`.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Error, ErrorKind};
use runtime::network::{BridgeConfig, HostResolver, NameServerReach, ResolverOptions, hosts_file, resolv_conf};

/// One for each host and not one for each store: the bridge is the host's.
const STATE: &str = "/run/onggi/network/onggi0";

/// How a container's network is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// An address of its own behind the bridge.
    #[default]
    Bridge,
    /// Only `lo`.
    None,
    /// The host's.
    Host,
}

/// Flags of `run` and `create` about the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSettings {
    /// Which network.
    pub mode: NetworkMode,
    /// Host name as asked for; the short ID otherwise.
    pub hostname: Option<String>,
}

impl NetworkSettings {
    /// Their part of `HostConfig`.
    pub(crate) fn describe(&self, host_config: &mut Map<String, Value>) {
        host_config.insert("NetworkMode".to_owned(), json!(self.mode.name()));
    }
}

impl std::str::FromStr for NetworkMode {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, crate::Error> {
        match text {
            "" | "default" | "bridge" => Ok(Self::Bridge),
            "none" => Ok(Self::None),
            "host" => Ok(Self::Host),
            other => Err(crate::Error::new(crate::ErrorKind::Unsupported, format!("network {other} not found"))
                .with_hint("use `--network bridge`, `none` or `host`; networks with names are not there yet")),
        }
    }
}

impl NetworkMode {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::None => "none",
            Self::Host => "host",
        }
    }
}

/// What the host's own files say.
#[derive(Debug)]
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
    pub(crate) fn resolv_conf(&self, mode: NetworkMode) -> String {
        let host = HostResolver { resolv_conf: &self.resolv_conf, systemd_resolved: self.systemd_resolved.as_deref() };
        let reach = if mode == NetworkMode::Host { NameServerReach::Host } else { NameServerReach::Bridge };
        resolv_conf(&host, reach, &ResolverOptions::default())
    }

    /// The container's `/etc/hosts`, with added names.
    pub(crate) fn hosts(
        &self,
        mode: NetworkMode,
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

/// It goes into `/etc/hosts`, where a line break would be more than a name; the kernel takes 64 bytes.
pub(crate) fn check_hostname(name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_valid = (1..=64).contains(&name.len()) && !name.starts_with(['-', '.']) && name.bytes().all(word);
    if is_valid {
        return Ok(());
    }
    let message = format!("invalid hostname `{name}`: letters, digits, `.` and `-` are allowed, 64 at most");
    Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125))
}
