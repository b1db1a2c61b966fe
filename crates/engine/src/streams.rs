//! Bytes on their way: between a container, our own streams, and those who are attached.
//!
//! Nothing here ever waits for a reader: what cannot be written yet is kept in a [`Queue`], and whoever fills it looks
//! whether it is full first. So one loop can serve everything, and no byte is lost.

mod output;
mod queue;

use std::os::fd::OwnedFd;

use rustix::fs::OFlags;

pub(crate) use output::Output;
pub(crate) use queue::Queue;

/// Where output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputStream {
    /// Descriptor 1, or a terminal.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// As much is read at once; pipes hold no more.
pub(crate) const CHUNK: usize = 64 << 10;

/// Reads and writes of this file never wait from now on.
pub(crate) fn never_wait(file: &OwnedFd) -> rustix::io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    rustix::fs::fcntl_setfl(file, flags | OFlags::NONBLOCK)
}
