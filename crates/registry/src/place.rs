//! URLs as far as requests need them: origin, path and query. Strict, since credentials are bound to origins.

use std::fmt;

use ureq::http::Uri;

use crate::{Endpoint, Scheme};

/// Scheme, host and port: what a credential belongs to. A trailing dot makes another host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) is_https: bool,
    /// In lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let is_https = endpoint.scheme == Scheme::Https;
        Self { is_https, host: endpoint.host.to_ascii_lowercase(), port: endpoint.port }
    }
}

/// Host, and port where it is not the scheme's.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        let is_usual = self.port == if self.is_https { 443 } else { 80 };
        if is_usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// What a request is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) origin: Origin,
    /// Begins with a slash; with the query.
    pub(crate) path: String,
}

impl Place {
    pub(crate) fn new(origin: Origin, path: impl Into<String>) -> Self {
        Self { origin, path: path.into() }
    }

    /// Reads an absolute `http` or `https` URL. Nothing that has a user in it, and no host that could be read as another.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let url = url.split('#').next().unwrap_or_default().trim();
        let uri = url.parse::<Uri>().ok()?;
        let is_https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let host = uri.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let is_plain = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':'));
        if authority.contains('@') || !is_plain {
            return None;
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let port = if has_port {
            uri.port_u16()?
        } else if is_https {
            443
        } else {
            80
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { origin: Origin { is_https, host, port }, path })
    }

    /// Where a `Location` leads from here.
    pub(crate) fn join(&self, location: &str) -> Option<Self> {
        let location = location.split('#').next().unwrap_or_default().trim();
        let scheme = if self.origin.is_https { "https" } else { "http" };
        let has_scheme = location.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
        if location.is_empty() {
            None
        } else if has_scheme {
            Self::parse(location)
        } else if location.starts_with("//") {
            Self::parse(&format!("{scheme}:{location}"))
        } else {
            let path = match location.chars().next() {
                Some('/') => location.to_owned(),
                Some('?') => format!("{}{location}", self.without_query()),
                _ => {
                    let folder = self.without_query().rsplit_once('/').map_or("", |(folder, _)| folder);
                    format!("{folder}/{location}")
                }
            };
            Self::parse(&Self::new(self.origin.clone(), path).to_string())
        }
    }

    /// Adds a parameter, keeping what the query has.
    pub(crate) fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(name);
        self.path.push('=');
        self.path.push_str(&encoded(value));
        self
    }

    fn without_query(&self) -> &str {
        self.path.split('?').next().unwrap_or("/")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.origin.is_https { "https" } else { "http" }, self.origin, self.path)
    }
}

/// RFC 3986, 2.1: everything but unreserved characters as `%XX`.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
