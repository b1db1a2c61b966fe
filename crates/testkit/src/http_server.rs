//! A web server of the smallest kind: answers 200 to everything on a port of its own and remembers what was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The first line of a request and its `Host` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The value of the `Host` header, empty if there is none.
    pub host: String,
}

/// Listens on all addresses of this machine, so that containers on a bridge reach it too. Ends with the process.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    requests: Receiver<Request>,
}

impl Default for HttpServer {
    fn default() -> Self {
        Self::start()
    }
}

impl HttpServer {
    /// Starts a server on a free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("this machine has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(request) = answer(stream)
                    && sender.send(request).is_err()
                {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next request, waiting for it up to the limit.
    #[must_use]
    pub fn next(&self, limit: Duration) -> Option<Request> {
        self.requests.recv_timeout(limit).ok()
    }
}

/// A connection that breaks off is no request.
fn answer(stream: TcpStream) -> Option<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut host = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("host") => value.trim().clone_into(&mut host),
            Some(_) => {}
        }
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
    let body = if method == "HEAD" { "" } else { "ok\n" };
    (&stream).write_all(format!("{head}{body}").as_bytes()).ok()?;
    Some(Request { method, path, host })
}
