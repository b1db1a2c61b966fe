//! A container's `/etc/hosts` and `/etc/resolv.conf`, and the host's part in them and in the default bridge.

use std::net::{IpAddr, Ipv4Addr};

use runtime::network::{
    HostResolver, NameServerReach, OUTER_NAME_SERVER, ResolverOptions, Subnet, hosts_file, resolv_conf,
};

use super::settings::HOST_GATEWAY;
use super::{NetworkMode, NetworkSettings, NetworkState};
use crate::containers::container::Container;
use crate::{Engine, Error, ErrorKind};

/// Where a container's owner answers questions about names.
const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

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

    /// The host's name servers, also those that only it can reach.
    pub(crate) fn name_servers(&self) -> Vec<IpAddr> {
        let servers = self.resolv_conf.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
        servers.filter_map(|server| server.trim().parse().ok()).collect()
    }

    /// The first name server is one that only this host can reach.
    pub(super) fn names_are_ours_alone(&self) -> bool {
        self.name_servers().iter().find(|server| server.is_ipv4()).is_some_and(IpAddr::is_loopback)
    }

    /// The name servers, for who chooses a subnet that must not hide them.
    pub(crate) fn name_servers_as_subnets(&self) -> Vec<Subnet> {
        let subnet = |server| if let IpAddr::V4(address) = server { Subnet::containing(address, 32) } else { None };
        self.name_servers().into_iter().filter_map(subnet).collect()
    }

    /// The `/etc/resolv.conf` of a build's step.
    pub(crate) fn resolv_conf(&self, engine: &Engine, mode: &NetworkMode) -> String {
        self.resolv_conf_with(engine, mode, &ResolverOptions::default())
    }

    fn resolv_conf_with(&self, engine: &Engine, mode: &NetworkMode, options: &ResolverOptions) -> String {
        let host = HostResolver { resolv_conf: &self.resolv_conf, systemd_resolved: self.systemd_resolved.as_deref() };
        let reach = match mode {
            NetworkMode::Host => NameServerReach::Host,
            _ if engine.is_outer() => NameServerReach::By(OUTER_NAME_SERVER),
            _ => NameServerReach::Bridge,
        };
        resolv_conf(&host, reach, options)
    }

    /// A container's `/etc/resolv.conf`.
    pub(crate) fn resolv_conf_of(&self, engine: &Engine, settings: &NetworkSettings, has_name_server: bool) -> String {
        let mut options = ResolverOptions {
            name_servers: settings.name_servers.clone(),
            search: settings.search.clone(),
            options: settings.resolver_options.clone(),
        };
        if has_name_server {
            options.name_servers = vec![NAME_SERVER.into()];
            // Names of containers have no dots, and are asked for as they are first.
            if !options.options.iter().any(|option| option.starts_with("ndots:")) {
                options.options.push("ndots:0".to_owned());
            }
        }
        self.resolv_conf_with(engine, &settings.mode, &options)
    }

    /// An `/etc/hosts` with added names.
    pub(crate) fn hosts(
        &self,
        mode: &NetworkMode,
        hostname: &str,
        addresses: impl IntoIterator<Item = Ipv4Addr>,
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
            _ => hosts_file(hostname, addresses.into_iter().map(IpAddr::V4), added),
        }
    }

    /// A container's `/etc/hosts`.
    pub(crate) fn hosts_of(
        &self,
        engine: &Engine,
        container: &Container,
        state: &NetworkState,
    ) -> Result<String, Error> {
        let settings = &container.record.network;
        let mut added = Vec::new();
        for (name, address) in &settings.extra_hosts {
            let address = match address.parse() {
                Ok(address) => address,
                Err(_) if address == HOST_GATEWAY => this_host(engine, state),
                Err(_) => {
                    let message = format!("invalid IP address in add-host: \"{address}\"");
                    return Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125));
                }
            };
            added.push((name.clone(), address));
        }
        for (name, alias) in &settings.links {
            added.push(linked(engine, container, state, name, alias)?);
        }
        let hostname = match &settings.domain {
            Some(domain) => format!("{}.{domain}", container.record.hostname),
            None => container.record.hostname.clone(),
        };
        let addresses = state.endpoints.iter().map(|endpoint| endpoint.address);
        Ok(self.hosts(&settings.mode, &hostname, addresses, &added))
    }

    /// Brings the files of a running container up to date, in place: they are mounted in it.
    pub(crate) fn rewrite(&self, engine: &Engine, container: &Container, state: &NetworkState) -> Result<(), Error> {
        let text = self.hosts_of(engine, container, state)?;
        let path = container.folder.path().join("hosts");
        std::fs::write(&path, text).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("cannot write {}", path.display())).because(&error)
        })
    }
}

/// Where the container reaches this host.
fn this_host(engine: &Engine, state: &NetworkState) -> IpAddr {
    let endpoint = state.endpoints.iter().find(|endpoint| endpoint.is_default).or(state.endpoints.first());
    endpoint.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |endpoint| engine.host_address(endpoint.gateway))
}

/// The names and the address of a container in a network of this one.
fn linked(
    engine: &Engine,
    container: &Container,
    state: &NetworkState,
    name: &str,
    alias: &str,
) -> Result<(String, IpAddr), Error> {
    let wrong = |message: String| Error::new(ErrorKind::Conflict, message).with_exit_code(125);
    let target = Container::find(engine, name).map_err(|error| error.with_exit_code(125))?;
    let there = NetworkState::of_running(&target)?;
    let own = &container.record.name;
    if there.endpoints.is_empty() {
        let message = format!("Cannot link to a non running container: /{} AS /{own}/{alias}", target.record.name);
        return Err(wrong(message).with_hint(format!("start it first: `onggi start {name}`")));
    }
    let shared = there.endpoints.iter().find(|known| state.endpoints.iter().any(|own| own.network == known.network));
    let endpoint =
        shared.ok_or_else(|| wrong(format!("Cannot link to {name}, as it does not belong to a network of {own}")))?;
    Ok((format!("{alias} {} {}", &target.record.id[..12], target.record.name), endpoint.address.into()))
}
