//! Ports of the host that a container is to have: taken before anything else is made, all or none.

use std::net::{IpAddr, Ipv4Addr};

use runtime::network::{PortForward, Reservation, Transport};
use rustix::io::Errno;

use super::NetworkState;
use super::ports::PortBinding;
use super::published::PublishedPort;
use crate::containers::container::Container;
use crate::{Engine, Error, ErrorKind};

/// Takes the ports of the host, all or none.
pub(super) fn reserve(
    engine: &Engine,
    container: &Container,
    bindings: &[PortBinding],
) -> Result<(Vec<PortForward>, Vec<PublishedPort>), Error> {
    if bindings.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let default = engine.host_config()?.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let (mut held, mut published) = (Vec::new(), Vec::new());
    for binding in bindings {
        let address = binding.host_address.unwrap_or(default);
        if address.is_ipv6() {
            let message = format!(
                "cannot publish port {} on {address}: only IPv4 addresses of the host are there yet",
                binding.container
            );
            return Err(Error::new(ErrorKind::Unsupported, message).with_exit_code(125));
        }
        if engine.is_outer() && binding.container.transport == Transport::Sctp {
            let message = format!("cannot publish port {}: SCTP needs root", binding.container);
            return Err(Error::new(ErrorKind::Unsupported, message).with_exit_code(125));
        }
        let (first, last) = binding.host_ports.unwrap_or((0, 0));
        let transport = binding.container.transport;
        let mut taken = (first..=last).map(|port| Reservation::take(transport, address, port));
        let reservation = taken.find(|taken| !matches!(taken, Err(Errno::ADDRINUSE))).unwrap_or(Err(Errno::ADDRINUSE));
        let reservation = reservation.map_err(|errno| refused(engine, container, binding, address, errno))?;
        published.push(PublishedPort { container: binding.container, host: (address, reservation.port).into() });
        held.push(reservation);
        if held.len() % 128 == 0 {
            Reservation::make_room(&mut held).map_err(|errno| refused(engine, container, binding, address, errno))?;
        }
    }
    let container_ports = bindings.iter().map(|binding| binding.container.number);
    let forwards =
        held.into_iter().zip(container_ports).map(|(host, container_port)| PortForward { host, container_port });
    Ok((forwards.collect(), published))
}

/// Why a port of the host is not to be had, in Docker's words.
fn refused(engine: &Engine, container: &Container, binding: &PortBinding, address: IpAddr, errno: Errno) -> Error {
    let (transport, port) = (binding.container.transport, binding.host_port());
    let conflict = |message: String| Error::new(ErrorKind::Conflict, message).with_exit_code(125);
    if errno == Errno::ADDRINUSE {
        return match holder(engine, container, binding, address) {
            Some(holder) => {
                conflict(format!("Bind for {address}:{port} failed: port is already allocated")).with_hint(format!(
                    "container {holder} has it: stop it with `onggi stop {holder}`, or choose another port of the host"
                ))
            }
            None => conflict(format!(
                "failed to bind host port {address}:{port}/{}: address already in use",
                transport.name()
            ))
            .with_hint(match transport {
                Transport::Udp => format!("see which program has it: `ss -lunp sport = :{port}`"),
                _ => format!("see which program has it: `ss -ltnp sport = :{port}`"),
            }),
        };
    }
    let message = format!("failed to bind host port {address}:{port}/{}", transport.name());
    let error = conflict(message).because(&errno);
    match errno {
        Errno::ACCESS => {
            let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
            error.with_hint(format!(
                "ports below {} are root's: choose a higher one, or `sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`",
                first.trim()
            ))
        }
        Errno::ADDRNOTAVAIL => error.with_hint("choose an address of this machine (`ip address`), or none for all"),
        Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT => {
            error.with_hint(format!("this kernel has no {}", transport.name().to_uppercase()))
        }
        _ => error,
    }
}

/// The container of this store that has a port.
fn holder(engine: &Engine, asking: &Container, binding: &PortBinding, address: IpAddr) -> Option<String> {
    let (first, last) = binding.host_ports?;
    let clashes = |port: &PublishedPort| {
        let same_address = port.host.ip() == address || port.host.ip().is_unspecified() || address.is_unspecified();
        let same_port = (first..=last).contains(&port.host.port());
        port.container.transport == binding.container.transport && same_address && same_port
    };
    let others = Container::all(engine).ok()?;
    others
        .into_iter()
        .filter(|other| other.record.id != asking.record.id)
        .find(|other| NetworkState::of_running(other).is_ok_and(|state| state.ports.iter().any(clashes)))
        .map(|other| other.record.name)
}
