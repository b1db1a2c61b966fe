//! Somebody who is attached: what it sends, and what is on its way to it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime::WindowSize;
use rustix::event::PollFlags;
use rustix::net::SendFlags;

use crate::containers::wire::{self, Decoder, Hello};
use crate::streams::{OutputStream, Queue};

/// What a client wants done.
#[derive(Debug)]
pub(super) enum Request {
    Stdin(Vec<u8>),
    StdinClosed,
    Resize(WindowSize),
    Signal(i32),
    Hold,
}

/// An attached client.
#[derive(Debug)]
pub(super) struct Client {
    id: u64,
    socket: OwnedFd,
    incoming: Decoder,
    outgoing: Queue,
    /// What it wants; nothing until it has said so.
    hello: Hello,
    /// It knows that the container has ended.
    is_leaving: bool,
    is_gone: bool,
}

impl Client {
    pub(super) fn new(id: u64, socket: OwnedFd) -> Self {
        let (incoming, outgoing) = (Decoder::default(), Queue::default());
        Self { id, socket, incoming, outgoing, hello: Hello::default(), is_leaving: false, is_gone: false }
    }

    /// Waits for its first word, which it wrote before it handed us the socket.
    pub(super) fn await_hello(&mut self) -> Hello {
        loop {
            let is_there = match self.incoming.next_frame() {
                Ok(Some((wire::HELLO, payload))) => {
                    self.hello = Hello::decode(payload);
                    return self.hello;
                }
                Ok(other) => Ok(other.is_some()),
                Err(gone) => Err(gone),
            };
            let went_on = is_there.and_then(|is_there| match is_there {
                true => Ok(()),
                false => self.incoming.fill(&self.socket, true),
            });
            if went_on.is_err() {
                self.is_gone = true;
                return self.hello;
            }
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// It has left, or got all that it will get.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone || self.is_leaving && self.outgoing.is_empty()
    }

    pub(super) fn has_stdin(&self) -> bool {
        self.hello.stdin
    }

    /// Nothing more should be written for it now.
    pub(super) fn is_full(&self) -> bool {
        self.outgoing.is_full() && !self.is_leaving && !self.is_gone
    }

    pub(super) fn events(&self) -> PollFlags {
        if self.outgoing.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }

    pub(super) fn deliver(&mut self, stream: OutputStream, bytes: &[u8]) {
        let (is_wanted, kind) = match stream {
            OutputStream::Stdout => (self.hello.stdout, wire::STDOUT),
            OutputStream::Stderr => (self.hello.stderr, wire::STDERR),
        };
        if is_wanted {
            self.send(kind, bytes);
        }
    }

    pub(super) fn tell_end(&mut self, code: u8) {
        if !self.is_leaving {
            self.send(wire::ENDED, &[code]);
            self.is_leaving = true;
        }
    }

    pub(super) fn tell_held(&mut self) {
        self.send(wire::HELD, &[]);
    }

    pub(super) fn tell_taken(&mut self, count: usize) {
        self.send(wire::TAKEN, &u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn send(&mut self, kind: u8, payload: &[u8]) {
        if !self.is_leaving && !self.is_gone {
            wire::push(&mut self.outgoing, kind, payload);
            self.flush();
        }
    }

    /// Sends what it can take now.
    pub(super) fn flush(&mut self) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        if self.outgoing.write(|bytes| rustix::net::send(&self.socket, bytes, flags)).is_err() {
            self.is_gone = true;
        }
    }

    /// What it sent.
    pub(super) fn requests(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut gone = self.incoming.fill(&self.socket, false).err();
        while gone.is_none() {
            match self.incoming.next_frame() {
                Ok(Some((kind, payload))) => match kind {
                    wire::HELLO => self.hello = Hello::decode(payload),
                    wire::STDIN if self.hello.stdin => requests.push(Request::Stdin(payload.to_vec())),
                    wire::STDIN_CLOSED if self.hello.stdin => requests.push(Request::StdinClosed),
                    wire::RESIZE => requests.extend(wire::decode_size(payload).map(Request::Resize)),
                    wire::SIGNAL => requests.extend(payload.first().map(|signal| Request::Signal((*signal).into()))),
                    wire::HOLD => requests.push(Request::Hold),
                    _ => {}
                },
                Ok(None) => break,
                Err(error) => gone = Some(error),
            }
        }
        self.is_gone |= gone.is_some();
        requests
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
