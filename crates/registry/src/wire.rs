//! Sockets that are given up early: when nobody waits any longer, and when the other side has been silent for too long.
//!
//! A thread says with [`patiently`] how long it waits; all sockets that it uses within go by that. Sockets do not block:
//! each wait is a short poll, after which it is asked again whether somebody still waits. This file knows no HTTP.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

/// Of one name: as many as the library has room for.
const MOST_ADDRESSES: usize = 16;

/// How long a wait lasts before it is asked whether somebody still waits.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// Says that nobody waits any longer; shared by all threads that work for one caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt(Arc<AtomicBool>);

impl Halt {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long a thread waits for a socket.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    pub(crate) halt: Halt,
    /// For a connection to be made.
    pub(crate) connect: Duration,
    /// Without any byte.
    pub(crate) silence: Duration,
    /// A read ends with the first slice in which nothing came; it can be repeated.
    pub(crate) returns_early: bool,
}

thread_local! {
    static PATIENCE: RefCell<Option<Patience>> = const { RefCell::new(None) };
}

/// Does some work whose sockets are waited for like that.
pub(crate) fn patiently<T>(patience: Patience, work: impl FnOnce() -> T) -> T {
    let before = PATIENCE.replace(Some(patience));
    let result = work();
    PATIENCE.set(before);
    result
}

/// An error of reading a body as the kernel would have it: the library wraps its own, and a time that is up is one.
pub(crate) fn unwrapped(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::Timeout(_)) => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// Looks up names on another thread, which is left alone when nobody waits any longer.
#[derive(Debug, Default)]
pub(crate) struct PatientResolver;

impl Resolver for PatientResolver {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?.trim_matches(['[', ']']).to_owned();
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let mut found = self.empty();
        if let Ok(address) = host.parse::<IpAddr>() {
            found.push(SocketAddr::new(address, port));
            return Ok(found);
        }
        let (sender, answer) = channel();
        let look_up = move || drop(sender.send((host.as_str(), port).to_socket_addrs().map(Vec::from_iter)));
        std::thread::Builder::new().name("resolve".to_owned()).spawn(look_up)?;
        let started = Instant::now();
        let addresses = loop {
            let is_over = PATIENCE.with_borrow(|patience| {
                patience.as_ref().is_none_or(|patience| patience.halt.is_set() || started.elapsed() >= patience.connect)
            });
            match answer.recv_timeout(SLICE) {
                Ok(addresses) => break addresses?,
                Err(_) if is_over => return Err(Error::Timeout(Timeout::Resolve)),
                Err(_) => {}
            }
        };
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            found.push(address);
        }
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}

/// Opens the connections of an agent.
#[derive(Debug, Default)]
pub(crate) struct PatientConnector;

impl<In: Transport> Connector<In> for PatientConnector {
    type Out = Either<In, PatientTransport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let mut failed = Error::ConnectionFailed;
        for (rank, address) in details.addrs.iter().enumerate() {
            let others = u32::try_from(details.addrs.len() - rank).unwrap_or(1);
            match open(*address, others) {
                Ok(stream) => {
                    let (input, output) = (details.config.input_buffer_size(), details.config.output_buffer_size());
                    let transport = PatientTransport { stream, buffers: LazyBuffers::new(input, output) };
                    return Ok(Some(Either::B(transport)));
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

/// Connects within its part of the time that is left for `others` addresses, the first of which gets half.
fn open(address: SocketAddr, others: u32) -> Result<TcpStream, Error> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).map_err(io::Error::from)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            let stream = TcpStream::from(socket.try_clone()?);
            let limit = |patience: &Patience| if others > 1 { patience.connect / 2 } else { patience.connect };
            wait(&stream, PollFlags::OUT, Timeout::Connect, limit, false)?;
            rustix::net::sockopt::socket_error(&socket).map_err(io::Error::from)?.map_err(io::Error::from)?;
        }
        Err(error) => return Err(io::Error::from(error).into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection whose waits are sliced.
#[derive(Debug)]
pub(crate) struct PatientTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Transport for PatientTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let mut left = &self.buffers.output()[..amount];
        while !left.is_empty() {
            match (&self.stream).write(left) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(&self.stream, PollFlags::OUT, Timeout::SendBody, |patience| patience.silence, false)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        loop {
            match (&self.stream).read(self.buffers.input_append_buf()) {
                Ok(count) => {
                    self.buffers.input_appended(count);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // The library waits for `100 Continue` for a second only.
                    let (reason, most) = match timeout.reason {
                        Timeout::Await100 => (Timeout::Await100, *timeout.after),
                        _ => (Timeout::RecvResponse, Duration::MAX),
                    };
                    wait(&self.stream, PollFlags::IN, reason, |patience| patience.silence.min(most), true)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_open(&mut self) -> bool {
        let read = (&self.stream).read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Waits until the socket is ready, in slices.
fn wait(
    stream: &TcpStream,
    flags: PollFlags,
    reason: Timeout,
    limit: impl Fn(&Patience) -> Duration,
    may_return_early: bool,
) -> Result<(), Error> {
    PATIENCE.with_borrow(|patience| {
        let Some(patience) = patience else {
            return Err(io::Error::other("a socket is used without a limit of time").into());
        };
        let started = Instant::now();
        let slice = Timespec::try_from(SLICE).expect("a slice is far below the largest time");
        loop {
            if patience.halt.is_set() {
                return Err(io::Error::other("cancelled").into());
            }
            match rustix::event::poll(&mut [PollFd::new(stream, flags)], Some(&slice)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(io::Error::from(error).into()),
            }
            if patience.returns_early && may_return_early {
                return Err(Error::Timeout(Timeout::PerRead));
            }
            if started.elapsed() >= limit(patience) {
                return Err(Error::Timeout(reason));
            }
        }
    })
}
