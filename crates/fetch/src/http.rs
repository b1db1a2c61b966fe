//! GET with the little that building needs: conditions, a secret for one host, redirects, limits.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use crate::{Surroundings, proxy};

/// Bundles of the certificates that a system trusts, as distributions place them.
const CERTIFICATES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

const MOST_REDIRECTS: usize = 10;
const CONNECT: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(60);
/// For each piece of a body: a slow server is waited for, a silent one is not.
const SILENCE: Duration = Duration::from_secs(60);

/// What to get.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Where, without credentials.
    pub url: &'a str,
    /// Value of `Authorization`, for the host of `url` and no other.
    pub authorization: Option<&'a str>,
    /// Only if its tag is another one.
    pub etag: Option<&'a str>,
    /// Only if it was modified since.
    pub last_modified: Option<&'a str>,
    /// Most bytes.
    pub limit: u64,
    /// Set when nobody waits any longer.
    pub cancelled: &'a AtomicBool,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What a server says of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The conditions were not met: it is as it was.
    NotModified,
    /// The file was written.
    Written(Head),
}

/// Why a file was not got.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL is none that a request can be sent to.
    #[error("`{url}` is not a valid URL")]
    Url {
        /// The URL.
        url: String,
    },
    /// Nobody knows the host.
    #[error("host `{host}` was not found")]
    Host {
        /// Its name.
        host: String,
    },
    /// The host does not answer.
    #[error("cannot connect to `{host}`")]
    Connect {
        /// Its name and port.
        host: String,
        /// Why not.
        source: io::Error,
    },
    /// The server took too long.
    #[error("`{host}` does not answer in time")]
    Timeout {
        /// Its name and port.
        host: String,
    },
    /// The server cannot prove who it is, or speaks no TLS.
    #[error("no secure connection to `{host}`: {reason}")]
    Tls {
        /// Its name and port.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The proxy is none, or refuses.
    #[error("the proxy for `{host}` cannot be used: {reason}")]
    Proxy {
        /// Whom it was to reach.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The server says no.
    #[error("the server answered {status}{} for `{url}`", .reason.map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Status {
        /// What was asked for.
        url: String,
        /// The number.
        status: u16,
        /// What it means.
        reason: Option<&'static str>,
    },
    /// From one place to the next.
    #[error("`{url}` redirects more than {MOST_REDIRECTS} times")]
    TooManyRedirects {
        /// What was asked for.
        url: String,
    },
    /// To something that is not fetched.
    #[error("`{url}` redirects to nothing that can be fetched")]
    Redirect {
        /// What was asked for.
        url: String,
    },
    /// It does not end.
    #[error("`{url}` is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// Most bytes.
        limit: u64,
    },
    /// The answer breaks off, or is none.
    #[error("cannot read the answer of `{host}`")]
    Read {
        /// Its name and port.
        host: String,
        /// What is wrong.
        source: io::Error,
    },
    /// The file cannot be written here.
    #[error("cannot write what was fetched")]
    Write {
        /// Why not.
        source: io::Error,
    },
    /// The certificates to trust cannot be read.
    #[error("cannot read the certificates in {}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Nobody waits any longer.
    #[error("cancelled")]
    Cancelled,
}

/// The certificates that are trusted, read once when the first is needed.
#[derive(Debug, Default)]
pub struct Certificates(OnceLock<RootCerts>);

/// Gets files. Cheap until the first request.
#[derive(Debug)]
pub struct Client<'s> {
    surroundings: &'s Surroundings,
    certificates: &'s Certificates,
    user_agent: &'s str,
}

/// One URL that a request is sent to.
struct Hop {
    url: String,
    uri: Uri,
}

