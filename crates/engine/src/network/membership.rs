//! `network connect` and `disconnect`: containers join and leave networks, also while they run.

use std::fs::File;

use runtime::network::{NetworkError, NetworkNamespace as Namespace, Owner, detach};

use super::connection::{Place, failed, join};
use super::definition::{cannot, find_network};
use super::settings::{EndpointSettings, NetworkMode};
use super::state::{want_endpoints, wanted_endpoints};
use super::{HostFiles, NetworkState};
use crate::containers::container::Container;
use crate::{Engine, Error, ErrorKind};

/// Connects a container to one more network, now if it runs, and at each start.
///
/// # Errors
/// When either is not there, they are connected, or the container shares another's network.
pub fn connect_network(engine: &Engine, name: &str, settings: &EndpointSettings) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let network = network_name(engine, &settings.network)?;
    let settings = EndpointSettings { network, ..settings.clone() };
    settings.check().map_err(without_code)?;
    let conflict = |message: String| Err(Error::new(ErrorKind::Conflict, message));
    match &container.record.network.mode {
        NetworkMode::Host | NetworkMode::Container(_) => {
            return conflict(
                "container sharing network namespace with another container or host cannot be connected to any other \
                 network"
                    .to_owned(),
            );
        }
        NetworkMode::None => {
            return conflict(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode"
                    .to_owned(),
            );
        }
        NetworkMode::Bridge | NetworkMode::Named(_) => {}
    }
    let mut wanted = wanted_endpoints(&container)?;
    if wanted.iter().any(|known| known.network == settings.network) {
        return conflict(format!(
            "endpoint with name {} already exists in network {}",
            container.record.name, settings.network
        ));
    }
    if container.state()?.is_running() {
        join_running(engine, &container, &settings).map_err(without_code)?;
    }
    wanted.push(settings);
    want_endpoints(&container, &wanted)
}

/// The name of a network that containers can be connected to.
fn network_name(engine: &Engine, text: &str) -> Result<String, Error> {
    match text {
        "bridge" => Ok(text.to_owned()),
        "host" | "none" => {
            let message = format!("container cannot be connected to {text} network");
            Err(Error::new(ErrorKind::Conflict, message))
        }
        _ => Ok(find_network(engine, text)?.name),
    }
}

fn without_code(error: Error) -> Error {
    Error { exit_code: None, ..error }
}

/// The namespace of a running container, and whoever dies with it.
fn namespace(container: &Container) -> Result<(Namespace, u32), Error> {
    let not_running = || {
        let message = format!("container {} is not running", container.record.id);
        Error::new(ErrorKind::Conflict, message)
    };
    let (pid, _) = container.state()?.process.ok_or_else(not_running)?;
    let opened = File::open(format!("/proc/{pid}/ns/net"));
    // The number may have become another process's: the container must run after the namespace is held.
    if !container.state()?.is_running() {
        return Err(not_running());
    }
    let descriptor = opened.map_err(|_| not_running())?;
    Ok((Namespace::open(descriptor.into()).map_err(|error| failed(container, &error))?, pid))
}

fn join_running(engine: &Engine, container: &Container, settings: &EndpointSettings) -> Result<(), Error> {
    let wrong = |error: NetworkError| failed(container, &error);
    let (mut namespace, pid) = namespace(container)?;
    let mut state = NetworkState::read(container)?;
    let used = |number: &usize| state.endpoints.iter().all(|known| known.interface != format!("eth{number}"));
    let number = (0..).find(used).unwrap_or_default();
    let place = Place {
        settings,
        interface: format!("eth{number}"),
        may_be_default: !state.endpoints.iter().any(|known| known.is_default),
    };
    let owner = Owner::process(&container.record.id, std::process::id()).map_err(wrong)?;
    let host = HostFiles::read();
    let (_, attachment, endpoint) = join(engine, container, &host, &mut namespace, &owner, &place)?;
    // From now on the address is the container's: it is free when its first process has ended.
    attachment.hand_over(&Owner::process(&container.record.id, pid).map_err(wrong)?).map_err(wrong)?;
    state.endpoints.push(endpoint);
    state.write(container)?;
    host.rewrite(engine, container, &state)
}

/// Takes a container off a network, now if it runs, and for its next start.
///
/// # Errors
/// When either is not there, or they are not connected.
pub fn disconnect_network(engine: &Engine, network: &str, name: &str, force: bool) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let network = match network_name(engine, network) {
        Err(error) if !force => return Err(error),
        found => found.unwrap_or_else(|_| network.to_owned()),
    };
    let mut wanted = wanted_endpoints(&container)?;
    let before = wanted.len();
    wanted.retain(|known| known.network != network);
    if wanted.len() == before {
        let message = format!("container {} is not connected to network {network}", container.record.id);
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    if container.state()?.is_running() {
        leave_running(engine, &container, &network)?;
    }
    want_endpoints(&container, &wanted)
}

fn leave_running(engine: &Engine, container: &Container, network: &str) -> Result<(), Error> {
    let wrong = |error: NetworkError| cannot("leave", network, &error);
    let mut state = NetworkState::read(container)?;
    let Some(at) = state.endpoints.iter().position(|known| known.network == network) else { return Ok(()) };
    let left = state.endpoints.remove(at);
    if let Some(ground) = engine.ground_if_any().map_err(wrong)? {
        ground.run(|| detach(&left.state, left.address)).map_err(wrong)?;
    }
    if left.is_default
        && let Some(next) = state.endpoints.iter_mut().find(|known| !known.internal)
    {
        let (mut namespace, _) = namespace(container)?;
        let routes = namespace.routes();
        let added = routes.link(&next.interface).and_then(|link| routes.add_default_route(link.index, next.gateway));
        added.map_err(|error| wrong(error.into()))?;
        next.is_default = true;
    }
    state.write(container)?;
    HostFiles::read().rewrite(engine, container, &state)
}
