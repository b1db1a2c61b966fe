//! One of our own standard streams, written to without waiting.
//!
//! The descriptor is shared with whoever started us, so it cannot be told never to wait: they would not expect that.
//! A pipe or a terminal is opened once more instead, which makes a file description of our own.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::{OutputStream, Queue};

/// What a pipe takes without waiting when it says that it takes something (`PIPE_BUF`).
const SMALL: usize = 4096;

/// Standard output or standard error.
#[derive(Debug)]
pub(crate) struct Output {
    stream: OutputStream,
    way: Option<Way>,
    queue: Queue,
    /// Why it cannot be written to any more.
    broken: Option<Errno>,
}

/// How it is written to.
#[derive(Debug)]
enum Way {
    /// Files never make anybody wait.
    Direct,
    /// Our own description of it.
    Reopened(OwnedFd),
    Socket,
    /// Somebody else's pipe: little at a time, when there is room.
    Small,
}

impl Output {
    pub(crate) fn new(stream: OutputStream) -> Self {
        Self { stream, way: None, queue: Queue::default(), broken: None }
    }

    /// Writes, and keeps what cannot be written now.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        self.queue.push(bytes);
        self.flush();
    }

    /// Writes what is left, as far as that goes without waiting.
    pub(crate) fn flush(&mut self) {
        let descriptor = self.descriptor();
        let way = self.way.get_or_insert_with(|| Way::of(descriptor));
        let written = self.queue.write(|bytes| way.write(descriptor, bytes));
        if let Err(errno) = written {
            self.broken = Some(errno);
            self.queue.clear();
        }
    }

    /// Nobody reads it any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// It was a terminal, which has been closed.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.broken == Some(Errno::IO)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// To be looked at until it can be written to; `None` when there is nothing to write.
    pub(crate) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        if self.queue.is_empty() {
            return None;
        }
        match &self.way {
            Some(Way::Reopened(own)) => Some(own.as_fd()),
            _ => Some(self.descriptor()),
        }
    }

    fn descriptor(&self) -> BorrowedFd<'static> {
        match self.stream {
            OutputStream::Stdout => rustix::stdio::stdout(),
            OutputStream::Stderr => rustix::stdio::stderr(),
        }
    }
}

impl Way {
    fn of(descriptor: BorrowedFd<'_>) -> Self {
        let kind = rustix::fs::fstat(descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            Ok(FileType::Socket) => Self::Socket,
            Ok(FileType::Fifo | FileType::CharacterDevice) => {
                let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&descriptor));
                let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                rustix::fs::open(path, flags, Mode::empty()).map_or(Self::Small, Self::Reopened)
            }
            _ => Self::Direct,
        }
    }

    fn write(&self, descriptor: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Self::Direct => rustix::io::write(descriptor, bytes),
            Self::Reopened(own) => rustix::io::write(own, bytes),
            Self::Socket => rustix::net::send(descriptor, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Self::Small => {
                let mut ready = [PollFd::new(&descriptor, PollFlags::OUT)];
                match rustix::event::poll(&mut ready, Some(&Timespec::default()))? {
                    0 => Err(Errno::AGAIN),
                    _ => rustix::io::write(descriptor, &bytes[..bytes.len().min(SMALL)]),
                }
            }
        }
    }
}