impl Hop {
    fn parse(url: String) -> Result<Self, HttpError> {
        let uri = url.parse::<Uri>().ok().filter(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
        });
        match uri {
            Some(uri) => Ok(Self { url, uri }),
            None => Err(HttpError::Url { url: shown(&url) }),
        }
    }

    fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    fn host(&self) -> &str {
        self.uri.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether a secret for one is for the other too.
    fn is_same_origin(&self, other: &Self) -> bool {
        let origin = |hop: &Self| (hop.is_https(), hop.host().to_ascii_lowercase(), hop.port());
        origin(self) == origin(other)
    }

    fn named(&self) -> String {
        self.uri
            .authority()
            .map_or_else(String::new, |authority| authority.as_str().rsplit('@').next().unwrap_or_default().to_owned())
    }
}

impl<'s> Client<'s> {
    /// A client that says it is `user_agent`.
    pub fn new(surroundings: &'s Surroundings, certificates: &'s Certificates, user_agent: &'s str) -> Self {
        Self { surroundings, certificates, user_agent }
    }

    /// Gets a file and writes it to `body`.
    ///
    /// # Errors
    /// When it cannot be had whole; `body` may hold a part of it then.
    pub fn get(&self, request: &Request<'_>, body: &mut dyn Write) -> Result<Answer, HttpError> {
        let first = Hop::parse(request.url.to_owned())?;
        let mut hop = Hop::parse(request.url.to_owned())?;
        for _ in 0..=MOST_REDIRECTS {
            if request.cancelled.load(Ordering::Relaxed) {
                return Err(HttpError::Cancelled);
            }
            let authorization = request.authorization.filter(|_| hop.is_same_origin(&first));
            let response = self.send(&hop, request, authorization)?;
            match response.status().as_u16() {
                304 if request.etag.is_some() || request.last_modified.is_some() => return Ok(Answer::NotModified),
                200..=299 => return receive(&hop, request, response, body),
                301 | 302 | 303 | 307 | 308 => hop = next(&hop, response.headers())?,
                status => {
                    let reason = response.status().canonical_reason();
                    return Err(HttpError::Status { url: shown(&hop.url), status, reason });
                }
            }
        }
        Err(HttpError::TooManyRedirects { url: shown(request.url) })
    }

    fn send(&self, hop: &Hop, request: &Request<'_>, authorization: Option<&str>) -> Result<Response<Body>, HttpError> {
        let mut sent = self.agent(hop)?.get(&hop.url);
        let conditions = [("If-None-Match", request.etag), ("If-Modified-Since", request.last_modified)];
        for (name, value) in conditions.into_iter().chain([("Authorization", authorization)]) {
            if let Some(value) = value {
                sent = sent.header(name, value);
            }
        }
        sent.call().map_err(|error| failed(hop, error))
    }

    /// One for each request: which proxy and which certificates it needs depends on where it goes.
    fn agent(&self, hop: &Hop) -> Result<Agent, HttpError> {
        let proxy = match proxy::proxy(self.surroundings, hop.is_https(), hop.host(), hop.port()) {
            Some(url) => Some(Proxy::new(url).map_err(|_| HttpError::Proxy {
                host: hop.named(),
                reason: "its URL in the environment is not valid".to_owned(),
            })?),
            None => None,
        };
        let mut config = Agent::config_builder()
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(self.user_agent)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE));
        if hop.is_https() {
            config = config
                .tls_config(TlsConfig::builder().root_certs(self.certificates.trusted(self.surroundings)?).build());
        }
        Ok(config.build().new_agent())
    }
}

impl Certificates {
    /// The system's certificates, so that a company's own are among them; those that are built in where there are none.
    ///
    /// # Errors
    /// When the file that the surroundings name cannot be read ([`HttpError::Certificates`]).
    pub fn trusted(&self, surroundings: &Surroundings) -> Result<RootCerts, HttpError> {
        if let Some(known) = self.0.get() {
            return Ok(known.clone());
        }
        let found = match &surroundings.certificates {
            Some(path) => {
                read_certificates(path).map_err(|source| HttpError::Certificates { path: path.clone(), source })?
            }
            None => CERTIFICATES
                .iter()
                .find_map(|path| read_certificates(Path::new(path)).ok())
                .unwrap_or(RootCerts::WebPki),
        };
        Ok(self.0.get_or_init(|| found).clone())
    }
}

