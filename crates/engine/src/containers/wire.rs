//! What an attached client and the process that owns the container say to each other, over a Unix socket.
//!
//! A frame is a kind (one byte), a length (four, little endian) and that many bytes. Who does not know a kind passes over
//! it. A client begins with [`HELLO`]. It may have [`WINDOW`] bytes of input on their way, and more when it hears that some
//! were taken: so signals and window sizes always come through, also while the container does not read.

use std::os::fd::AsFd;

use runtime::WindowSize;
use rustix::io::Errno;
use rustix::net::RecvFlags;

use crate::streams::{CHUNK, Queue};

/// Client: which streams it wants, and the size of its terminal ([`Hello`]).
pub(super) const HELLO: u8 = 1;
/// Client: input for the container.
pub(super) const STDIN: u8 = 2;
/// Client: there is no more input.
pub(super) const STDIN_CLOSED: u8 = 3;
/// Client: columns and rows, two bytes each.
pub(super) const RESIZE: u8 = 4;
/// Client: a signal for the container, one byte.
pub(super) const SIGNAL: u8 = 5;
/// Client: when the container ends, it is not to be started again. Answered by [`HELD`].
pub(super) const HOLD: u8 = 6;
/// Owner: bytes from the container.
pub(super) const STDOUT: u8 = 16;
pub(super) const STDERR: u8 = 17;
/// Owner: so many bytes of input were taken (four bytes).
pub(super) const TAKEN: u8 = 18;
/// Owner: the container has ended, with this code; all that it wrote was sent before.
pub(super) const ENDED: u8 = 19;
pub(super) const HELD: u8 = 20;

/// So much input may be on its way.
pub(super) const WINDOW: usize = 256 << 10;
/// No frame is longer.
const LONGEST: usize = 1 << 20;
const HEADER: usize = 5;

/// A client's first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hello {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) size: Option<WindowSize>,
}

impl Hello {
    pub(super) fn encode(self) -> Vec<u8> {
        let streams = u8::from(self.stdin) | u8::from(self.stdout) << 1 | u8::from(self.stderr) << 2;
        [&[streams][..], &self.size.map(encode_size).unwrap_or_default()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let streams = bytes.first().copied().unwrap_or_default();
        let size = bytes.get(1..).and_then(decode_size);
        Self { stdin: streams & 1 != 0, stdout: streams & 2 != 0, stderr: streams & 4 != 0, size }
    }
}

pub(super) fn encode_size(size: WindowSize) -> [u8; 4] {
    let ([a, b], [c, d]) = (size.columns.to_le_bytes(), size.rows.to_le_bytes());
    [a, b, c, d]
}

pub(super) fn decode_size(bytes: &[u8]) -> Option<WindowSize> {
    let [a, b, c, d] = bytes.try_into().ok()?;
    let (columns, rows) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    (columns > 0 && rows > 0).then_some(WindowSize { columns, rows })
}

/// Puts a frame into a queue.
pub(super) fn push(queue: &mut Queue, kind: u8, payload: &[u8]) {
    let [a, b, c, d] = u32::try_from(payload.len()).unwrap_or_default().to_le_bytes();
    queue.push(&[kind, a, b, c, d]);
    queue.push(payload);
}

/// Frames out of the bytes of a socket.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    taken: usize,
}

/// The other side is gone, or speaks something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

impl Decoder {
    /// Reads what has come; waits for something if `wait`.
    pub(super) fn fill(&mut self, socket: &impl AsFd, wait: bool) -> Result<(), Gone> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let held = self.bytes.len();
        self.bytes.resize(held + CHUNK, 0);
        let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        let received = rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut self.bytes[held..], flags));
        let count = match received {
            Ok((0, _)) => Err(Gone),
            Ok((count, _)) => Ok(count),
            Err(Errno::AGAIN) => Ok(0),
            Err(_) => Err(Gone),
        };
        self.bytes.truncate(held + count.unwrap_or_default());
        count.map(drop)
    }

    /// The next whole frame.
    pub(super) fn next_frame(&mut self) -> Result<Option<(u8, &[u8])>, Gone> {
        let rest = &self.bytes[self.taken..];
        let [kind, a, b, c, d, ..] = rest else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).map_err(|_| Gone)?;
        if length > LONGEST {
            return Err(Gone);
        }
        let Some(payload) = rest.get(HEADER..HEADER + length) else { return Ok(None) };
        self.taken += HEADER + length;
        Ok(Some((*kind, payload)))
    }
}

#[cfg(test)]
mod tests;
