//! A bad network in front of a good server: cuts, stalls, refusals, lies, as the test says for each request.
//!
//! [`FaultProxy`] hands requests on and answers back, one a connection, and does to each what its rule says. It remembers
//! what was asked, with all headers, and counts the bytes of bodies in both directions.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::{Request, Response};

/// What is done to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is handed on.
    None,
    /// The server does not see it; this is the answer.
    Answer(Response),
    /// The connection is cut after so many bytes of the request's body.
    CutRequest(u64),
    /// The connection is cut after so many bytes of the answer's body.
    CutAnswer(u64),
    /// The server gets all of the request, and the connection is cut before the answer.
    LoseAnswer,
    /// Nothing comes after so many bytes of the answer's body, and the connection stays.
    Stall(u64),
    /// The answer's `Content-Length` is this one, and its body stays as it is.
    Length(u64),
    /// A byte of the answer's body is another one.
    Corrupt,
    /// A header of the answer is this one instead.
    Header(&'static str, String),
    /// A header of the request does not reach the server.
    WithoutHeader(&'static str),
}

type Rule = dyn Fn(&Request) -> Fault + Send + Sync;

struct Shared {
    upstream: SocketAddr,
    rule: Box<Rule>,
    requests: Mutex<Vec<Request>>,
    received: AtomicU64,
    sent: AtomicU64,
}

/// A proxy on a free port of loopback, to one server. Ends with the process.
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("port", &self.port).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Stands before the server on a port of loopback; the rule sees each request without its body.
    ///
    /// # Panics
    /// If this machine has no free port.
    #[must_use]
    pub fn before(port: u16, rule: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("this machine has a free port");
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let (requests, received, sent) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        let shared = Arc::new(Shared { upstream, rule: Box::new(rule), requests, received, sent });
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&all);
                std::thread::spawn(move || {
                    // A connection that breaks off is what it is for.
                    drop(shared.serve(&stream));
                    drop(stream.shutdown(Shutdown::Both));
                });
            }
        });
        Self { port, shared }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All requests since this was asked last, without their bodies.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.requests.lock().expect("no thread panics with the list"))
    }

    /// Bytes of requests' bodies so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// Bytes of answers' bodies so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut from_client = BufReader::new(client);
        let (line, headers) = head(&mut from_client)?;
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let mut request = Request { method: word(), path: word(), headers, ..Request::default() };
        request.host = request.header("host").unwrap_or_default().to_owned();
        self.requests.lock().expect("no thread panics with the list").push(request.clone());
        let fault = (self.rule)(&request);
        let is_chunked = request.header("transfer-encoding").is_some();
        let length = request.header("content-length").map_or(Some(0), |length| length.parse().ok());
        let length = length.ok_or(io::ErrorKind::InvalidData)?;
        if request.header("expect").is_some() && !matches!(fault, Fault::Answer(_)) {
            let mut to_client = client;
            to_client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if let Fault::Answer(response) = &fault {
            if request.header("expect").is_none() {
                copy(&mut from_client.take(length), &mut io::sink(), u64::MAX, &self.received)?;
            }
            return answer(client, response);
        }
        let upstream = TcpStream::connect(self.upstream)?;
        let mut to_server = &upstream;
        let without = if let Fault::WithoutHeader(name) = fault { name } else { "connection" };
        let mut text = format!("{line}\r\nConnection: close\r\n");
        let is_handed_on = |name: &str| !["connection", "expect", without].contains(&name);
        for (name, value) in request.headers.iter().filter(|(name, _)| is_handed_on(name)) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        to_server.write_all(format!("{text}\r\n").as_bytes())?;
        let most = if let Fault::CutRequest(most) = fault { most } else { u64::MAX };
        if is_chunked {
            self.chunks(&mut from_client, &mut to_server)?;
        } else {
            copy(&mut from_client.take(length), &mut to_server, most, &self.received)?;
        }
        if most < length {
            return upstream.shutdown(Shutdown::Both);
        }
        if fault == Fault::LoseAnswer {
            // What the server does is done when it has answered.
            return io::copy(&mut to_server, &mut io::sink()).map(drop);
        }
        self.back(&request, &fault, &upstream, client)
    }

    /// Hands an answer back.
    fn back(&self, request: &Request, fault: &Fault, upstream: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
        let mut from_server = BufReader::new(upstream);
        let (line, mut headers) = head(&mut from_server)?;
        headers.retain(|(name, _)| name != "connection");
        match fault {
            Fault::Length(length) => set(&mut headers, "content-length", &length.to_string()),
            Fault::Header(name, value) => set(&mut headers, name, value),
            _ => {}
        }
        let mut text = format!("{line}\r\nConnection: close\r\n");
        for (name, value) in &headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        client.write_all(format!("{text}\r\n").as_bytes())?;
        if request.method == "HEAD" {
            return Ok(());
        }
        let most = if let Fault::CutAnswer(most) | Fault::Stall(most) = fault { *most } else { u64::MAX };
        if *fault == Fault::Corrupt {
            let mut body = Vec::new();
            from_server.read_to_end(&mut body)?;
            if let Some(byte) = body.first_mut() {
                *byte ^= 1;
            }
            copy(&mut &body[..], &mut client, u64::MAX, &self.sent)?;
        } else {
            copy(&mut from_server, &mut client, most, &self.sent)?;
        }
        if matches!(fault, Fault::Stall(_)) {
            // Until the other side gives up.
            io::copy(&mut client, &mut io::sink())?;
        }
        Ok(())
    }

    /// Hands a chunked body on.
    fn chunks(&self, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            to.write_all(line.as_bytes())?;
            let length = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
            let length = length.map_err(|_| io::ErrorKind::InvalidData)?;
            // With the end of its line.
            copy(&mut from.take(length + 2), to, u64::MAX, &self.received)?;
            if length == 0 {
                return Ok(());
            }
        }
    }
}

/// The first line and the headers, their names in lower case.
fn head(from: &mut impl BufRead) -> io::Result<(String, Vec<(String, String)>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Ok((lines.first().cloned().unwrap_or_default(), headers))
}

fn set(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(known, _)| known != name);
    headers.push((name.to_owned(), value.to_owned()));
}

/// Copies to the end, or so many bytes.
fn copy(from: &mut impl Read, to: &mut impl Write, most: u64, counter: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut left = most;
    while left > 0 {
        let room = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = from.read(&mut buffer[..room])?;
        if count == 0 {
            break;
        }
        to.write_all(&buffer[..count])?;
        counter.fetch_add(count as u64, Ordering::Relaxed);
        left -= count as u64;
    }
    Ok(())
}

fn answer(mut client: &TcpStream, response: &Response) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {} Otherwise\r\nConnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", response.body.len() + response.missing));
    client.write_all(text.as_bytes())?;
    client.write_all(&response.body)
}
