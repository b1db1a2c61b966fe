//! Netlink messages and the socket that carries them: bytes out, answers in.
//!
//! The kernel answers a netlink request while the sender is still inside
//! `sendto`, so a send followed by non-blocking receives is complete; nothing here
//! waits, retries or needs a thread. Several requests go out in one datagram,
//! which is what makes a network ready in a handful of system calls.
//!
//! This file knows headers, attributes and acknowledgements (RFC 3549 section 2.3,
//! linux/netlink.h); it refuses to know what a link or a firewall rule is.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto, socket_with,
};

pub(super) const FLAG_REQUEST: u16 = 0x1;
pub(super) const FLAG_ACK: u16 = 0x4;
/// The kernel's table changed while it was being listed.
const FLAG_DUMP_INTERRUPTED: u16 = 0x10;
pub(super) const FLAG_EXCLUSIVE: u16 = 0x200;
pub(super) const FLAG_DUMP: u16 = 0x300;
pub(super) const FLAG_CREATE: u16 = 0x400;
pub(super) const FLAG_APPEND: u16 = 0x800;

const MESSAGE_ERROR: u16 = 2;
const MESSAGE_DONE: u16 = 3;
const HEADER_LEN: usize = 16;

/// Larger than any datagram that the kernel sends without being asked to (32 KiB).
const RECEIVE_LEN: usize = 32 * 1024;
/// How often a listing is repeated that others kept changing under our hands.
const DUMP_ATTEMPTS: usize = 16;

/// A refusal of the kernel, with what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refused to {action} `{object}`")]
pub struct NetlinkError {
    /// What was asked, as a verb and its kind of object: `create bridge`.
    pub action: &'static str,
    /// The interface, address or table that it was asked about.
    pub object: String,
    /// The kernel's reason.
    #[source]
    pub source: Errno,
}

/// One request under construction; its header is completed when it is sent.
#[derive(Debug)]
pub(super) struct Request {
    bytes: Vec<u8>,
    flags: u16,
    action: &'static str,
    object: String,
}

