//! What is tried again and what is not, where transfers go on, ranges at once, and that an end is noticed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oci::TagOrDigest;
use registry::{Access, Document, Kind, Limits, RegistryError, Upload};
use testkit::{HttpServer, Request, Response};

use crate::support::{
    NEVER, client, client_with, content, endpoint, layer, limits, manifest, read, recording, route, serve, serve_range,
    tag,
};

/// The first requests get these answers, the others those of the second function.
fn at_first(answers: Vec<Response>, otherwise: impl Fn(&Request) -> Response + Send + Sync + 'static) -> HttpServer {
    let count = AtomicU32::new(0);
    HttpServer::serving(move |request| {
        let rank = count.fetch_add(1, Ordering::Relaxed) as usize;
        answers.get(rank).cloned().unwrap_or_else(|| otherwise(request))
    })
}

#[test]
fn c011_what_may_pass_is_tried_again() {
    let document = manifest(b"{}", &[]);
    for status in [408, 429, 500, 502, 503, 504] {
        let given = document.clone();
        let busy = Response::status(status).header("Retry-After", "7");
        let server = at_first(vec![busy.clone(), busy], move |request| serve(request, &given, &[]));
        let (client, pauses) = recording();
        let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
        assert_eq!(repository.manifest(&tag("v1")).unwrap(), document, "{status}");
        assert_eq!(*pauses.lock().unwrap(), [Duration::from_secs(7); 2]);
    }
    let server = HttpServer::serving(|_| Response::status(503));
    let repository_error = |status: &'static str, server: &HttpServer| {
        let client = client();
        let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
        let error = repository.manifest(&tag("v1")).unwrap_err();
        assert!(error.to_string().contains(status), "{error}");
        error
    };
    let error = repository_error("503", &server);
    assert!(matches!(error.kind, Kind::Unavailable { status: 503 }));
    assert_eq!(server.seen().len() as u32, limits().attempts);
    let server = HttpServer::serving(|_| Response::status(429));
    assert!(matches!(repository_error("too many", &server).kind, Kind::TooManyRequests));
}

#[test]
fn c011_what_will_not_pass_is_not_tried_again() {
    for status in [400, 401, 403, 404, 405, 410, 418, 301] {
        let server = HttpServer::serving(move |_| Response::status(status));
        let client = client();
        let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
        repository.manifest(&tag("v1")).unwrap_err();
        assert_eq!(server.seen().len(), 1, "{status}");
    }
    let client = client();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = client.repository(route(endpoint(free)), Access::Pull, &NEVER).manifest(&tag("v1")).unwrap_err();
    assert!(matches!(error.kind, Kind::Connect(_)), "{error:?}");
    let mut nowhere = endpoint(80);
    nowhere.host = "registry.invalid".to_owned();
    let error = client.ping(&nowhere, &NEVER).unwrap_err();
    assert!(matches!(error.kind, Kind::Host), "{error:?}");
    assert_eq!(error.to_string(), "cannot reach the registry at `registry.invalid`: no such host");
}

/// Where nobody has ever answered, a port is a mistyped one; who did answer is perhaps starting again.
#[test]
fn c011_a_port_where_nobody_listens_is_final_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ask = |client: &registry::Client| {
        let error = client.repository(route(endpoint(port)), Access::Pull, &NEVER).manifest(&tag("v1")).unwrap_err();
        error.kind
    };
    let (before, pauses_before) = recording();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            assert!(head.any(|line| line.is_empty()));
            (&stream).write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
            drop(listener);
        });
        assert!(matches!(ask(&before), Kind::NotFound));
    });
    assert!(matches!(ask(&before), Kind::Connect(_)));
    assert_eq!(pauses_before.lock().unwrap().len(), 2, "it was there before");
    let (never, pauses) = recording();
    assert!(matches!(ask(&never), Kind::Connect(_)));
    assert!(pauses.lock().unwrap().is_empty());
}

