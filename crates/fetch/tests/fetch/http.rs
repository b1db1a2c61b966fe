//! HTTP: conditions, redirects, secrets, limits, proxies, and servers that do not do what they should.

use std::net::TcpListener;
use std::sync::atomic::AtomicBool;

use fetch::{Answer, Certificates, Client, Head, HttpError, Request, Surroundings};
use testkit::{HttpServer, Response};

static NEVER: AtomicBool = AtomicBool::new(false);

fn request(url: &str) -> Request<'_> {
    Request { url, authorization: None, etag: None, last_modified: None, limit: 1 << 20, cancelled: &NEVER }
}

fn get(request: &Request<'_>) -> Result<(Answer, Vec<u8>), HttpError> {
    get_with(&Surroundings::default(), request)
}

fn get_with(surroundings: &Surroundings, request: &Request<'_>) -> Result<(Answer, Vec<u8>), HttpError> {
    let mut body = Vec::new();
    Client::new(surroundings, &Certificates::default(), "onggi/test")
        .get(request, &mut body)
        .map(|answer| (answer, body))
}

#[track_caller]
fn error(request: &Request<'_>) -> String {
    get(request).unwrap_err().to_string()
}

#[test]
fn d085_a_file_and_what_the_server_says_of_it() {
    let server = HttpServer::serving(|_| {
        Response::ok(vec![7; 300_000])
            .header("ETag", "\"v1\"")
            .header("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
            .header("Content-Disposition", "attachment; filename=\"x\"")
    });
    let (answer, body) = get(&request(&server.url("/a?b=c"))).unwrap();
    assert_eq!(
        answer,
        Answer::Written(Head {
            etag: Some("\"v1\"".to_owned()),
            last_modified: Some("Tue, 14 Nov 2023 22:13:20 GMT".to_owned()),
            content_disposition: Some("attachment; filename=\"x\"".to_owned()),
        })
    );
    assert_eq!(body, vec![7; 300_000]);
    let [seen] = &server.seen()[..] else { panic!("one request") };
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/a?b=c"));
    assert_eq!(seen.header("user-agent"), Some("onggi/test"));
    assert_eq!((seen.header("authorization"), seen.header("if-none-match")), (None, None));
}

#[test]
fn what_is_known_is_asked_about_and_not_got_again() {
    let server = HttpServer::serving(|request| match request.header("if-none-match") {
        Some("\"v1\"") => Response::status(304),
        _ => Response::ok("new"),
    });
    let url = server.url("/");
    let known = Request { etag: Some("\"v1\""), last_modified: Some("then"), ..request(&url) };
    assert_eq!(get(&known).unwrap().0, Answer::NotModified);
    assert_eq!(server.seen()[0].header("if-modified-since"), Some("then"));
    assert_eq!(get(&Request { etag: Some("\"v2\""), ..request(&url) }).unwrap().1, b"new");
    let unasked = HttpServer::serving(|_| Response::status(304));
    assert!(error(&request(&unasked.url("/"))).contains("answered 304"));
}

#[test]
fn redirects_are_followed_as_far_as_they_lead_somewhere() {
    let server = HttpServer::serving(|request| match request.path.as_str() {
        "/absolute" => Response::status(302).header("Location", &format!("http://{}/end", request.host)),
        "/rooted" => Response::status(301).header("Location", "/end#fragment"),
        "/deep/relative" => Response::status(307).header("Location", "end"),
        "/scheme" => Response::status(308).header("Location", &format!("//{}/end", request.host)),
        "/end" | "/deep/end" => Response::ok("end"),
        "/loop" => Response::status(302).header("Location", "/loop"),
        "/file" => Response::status(302).header("Location", "file:///etc/passwd"),
        "/password" => Response::status(302).header("Location", "http://u:secret@127.0.0.1/"),
        _ => Response::status(302),
    });
    for path in ["/absolute", "/rooted", "/deep/relative", "/scheme"] {
        assert_eq!(get(&request(&server.url(path))).unwrap().1, b"end", "{path}");
    }
    assert!(matches!(get(&request(&server.url("/loop"))), Err(HttpError::TooManyRedirects { .. })));
    for path in ["/file", "/password", "/nowhere"] {
        let error = get(&request(&server.url(path))).unwrap_err();
        assert!(matches!(error, HttpError::Redirect { .. }), "{path}: {error}");
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn d092_a_secret_is_for_one_host_and_port_only() {
    let other = HttpServer::serving(|_| Response::ok("other"));
    let target = other.url("/");
    let server = HttpServer::serving(move |request| match request.path.as_str() {
        "/away" => Response::status(302).header("Location", &target),
        "/here" => Response::status(302).header("Location", "/end"),
        _ => Response::ok("here"),
    });
    for (path, expected) in [("/here", "here"), ("/away", "other")] {
        let url = server.url(path);
        let asked = Request { authorization: Some("Bearer canary"), ..request(&url) };
        assert_eq!(get(&asked).unwrap().1, expected.as_bytes());
        assert!(!format!("{asked:?}").contains("canary"));
    }
    let authorized = |server: &HttpServer| -> Vec<Option<String>> {
        server.seen().iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
    };
    let canary = || Some("Bearer canary".to_owned());
    assert_eq!(authorized(&server), [canary(), canary(), canary()]);
    assert_eq!(authorized(&other), [None]);
}

#[test]
fn what_servers_answer_instead() {
    let server = HttpServer::serving(|request| match request.path.split('?').next().unwrap() {
        "/short" => Response { missing: 10, ..Response::ok("x") },
        "/large" => Response::ok(vec![0; 100]),
        path => Response::status(path[1..].parse().unwrap()),
    });
    let asked = |path: &str| error(&request(&server.url(path)));
    assert_eq!(asked("/404?token=canary"), format!("the server answered 404 (Not Found) for `{}`", server.url("/404")));
    assert!(asked("/401").starts_with("the server answered 401 (Unauthorized)"));
    assert!(asked("/503").contains("503 (Service Unavailable)"));
    assert!(asked("/599").contains("answered 599 for"));
    assert!(asked("/short").starts_with("cannot read the answer of `127.0.0.1:"), "{}", asked("/short"));
    let url = server.url("/large");
    assert_eq!(get(&Request { limit: 100, ..request(&url) }).unwrap().1.len(), 100);
    assert!(matches!(get(&Request { limit: 99, ..request(&url) }), Err(HttpError::TooLarge { limit: 99, .. })));
}

#[test]
fn servers_that_are_not_there() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = get(&request(&format!("http://{free}/"))).unwrap_err();
    assert!(matches!(refused, HttpError::Connect { .. }), "{refused:?}");
    assert_eq!(refused.to_string(), format!("cannot connect to `{free}`"));
    assert!(matches!(get(&request("http://host.invalid/")), Err(HttpError::Host { .. })), "RFC 6761: never resolves");
    for url in ["http://", "http:///x", "ftp://x/", "x", "http://a b/"] {
        assert!(matches!(get(&request(url)), Err(HttpError::Url { .. })), "{url}");
    }
    // It speaks no TLS.
    let plain = HttpServer::start();
    let url = plain.url("/").replace("http:", "https:");
    let failed = get(&request(&url)).unwrap_err();
    assert!(matches!(failed, HttpError::Tls { .. } | HttpError::Read { .. }), "{failed:?}");
}

#[test]
fn certificates_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, "nothing").unwrap();
    let surroundings = Surroundings { certificates: Some(path), ..Surroundings::default() };
    let failed = get_with(&surroundings, &request("https://127.0.0.1:1/")).unwrap_err();
    assert!(matches!(failed, HttpError::Certificates { .. }), "{failed:?}");
}

#[test]
fn a_proxy_is_asked_for_what_is_not_near() {
    let proxy = HttpServer::serving(|_| Response::status(407));
    let surroundings = Surroundings {
        http_proxy: Some(proxy.url("")),
        no_proxy: Some("direct.invalid".to_owned()),
        ..Surroundings::default()
    };
    let failed = get_with(&surroundings, &request("http://far.invalid/")).unwrap_err();
    assert!(matches!(failed, HttpError::Proxy { .. }), "{failed:?}");
    assert_eq!(proxy.seen()[0].path, "far.invalid:80");
    assert!(matches!(get_with(&surroundings, &request("http://direct.invalid/")), Err(HttpError::Host { .. })));
    let near = HttpServer::start();
    assert_eq!(get_with(&surroundings, &request(&near.url("/"))).unwrap().1, b"ok\n");
    assert!(proxy.seen().is_empty());
}

#[test]
fn a_download_that_nobody_waits_for_ends() {
    let server = HttpServer::start();
    let cancelled = AtomicBool::new(true);
    let url = server.url("/");
    assert!(matches!(get(&Request { cancelled: &cancelled, ..request(&url) }), Err(HttpError::Cancelled)));
    assert!(server.seen().is_empty());
}
