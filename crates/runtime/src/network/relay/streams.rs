//! Connections: bytes both ways, each way with its own end.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::FIRST_STREAM;

/// So many at once; more wait at the port.
const MOST: usize = 4096;
/// What is taken from one side before the other has it.
const CHUNK: usize = 128 << 10;
/// So often one goes on before the others have their turn.
const TURNS: usize = 8;

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: HashMap<u64, Connection>,
    next: u64,
    buffer: Vec<u8>,
    /// The last attempt to take one found no descriptor or memory for it, and none has ended since.
    is_short: bool,
}

/// Who has connected with the port, and the container.
#[derive(Debug)]
struct Connection {
    sides: [TcpStream; 2],
    /// From each side to the other.
    flows: [Flow; 2],
    /// What is waited for on each side.
    interest: [EventFlags; 2],
    is_connecting: bool,
}

#[derive(Debug, Default)]
struct Flow {
    /// Taken and not handed on yet.
    pending: Vec<u8>,
    /// Nothing more comes, and the other side has been told so.
    has_ended: bool,
}

impl Streams {
    pub(super) fn have_room(&self) -> bool {
        self.open.len() < MOST && !self.is_short
    }

    /// Takes all that wait at a port; false when there is no room.
    pub(super) fn accept(&mut self, epoll: &OwnedFd, port: BorrowedFd<'_>, target: SocketAddr) -> bool {
        while self.have_room() {
            let accepted = rustix::net::accept_with(port, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
            let client = match accepted {
                Ok(client) => TcpStream::from(client),
                Err(Errno::WOULDBLOCK) => return true,
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(_) => {
                    self.is_short = true;
                    break;
                }
            };
            let Ok(server) = connect(target) else {
                reset(&client);
                continue;
            };
            let number = FIRST_STREAM + 2 * self.next;
            self.next += 1;
            for side in [&client, &server] {
                // What comes in one piece goes on in one piece.
                side.set_nodelay(true).ok();
            }
            let connection = Connection {
                sides: [client, server],
                flows: [Flow::default(), Flow::default()],
                interest: [EventFlags::empty(); 2],
                is_connecting: true,
            };
            self.open.insert(number, connection);
            self.go_on(epoll, number);
        }
        // Looked at again in a second, at the latest.
        let had_room = self.have_room();
        self.is_short = self.is_short && !self.open.is_empty();
        had_room
    }

    /// Something has happened on one of a connection's sides.
    pub(super) fn go_on(&mut self, epoll: &OwnedFd, number: u64) {
        let number = number & !1;
        let Some(connection) = self.open.get_mut(&number) else { return };
        self.buffer.resize(CHUNK, 0);
        let outcome = connection.go_on(&mut self.buffer).and_then(|is_over| {
            if !is_over {
                connection.watch(epoll, number)?;
            }
            Ok(is_over)
        });
        if outcome.is_err() {
            connection.sides.iter().for_each(reset);
        }
        if outcome.unwrap_or(true) {
            self.open.remove(&number);
            self.is_short = false;
        }
    }
}

impl Connection {
    /// Hands on what can be; true when all is over.
    fn go_on(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        if self.is_connecting {
            let server = &self.sides[1];
            if let Some(error) = server.take_error()? {
                return Err(error);
            }
            match server.peer_addr() {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
                other => drop(other?),
            }
            self.is_connecting = false;
        }
        for from in [0, 1] {
            for _ in 0..TURNS {
                if !self.flows[from].step(&self.sides[from], &self.sides[1 - from], buffer)? {
                    break;
                }
            }
        }
        Ok(self.flows.iter().all(|flow| flow.has_ended))
    }

    /// Has the kernel tell us when more can be done, and nothing else: a side that waits for the other would be told of again and
    /// again.
    fn watch(&mut self, epoll: &OwnedFd, number: u64) -> io::Result<()> {
        for side in [0, 1] {
            let mut wanted = EventFlags::empty();
            let (from_it, to_it) = (&self.flows[side], &self.flows[1 - side]);
            wanted.set(EventFlags::IN, !self.is_connecting && !from_it.has_ended && from_it.pending.is_empty());
            wanted.set(EventFlags::OUT, !to_it.pending.is_empty() || (self.is_connecting && side == 1));
            let had = self.interest[side];
            if had == wanted {
                continue;
            }
            let (socket, data) = (&self.sides[side], EventData::new_u64(number + side as u64));
            match (had.is_empty(), wanted.is_empty()) {
                (true, _) => epoll::add(epoll, socket, data, wanted)?,
                (_, true) => epoll::delete(epoll, socket)?,
                _ => epoll::modify(epoll, socket, data, wanted)?,
            }
            self.interest[side] = wanted;
        }
        Ok(())
    }
}

impl Flow {
    /// Hands on one piece; false when there is nothing to be done now.
    fn step(&mut self, mut from: &TcpStream, to: &TcpStream, buffer: &mut [u8]) -> io::Result<bool> {
        if !self.pending.is_empty() {
            let written = write(to, &self.pending)?;
            drop(self.pending.drain(..written));
            return Ok(self.pending.is_empty());
        }
        if self.has_ended {
            return Ok(false);
        }
        let count = match from.read(buffer) {
            Ok(0) => {
                self.has_ended = true;
                return match to.shutdown(Shutdown::Write) {
                    // It has gone meanwhile.
                    Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
                    _ => Ok(false),
                };
            }
            Ok(count) => count,
            Err(error) if is_for_later(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        let written = write(to, &buffer[..count])?;
        self.pending.extend_from_slice(&buffer[written..count]);
        Ok(self.pending.is_empty())
    }
}

fn write(mut to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match to.write(bytes) {
        Err(error) if is_for_later(&error) => Ok(0),
        other => other,
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Begins to connect.
fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// Closing it is to say that something went wrong, not that all has been said.
fn reset(side: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(side, Some(Duration::ZERO)).ok();
}
