//! A bad network between us and Debian's registry: what can be done is done, with few extra bytes; else one clear line.

use std::sync::atomic::{AtomicU32, Ordering};

use registry::{Access, Upload};
use testkit::{Fault, FaultProxy, HttpServer, Registry, RegistryOptions, Request, Response};

use crate::debian::started;
use crate::support::{NEVER, client, content, endpoint, layer, read, route};

fn push(port: u16, bytes: &[u8]) -> Result<Upload, String> {
    let client = client();
    let repository = client.repository(route(endpoint(port)), Access::Push, &NEVER);
    repository.upload(&layer(bytes), &bytes.to_vec(), None, &|_| {}).map_err(|error| error.to_string())
}

fn pull(port: u16, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let client = client();
    let repository = client.repository(route(endpoint(port)), Access::Pull, &NEVER);
    read(&repository, &layer(bytes), 0)
}

fn is_blob(request: &Request) -> bool {
    request.method == "GET" && request.path.contains("/blobs/sha256:")
}

#[test]
fn n041_c021_a_push_over_connections_that_are_cut_every_few_megabytes() {
    let Some(server) = started("n041_c021_a_push", &RegistryOptions::default()) else { return };
    let proxy = FaultProxy::before(server.port(), |request| match request.method.as_str() {
        "PATCH" => Fault::CutRequest(3 << 20),
        _ => Fault::None,
    });
    let bytes = content(128 << 20);
    assert_eq!(push(proxy.port(), &bytes), Ok(Upload::Sent));
    let (sent, size) = (proxy.received(), bytes.len() as u64);
    assert!(sent <= size + size / 20, "{sent} bytes for {size}");
    assert!(pull(server.port(), &bytes).unwrap() == bytes);
}

#[test]
fn n041_c011_a_pull_over_connections_that_are_cut_every_few_megabytes() {
    let Some(server) = started("n041_c011_a_pull", &RegistryOptions::default()) else { return };
    let proxy = FaultProxy::before(server.port(), |request| match is_blob(request) {
        true => Fault::CutAnswer(3 << 20),
        false => Fault::None,
    });
    // In one stream, and in ranges at once.
    for size in [40 << 20, 80 << 20] {
        let bytes = content(size);
        assert_eq!(push(server.port(), &bytes), Ok(Upload::Sent));
        let before = proxy.sent();
        assert!(pull(proxy.port(), &bytes).unwrap() == bytes);
        let (sent, size) = (proxy.sent() - before, size as u64);
        assert!(sent <= size + size / 20, "{sent} bytes for {size}");
    }
}

fn times(count: u32, fault: Fault) -> impl Fn() -> Fault + Send + Sync {
    let left = AtomicU32::new(count);
    move || {
        let is_due = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if is_due { fault.clone() } else { Fault::None }
    }
}

/// A registry that has some content, and the content.
fn filled(test: &str, size: usize) -> Option<(Registry, Vec<u8>)> {
    let server = started(test, &RegistryOptions::default())?;
    let bytes = content(size);
    assert_eq!(push(server.port(), &bytes), Ok(Upload::Sent));
    Some((server, bytes))
}

#[test]
fn c011_a_pull_gets_over_what_passes() {
    let Some((server, bytes)) = filled("c011_a_pull_gets_over_what_passes", 2_000_000) else { return };
    for fault in [
        Fault::Answer(Response::status(429).header("Retry-After", "1")),
        Fault::Answer(Response::status(500)),
        Fault::Answer(Response::status(416)),
        Fault::CutAnswer(0),
        Fault::CutAnswer(1_999_999),
        Fault::Stall(1_000_000),
        Fault::Length(2_000_001),
        Fault::Length(1_000_000),
        Fault::Header("content-range", "bytes 5-9/10".to_owned()),
        Fault::WithoutHeader("range"),
    ] {
        let once = times(1, fault.clone());
        let proxy =
            FaultProxy::before(server.port(), move |request| if is_blob(request) { once() } else { Fault::None });
        assert!(pull(proxy.port(), &bytes) == Ok(bytes.clone()), "{fault:?}");
    }
}

#[test]
fn c011_a_pull_from_what_is_broken_for_good_ends_with_one_line() {
    let Some((server, bytes)) = filled("c011_a_pull_from_what_is_broken_for_good", 2_000_000) else { return };
    for (fault, expected) in [
        (Fault::Answer(Response::status(429)), "too many requests"),
        (Fault::Answer(Response::status(500)), "status 500"),
        (Fault::Answer(Response::status(416)), "status 416"),
        (Fault::CutAnswer(0), "broke off"),
        (Fault::Stall(0), "does not answer any more"),
        (Fault::Length(2_000_001), "2000001 bytes there, and not 2000000"),
    ] {
        let given = fault.clone();
        let proxy = FaultProxy::before(
            server.port(),
            move |request| if is_blob(request) { given.clone() } else { Fault::None },
        );
        let error = pull(proxy.port(), &bytes).unwrap_err();
        assert!(error.contains(expected) && !error.contains('\n'), "{fault:?}: {error}");
        assert!(error.contains("`app/one`") && error.contains("127.0.0.1:"), "{error}");
    }
    // Wrong bytes are for whoever reads them to see: never more than announced, and other ones.
    let proxy =
        FaultProxy::before(server.port(), |request| if is_blob(request) { Fault::Corrupt } else { Fault::None });
    let wrong = pull(proxy.port(), &bytes).unwrap();
    assert_eq!(wrong.len(), bytes.len());
    assert!(wrong != bytes);
}

