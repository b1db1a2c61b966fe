//! A web server of the smallest kind: answers on a port of its own as it is told, and remembers what was asked.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// The path as sent, with the query.
    pub path: String,
    /// The value of the `Host` header, empty if there is none.
    pub host: String,
    /// All headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What came with it.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 200, 304, …
    pub status: u16,
    /// Headers besides `Content-Length` and `Connection`.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
    /// The content is longer by so much, by its header: the connection breaks off.
    pub missing: usize,
}

impl Response {
    /// 200 with this content.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into(), missing: 0 }
    }

    /// An answer without content.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::ok("") }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Handler = dyn Fn(&Request) -> Response + Send + Sync;

/// Listens on all addresses of this machine, so that containers on a bridge reach it too. Ends with the process.
pub struct HttpServer {
    address: SocketAddr,
    requests: Receiver<Request>,
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Default for HttpServer {
    fn default() -> Self {
        Self::start()
    }
}

impl HttpServer {
    /// A server that answers `ok` to everything.
    #[must_use]
    pub fn start() -> Self {
        Self::serving(|_| Response::ok("ok\n").header("Content-Type", "text/plain"))
    }

    /// A server on a free port. Each connection has a thread of its own.
    #[must_use]
    pub fn serving(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("this machine has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (sender, requests) = channel();
        let sender = Arc::new(Mutex::new(sender));
        let handler: Arc<Handler> = Arc::new(handler);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, sender) = (Arc::clone(&handler), Arc::clone(&sender));
                std::thread::spawn(move || answer(&stream, &*handler, &sender));
            }
        });
        Self { address, requests }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT` and a path that begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// The next request, waiting for it up to the limit.
    #[must_use]
    pub fn next(&self, limit: Duration) -> Option<Request> {
        self.requests.recv_timeout(limit).ok()
    }

    /// All requests that were answered since this was asked last.
    pub fn seen(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

/// A connection that breaks off is no request. What was asked is known before the answer is.
fn answer(stream: &TcpStream, handler: &Handler, sender: &Mutex<Sender<Request>>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut request =
        Request { method: words.next()?.to_owned(), path: words.next()?.to_owned(), ..Request::default() };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) => request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
        }
    }
    request.host = request.header("host").unwrap_or_default().to_owned();
    if request.header("expect").is_some() {
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    request.body = body(&mut reader, &request)?;
    sender.lock().expect("no thread panics with the sender").send(request.clone()).ok();
    let response = handler(&request);
    let reason = if response.status == 200 { "OK" } else { "Otherwise" };
    let mut head = format!("HTTP/1.1 {} {reason}\r\nConnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let content = if request.method == "HEAD" { &[][..] } else { &response.body };
    head.push_str(&format!("Content-Length: {}\r\n\r\n", response.body.len() + response.missing));
    let mut stream = stream;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(content)).ok()
}

fn body(reader: &mut BufReader<&TcpStream>, request: &Request) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if request.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let length = u64::from_str_radix(line.trim(), 16).ok()?;
            reader.by_ref().take(length).read_to_end(&mut body).ok()?;
            reader.read_line(&mut line).ok()?;
            if length == 0 {
                return Some(body);
            }
        }
    }
    let length = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    reader.take(length).read_to_end(&mut body).ok()?;
    Some(body)
}
