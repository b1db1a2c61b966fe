//! Words of EXPOSE: a port or a range of them, with a protocol.

use std::fmt;

/// Transport protocol of an exposed port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// One word of EXPOSE after expansion: a port or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExposedPort {
    /// First port.
    pub first: u16,
    /// Last port, the same as the first when it is not a range.
    pub last: u16,
    /// Protocol, TCP when not given.
    pub protocol: Protocol,
}

/// Why a word is no port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Not a number from 0 to 65535, or a range of such.
    #[error("invalid port `{0}`")]
    Number(String),
    /// The range ends before it begins.
    #[error("port range `{0}` ends before it begins")]
    Range(String),
    /// Not tcp, udp or sctp.
    #[error("invalid protocol `{0}`")]
    Protocol(String),
}

impl ExposedPort {
    /// Reads `80`, `53/udp`, `8000-8010/tcp`. Of a legacy mapping (`ip:host:container`) the container's part counts,
    /// as in Docker.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(word: &str) -> Result<ExposedPort, PortError> {
        let (ports, protocol) = word.split_once('/').unwrap_or((word, ""));
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "" | "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => return Err(PortError::Protocol(protocol.to_owned())),
        };
        let ports = ports.rsplit_once(':').map_or(ports, |(_, container)| container);
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u16>().ok()).flatten().ok_or_else(|| PortError::Number(ports.to_owned()))
        };
        let (first, last) = match ports.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(ports)?, number(ports)?),
        };
        if last < first {
            return Err(PortError::Range(ports.to_owned()));
        }
        Ok(ExposedPort { first, last, protocol })
    }

    /// Every port as the image config names it: `80/tcp`.
    pub fn config_keys(self) -> impl Iterator<Item = String> {
        (self.first..=self.last).map(move |port| format!("{port}/{}", self.protocol))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        })
    }
}

#[cfg(test)]
mod tests;