#[test]
fn r23_blobs_that_are_somewhere_else() {
    let Some((server, bytes)) = filled("r23_blobs_that_are_somewhere_else", 2_000_000) else { return };
    let stored = bytes.clone();
    let store = HttpServer::serving(move |request| crate::support::serve_range(request, &stored));
    let away = format!("http://127.0.0.2:{}/blob?signature=x", store.port());
    let proxy = FaultProxy::before(server.port(), move |request| match is_blob(request) {
        true => Fault::Answer(Response::status(307).header("Location", &away)),
        false => Fault::None,
    });
    let mut endpoint = endpoint(proxy.port());
    endpoint.credential = registry::Credential::RegistryToken(registry::SecretText::new("canary"));
    let client = client();
    let repository = client.repository(route(endpoint), Access::Pull, &NEVER);
    assert!(read(&repository, &layer(&bytes), 1000).unwrap() == bytes[1000..]);
    assert_eq!(
        proxy.requests().iter().filter(|request| request.header("authorization") == Some("Bearer canary")).count(),
        1
    );
    let seen = store.seen();
    assert!(seen.iter().all(|request| request.header("authorization").is_none()), "{seen:?}");
    assert_eq!(seen[0].header("range"), Some("bytes=1000-1999999"));
}

#[test]
fn c021_a_push_gets_over_what_passes() {
    let Some(server) = started("c021_a_push_gets_over_what_passes", &RegistryOptions::default()) else { return };
    let mut size = 1_000_000;
    for method in ["HEAD", "POST", "PATCH", "PUT"] {
        for fault in [
            Fault::Answer(Response::status(429).header("Retry-After", "1")),
            Fault::Answer(Response::status(503)),
            Fault::CutRequest(0),
            Fault::LoseAnswer,
        ] {
            let once = times(1, fault.clone());
            let proxy = FaultProxy::before(
                server.port(),
                move |request| {
                    if request.method == method { once() } else { Fault::None }
                },
            );
            // Another blob each time.
            size += 1;
            let bytes = content(size);
            assert_eq!(push(proxy.port(), &bytes), Ok(Upload::Sent), "{method} {fault:?}");
            assert!(pull(server.port(), &bytes).unwrap() == bytes, "{method} {fault:?}");
        }
    }
}

/// What one blob's end has taught holds for the next: only the first one is sent in vain.
#[test]
fn n041_c021_blobs_after_one_that_was_cut_are_sent_in_pieces() {
    let Some(server) = started("n041_c021_blobs_after_one_that_was_cut", &RegistryOptions::default()) else { return };
    let proxy = FaultProxy::before(server.port(), |request| match request.method.as_str() {
        "PATCH" => Fault::CutRequest(3 << 20),
        _ => Fault::None,
    });
    let client = client();
    let repository = client.repository(route(endpoint(proxy.port())), Access::Push, &NEVER);
    let mut total = 0;
    for number in 0..6 {
        let bytes = content((4 << 20) + number);
        assert_eq!(repository.upload(&layer(&bytes), &bytes, None, &|_| {}).unwrap(), Upload::Sent);
        total += bytes.len() as u64;
    }
    let sent = proxy.received();
    assert!(sent <= total + total / 20 + (3 << 20), "{sent} bytes for {total}");
}

/// A registry that has all bytes of a blob and cannot end the upload yet does not get them once more.
#[test]
fn n041_c021_the_end_of_an_upload_is_tried_again_alone() {
    let Some(server) = started("n041_c021_the_end_of_an_upload_is_tried", &RegistryOptions::default()) else { return };
    let mut size = 1_000_000;
    for fault in [
        Fault::Answer(Response::status(429).header("Retry-After", "1")),
        Fault::Answer(Response::status(500)),
        Fault::LoseAnswer,
        Fault::CutAnswer(0),
    ] {
        let twice = times(2, fault.clone());
        let rule = move |request: &Request| if request.method == "PUT" { twice() } else { Fault::None };
        let proxy = FaultProxy::before(server.port(), rule);
        size += 1;
        let bytes = content(size);
        assert_eq!(push(proxy.port(), &bytes), Ok(Upload::Sent), "{fault:?}");
        assert_eq!(proxy.received(), size as u64, "{fault:?}");
    }
    // One that never does ends it with one line.
    let proxy = FaultProxy::before(server.port(), |request| match request.method.as_str() {
        "PUT" => Fault::Answer(Response::status(500)),
        _ => Fault::None,
    });
    let bytes = content(size + 1);
    let error = push(proxy.port(), &bytes).unwrap_err();
    assert!(error.contains("status 500"), "{error}");
    assert_eq!(proxy.received(), bytes.len() as u64);
}

/// A registry that says "not now" to a piece is asked before the next one is sent.
#[test]
fn n041_c021_a_busy_registry_is_asked_before_much_is_sent() {
    let Some(server) = started("n041_c021_a_busy_registry_is_asked_before", &RegistryOptions::default()) else {
        return;
    };
    let mut size = 1_500_000;
    for status in [429, 500] {
        let twice = times(2, Fault::Answer(Response::status(status)));
        let rule = move |request: &Request| if request.method == "PATCH" { twice() } else { Fault::None };
        let proxy = FaultProxy::before(server.port(), rule);
        size += 1;
        let bytes = content(size);
        assert_eq!(push(proxy.port(), &bytes), Ok(Upload::Sent), "{status}");
        assert_eq!(proxy.received(), size as u64, "{status}");
    }
}