#[test]
fn c010_manifests_that_are_not_what_they_should_be() {
    let document = manifest(b"{}", &[]);
    let asked = |which: &TagOrDigest, answer: Response| -> RegistryError {
        let server = HttpServer::serving(move |_| answer.clone());
        let client = client();
        let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
        let error = repository.manifest(which).unwrap_err();
        assert!(!error.to_string().contains('\n'));
        error
    };
    let right = || Response::ok(document.bytes.clone()).header("Content-Type", &document.media_type);
    let other = layer(b"other").digest;
    assert!(matches!(asked(&TagOrDigest::Digest(other), right()).kind, Kind::Content(_)));
    let lies = right().header("Docker-Content-Digest", &other.to_string());
    assert!(matches!(asked(&tag("v1"), lies).kind, Kind::Content(_)));
    let index = Response::ok(document.bytes.clone()).header("Content-Type", oci::media_type::OCI_INDEX);
    assert!(matches!(asked(&tag("v1"), index).kind, Kind::Protocol(_)));
    assert!(matches!(asked(&tag("v1"), Response::ok("{}")).kind, Kind::Protocol(_)));
    let large = Response::ok(vec![b' '; 5 << 20]).header("Content-Type", &document.media_type);
    assert!(matches!(asked(&tag("v1"), large).kind, Kind::TooLarge { .. }));
    let short = Response { missing: 10, ..right() };
    assert!(matches!(asked(&tag("v1"), short).kind, Kind::Cut(_)));
    // The document says what it is where the server does not.
    for general in ["application/json", "text/plain; charset=utf-8"] {
        let bytes = document.bytes.clone();
        let server = HttpServer::serving(move |_| Response::ok(bytes.clone()).header("Content-Type", general));
        let client = client();
        let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
        assert_eq!(repository.manifest(&tag("v1")).unwrap(), document);
    }
}

#[test]
fn c010_resolving_reads_the_manifest_only_where_it_must() {
    let document = manifest(b"{}", &[]);
    let length = document.bytes.len() as u64;
    for (head, requests) in [
        (
            Response::ok(document.bytes.clone())
                .header("Content-Type", &document.media_type)
                .header("Docker-Content-Digest", &document.digest.to_string()),
            1,
        ),
        (Response::ok(document.bytes.clone()).header("Content-Type", &document.media_type), 2),
        (Response::status(405), 2),
        (Response::status(403), 2),
    ] {
        let given: Document = document.clone();
        let server = HttpServer::serving(move |request| match request.method.as_str() {
            "HEAD" => head.clone(),
            _ => serve(request, &given, &[]),
        });
        let client = client();
        let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
        let found = repository.resolve(&tag("v1")).unwrap().unwrap();
        assert_eq!((found.digest, found.size, &found.media_type), (document.digest, length, &document.media_type));
        let seen = server.seen();
        assert_eq!(seen.len(), requests);
        assert!(seen[0].header("accept").unwrap().contains("oci.image.index"), "{seen:?}");
        assert!(seen[0].header("accept").unwrap().contains("docker.distribution.manifest.list"), "{seen:?}");
    }
}

#[test]
fn c011_n041_a_download_that_is_cut_goes_on() {
    let blob = content(1_000_000);
    let stored = blob.clone();
    let server = HttpServer::serving(move |request| {
        let answer = serve_range(request, &stored).header("ETag", "\"v1\"");
        // 100,000 bytes each time, and a length that says more.
        let missing = answer.body.len().saturating_sub(100_000);
        let body = answer.body[..answer.body.len() - missing].to_vec();
        Response { missing, body, ..answer }
    });
    let client = client();
    let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
    assert!(read(&repository, &layer(&blob), 0).unwrap() == blob);
    let seen = server.seen();
    let ranges: Vec<_> = seen.iter().map(|request| request.header("range").unwrap_or("none").to_owned()).collect();
    assert_eq!(ranges[..3], ["none", "bytes=100000-999999", "bytes=200000-999999"]);
    assert_eq!(ranges.len(), 10);
    assert_eq!((seen[0].header("if-range"), seen[1].header("if-range")), (None, Some("\"v1\"")));
}

