//! Routes, clients and content for the tests.

use std::io::Read;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fetch::Surroundings;
use oci::{Descriptor, Digest, TagOrDigest, media_type};
use registry::{Client, Credential, Document, Endpoint, Limits, Repository, Route, Scheme, SecretText, Tls};
use testkit::{Request, Response};

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

/// A client that does not wait, and the pauses that it would have made.
pub(crate) fn recording() -> (Client, Arc<Mutex<Vec<Duration>>>) {
    let pauses: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let seen = Arc::clone(&pauses);
    let wait: registry::Wait = Arc::new(move |pause| seen.lock().unwrap().push(pause));
    (client_with(Limits { wait: Some(wait), ..limits() }), pauses)
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

/// A registry of the smallest kind: one manifest as `v1`, and the blobs that it is given; ranges are served.
pub(crate) fn serve(request: &Request, document: &Document, blobs: &[Vec<u8>]) -> Response {
    let path = request.path.split('?').next().unwrap();
    let Some(path) = path.strip_prefix("/v2/app/one/") else {
        return if path == "/v2/" { Response::ok("{}") } else { Response::status(404) };
    };
    let is_manifest = path == "manifests/v1" || path == format!("manifests/{}", document.digest);
    if is_manifest {
        let answer = Response::ok(document.bytes.clone()).header("Content-Type", &document.media_type);
        return answer.header("Docker-Content-Digest", &document.digest.to_string());
    }
    let blob =
        path.strip_prefix("blobs/").and_then(|digest| blobs.iter().find(|blob| Digest::of(blob).to_string() == digest));
    blob.map_or_else(|| Response::status(404), |blob| serve_range(request, blob))
}

/// All of some content, or the range that is asked for.
pub(crate) fn serve_range(request: &Request, content: &[u8]) -> Response {
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = range else { return Response::ok(content) };
    let first: usize = first.parse().unwrap();
    let last = last.parse().map_or(content.len(), |last: usize| last + 1).min(content.len());
    if first >= last {
        return Response::status(416);
    }
    let range = format!("bytes {first}-{}/{}", last - 1, content.len());
    Response { status: 206, ..Response::ok(&content[first..last]) }.header("Content-Range", &range)
}

/// Reads a blob from a position to its end.
pub(crate) fn read(repository: &Repository<'_>, blob: &Descriptor, from: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut reader = repository.blob(blob, from).map_err(|error| error.to_string())?;
    reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// A manifest with a config and one layer.
pub(crate) fn manifest(config: &[u8], layers: &[&[u8]]) -> Document {
    let config = serde_json::to_string(&Descriptor::of(media_type::OCI_CONFIG, config)).unwrap();
    let layers: Vec<_> = layers.iter().map(|layer| serde_json::to_string(&self::layer(layer)).unwrap()).collect();
    let media_type = media_type::OCI_MANIFEST.to_owned();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{config},"layers":[{}]}}"#,
        layers.join(",")
    );
    Document { media_type, digest: Digest::of(text.as_bytes()), bytes: text.into_bytes() }
}

/// The descriptor of some content.
pub(crate) fn layer(content: &[u8]) -> Descriptor {
    Descriptor::of(media_type::OCI_LAYER_GZIP, content)
}

/// A tag.
pub(crate) fn tag(name: &str) -> TagOrDigest {
    TagOrDigest::Tag(name.to_owned())
}
