//! Networks without root: in a network namespace of the user's own, the outer one, that a program of user space connects to the
//! world.
//!
//! ```text
//!  host's namespace          outer namespace                        containers' namespaces
//!  pasta (or slirp4netns) ── tap0 ── routing, nf_tables ── onggi0 ── eth0
//! ```
//!
//! Within it all is as with root on a host: bridges, addresses, rules, names. It is shared by the live processes of one user namespace,
//! and belongs to none of them: a small process, the [`holder`], keeps it for as long as somebody is connected with
//! it, by a socket in a folder. The kernel closes the connection of who is killed, so nothing stays behind.
//!
//! Who joins takes the folder's lock, and so does the holder before it goes: nobody joins one that is going.

mod holder;
mod way_out;

use std::fs;
use std::io::{self, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

pub use self::holder::hold;
use super::addresses::StateLock;
use super::bridge::open_routes;
use super::firewall;
use super::namespace::NetworkNamespace;
use super::{NetlinkError, NetworkError};

/// Largest packet between containers and the program that carries them on: it takes streams apart anyway, so the larger, the faster.
pub const OUTER_MTU: u32 = 65520;
/// Asked for names here, that program asks the host's first name server, wherever that is.
pub const OUTER_NAME_SERVER: Ipv4Addr = Ipv4Addr::new(169, 254, 77, 3);

/// The holder's words, one byte each: here is the namespace …
const NAMESPACE: u8 = b'n';
/// … it leads to the world …
const READY: u8 = b'r';
/// … or why it does not: text to the end.
const FAILED: u8 = b'e';

/// A place in the outer namespace, which stays at least as long as this value does.
#[derive(Debug)]
pub struct OuterNetwork {
    namespace: NetworkNamespace,
    line: UnixStream,
    way_out: OnceLock<Result<(), String>>,
}

/// Whether this process may change the network of the namespace that it is in.
///
/// # Errors
/// Without netlink.
pub fn is_administrator() -> Result<bool, NetworkError> {
    // Who may not is told so before anybody looks whether there is such an interface.
    match open_routes()?.delete_link("onggi-nobody") {
        Err(NetlinkError { source: rustix::io::Errno::PERM, .. }) => Ok(false),
        _ => Ok(true),
    }
}

impl OuterNetwork {
    /// Joins the outer namespace of this process's user namespace, or makes one: then `holder` is started, which is to call [`hold`] with
    /// the path that it gets as its last argument. It does not wait until the way out is there.
    ///
    /// # Errors
    /// When there is no right to make one, or `holder` cannot be started.
    pub fn join(folder: &Path, holder: Command) -> Result<Self, NetworkError> {
        let lock = StateLock::acquire(folder)?;
        let socket = Socket::new(folder)?;
        if let Some(line) = socket.connect()? {
            drop(lock);
            return Self::receive(line);
        }
        let namespace = NetworkNamespace::create()?;
        // Where there is no nf_tables, bridges will say so.
        namespace.run(|| firewall::ignore_strays(way_out::INTERFACE))?.ok();
        let line = socket.start(&namespace, holder)?;
        drop(lock);
        read_word(&line).map_err(error("join"))?;
        Ok(Self { namespace, line, way_out: OnceLock::new() })
    }

    /// The outer namespace of this process's user namespace, if there is one.
    ///
    /// # Errors
    /// When it is there and cannot be joined.
    pub fn find(folder: &Path) -> Result<Option<Self>, NetworkError> {
        if !folder.exists() {
            return Ok(None);
        }
        let _lock = StateLock::acquire(folder)?;
        Socket::new(folder)?.connect()?.map(Self::receive).transpose()
    }

    fn receive(line: UnixStream) -> Result<Self, NetworkError> {
        let namespace = NetworkNamespace::open(read_word(&line).map_err(error("join"))?)?;
        Ok(Self { namespace, line, way_out: OnceLock::new() })
    }

    /// Runs `work` on a thread inside.
    ///
    /// # Errors
    /// When the thread cannot be started or not enter.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetworkError> {
        self.namespace.run(work)
    }

    /// Waits until packets to the world get there.
    ///
    /// # Errors
    /// When no program is there that would carry them, or it does not work.
    pub fn wait_for_way_out(&self) -> Result<(), NetworkError> {
        let outcome = self.way_out.get_or_init(|| {
            let mut word = [0];
            let mut line = &self.line;
            let mut reason = String::new();
            match line.read(&mut word) {
                Ok(1) if word[0] == READY => return Ok(()),
                Ok(1) if word[0] == FAILED => drop(line.read_to_string(&mut reason)),
                _ => "the process that holds the network has ended".clone_into(&mut reason),
            }
            Err(reason)
        });
        outcome.clone().map_err(|reason| NetworkError::NoWayOut { reason })
    }
}

impl AsFd for OuterNetwork {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }
}

/// Where the holder listens. One of another user namespace has another name: we could do nothing in its network.
#[derive(Debug)]
struct Socket {
    folder: OwnedFd,
    path: PathBuf,
    name: String,
}

impl Socket {
    fn new(path: &Path) -> Result<Self, NetworkError> {
        use std::os::unix::fs::MetadataExt as _;
        let own = "/proc/self/ns/user";
        let number = fs::metadata(own).map_err(NetworkError::file("read", own))?.ino();
        let folder = fs::File::open(path).map_err(NetworkError::file("open", path))?;
        Ok(Self { folder: folder.into(), path: path.to_owned(), name: format!("holder-{number}") })
    }

    /// By the folder's descriptor: an address has room for 108 bytes, less than paths can have.
    fn address(&self) -> String {
        format!("/proc/self/fd/{}/{}", self.folder.as_raw_fd(), self.name)
    }

    /// `None` when nobody listens.
    fn connect(&self) -> Result<Option<UnixStream>, NetworkError> {
        match UnixStream::connect(self.address()) {
            Ok(line) => Ok(Some(line)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(source) => Err(error("join")(source)),
        }
    }

    /// Starts a holder and connects with it; the caller has the lock.
    fn start(&self, namespace: &NetworkNamespace, mut holder: Command) -> Result<UnixStream, NetworkError> {
        self.remove_dead()?;
        let listener = UnixListener::bind(self.address()).map_err(error("listen for users of"))?;
        let line = UnixStream::connect(self.address()).map_err(error("join"))?;
        let namespace = namespace.as_fd().try_clone_to_owned().map_err(error("hold"))?;
        let path = std::path::absolute(&self.path).map_err(error("hold"))?;
        holder
            .arg(path.join(&self.name))
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::from(namespace))
            .stderr(Stdio::null())
            .spawn()
            .map_err(error("hold"))?;
        Ok(line)
    }

    /// Removes the sockets of holders that were killed.
    fn remove_dead(&self) -> Result<(), NetworkError> {
        for entry in fs::read_dir(&self.path).map_err(NetworkError::file("list", &self.path))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let other = Self { folder: self.folder.try_clone().map_err(error("join"))?, path: PathBuf::new(), name };
            if other.name.starts_with("holder-") && other.connect()?.is_none() {
                fs::remove_file(entry.path()).map_err(NetworkError::file("remove", entry.path()))?;
            }
        }
        Ok(())
    }
}

/// The holder's first word, and what comes with it.
fn read_word(line: &UnixStream) -> io::Result<OwnedFd> {
    let mut word = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut word)];
    rustix::net::recvmsg(line, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptor.ok_or_else(|| io::Error::other("the process that holds the network has ended"))
}

fn error(action: &'static str) -> impl FnOnce(io::Error) -> NetworkError {
    move |source| NetworkError::Namespace { action, source }
}
