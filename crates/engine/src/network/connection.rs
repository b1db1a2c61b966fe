//! From a container's settings to its place in its networks: what is made before its process is started.
//!
//! A [`Connection`] belongs to the process that owns the container and is dropped when the container has ended: addresses,
//! ports and rules are free then. When the owner is killed, the kernel lets go of the ports, and the next one who looks finds
//! the rest to be nobody's.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::network::{
    AttachOptions, Attachment, Bridge, BridgeConfig, NameServer, Neighbourhood, NetworkError,
    NetworkNamespace as Namespace, Owner, PublishedPorts, RunningNameServer, attach, publish,
};

use super::definition::find_network;
use super::forwards::reserve;
use super::ground::Ground;
use super::settings::{EndpointSettings, parse_mac};
use super::state::{FILE, wanted_endpoints};
use super::{EndpointState, HostFiles, NetworkMode, NetworkState};
use crate::containers::container::Container;
use crate::{Engine, Error, ErrorKind};

/// A running container's place in its networks.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    names: Option<RunningNameServer>,
    ports: Option<PublishedPorts>,
    attachments: Vec<Attachment>,
    /// Until the container's process is there: a thread would be in the way of making it.
    silent: Option<NameServer>,
    /// Where all that is.
    ground: Option<Arc<Ground>>,
    pub(crate) state: NetworkState,
}

/// What a container's process gets.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The namespace that it enters, if not a new one or the host's.
    pub(crate) namespace: Option<OwnedFd>,
    pub(crate) connection: Connection,
    /// The container whose `/etc/hosts` and so on it shares.
    pub(crate) shared_with: Option<Container>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // In this order: nothing leads to an address that another may get.
        drop(self.names.take());
        if let (Some(ground), Some(ports)) = (&self.ground, self.ports.take()) {
            let withdraw = || {
                drop(ports);
                Ok(())
            };
            // What stays is found to be a dead process's once this one has ended.
            ground.run(withdraw).unwrap_or_default();
        }
        self.attachments.clear();
    }
}

impl Connection {
    /// Waits until the container will reach the world, if it may.
    pub(crate) fn wait(&self, container: &Container) -> Result<(), Error> {
        let Some(ground) = &self.ground else { return Ok(()) };
        if self.state.endpoints.iter().all(|endpoint| endpoint.internal) {
            return Ok(());
        }
        ground.wait().map_err(|error| failed(container, &error))
    }

    /// Begins to answer questions about names, and to relay what comes to published ports; called once the process runs.
    pub(crate) fn started(&mut self, container: &Container) -> Result<(), Error> {
        if let (Some(ground), Some(ports)) = (&self.ground, &mut self.ports) {
            ground.relay(ports).map_err(|error| failed(container, &error))?;
        }
        let Some(server) = self.silent.take() else { return Ok(()) };
        let path = container.folder.path().join(FILE);
        let name_servers = container.record.network.name_servers.clone();
        let running = server.serve(move || neighbourhood(&path, &name_servers));
        self.names = Some(running.map_err(|error| failed(container, &error))?);
        Ok(())
    }
}

/// As it is at this moment: networks may have come and gone, and the host may have moved to others.
fn neighbourhood(path: &Path, name_servers: &[std::net::IpAddr]) -> Neighbourhood {
    let bytes = std::fs::read(path).unwrap_or_default();
    let state: NetworkState = serde_json::from_slice(&bytes).unwrap_or_default();
    let named = state.endpoints.iter().filter(|endpoint| endpoint.knows_names());
    let networks = named.map(|endpoint| (endpoint.network.clone(), endpoint.state.clone())).collect();
    let servers = match state.endpoints.iter().all(|endpoint| endpoint.internal) {
        true => Vec::new(),
        false if name_servers.is_empty() => HostFiles::read().name_servers(),
        false => name_servers.to_vec(),
    };
    Neighbourhood { networks, servers }
}

