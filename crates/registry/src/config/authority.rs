//! Hosts and ports in one form, so that a credential is found for its own registry and for no look-alike.
//!
//! Lower case, without the dot at the end that DNS allows, addresses in their one spelling, and no port where it is that
//! of HTTPS. Names that are not ASCII, and anything with a user in front, are no hosts: nothing is found for them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// What Docker Hub is called in names of images.
pub(crate) const HUB: &str = "docker.io";
/// Where Docker Hub is.
pub const HUB_HOST: &str = "registry-1.docker.io";
/// What docker calls it in its config.json and to its helpers.
pub(crate) const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A host with its port, in its one form. Two of them are equal when requests for them go to the same place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// Without brackets.
    host: String,
    /// `None` for that of HTTPS.
    port: Option<u16>,
}

/// A key of a file with credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerKey {
    pub(crate) authority: Authority,
    /// The path that it is limited to; empty for all of the registry.
    pub(crate) namespace: String,
}

impl Authority {
    /// `HOST[:PORT]` in any spelling; `None` for what is no host. All names of Docker Hub are `docker.io`.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (
                address.parse::<Ipv6Addr>().ok()?.to_string(),
                rest.strip_prefix(':').or((rest.is_empty()).then_some(""))?,
            ),
            None => {
                let (host, port) = text.split_once(':').unwrap_or((text, ""));
                if text.contains(':') && port.is_empty() {
                    return None;
                }
                (name(host)?, port)
            }
        };
        let port = match port {
            "" if text.ends_with(':') => return None,
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|port| *port != 0)?)
            }
            _ => return None,
        };
        let authority = Self { host, port: port.filter(|port| *port != 443) };
        let is_hub = matches!(authority.host.as_str(), "docker.io" | "index.docker.io" | HUB_HOST);
        Some(match authority.port {
            None if is_hub => Self { host: HUB.to_owned(), port: None },
            _ => authority,
        })
    }

    /// The same host at another port.
    pub(crate) fn with_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port: Some(port).filter(|port| *port != 443) }
    }

    /// What requests for it connect to, without brackets.
    pub fn connect_host(&self) -> &str {
        if self.is_hub() { HUB_HOST } else { &self.host }
    }

    /// Its port with TLS.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(443)
    }

    /// Its port without: 80 where none was written.
    pub(crate) fn plain_port(&self) -> u16 {
        self.port.unwrap_or(80)
    }

    /// Whether it is Docker Hub.
    pub fn is_hub(&self) -> bool {
        self.host == HUB && self.port.is_none()
    }

    /// Whether it is this machine, by what is written and not by what DNS says.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The host, to be looked at for `*.example.com`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether the port is that of HTTPS.
    pub(crate) fn has_default_port(&self) -> bool {
        self.port.is_none()
    }
}

/// `HOST[:PORT]`, `docker.io` for Docker Hub.
impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A name or an IPv4 address, in lower case.
fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (text.len() <= 253 && text.split('.').all(is_label)).then(|| text.to_ascii_lowercase())
}

impl ServerKey {
    /// `HOST[:PORT]`, `HOST/NAMESPACE`, or a URL, whose path says nothing (`https://index.docker.io/v1/`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let scheme = ["https://", "http://"].into_iter().find(|scheme| lower.starts_with(scheme));
        let rest = &text[scheme.map_or(0, str::len)..];
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = Authority::parse(authority)?;
        let namespace = match path {
            _ if scheme.is_some() => "",
            "v1/" | "v2/" => "",
            path => path.trim_end_matches('/'),
        };
        Some(Self { authority, namespace: namespace.to_owned() })
    }

    /// How much of the repository's name the key has; `None` if it is not for it.
    pub(crate) fn matches(&self, authority: &Authority, repository: &str) -> Option<usize> {
        let is_below = || {
            repository
                .strip_prefix(self.namespace.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        (self.authority == *authority && (self.namespace.is_empty() || is_below())).then_some(self.namespace.len())
    }
}