impl Request {
    /// Begins a request; `action` and `object` say in an error what it was for.
    pub(super) fn new(kind: u16, flags: u16, action: &'static str, object: &str) -> Self {
        let flags = flags | FLAG_REQUEST;
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes, flags, action, object: object.to_owned() }
    }

    /// Appends the family's fixed header (`ifinfomsg`, `nfgenmsg`, …).
    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
        self
    }

    pub(super) fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// nf_tables speaks network byte order in its integers.
    pub(super) fn u32_be(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// A string with its terminating zero byte.
    pub(super) fn string(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut bytes = Vec::with_capacity(value.len() + 1);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
        self.attribute(kind, &bytes)
    }

    /// An attribute whose value is what `fill` appends.
    pub(super) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        fill(self);
        let len = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn expects_answer(&self) -> bool {
        self.flags & (FLAG_ACK | FLAG_DUMP) != 0
    }

    fn seal(&mut self, sequence: u32) {
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[0..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    }

    #[cfg(test)]
    pub(super) fn sealed(mut self, sequence: u32) -> Vec<u8> {
        self.seal(sequence);
        self.bytes
    }

    pub(super) fn error(&self, source: Errno) -> NetlinkError {
        NetlinkError { action: self.action, object: self.object.clone(), source }
    }
}

/// A netlink socket. It belongs for good to the network namespace of the thread that opened it,
/// whichever thread uses it later.
#[derive(Debug)]
pub(super) struct Socket {
    descriptor: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    pub(super) fn open(protocol: Option<Protocol>) -> Result<Self, Errno> {
        let descriptor = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        Ok(Self { descriptor, sequence: 0, buffer: vec![0; RECEIVE_LEN] })
    }

    /// Sends all requests in one datagram and hands every answer's type and payload to `receive`.
    ///
    /// Requests are carried out in order, also after one was refused (unless they
    /// form an nfnetlink batch); the first refusal is returned.
    pub(super) fn transact(
        &mut self,
        requests: &mut [Request],
        receive: &mut dyn FnMut(u16, &[u8]),
    ) -> Result<(), NetlinkError> {
        if requests.is_empty() {
            return Ok(());
        }
        let first_sequence = self.send(requests).map_err(|errno| requests[0].error(errno))?;
        let mut pending = requests.iter().filter(|request| request.expects_answer()).count();
        let mut refusal = None;
        while pending > 0 {
            let received = recv(&self.descriptor, &mut self.buffer[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC);
            let len = match received {
                Ok((_, len)) if len <= self.buffer.len() => len,
                Ok(_) => return Err(requests[0].error(Errno::MSGSIZE)),
                Err(errno) => return Err(refusal.unwrap_or_else(|| requests[0].error(errno))),
            };
            for message in Messages(&self.buffer[..len]) {
                let index = message.sequence.wrapping_sub(first_sequence) as usize;
                let Some(request) = requests.get(index) else { continue };
                if message.flags & FLAG_DUMP_INTERRUPTED != 0 {
                    refusal.get_or_insert_with(|| request.error(Errno::INTR));
                }
                let Some(outcome) = message.outcome() else {
                    receive(message.kind, message.payload);
                    continue;
                };
                if let Err(errno) = outcome {
                    refusal.get_or_insert_with(|| request.error(errno));
                    if !request.expects_answer() {
                        // A batch refused as a whole: nothing more comes.
                        pending = 1;
                    }
                }
                pending = pending.saturating_sub(1);
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Sends requests of which only success or refusal matters.
    pub(super) fn execute(&mut self, requests: &mut [Request]) -> Result<(), NetlinkError> {
        self.transact(requests, &mut |_, _| {})
    }

    /// Lists a table of the kernel, again if it changed meanwhile; `parse` picks what is wanted.
    pub(super) fn list<T>(
        &mut self,
        request: impl Fn() -> Request,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        let mut attempt = 1;
        loop {
            let mut found = Vec::new();
            let result = self.transact(&mut [request()], &mut |_, payload| found.extend(parse(payload)));
            match result {
                Err(error) if error.source == Errno::INTR && attempt < DUMP_ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
                Ok(()) => return Ok(found),
            }
        }
    }

    /// Numbers and sends the requests; returns the first one's number.
    fn send(&mut self, requests: &mut [Request]) -> Result<u32, Errno> {
        let first = self.sequence.wrapping_add(1);
        let mut datagram = Vec::with_capacity(requests.iter().map(|request| request.bytes.len()).sum());
        for request in requests {
            self.sequence = self.sequence.wrapping_add(1);
            request.seal(self.sequence);
            datagram.extend_from_slice(&request.bytes);
        }
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.descriptor, &datagram, SendFlags::empty(), &kernel)?;
        Ok(first)
    }
}

/// One message of a received datagram.
#[derive(Debug)]
struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl Message<'_> {
    /// How the request ended, if this message says so.
    fn outcome(&self) -> Option<Result<(), Errno>> {
        match self.kind {
            // Both carry a negative error number first; DONE of old kernels may carry nothing.
            MESSAGE_ERROR | MESSAGE_DONE => match u32_at(self.payload, 0).map(u32::cast_signed) {
                Some(code) if code < 0 => Some(Err(Errno::from_raw_os_error(-code))),
                _ => Some(Ok(())),
            },
            _ => None,
        }
    }
}

struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let len = u32_at(self.0, 0)? as usize;
        let payload = self.0.get(HEADER_LEN..len)?;
        let message =
            Message { kind: u16_at(self.0, 4)?, flags: u16_at(self.0, 6)?, sequence: u32_at(self.0, 8)?, payload };
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }
}

/// The attributes in `bytes`, as (type without its flag bits, value).
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of this type.
    pub(super) fn find(bytes: &'a [u8], kind: u16) -> Option<&'a [u8]> {
        Attributes(bytes).find_map(|(found, value)| (found == kind).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let len = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & 0x3fff;
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The text of a string attribute, without its terminating zero byte.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.split(|byte| *byte == 0).next()?).ok()
}

#[cfg(test)]
mod tests;
