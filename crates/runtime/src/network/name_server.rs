//! Names in a container's networks: 127.0.0.11 in its namespace, answered by the process that owns the container.
//!
//! Everybody's names stand in files beside the addresses (`addresses`), which are read for each question: a container is
//! known the moment it is attached, and nothing is remembered. Other questions go to the host's servers, from the host's
//! namespace, byte for byte. The sockets have ports of the kernel's choice, and the container's packet filter leads port 53 of that one
//! address to them, so that a container may have a name server of its own.
//!
//! One thread that waits for all at once, begun after the container's process; a connection (TCP, for long answers) has one of
//! its own, as long as it lasts.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::NetworkError;
use super::addresses::registered_names;
use super::dns::{self, Question, TYPE_A, TYPE_PTR};
use super::firewall::open;
use super::namespace::NetworkNamespace;
use super::nftables::{Expression, OUTPUT, PortChange, PortMap, PortRule, Rule, Table};
use super::subnet::Subnet;

/// Docker's address for it.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const TABLE: &str = "onggi-dns";
const PORT: u16 = 53;
/// What a question may have over UDP, and more.
const DATAGRAM: usize = 4096;
/// So long a server of the host may take before the next one is asked; resolvers wait for five seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions under way at once; more are dropped, and asked again by who wants to know.
const MOST_UNDER_WAY: usize = 256;
const MOST_CONNECTIONS: usize = 32;

/// What a container can know, at the moment of a question.
#[derive(Clone, Debug, Default)]
pub struct Neighbourhood {
    /// Its networks: name, and folder of the state.
    pub networks: Vec<(String, PathBuf)>,
    /// Who knows the rest; nobody for a container that must not reach out.
    pub servers: Vec<IpAddr>,
}

type Look = Arc<dyn Fn() -> Neighbourhood + Send + Sync>;

/// Sockets in a container's namespace that nobody answers yet.
#[derive(Debug)]
pub struct NameServer {
    udp: UdpSocket,
    tcp: TcpListener,
}

/// A name server that answers until this is dropped.
#[derive(Debug)]
pub struct RunningNameServer {
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Makes the sockets, and the way to them.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or the kernel refuses.
    pub fn prepare(namespace: &NetworkNamespace) -> Result<Self, NetworkError> {
        namespace.run(Self::here)?
    }

    fn here() -> Result<Self, NetworkError> {
        let failed = |source| NetworkError::Namespace { action: "serve names in", source };
        let udp = UdpSocket::bind((ADDRESS, 0)).map_err(failed)?;
        let tcp = TcpListener::bind((ADDRESS, 0)).map_err(failed)?;
        udp.set_nonblocking(true).map_err(failed)?;
        tcp.set_nonblocking(true).map_err(failed)?;
        let port = |protocol, address: io::Result<SocketAddr>| {
            let target = (ADDRESS, address.map_err(failed)?.port());
            Ok::<_, NetworkError>(PortRule { protocol, address: None, port: PORT, target })
        };
        let add = [port(17, udp.local_addr())?, port(6, tcp.local_addr())?];
        let only = Subnet::containing(ADDRESS, 32).expect("32 is a prefix");
        let table = Table {
            name: TABLE.to_owned(),
            chains: vec![("output", OUTPUT)],
            rules: vec![Rule {
                chain: "output",
                comment: "onggi: names of containers".to_owned(),
                expressions: vec![Expression::DestinationIn(only), Expression::DestinationFrom(PortMap::Any)],
            }],
        };
        let change = PortChange { create: Some(&table), remove: &[], add: &add, comment: "onggi" };
        open()?.change_ports(TABLE, &change)?;
        Ok(Self { udp, tcp })
    }

    /// Begins to answer; `look` says what is so, for each question.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn serve(
        self,
        look: impl Fn() -> Neighbourhood + Send + Sync + 'static,
    ) -> Result<RunningNameServer, NetworkError> {
        let failed = |source| NetworkError::Namespace { action: "serve names in", source };
        let (stopped, stop) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let look: Look = Arc::new(look);
        let name = thread::Builder::new().name("names".to_owned());
        let thread = name.spawn(move || answer_all(&self, &stopped, &look)).map_err(failed)?;
        Ok(RunningNameServer { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for RunningNameServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported; the container's end is not the place for another.
            drop(thread.join());
        }
    }
}

/// A question that a server of the host has been asked.
#[derive(Debug)]
struct UnderWay {
    query: Vec<u8>,
    client: SocketAddr,
    socket: UdpSocket,
    deadline: Instant,
    /// Who is asked next.
    others: Vec<IpAddr>,
}

fn answer_all(server: &NameServer, stopped: &OwnedFd, look: &Look) {
    let mut under_way: Vec<UnderWay> = Vec::new();
    let connections = Arc::new(());
    let mut turn = 0;
    loop {
        let mut polled = vec![
            PollFd::new(stopped, PollFlags::IN),
            PollFd::new(&server.udp, PollFlags::IN),
            PollFd::new(&server.tcp, PollFlags::IN),
        ];
        polled.extend(under_way.iter().map(|question| PollFd::new(&question.socket, PollFlags::IN)));
        let timeout = under_way.iter().map(|question| question.deadline).min().map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()) + 1,
            }
        });
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        let ready: Vec<bool> = polled.iter().map(|descriptor| !descriptor.revents().is_empty()).collect();
        drop(polled);
        if ready[0] {
            return;
        }
        let mut still = Vec::with_capacity(under_way.len());
        for (question, ready) in under_way.into_iter().zip(&ready[3..]) {
            still.extend(go_on(question, *ready, &server.udp));
        }
        under_way = still;
        if ready[1] {
            take_questions(server, look, &mut under_way, &mut turn);
        }
        if ready[2] {
            while let Ok((stream, _)) = server.tcp.accept() {
                if Arc::strong_count(&connections) <= MOST_CONNECTIONS {
                    let (look, counted) = (Arc::clone(look), Arc::clone(&connections));
                    let thread = thread::Builder::new().name("names-tcp".to_owned());
                    // Without a thread the connection is closed, and the question asked again.
                    drop(thread.spawn(move || {
                        drop(converse(stream, &look));
                        drop(counted);
                    }));
                }
            }
        }
    }
}

