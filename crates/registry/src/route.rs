//! Where requests for a repository go, and what they may carry.

use std::fmt;

/// Endpoints of one repository, in the order in which they are tried: mirrors first, the registry itself last.
///
/// Pushes go to the last one alone, which is then the registry that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// At least one.
    pub endpoints: Vec<Endpoint>,
}

/// One place that a repository is served from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Name or address, without brackets and port.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where the same host may be spoken to without TLS when `port` speaks none; the credential is for it too. Only for
    /// loopback and where the configuration says so, and only beside [`Scheme::Https`].
    pub plain_http_port: Option<u16>,
    /// The repository's path there; a mirror may keep it under another one.
    pub repository: String,
    /// Whether it only stands in for another registry.
    pub is_mirror: bool,
    /// Whether a mirror is asked for tags too, or for digests alone (containers-registries.conf(5), `pull-from-mirror`).
    pub serves_tags: bool,
    /// How it proves who it is.
    pub tls: Tls,
    /// For this scheme, host and port alone.
    pub credential: Credential,
    /// Sent with each request to it (those of `HttpHeaders` in docker's config.json that are for registries).
    pub headers: Vec<(String, String)>,
    /// URL of the proxy that leads to it.
    pub proxy: Option<String>,
}

/// With or without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// With.
    Https,
    /// Without: loopback, or where the configuration says so.
    Http,
}

/// What a server's certificate is held against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The certificate is not looked at: the configuration says `insecure`.
    pub is_unverified: bool,
    /// PEM texts of authorities to trust besides the system's (`certs.d/HOST/*.crt`).
    pub authorities: Vec<Vec<u8>>,
    /// What we prove who we are with.
    pub identity: Option<Identity>,
}

/// A client's certificate with its key, PEM (`certs.d/HOST/*.cert` and `.key`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and those that lead to an authority.
    pub certificates: Vec<u8>,
    /// The key.
    pub key: SecretText,
}

/// Who we are to a registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Credential {
    /// Nobody.
    #[default]
    Anonymous,
    /// A name with a password or an access token.
    Password {
        /// Name.
        user: String,
        /// Password.
        password: SecretText,
    },
    /// A refresh token for the registry's authorization service (`identitytoken`).
    IdentityToken(SecretText),
    /// A bearer token, sent as it is (`registrytoken`).
    RegistryToken(SecretText),
}

/// A text that does not show itself in messages and logs.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that it is meant for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
