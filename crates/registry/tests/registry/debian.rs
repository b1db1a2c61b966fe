//! Against Debian's `docker-registry`.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use oci::TagOrDigest;
use registry::{Access, Kind, Limits, ReadAt, Upload};
use testkit::{Registry, RegistryOptions};

use crate::retries::slow;
use crate::support::{NEVER, client, client_with, content, endpoint, layer, limits, manifest, password, route, tag};

/// A registry, or a line that says what is missing.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was skipped")]
pub(crate) fn started(test: &str, options: &RegistryOptions) -> Option<Registry> {
    let registry = Registry::start_with(options);
    if registry.is_none() {
        eprintln!("skipped: requires docker-registry, htpasswd and openssl: {test}");
    }
    registry
}

#[test]
fn c020_c010_what_was_pushed_is_pulled() {
    let Some(server) = started("c020_c010_what_was_pushed_is_pulled", &RegistryOptions::default()) else { return };
    let client = client();
    let push = client.repository(route(endpoint(server.port())), Access::Push, &NEVER);
    assert_eq!(push.resolve(&tag("v1")).unwrap(), None);
    let (config, bytes, empty) = (b"{}".to_vec(), content(3_000_000), Vec::new());
    let sent = Cell::new(0);
    for (blob, expected) in
        [(&config, Upload::Sent), (&bytes, Upload::Sent), (&empty, Upload::Sent), (&bytes, Upload::Existed)]
    {
        let upload = push.upload(&layer(blob), blob as &dyn ReadAt, None, &|position| sent.set(position)).unwrap();
        assert_eq!(upload, expected);
    }
    let document = manifest(&config, &[&bytes]);
    push.put_manifest(&tag("v1"), &document).unwrap();
    push.put_manifest(&tag("v2"), &document).unwrap();
    assert_eq!(push.tags().unwrap(), ["v1", "v2"]);

    let pull = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
    assert_eq!(pull.manifest(&tag("v1")).unwrap(), document);
    assert_eq!(pull.manifest(&TagOrDigest::Digest(document.digest)).unwrap(), document);
    let found = pull.resolve(&tag("v1")).unwrap().unwrap();
    assert_eq!((found.digest, found.size), (document.digest, document.bytes.len() as u64));
    assert!(pull.has_blob(&layer(&bytes)).unwrap());
    assert!(!pull.has_blob(&layer(b"other")).unwrap());
    for from in [0, 1, 2_999_999, 3_000_000] {
        let mut read = Vec::new();
        pull.blob(&layer(&bytes), from as u64).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == bytes[from..], "from {from}");
    }
    let missing = pull.manifest(&tag("v3")).unwrap_err();
    assert!(matches!(missing.kind, Kind::NotFound), "{missing:?}");
    assert_eq!(
        missing.to_string(),
        format!(
            "cannot read manifest `v3` of `app/one` at `{}`: not found (manifest_unknown: manifest unknown)",
            server.host()
        )
    );
    // A blob of another repository is mounted.
    let mut other = endpoint(server.port());
    other.repository = "app/two".to_owned();
    let other = client.repository(route(other), Access::Push, &NEVER);
    let mounted = other.upload(&layer(&bytes), &bytes, Some("app/one"), &|_| {}).unwrap();
    assert_eq!(mounted, Upload::Mounted);
    let none = content(300_000);
    assert_eq!(other.upload(&layer(&none), &none, Some("app/one"), &|_| {}).unwrap(), Upload::Sent);
}

#[test]
fn c010_s265_basic_authentication() {
    let users = vec![("tester".to_owned(), "canary".to_owned())];
    let options = RegistryOptions { users, ..RegistryOptions::default() };
    let Some(server) = started("c010_s265_basic_authentication", &options) else { return };
    let client = client();
    let anonymous = endpoint(server.port());
    let push = client.repository(route(anonymous.clone()), Access::Push, &NEVER);
    let denied = push.upload(&layer(b"x"), &b"x".to_vec(), None, &|_| {}).unwrap_err();
    assert!(matches!(denied.kind, Kind::Unauthorized { had_credential: false }), "{denied:?}");
    client.ping(&anonymous, &NEVER).unwrap();
    assert!(client.check_credential(&anonymous, &NEVER).is_err());

    let mut known = anonymous.clone();
    known.credential = password();
    assert!(client.check_credential(&known, &NEVER).unwrap().is_none());
    let push = client.repository(route(known), Access::Push, &NEVER);
    assert_eq!(push.upload(&layer(b"x"), &b"x".to_vec(), None, &|_| {}).unwrap(), Upload::Sent);

    let mut wrong = anonymous;
    wrong.credential =
        registry::Credential::Password { user: "tester".to_owned(), password: registry::SecretText::new("wrong") };
    let refused = client.check_credential(&wrong, &NEVER).unwrap_err();
    assert!(matches!(refused.kind, Kind::Unauthorized { had_credential: true }), "{refused:?}");
}

#[test]
fn c330_a_private_authority() {
    let options = RegistryOptions { with_tls: true, ..RegistryOptions::default() };
    let Some(server) = started("c330_a_private_authority", &options) else { return };
    let client = client();
    let mut endpoint = endpoint(server.port());
    endpoint.scheme = registry::Scheme::Https;
    let refused = client.ping(&endpoint, &NEVER).unwrap_err();
    assert!(matches!(refused.kind, Kind::Tls(_)), "{refused:?}");
    let mut unverified = endpoint.clone();
    unverified.tls.is_unverified = true;
    client.ping(&unverified, &NEVER).unwrap();
    endpoint.tls.authorities = vec![server.authority().unwrap().certificate()];
    client.ping(&endpoint, &NEVER).unwrap();
    let repository = client.repository(route(endpoint.clone()), Access::Push, &NEVER);
    let bytes = content(1_000_000);
    assert_eq!(repository.upload(&layer(&bytes), &bytes, None, &|_| {}).unwrap(), Upload::Sent);
    let mut read = Vec::new();
    repository.blob(&layer(&bytes), 7).unwrap().read_to_end(&mut read).unwrap();
    assert!(read == bytes[7..]);
    // Another name of the same machine is not in the certificate.
    endpoint.host = "127.0.0.2".to_owned();
    assert!(client.ping(&endpoint, &NEVER).is_err());
}

