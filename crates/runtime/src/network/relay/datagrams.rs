//! Datagrams: each sender has a socket of its own towards the container, so that answers find back.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{RecvFlags, SendFlags};

use super::FIRST_DATAGRAM;
use crate::network::ports::PortForward;

/// So long an answer is waited for; Docker's proxy does so too.
const PATIENCE: Duration = Duration::from_secs(90);
/// So many senders at once; then the one that has been silent longest is forgotten.
const MOST: usize = 1024;
/// The largest there is.
const LARGEST: usize = 1 << 16;
/// So many of one port before others have their turn.
const TURNS: usize = 64;

/// Who has sent something lately.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    numbers: HashMap<(u64, SocketAddr), u64>,
    senders: HashMap<u64, Sender>,
    next: u64,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Sender {
    port: u64,
    address: SocketAddr,
    socket: UdpSocket,
    last: Instant,
}

impl Datagrams {
    pub(super) fn is_empty(&self) -> bool {
        self.senders.is_empty()
    }

    /// Takes what has come to a port.
    pub(super) fn take(&mut self, epoll: &OwnedFd, (port, socket): (u64, BorrowedFd<'_>), target: SocketAddr) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(LARGEST, 0);
        for _ in 0..TURNS {
            let received = rustix::net::recvfrom(socket, &mut buffer[..], RecvFlags::DONTWAIT);
            let Ok((count, _, Some(from))) = received else { break };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            if let Some(sender) = self.sender(epoll, (port, from), target) {
                sender.last = Instant::now();
                // A datagram may be lost; whether the container listens is not ours to say.
                sender.socket.send(&buffer[..count]).ok();
            }
        }
        self.buffer = buffer;
    }

    fn sender(&mut self, epoll: &OwnedFd, key: (u64, SocketAddr), target: SocketAddr) -> Option<&mut Sender> {
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                if self.senders.len() >= MOST {
                    let oldest = self.senders.iter().min_by_key(|(_, sender)| sender.last).map(|(number, _)| *number);
                    oldest.into_iter().for_each(|number| self.forget(epoll, number));
                }
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
                socket.connect(target).and_then(|()| socket.set_nonblocking(true)).ok()?;
                let number = FIRST_DATAGRAM + self.next;
                self.next += 1;
                epoll::add(epoll, &socket, EventData::new_u64(number), EventFlags::IN).ok()?;
                let (port, address) = key;
                self.senders.insert(number, Sender { port, address, socket, last: Instant::now() });
                self.numbers.insert(key, number);
                number
            }
        };
        self.senders.get_mut(&number)
    }

    /// The container has answered.
    pub(super) fn answer(&mut self, number: u64, ports: &[PortForward]) {
        let Some(sender) = self.senders.get_mut(&number) else { return };
        let port = usize::try_from(sender.port - 1).ok().and_then(|place| ports.get(place));
        let Some(port) = port else { return };
        self.buffer.resize(LARGEST, 0);
        for _ in 0..TURNS {
            // An error is the container's refusal of an earlier one, of which the sender hears nothing.
            let Ok(count) = sender.socket.recv(&mut self.buffer) else { break };
            sender.last = Instant::now();
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            rustix::net::sendto(port.host.as_fd(), &self.buffer[..count], flags, &sender.address).ok();
        }
    }

    /// Forgets who has neither sent nor got anything for long.
    pub(super) fn forget_idle(&mut self, epoll: &OwnedFd) {
        let idle = |sender: &Sender| sender.last.elapsed() > PATIENCE;
        let numbers: Vec<u64> =
            self.senders.iter().filter(|(_, sender)| idle(sender)).map(|(number, _)| *number).collect();
        for number in numbers {
            self.forget(epoll, number);
        }
    }

    fn forget(&mut self, epoll: &OwnedFd, number: u64) {
        if let Some(sender) = self.senders.remove(&number) {
            epoll::delete(epoll, &sender.socket).ok();
            self.numbers.remove(&(sender.port, sender.address));
        }
    }
}
