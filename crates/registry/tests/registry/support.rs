//! Routes, clients and content for the tests.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fetch::Surroundings;
use oci::{Descriptor, TagOrDigest, media_type};
use registry::{Client, Credential, Endpoint, Limits, Route, Scheme, SecretText, Tls};

/// Nobody cancels.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

/// A plain endpoint on loopback for the repository `app/one`.
pub(crate) fn endpoint(port: u16) -> Endpoint {
    Endpoint {
        scheme: Scheme::Http,
        host: "127.0.0.1".to_owned(),
        port,
        plain_http_port: None,
        repository: "app/one".to_owned(),
        is_mirror: false,
        serves_tags: true,
        tls: Tls::default(),
        credential: Credential::Anonymous,
        headers: Vec::new(),
        proxy: None,
    }
}

/// A route to one endpoint.
pub(crate) fn route(endpoint: Endpoint) -> Route {
    Route { endpoints: vec![endpoint] }
}

/// Who we are in the tests; the password is what no other server may see.
pub(crate) fn password() -> Credential {
    Credential::Password { user: "tester".to_owned(), password: SecretText::new("canary") }
}

/// Does not wait between attempts, and does not wait long for bytes that do not come.
pub(crate) fn limits() -> Limits {
    Limits { wait: Some(Arc::new(|_| {})), silence: Duration::from_millis(300), ..Limits::default() }
}

/// A client with these limits.
pub(crate) fn client_with(limits: Limits) -> Client {
    Client::with_limits(Surroundings::default(), "onggi/test", limits)
}

/// A client that does not wait.
pub(crate) fn client() -> Client {
    client_with(limits())
}

/// Bytes that are the same each time, and no two blocks of which are alike.
pub(crate) fn content(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// The descriptor of some content.
pub(crate) fn layer(content: &[u8]) -> Descriptor {
    Descriptor::of(media_type::OCI_LAYER_GZIP, content)
}

/// A tag.
pub(crate) fn tag(name: &str) -> TagOrDigest {
    TagOrDigest::Tag(name.to_owned())
}