fn read_certificates(path: &Path) -> io::Result<RootCerts> {
    let pem = std::fs::read(path)?;
    let items = ureq::tls::parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = items.collect();
    if certificates.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no certificate in it"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned).filter(|value| value.len() <= 4096)
}

fn receive(
    hop: &Hop,
    request: &Request<'_>,
    response: Response<Body>,
    body: &mut dyn Write,
) -> Result<Answer, HttpError> {
    let head = Head {
        etag: header(response.headers(), "etag"),
        last_modified: header(response.headers(), "last-modified"),
        content_disposition: header(response.headers(), "content-disposition"),
    };
    let mut reader = response.into_body().into_reader();
    let mut buffer = vec![0; 128 << 10];
    let mut left = request.limit;
    loop {
        if request.cancelled.load(Ordering::Relaxed) {
            return Err(HttpError::Cancelled);
        }
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(Answer::Written(head)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(HttpError::Timeout { host: hop.named() });
            }
            Err(source) => return Err(HttpError::Read { host: hop.named(), source }),
        };
        left = left
            .checked_sub(count as u64)
            .ok_or_else(|| HttpError::TooLarge { url: shown(request.url), limit: request.limit })?;
        body.write_all(&buffer[..count]).map_err(|source| HttpError::Write { source })?;
    }
}

/// Where a redirect leads.
fn next(hop: &Hop, headers: &HeaderMap) -> Result<Hop, HttpError> {
    let wrong = || HttpError::Redirect { url: shown(&hop.url) };
    let location = header(headers, "location").ok_or_else(wrong)?;
    let location = location.split('#').next().unwrap_or_default().trim();
    let scheme = hop.uri.scheme_str().unwrap_or("http");
    let authority = hop.uri.authority().map_or("", |authority| authority.as_str());
    let url = match location {
        "" => return Err(wrong()),
        text if text.contains("://") => text.to_owned(),
        text if text.starts_with("//") => format!("{scheme}:{text}"),
        text if text.starts_with('/') => format!("{scheme}://{authority}{text}"),
        text => {
            let folder = hop.uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{text}")
        }
    };
    // A password in a redirect is nobody's that we know.
    let has_password = url.split('/').nth(2).is_some_and(|authority| authority.contains('@'));
    if has_password { Err(wrong()) } else { Hop::parse(url).map_err(|_| wrong()) }
}

/// A URL without its query, which may hold a token.
fn shown(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or(url).to_owned()
}

fn failed(hop: &Hop, error: ureq::Error) -> HttpError {
    let host = hop.named();
    match error {
        ureq::Error::HostNotFound => HttpError::Host { host },
        ureq::Error::Timeout(_) => HttpError::Timeout { host },
        ureq::Error::Io(source) => match source.kind() {
            io::ErrorKind::TimedOut => HttpError::Timeout { host },
            // Rustls reports through the stream that it encrypts.
            io::ErrorKind::InvalidData if hop.is_https() => HttpError::Tls { host, reason: source.to_string() },
            io::ErrorKind::UnexpectedEof => HttpError::Read { host, source },
            // The resolver's failures have no kind of their own.
            _ if source.to_string().contains("lookup address") => HttpError::Host { host },
            _ => HttpError::Connect { host, source },
        },
        ureq::Error::ConnectionFailed => {
            HttpError::Connect { host, source: io::Error::other("no address of it answers") }
        }
        ureq::Error::Rustls(error) => HttpError::Tls { host, reason: error.to_string() },
        ureq::Error::Tls(reason) => HttpError::Tls { host, reason: reason.to_owned() },
        ureq::Error::ConnectProxyFailed(reason) => HttpError::Proxy { host, reason },
        ureq::Error::InvalidProxyUrl => HttpError::Proxy { host, reason: "its URL is not valid".to_owned() },
        ureq::Error::BadUri(_) => HttpError::Url { url: shown(&hop.url) },
        other => HttpError::Read { host, source: io::Error::other(other.to_string()) },
    }
}