#[test]
fn c011_servers_without_ranges_and_those_that_lie() {
    let blob = content(500_000);
    type Answer = fn(&Request, &[u8]) -> Response;
    let ignores: Answer = |_, blob| Response { missing: 0, ..Response::ok(blob) };
    let cut_once: Answer = |request, blob| match request.header("range") {
        None => Response { missing: blob.len() - 100_000, ..Response::ok(&blob[..100_000]) },
        Some(_) => Response::ok(blob),
    };
    let not_satisfiable: Answer = |request, blob| match request.header("range") {
        Some(_) => Response::status(416),
        None => Response::ok(blob),
    };
    let other_range: Answer = |request, blob| match request.header("range") {
        Some(_) => {
            Response { status: 206, ..Response::ok(&blob[1..]) }.header("Content-Range", "bytes 1-499999/500000")
        }
        None => Response::ok(blob),
    };
    let no_range: Answer = |_, blob| Response { status: 206, ..Response::ok(blob) };
    let other_total: Answer = |_, blob| {
        Response { status: 206, ..Response::ok(&blob[100..]) }.header("Content-Range", "bytes 100-499999/600000")
    };
    let longer: Answer = |_, blob| Response::ok([blob, b"more"].concat());
    let shorter: Answer = |_, blob| Response::ok(&blob[1..]);
    for (name, answer, from, expected) in [
        ("ignores ranges", ignores, 100, Ok(())),
        ("ignores ranges after a cut", cut_once, 0, Ok(())),
        ("refuses ranges", not_satisfiable, 100, Ok(())),
        ("another range", other_range, 100, Err("it gives bytes 1 to 499999 where 100 to 499999 were asked for")),
        ("a range of what", no_range, 100, Err("it gives a range and does not say which")),
        ("another total", other_total, 100, Err("has 600000 bytes there, and not 500000")),
        ("longer", longer, 0, Err("has 500004 bytes there, and not 500000")),
        ("shorter", shorter, 0, Err("has 499999 bytes there, and not 500000")),
    ] {
        let stored = blob.clone();
        let server = HttpServer::serving(move |request| answer(request, &stored));
        let client = client();
        let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
        match (read(&repository, &layer(&blob), from), expected) {
            (Ok(bytes), Ok(())) => assert!(bytes == blob[from as usize..], "{name}"),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{name}: {error}"),
            (result, _) => panic!("{name}: {:?}", result.map(|bytes| bytes.len())),
        }
    }
}

/// Small ranges for small tests: 64 KiB, at most 4 of them.
fn in_ranges() -> Limits {
    Limits { ranges_from: 200_000, range: 64 << 10, ranges_ahead: 4, range_threads: 3, ..limits() }
}

#[test]
fn c011_large_blobs_come_in_ranges_at_once_and_in_order() {
    let blob = content(1_000_003);
    let stored = blob.clone();
    let (most, given) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (seen_most, seen_given) = (Arc::clone(&most), Arc::clone(&given));
    let server = HttpServer::serving(move |request| {
        let answer = serve_range(request, &stored);
        let range = answer.headers.iter().find(|(name, _)| name == "Content-Range").unwrap();
        let first: u64 = range.1["bytes ".len()..].split('-').next().unwrap().parse().unwrap();
        seen_most.fetch_max(first.saturating_sub(seen_given.load(Ordering::SeqCst)), Ordering::SeqCst);
        // Some ranges are cut.
        let missing = if first.is_multiple_of(3) { answer.body.len() / 2 } else { 0 };
        let body = answer.body[..answer.body.len() - missing].to_vec();
        Response { missing, body, ..answer }
    });
    let client = client_with(in_ranges());
    let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
    for from in [0, 5, 800_003] {
        given.store(from, Ordering::SeqCst);
        let mut reader = repository.blob(&layer(&blob), from).unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 10_000]);
        while let count @ 1.. = reader.read(&mut buffer).unwrap() {
            bytes.extend_from_slice(&buffer[..count]);
            given.fetch_add(count as u64, Ordering::SeqCst);
        }
        assert!(bytes == blob[from as usize..], "from {from}");
    }
    let ahead = most.load(Ordering::SeqCst);
    assert!(ahead <= 5 * (64 << 10), "no range is asked for that is further ahead than the window: {ahead}");
}