/// Connects a container that is about to start.
pub(crate) fn connect(engine: &Engine, container: &Container, host: &HostFiles) -> Result<Prepared, Error> {
    let record = &container.record;
    let mut prepared = Prepared { namespace: None, connection: Connection::default(), shared_with: None };
    if let NetworkMode::Container(id) = &record.network.mode {
        let (target, namespace) = namespace_of(engine, id)?;
        (prepared.namespace, prepared.shared_with) = (Some(namespace), Some(target));
    }
    let endpoints = wanted_endpoints(container)?;
    if !record.network.mode.has_endpoints() || endpoints.is_empty() {
        // Docker publishes nothing there either.
        NetworkState::default().write(container)?;
        return Ok(prepared);
    }
    let (forwards, published) = reserve(engine, container, &record.network.bindings())?;
    let mut namespace = Namespace::create().map_err(|error| failed(container, &error))?;
    let owner = Owner::this_process(&record.id).map_err(|error| failed(container, &error))?;
    let ground = engine.ground().map_err(|error| error.with_exit_code(125))?;
    let mut connection = Connection::default();
    connection.ground = Some(Arc::clone(&ground));
    let mut bridges = Vec::new();
    for (number, settings) in endpoints.iter().enumerate() {
        let has_default = connection.state.endpoints.iter().any(|endpoint| endpoint.is_default);
        let place = Place { settings, interface: format!("eth{number}"), may_be_default: !has_default };
        let (bridge, attachment, endpoint) = join(engine, container, host, &mut namespace, &owner, &place)?;
        connection.state.endpoints.push(endpoint);
        bridges.push((bridge, connection.attachments.len()));
        connection.attachments.push(attachment);
    }
    if let Some((bridge, number)) = bridges.iter().find(|(bridge, _)| !bridge.internal)
        && !forwards.is_empty()
    {
        let attachment = &connection.attachments[*number];
        let ports = ground.run(|| publish(bridge, attachment, forwards, &owner)).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("cannot publish the ports of {}", record.name))
                .because(&error)
                .with_exit_code(125)
        })?;
        (connection.ports, connection.state.ports) = (Some(ports), published);
    }
    if connection.state.endpoints.iter().any(EndpointState::knows_names) {
        connection.silent = Some(NameServer::prepare(&namespace).map_err(|error| failed(container, &error))?);
        connection.state.has_name_server = true;
    }
    connection.state.write(container)?;
    Ok(Prepared { namespace: Some(namespace.into_descriptor()), connection, ..prepared })
}

/// Where in a container's namespace a network is to be.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) settings: &'a EndpointSettings,
    pub(super) interface: String,
    /// No other network is the way to everywhere else.
    pub(super) may_be_default: bool,
}

/// Connects a namespace to one network.
pub(super) fn join(
    engine: &Engine,
    container: &Container,
    host: &HostFiles,
    namespace: &mut Namespace,
    owner: &Owner,
    place: &Place<'_>,
) -> Result<(Bridge, Attachment, EndpointState), Error> {
    let settings = place.settings;
    let is_named = settings.network != NetworkMode::Bridge.name();
    let ground = engine.ground().map_err(|error| error.with_exit_code(125))?;
    let (config, network_id): (BridgeConfig, String) = if is_named {
        let network = find_network(engine, &settings.network).map_err(|error| error.with_exit_code(125))?;
        (engine.bridge_of(&network), network.id)
    } else {
        (engine.default_bridge(host)?, String::new())
    };
    let names = if is_named { names(container, settings) } else { Vec::new() };
    let options = AttachOptions {
        interface: place.interface.clone(),
        address: settings.address,
        mac: settings.mac.as_deref().map(parse_mac).transpose()?,
        default_route: place.may_be_default,
        names: names.clone(),
    };
    let joined = ground.run(|| {
        let bridge = Bridge::ensure(&config)?;
        let attachment = attach(&bridge, namespace, owner, &options)?;
        Ok((bridge, attachment))
    });
    let (bridge, attachment) = joined.map_err(|error| failed(container, &error))?;
    let endpoint = EndpointState {
        network: settings.network.clone(),
        network_id,
        state: bridge.state.clone(),
        bridge: bridge.name.clone(),
        internal: bridge.internal,
        address: attachment.address,
        prefix: attachment.prefix,
        gateway: attachment.gateway,
        is_default: place.may_be_default && !bridge.internal,
        mac: attachment.mac.map(|byte| format!("{byte:02x}")).join(":"),
        interface: place.interface.clone(),
        names,
    };
    Ok((bridge, attachment, endpoint))
}

/// How a container is called in a network: name, aliases, short ID, and its host name where that was chosen.
fn names(container: &Container, settings: &EndpointSettings) -> Vec<String> {
    let record = &container.record;
    let mut names = vec![record.name.clone()];
    let short = record.id[..12].to_owned();
    for name in settings.aliases.iter().chain([&short, &record.hostname]) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// A running container and its network namespace.
fn namespace_of(engine: &Engine, id: &str) -> Result<(Container, OwnedFd), Error> {
    let target = Container::find(engine, id).map_err(|error| error.with_exit_code(125))?;
    let not_running = || {
        let message = format!("cannot join network namespace of a non running container: {}", target.record.name);
        Error::new(ErrorKind::Conflict, message)
            .with_hint(format!("start it first: `onggi start {}`", target.record.name))
            .with_exit_code(125)
    };
    let Some((pid, _)) = target.state()?.process else { return Err(not_running()) };
    let opened = std::fs::File::open(PathBuf::from(format!("/proc/{pid}/ns/net")));
    // The number may have become another process's: the container must run after the namespace is held.
    if !target.state()?.is_running() {
        return Err(not_running());
    }
    let namespace = opened.map_err(|_| not_running())?;
    Ok((target, namespace.into()))
}

pub(super) fn failed(container: &Container, error: &NetworkError) -> Error {
    let message = format!("cannot connect the container to the network ({})", container.record.name);
    let made = Error::new(ErrorKind::Internal, message).because(error).with_exit_code(125);
    match error {
        NetworkError::UnusableAddress { .. } | NetworkError::NoFreeAddress(_) => made,
        NetworkError::NoWayOut { .. } => made.with_hint(crate::doctor::remedies::DOCTOR),
        _ => made.with_hint("`--network none` or `--network host` needs no bridge"),
    }
}
