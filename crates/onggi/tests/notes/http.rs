//! A browser for tests.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

/// The whole answer to `GET /`.
pub(crate) fn get(address: impl ToSocketAddrs) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
