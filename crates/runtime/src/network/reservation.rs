//! A port of the host that nobody else can take: a bound socket that is never used.
//!
//! The packet filter would take packets away from a program of the host without its noticing. With the socket, a
//! clash is found at once, whoever was first, and the kernel chooses among the free ports where any will do.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, bind, getsockname, ipproto, listen, shutdown, socket_with,
    sockopt,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// What carries ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
    /// Associations of streams; few kernels have it.
    Sctp,
}

impl Transport {
    /// Its number in a packet's header.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// Its name, as behind a port: `80/tcp`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// A port of the host that is held until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    /// What carries it.
    pub transport: Transport,
    /// Address of the host; unspecified for all.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    socket: OwnedFd,
}

/// How often any free port is tried.
const ATTEMPTS: usize = 16;
/// So many descriptors are moved out of the way of the rest of the program.
const MANY: usize = 128;
/// So many may wait to be taken.
const BACKLOG: i32 = 4096;
/// Where they go.
const OUT_OF_THE_WAY: i32 = 1 << 16;

impl Reservation {
    /// Takes a port, or any free one if it is 0.
    ///
    /// # Errors
    /// `ADDRINUSE` when a program or container has it, `ADDRNOTAVAIL` for an address that is not the host's,
    /// `PROTONOSUPPORT` where the kernel does not have the protocol.
    pub fn take(transport: Transport, address: IpAddr, port: u16) -> Result<Self, Errno> {
        if port > 0 {
            return Self::take_exactly(transport, address, port);
        }
        // The kernel forgets a port of its own choice once the socket does not listen any more, so it chooses first.
        let mut result = Err(Errno::ADDRINUSE);
        for _ in 0..ATTEMPTS {
            let chosen = open(transport, address)?;
            bind(&chosen, &SocketAddr::new(address, 0))?;
            let port = SocketAddr::try_from(getsockname(&chosen)?).map_or(0, |bound| bound.port());
            drop(chosen);
            result = Self::take_exactly(transport, address, port);
            if !matches!(result, Err(Errno::ADDRINUSE)) {
                break;
            }
        }
        result
    }

    fn take_exactly(transport: Transport, address: IpAddr, port: u16) -> Result<Self, Errno> {
        let socket = open(transport, address)?;
        // Connections of a server that ended a minute ago must not count (TIME_WAIT) …
        sockopt::set_socket_reuseaddr(&socket, transport == Transport::Tcp)?;
        bind(&socket, &SocketAddr::new(address, port))?;
        if transport == Transport::Tcp {
            // … but our hold must count for all, which it does once it has listened, and no more says that it may be
            // shared. It must not go on listening: what is not for the container is to be refused, not to wait for ever.
            listen(&socket, 0)?;
            shutdown(&socket, Shutdown::Read)?;
            sockopt::set_socket_reuseaddr(&socket, false)?;
        }
        Ok(Self { transport, address, port, socket })
    }

    /// Takes what comes to the port from now on, where a program does so and not the packet filter.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn open_for_all(&self) -> Result<(), Errno> {
        rustix::io::ioctl_fionbio(&self.socket, true)?;
        if self.transport == Transport::Tcp {
            // As for `take`: connections that have ended do not count, and none can share a port that is listened at.
            sockopt::set_socket_reuseaddr(&self.socket, true)?;
            listen(&self.socket, BACKLOG)?;
        }
        Ok(())
    }

    /// Moves the descriptors of many to high numbers, so that the rest of the program has room below the limit that
    /// it, and the container, were started with.
    ///
    /// # Errors
    /// When the hard limit on descriptors does not allow so many.
    pub fn make_room(reservations: &mut [Self]) -> Result<(), Errno> {
        if reservations.len() < MANY {
            return Ok(());
        }
        let limit = getrlimit(Resource::Nofile);
        let first = limit.maximum.map_or(OUT_OF_THE_WAY, |most| {
            let half = i32::try_from(most / 2).unwrap_or(OUT_OF_THE_WAY);
            half.min(OUT_OF_THE_WAY)
        });
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
        let moved = reservations.iter_mut().try_for_each(|reservation| {
            reservation.socket = rustix::io::fcntl_dupfd_cloexec(&reservation.socket, first)?;
            Ok(())
        });
        setrlimit(Resource::Nofile, limit)?;
        moved
    }
}

impl AsFd for Reservation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open(transport: Transport, address: IpAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let (kind, protocol) = match transport {
        Transport::Tcp => (SocketType::STREAM, ipproto::TCP),
        Transport::Udp => (SocketType::DGRAM, ipproto::UDP),
        Transport::Sctp => (SocketType::SEQPACKET, ipproto::SCTP),
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests;