fn take_questions(server: &NameServer, look: &Look, under_way: &mut Vec<UnderWay>, turn: &mut usize) {
    let mut buffer = [0; DATAGRAM];
    while let Ok((len, client)) = server.udp.recv_from(&mut buffer) {
        let query = &buffer[..len];
        let Some(question) = Question::parse(query) else { continue };
        let neighbourhood = look();
        *turn = turn.wrapping_add(1);
        if let Some(answer) = known(query, &question, &neighbourhood.networks, *turn) {
            server.udp.send_to(&answer, client).ok();
        } else if under_way.len() < MOST_UNDER_WAY {
            let mut servers = neighbourhood.servers;
            servers.reverse();
            match ask_next(query.to_vec(), client, servers) {
                Some(asked) => under_way.push(asked),
                None => give_up(query, client, &server.udp),
            }
        }
    }
}

/// Asks the last of the servers that can be asked.
fn ask_next(query: Vec<u8>, client: SocketAddr, mut others: Vec<IpAddr>) -> Option<UnderWay> {
    while let Some(server) = others.pop() {
        let own = if server.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        // A port of its own for each question: an answer cannot be guessed by those who do not see it.
        let asked = UdpSocket::bind((own, 0)).and_then(|socket| {
            socket.connect((server, PORT))?;
            socket.set_nonblocking(true)?;
            socket.send(&query)?;
            Ok(socket)
        });
        if let Ok(socket) = asked {
            return Some(UnderWay { query, client, socket, deadline: Instant::now() + PATIENCE, others });
        }
    }
    None
}

/// Hands an answer on, or asks the next server when this one is silent or not there.
fn go_on(question: UnderWay, ready: bool, to: &UdpSocket) -> Option<UnderWay> {
    let mut failed = Instant::now() >= question.deadline;
    if ready {
        let mut buffer = vec![0; 1 << 16];
        match question.socket.recv(&mut buffer) {
            // Not to this question: a forgery, or late.
            Ok(len) if len < 12 || buffer[..2] != question.query[..2] => {}
            Ok(len) => {
                to.send_to(&buffer[..len], question.client).ok();
                return None;
            }
            Err(error) => failed |= error.kind() != io::ErrorKind::WouldBlock,
        }
    }
    if !failed {
        return Some(question);
    }
    let (query, client) = (question.query.clone(), question.client);
    let next = ask_next(question.query, client, question.others);
    if next.is_none() {
        give_up(&query, client, to);
    }
    next
}

fn give_up(query: &[u8], client: SocketAddr, to: &UdpSocket) {
    if let Some(question) = Question::parse(query) {
        to.send_to(&dns::failure(query, &question), client).ok();
    }
}

/// What the networks themselves know.
fn known(query: &[u8], question: &Question, networks: &[(String, PathBuf)], turn: usize) -> Option<Vec<u8>> {
    if question.kind == TYPE_PTR {
        let wanted = question.reverse_address()?;
        let named = networks.iter().find_map(|(network, state)| {
            let (_, names) = registered_names(state).into_iter().find(|(address, _)| *address == wanted)?;
            Some(format!("{}.{network}", names.first()?))
        });
        return Some(dns::name(query, question, &named?));
    }
    let mut found = Vec::new();
    for (network, state) in networks {
        let bare = question.name.strip_suffix(&network.to_ascii_lowercase()).and_then(|rest| rest.strip_suffix('.'));
        for (address, names) in registered_names(state) {
            let is_named = |text: &str| names.iter().any(|name| name.eq_ignore_ascii_case(text));
            if is_named(&question.name) || bare.is_some_and(is_named) {
                found.push(address);
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    // Several of one alias take turns.
    let first = turn % found.len();
    found.rotate_left(first);
    // There is no record of another kind: our networks have IPv4 only.
    Some(dns::addresses(query, question, if question.kind == TYPE_A { &found } else { &[] }))
}

/// Questions over a connection, each with its length in front (RFC 7766).
fn converse(mut client: TcpStream, look: &Look) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(PATIENCE * 5))?;
    client.set_write_timeout(Some(PATIENCE * 5))?;
    loop {
        let query = receive(&mut client)?;
        let Some(question) = Question::parse(&query) else { return Ok(()) };
        let neighbourhood = look();
        let answer = known(&query, &question, &neighbourhood.networks, 0)
            .or_else(|| neighbourhood.servers.iter().find_map(|server| ask_over_tcp(*server, &query).ok()))
            .unwrap_or_else(|| dns::failure(&query, &question));
        send(&mut client, &answer)?;
    }
}

fn ask_over_tcp(server: IpAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(server, PORT), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    send(&mut stream, query)?;
    receive(&mut stream)
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let len = u16::try_from(message.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    stream.write_all(&[&len.to_be_bytes()[..], message].concat())
}
