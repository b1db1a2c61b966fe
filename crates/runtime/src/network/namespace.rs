//! Network namespaces without a process in them: made, opened, entered by short-lived threads.
//!
//! A thread's namespace is its own, so nothing that the rest of the program does is touched.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::{self, JoinHandle};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::NetworkError;
use super::bridge::open_routes;
use super::rtnetlink::RouteSocket;

/// What Docker sets in each container: ports below 1024 and ping need no privilege there, since
/// the ports are the container's own.
const SETTINGS: [(&str, &str); 2] =
    [("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"), ("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")];

/// A network namespace, kept alive by this value; also by processes in it. When the last one goes, the
/// kernel removes its interfaces and their other ends on the host, in the background.
#[derive(Debug)]
pub struct NetworkNamespace {
    descriptor: OwnedFd,
    /// Opened inside, and usable from outside: later changes need no thread.
    routes: RouteSocket,
}

impl NetworkNamespace {
    /// Makes a namespace with nothing but a loopback interface that is on: `--network none`.
    ///
    /// # Errors
    /// Without the right to (`EPERM`), or when the limit on namespaces is reached (`ENOSPC`).
    pub fn create() -> Result<Self, NetworkError> {
        join(Self::start_creating()?)
    }

    /// Begins to make a namespace, for those who have something else to do meanwhile.
    pub(super) fn start_creating() -> Result<JoinHandle<Result<Self, NetworkError>>, NetworkError> {
        thread::Builder::new().spawn(create_here).map_err(namespace_error("create"))
    }

    /// Takes over a namespace that somebody else made, from a descriptor of `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// When the descriptor is no network namespace, or without the right to enter it.
    pub fn open(descriptor: OwnedFd) -> Result<Self, NetworkError> {
        let routes = inside(descriptor.as_fd(), open_routes)??;
        Ok(Self { descriptor, routes })
    }

    /// Runs `work` on a thread inside the namespace.
    ///
    /// # Errors
    /// When the thread cannot be started or not enter.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetworkError> {
        inside(self.as_fd(), work)
    }

    /// Returns the socket into the namespace's links, addresses and routes.
    pub fn routes(&mut self) -> &mut RouteSocket {
        &mut self.routes
    }

    /// Gives up everything but the descriptor.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }
}

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn create_here() -> Result<NetworkNamespace, NetworkError> {
    #[expect(deprecated, reason = "its replacement is unsafe because of CLONE_FILES alone, which is not asked for")]
    rustix::thread::unshare(UnshareFlags::NEWNET).map_err(io::Error::from).map_err(namespace_error("create"))?;
    for (path, value) in SETTINGS {
        // A comfort: where /proc/sys is read-only (Onggi itself in a container) the kernel's defaults remain.
        fs::write(path, value).unwrap_or_default();
    }
    let mut routes = open_routes()?;
    routes.set_up("lo")?;
    let descriptor = File::open("/proc/thread-self/ns/net").map_err(namespace_error("open"))?;
    Ok(NetworkNamespace { descriptor: descriptor.into(), routes })
}

fn inside<T: Send>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> Result<T, NetworkError> {
    thread::scope(|scope| {
        let enter_and_work = || {
            move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))?;
            Ok(work())
        };
        let thread = thread::Builder::new().spawn_scoped(scope, enter_and_work);
        let outcome = thread.map_err(namespace_error("enter"))?.join();
        // A panic of `work` goes on in the caller, as if it had been called here.
        outcome
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .map_err(|errno: rustix::io::Errno| namespace_error("enter")(errno.into()))
    })
}

pub(super) fn join(
    thread: JoinHandle<Result<NetworkNamespace, NetworkError>>,
) -> Result<NetworkNamespace, NetworkError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn namespace_error(action: &'static str) -> impl FnOnce(io::Error) -> NetworkError {
    move |source| NetworkError::Namespace { action, source }
}