#[test]
fn c011_ranges_fall_back_to_one_stream() {
    let blob = content(1_000_000);
    // From the second range on there are none; or there never were.
    for ranges in [0, 1, 5] {
        let (stored, count) = (blob.clone(), AtomicU32::new(0));
        let server = HttpServer::serving(move |request| match request.header("range") {
            Some(range) if count.fetch_add(1, Ordering::Relaxed) >= ranges && !range.ends_with("-999999") => {
                Response::ok(stored.clone())
            }
            _ => serve_range(request, &stored),
        });
        let client = client_with(in_ranges());
        let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
        assert!(read(&repository, &layer(&blob), 0).unwrap() == blob, "{ranges}");
    }
    let count = AtomicU32::new(0);
    let stored = blob.clone();
    let server = HttpServer::serving(move |request| match count.fetch_add(1, Ordering::Relaxed) {
        0..2 => serve_range(request, &stored),
        _ => Response::status(404),
    });
    let client = client_with(in_ranges());
    let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
    assert!(read(&repository, &layer(&blob), 0).unwrap_err().contains("not found"));
}

#[test]
fn c011_an_upload_goes_on_where_the_registry_says() {
    let blob = content(2_000_000);
    let digest = layer(&blob).digest.to_string().replace(':', "%3A");
    let had: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (taken, patches) = (Arc::clone(&had), AtomicU32::new(0));
    let server = HttpServer::serving(move |request| {
        let mut taken = taken.lock().unwrap();
        let session = |status: u16, length: usize| {
            let range = format!("0-{}", length.saturating_sub(1));
            Response::status(status).header("Location", &format!("/v2/s?state={length}&x=%2F")).header("Range", &range)
        };
        match request.method.as_str() {
            "HEAD" => Response::status(404),
            "POST" => session(202, 0),
            "PATCH" => {
                let offset = request.header("content-range").map_or("0", |range| range.split('-').next().unwrap());
                if offset.parse() != Ok(taken.len()) {
                    return Response::status(416);
                }
                let is_first = patches.fetch_add(1, Ordering::Relaxed) == 0;
                let count = if is_first { 700_000 } else { request.body.len() };
                taken.extend_from_slice(&request.body[..count]);
                // The first one is only taken in part, and the answer says nothing of it.
                if is_first { Response::status(500) } else { session(202, taken.len()) }
            }
            "GET" => session(204, taken.len()),
            "PUT" if request.path == format!("/v2/s?state=2000000&x=%2F&digest={digest}") => Response::status(201),
            _ => Response::status(400),
        }
    });
    let sent: Mutex<Vec<u64>> = Mutex::default();
    let client = client();
    let repository = client.repository(route(endpoint(server.port())), Access::Push, &NEVER);
    repository.upload(&layer(&blob), &blob, None, &|position| sent.lock().unwrap().push(position)).unwrap();
    assert!(*had.lock().unwrap() == blob);
    assert_eq!(sent.lock().unwrap().last(), Some(&2_000_000));
    let methods: Vec<_> = server.seen().iter().map(|request| request.method.clone()).collect();
    // The registry may have got everything before the answer was lost: it is asked where it is, not begun again.
    assert_eq!(methods, ["HEAD", "POST", "PATCH", "GET", "PATCH", "PUT"]);
}