#[test]
fn c011_a_slow_server_with_tls_is_waited_for() {
    let options = RegistryOptions { with_tls: true, ..RegistryOptions::default() };
    let Some(server) = started("c011_a_slow_server_with_tls_is_waited_for", &options) else { return };
    let mut endpoint = endpoint(server.port());
    endpoint.scheme = registry::Scheme::Https;
    endpoint.tls.authorities = vec![server.authority().unwrap().certificate()];
    let bytes = content(300_000);
    let client = client_with(Limits { silence: Duration::from_secs(60), ..limits() });
    let push = client.repository(route(endpoint.clone()), Access::Push, &NEVER);
    push.upload(&layer(&bytes), &bytes, None, &|_| {}).unwrap();
    let (port, connections) = slow(server.port());
    endpoint.port = port;
    let mut read = Vec::new();
    let pull = client.repository(route(endpoint), Access::Pull, &NEVER);
    pull.blob(&layer(&bytes), 0).unwrap().read_to_end(&mut read).unwrap();
    assert!(read == bytes);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn c330_a_client_shows_its_certificate() {
    let options = RegistryOptions { with_tls: true, asks_certificates: true, ..RegistryOptions::default() };
    let Some(server) = started("c330_a_client_shows_its_certificate", &options) else { return };
    let authority = server.authority().unwrap();
    let mut endpoint = endpoint(server.port());
    endpoint.scheme = registry::Scheme::Https;
    endpoint.tls.authorities = vec![authority.certificate()];
    client().ping(&endpoint, &NEVER).unwrap_err();
    let (mine, other) = (authority.client(), authority.client());
    let shown = |certificates: &[u8], key: &[u8]| {
        let key = registry::SecretText::new(String::from_utf8_lossy(key));
        let mut endpoint = endpoint.clone();
        endpoint.tls.identity = Some(registry::Identity { certificates: certificates.to_vec(), key });
        client().ping(&endpoint, &NEVER)
    };
    shown(&mine.certificate, &mine.key).unwrap();
    for (certificates, key) in [
        (&mine.certificate[..], &other.key[..]),
        (&mine.certificate, b"no key"),
        (&mine.certificate, &mine.certificate),
        (b"no certificate", &mine.key),
        (b"", b""),
    ] {
        let refused = shown(certificates, key).unwrap_err();
        assert!(matches!(refused.kind, Kind::Settings(_)), "{refused:?}");
    }
    let mut broken = endpoint.clone();
    broken.tls.authorities = vec![b"no certificate".to_vec()];
    let refused = client().ping(&broken, &NEVER).unwrap_err();
    assert!(matches!(refused.kind, Kind::Settings(_)), "{refused:?}");
}

#[test]
fn c330_by_way_of_a_proxy() {
    let options = RegistryOptions { with_tls: true, ..RegistryOptions::default() };
    let Some(server) = started("c330_by_way_of_a_proxy", &options) else { return };
    let (proxy, asked) = tunnel();
    let mut endpoint = endpoint(server.port());
    endpoint.scheme = registry::Scheme::Https;
    endpoint.tls.authorities = vec![server.authority().unwrap().certificate()];
    endpoint.proxy = Some(format!("http://who:canary@127.0.0.1:{proxy}"));
    let client = client();
    let repository = client.repository(route(endpoint.clone()), Access::Push, &NEVER);
    let bytes = content(3_000_000);
    assert_eq!(repository.upload(&layer(&bytes), &bytes, None, &|_| {}).unwrap(), Upload::Sent);
    let head = asked.recv().unwrap();
    assert!(head.starts_with(&format!("CONNECT {} HTTP/1.1", server.host())), "{head}");
    assert!(
        head.contains("Proxy-Authorization: basic d2hvOmNhbmFyeQ==") || head.contains("d2hvOmNhbmFyeQ=="),
        "{head}"
    );

    let refuses = testkit::HttpServer::serving(|_| testkit::Response::status(407));
    endpoint.proxy = Some(format!("http://who:canary@127.0.0.1:{}", refuses.port()));
    let refused = client.ping(&endpoint, &NEVER).unwrap_err();
    assert!(matches!(refused.kind, Kind::Proxy(_)), "{refused:?}");
    assert!(!refused.to_string().contains("canary"), "{refused}");
}

/// A proxy that makes tunnels, and the heads of what it was asked.
fn tunnel() -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let server = TcpStream::connect(head.split(' ').nth(1).unwrap()).unwrap();
            drop(sender.send(head));
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut from, mut to) = (server, client);
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    (port, asked)
}

#[test]
fn c330_tls_or_not_is_found_out() {
    let Some(server) = started("c330_tls_or_not_is_found_out", &RegistryOptions::default()) else { return };
    let client = client();
    let mut endpoint = endpoint(server.port());
    endpoint.scheme = registry::Scheme::Https;
    assert!(client.ping(&endpoint, &NEVER).is_err());
    endpoint.plain_http_port = Some(server.port());
    client.ping(&endpoint, &NEVER).unwrap();
    let repository = client.repository(route(endpoint), Access::Push, &NEVER);
    assert_eq!(repository.upload(&layer(b"x"), &b"x".to_vec(), None, &|_| {}).unwrap(), Upload::Sent);
}
