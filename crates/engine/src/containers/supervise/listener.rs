//! The socket by which others attach: `attach` in the container's folder.
//!
//! A socket's address has room for 108 bytes, less than paths can have. So it is reached by the descriptor of its folder.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::AtFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::containers::container::Container;

const NAME: &str = "attach";
/// So many may come at the same moment.
const BACKLOG: i32 = 64;

/// Where clients come in.
#[derive(Debug)]
pub(super) struct Listener {
    socket: OwnedFd,
}

impl Listener {
    /// In place of the one of an owner before us.
    pub(super) fn open(container: &Container) -> io::Result<Self> {
        match rustix::fs::unlinkat(container.folder.as_fd(), NAME, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::bind(&socket, &address(container)?)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self { socket })
    }

    pub(super) fn accept(&self) -> Option<OwnedFd> {
        rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC).ok()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn address(container: &Container) -> io::Result<SocketAddrUnix> {
    let folder = container.folder.as_fd().as_raw_fd();
    Ok(SocketAddrUnix::new(format!("/proc/self/fd/{folder}/{NAME}"))?)
}

/// Connects with the owner of a container; `None` when nobody listens.
pub(in crate::containers) fn connect(container: &Container) -> io::Result<Option<OwnedFd>> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    match rustix::net::connect(&socket, &address(container)?) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