#[test]
fn c020_a_repository_that_must_be_made_first() {
    let said = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"the repository does not exist"}]}"#;
    let server = HttpServer::serving(move |_| Response { status: 404, ..Response::ok(said) });
    let client = client();
    let repository = client.repository(route(endpoint(server.port())), Access::Push, &NEVER);
    for mount_from in [None, Some("other")] {
        let refused = repository.upload(&layer(b"x"), &b"x".to_vec(), mount_from, &|_| {}).unwrap_err();
        assert!(matches!(refused.kind, Kind::NotFound), "{refused:?}");
        assert!(refused.to_string().ends_with("not found (name_unknown: the repository does not exist)"), "{refused}");
    }
    let methods: Vec<_> = server.seen().iter().map(|request| request.method.clone()).collect();
    assert_eq!(methods, ["HEAD", "POST", "HEAD", "POST", "POST"]);
}

#[test]
fn c021_a_mount_that_is_refused_is_an_upload() {
    let digest = layer(b"x").digest.to_string().replace(':', "%3A");
    for mounting in [202, 403, 404, 405] {
        let value = digest.clone();
        let server = HttpServer::serving(move |request| match (request.method.as_str(), request.path.as_str()) {
            ("POST", path) if path.contains("mount=") && mounting != 202 => Response::status(mounting),
            ("POST", _) => Response::status(202).header("Location", "/v2/s"),
            ("PUT", path) if path == format!("/v2/s?digest={value}") => Response::status(201),
            _ => Response::status(404),
        });
        let client = client();
        let repository = client.repository(route(endpoint(server.port())), Access::Push, &NEVER);
        assert_eq!(repository.upload(&layer(b"x"), &b"x".to_vec(), Some("other/one"), &|_| {}).unwrap(), Upload::Sent);
        let seen = server.seen();
        assert_eq!(seen[1].path, format!("/v2/app/one/blobs/uploads/?mount={digest}&from=other%2Fone"));
        // What the registry began in place of the mount is gone on with.
        assert_eq!(seen.len(), if mounting == 202 { 3 } else { 4 });
    }
}

