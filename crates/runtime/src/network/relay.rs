//! Published ports without root: a thread takes connections and datagrams from the host's sockets and hands them to a container.
//!
//! The sockets are the host's, the thread is in the outer namespace: so what it opens towards the container leads there. The
//! container sees the gateway of its network as the other side. One thread for all ports of a container; it waits for all at once,
//! and ends when its [`Relay`] is dropped.

mod datagrams;
mod streams;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::{self, JoinHandle};

use rustix::event::{Timespec, epoll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use self::datagrams::Datagrams;
use self::streams::Streams;
use super::NetworkError;
use super::ports::PortForward;
use super::reservation::Transport;

/// When something may have to be tried again, or has been idle for too long.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// Numbers of events: the end, the ports from 1 on, then connections, then those who wait for answers to datagrams.
const STOP: u64 = 0;
const FIRST_STREAM: u64 = 1 << 32;
const FIRST_DATAGRAM: u64 = 1 << 63;

/// A thread that relays until this is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Begins to take what comes to `ports`, for the container that has `address` in the network namespace `outer`.
    pub(super) fn start(
        ports: Vec<PortForward>,
        address: Ipv4Addr,
        outer: BorrowedFd<'_>,
    ) -> Result<Self, NetworkError> {
        let failed = |source| NetworkError::Namespace { action: "relay ports into", source };
        let outer = outer.try_clone_to_owned().map_err(failed)?;
        let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let (stopped, stop) = pipe.map_err(|errno| failed(errno.into()))?;
        let mut board = Board::new(ports, address, &stopped).map_err(failed)?;
        let enter_and_relay = move || {
            let entered = move_into_link_name_space(outer.as_fd(), Some(LinkNameSpaceType::Network));
            // Without the right to enter it nothing could have been published there.
            if entered.is_ok() {
                board.relay();
            }
            drop(stopped);
        };
        let thread = thread::Builder::new().name("ports".to_owned()).spawn(enter_and_relay).map_err(failed)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported; the container's end is not the place for another.
            drop(thread.join());
        }
    }
}

/// All that a thread waits for.
#[derive(Debug)]
struct Board {
    epoll: OwnedFd,
    ports: Vec<PortForward>,
    address: Ipv4Addr,
    streams: Streams,
    datagrams: Datagrams,
    /// Ports do not take connections until one has ended: there is no room.
    is_full: bool,
}

impl Board {
    fn new(ports: Vec<PortForward>, address: Ipv4Addr, stopped: &OwnedFd) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, stopped, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        let (streams, datagrams) = (Streams::default(), Datagrams::default());
        let board = Self { epoll, ports, address, streams, datagrams, is_full: false };
        for port in &board.ports {
            port.host.open_for_all()?;
        }
        board.watch_ports(true)?;
        Ok(board)
    }

    /// Begins or ceases to hear of what comes to ports of connections; datagrams are always heard of.
    fn watch_ports(&self, begin: bool) -> io::Result<()> {
        for (number, port) in (1_u64..).zip(&self.ports) {
            match (begin, port.host.transport) {
                (true, Transport::Tcp | Transport::Udp) => {
                    let data = epoll::EventData::new_u64(number);
                    match epoll::add(&self.epoll, port.host.as_fd(), data, epoll::EventFlags::IN) {
                        Err(rustix::io::Errno::EXIST) | Ok(()) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                }
                (false, Transport::Tcp) => epoll::delete(&self.epoll, port.host.as_fd())?,
                _ => {}
            }
        }
        Ok(())
    }

    fn relay(&mut self) {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            let may_change = self.is_full || !self.datagrams.is_empty();
            let timeout = may_change.then_some(&LOOK_AGAIN);
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            for event in &events {
                let number = event.data.u64();
                match number {
                    STOP => return,
                    FIRST_DATAGRAM.. => self.datagrams.answer(number, &self.ports),
                    FIRST_STREAM.. => self.streams.go_on(&self.epoll, number),
                    number => self.arrived(number),
                }
            }
            self.datagrams.forget_idle(&self.epoll);
            if self.is_full && self.streams.have_room() {
                // If it fails, the next look is in a second.
                self.is_full = self.watch_ports(true).is_err();
            }
        }
    }

    /// Something has come to a port.
    fn arrived(&mut self, number: u64) {
        let Some(port) = usize::try_from(number - 1).ok().and_then(|place| self.ports.get(place)) else { return };
        let target = SocketAddr::from((self.address, port.container_port));
        match port.host.transport {
            Transport::Tcp => {
                if !self.streams.accept(&self.epoll, port.host.as_fd(), target) && !self.is_full {
                    self.is_full = self.watch_ports(false).is_ok();
                }
            }
            Transport::Udp => self.datagrams.take(&self.epoll, (number, port.host.as_fd()), target),
            Transport::Sctp => {}
        }
    }
}