#[test]
fn c021_content_that_changes_while_it_is_sent() {
    let server = HttpServer::serving(|request| match request.method.as_str() {
        "HEAD" => Response::status(404),
        "POST" | "PATCH" => Response::status(202).header("Location", "/v2/s"),
        _ => Response { status: 400, ..Response::ok(r#"{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}"#) },
    });
    let client = client();
    let repository = client.repository(route(endpoint(server.port())), Access::Push, &NEVER);
    let (said, is) = (content(400_000), vec![1; 400_000]);
    let refused = repository.upload(&layer(&said), &is, None, &|_| {}).unwrap_err();
    assert!(matches!(refused.kind, Kind::Content(_)), "{refused:?}");
    let short = repository.upload(&layer(&said), &vec![1; 300_000], None, &|_| {}).unwrap_err();
    assert!(matches!(short.kind, Kind::Source(_)), "{short:?}");
}

#[test]
fn c010_tags_come_in_pages_that_end() {
    let server = HttpServer::serving(|request| match request.path.as_str() {
        "/v2/app/one/tags/list?n=1000" => {
            Response::ok(r#"{"tags":["a","b"]}"#).header("Link", "</v2/app/one/tags/list?last=b&n=1000>; rel=\"next\"")
        }
        _ => Response::ok(r#"{"name":"app/one","tags":["c"]}"#),
    });
    let asked = |server: &HttpServer| {
        let client = client();
        client.repository(route(endpoint(server.port())), Access::Pull, &NEVER).tags()
    };
    assert_eq!(asked(&server).unwrap(), ["a", "b", "c"]);
    let none = HttpServer::serving(|_| Response::ok(r#"{"tags":null}"#));
    assert_eq!(asked(&none).unwrap(), [""; 0]);
    for (body, link) in [
        (r#"{"tags":["a"]}"#, "</v2/app/one/tags/list?n=1000>; rel=next"),
        (r#"{"tags":[]}"#, "</v2/app/one/tags/list?n=1000&x=y>; rel=next"),
        (r#"{"tags":["a"]}"#, "<http://127.0.0.2:1/x>; rel=next"),
        ("nothing", ""),
    ] {
        let server = HttpServer::serving(move |_| Response::ok(body).header("Link", link));
        assert!(matches!(asked(&server).unwrap_err().kind, Kind::Protocol(_)), "{link}");
    }
}

/// A server that answers every request head with this, on connections that stay, without reading any body.
fn curt(answer: &'static str) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&connections);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while let Some(Ok(line)) = lines.next() {
                    if line.is_empty() && (&stream).write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, connections)
}

#[test]
fn c010_connections_are_kept() {
    let (port, connections) = curt("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
    let client = client();
    let repository = client.repository(route(endpoint(port)), Access::Pull, &NEVER);
    for _ in 0..5 {
        client.ping(&endpoint(port), &NEVER).unwrap();
        assert_eq!(read(&repository, &layer(b"0123456789"), 0).unwrap(), b"0123456789");
        assert!(repository.has_blob(&layer(b"0123456789")).is_ok());
    }
    // The answer to HEAD has a body that it must not have, so its connection is not used again.
    assert_eq!(connections.load(Ordering::SeqCst), 5);
}

#[test]
fn c021_a_blob_that_is_too_large_for_the_server() {
    let (blob, said) = (content(8 << 20), r#"{"errors":[{"code":"SIZE_INVALID","message":"too large"}]}"#);
    let answers = |request: &Request| match request.method.as_str() {
        "HEAD" => Response::status(404),
        "POST" => Response::status(202).header("Location", "/v2/s"),
        _ => Response::status(500),
    };
    let server = HttpServer::serving(answers);
    let refusal = Response { status: 413, ..Response::ok(said) };
    let proxy = testkit::FaultProxy::before(server.port(), move |request| match request.method.as_str() {
        "PATCH" => testkit::Fault::Answer(refusal.clone()),
        _ => testkit::Fault::None,
    });
    let client = client();
    let repository = client.repository(route(endpoint(proxy.port())), Access::Push, &NEVER);
    let refused = repository.upload(&layer(&blob), &blob, None, &|_| {}).unwrap_err();
    assert!(matches!(refused.kind, Kind::Refused { status: 413 }), "{refused:?}");
    assert!(refused.to_string().ends_with("refused, status 413 (size_invalid: too large)"), "{refused}");
    assert!(proxy.received() < 1 << 20, "it was asked before much was sent");
}

#[test]
fn c021_a_server_that_cannot_be_asked_before() {
    let blob = content(2 << 20);
    let server = HttpServer::serving(|request| match request.method.as_str() {
        "HEAD" => Response::status(404),
        "POST" => Response::status(202).header("Location", "/v2/s"),
        "PATCH" if request.header("expect").is_some() => Response::status(417),
        "PATCH" => Response::status(202).header("Location", "/v2/s"),
        _ => Response::status(201),
    });
    let client = client();
    let repository = client.repository(route(endpoint(server.port())), Access::Push, &NEVER);
    repository.upload(&layer(&blob), &blob, None, &|_| {}).unwrap();
}

/// A server that answers the head of each request with this, and then neither sends nor reads.
fn silent(answers: impl Fn(&str) -> &'static str + Send + 'static) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            stream.write_all(answers(&String::from_utf8_lossy(&head)).as_bytes()).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            kept.push(stream);
        }
    });
    (port, asked)
}

/// Cancels some work once the server was asked so often; nothing that it waits for ends before an hour is over.
#[track_caller]
fn cancelled_while(
    server: (u16, Arc<AtomicU32>),
    asked: u32,
    work: impl FnOnce(&registry::Repository<'_>) -> String + Send,
) {
    let hour = Duration::from_secs(3600);
    let limits =
        Limits { silence: hour, answer: hour, commit: hour, pause: hour, longest_pause: hour, ..Limits::default() };
    let (client, cancelled) = (client_with(limits), AtomicBool::new(false));
    let repository = client.repository(route(endpoint(server.0)), Access::Push, &cancelled);
    let started = Instant::now();
    let error = std::thread::scope(|scope| {
        let works = scope.spawn(|| work(&repository));
        while server.1.load(Ordering::SeqCst) < asked && !works.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        cancelled.store(true, Ordering::Relaxed);
        works.join().unwrap()
    });
    assert_eq!(error, "cancelled");
    assert!(started.elapsed() < hour / 10, "the end was not noticed");
}

#[test]
fn c011_an_end_is_noticed_while_nothing_comes() {
    let blob = || layer(&vec![0; 100_000]);
    cancelled_while(silent(|_| ""), 1, |repository| read(repository, &blob(), 0).unwrap_err());
    cancelled_while(silent(|_| ""), 1, |repository| repository.tags().unwrap_err().to_string());
    let beginning = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbeginning";
    cancelled_while(silent(move |_| beginning), 1, |repository| read(repository, &blob(), 0).unwrap_err());
    // Between two attempts.
    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    cancelled_while(silent(move |_| busy), 1, |repository| read(repository, &blob(), 0).unwrap_err());
}

#[test]
fn c021_an_end_is_noticed_while_nothing_is_taken() {
    // The body of the upload fills what the kernel holds, and stays there.
    let server = silent(|head| match head.split(' ').next() {
        Some("HEAD") => "HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        Some("POST") => "HTTP/1.1 202 Yes\r\nConnection: close\r\nLocation: /v2/s\r\nContent-Length: 0\r\n\r\n",
        _ => "HTTP/1.1 100 Continue\r\n\r\n",
    });
    cancelled_while(server, 3, |repository| {
        let content = content(32 << 20);
        repository.upload(&layer(&content), &content, None, &|_| {}).unwrap_err().to_string()
    });
}

/// Hands bytes on, in small pieces with pauses between the first of them; counts the connections.
pub(crate) fn slow(port: u16) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&connections);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || {
                let (mut from, mut to, mut buffer) = (server, client, vec![0; 20_000]);
                for pieces in 0.. {
                    let Ok(read @ 1..) = from.read(&mut buffer) else { break };
                    // Longer than one wait of ours lasts.
                    if (2..5).contains(&pieces) {
                        std::thread::sleep(Duration::from_millis(120));
                    }
                    if to.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                drop(to.shutdown(Shutdown::Both));
            });
        }
    });
    (own, connections)
}

#[test]
fn c011_a_slow_server_is_waited_for() {
    let blob = content(200_000);
    let stored = blob.clone();
    let server = HttpServer::serving(move |request| serve_range(request, &stored));
    let (port, connections) = slow(server.port());
    let client = client_with(Limits { silence: Duration::from_secs(60), ..limits() });
    let repository = client.repository(route(endpoint(port)), Access::Pull, &NEVER);
    assert!(read(&repository, &layer(&blob), 0).unwrap() == blob);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn c011_silence_is_a_cut() {
    let (port, _) = silent(|_| "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbeginning");
    let (client, pauses) = recording();
    let repository = client.repository(route(endpoint(port)), Access::Pull, &NEVER);
    let error = read(&repository, &layer(&vec![0; 100_000]), 0).unwrap_err();
    // The next answer begins at the beginning: nine bytes are skipped, and no progress is made.
    assert!(error.ends_with("it does not answer any more"), "{error}");
    assert_eq!(pauses.lock().unwrap().len() as u32, limits().attempts - 1);
}
