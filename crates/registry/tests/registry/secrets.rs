//! Tokens, and that no credential reaches anybody but whom it belongs to.

use std::sync::atomic::{AtomicU32, Ordering};

use registry::{Access, Credential, Kind, Scheme, SecretText};
use testkit::{HttpServer, RegistryOptions, Request, Response, TestAuthority};

use crate::debian::started;
use crate::support::{NEVER, client, content, endpoint, layer, manifest, password, read, route, serve, tag};

/// Whether anything in a request is a secret of the tests.
fn has_secret(request: &Request) -> bool {
    // `tester:canary` in base64, and what tokens and forms have of it.
    let shown = format!("{request:?}{}", String::from_utf8_lossy(&request.body));
    shown.contains("canary") || shown.contains("dGVzdGVyOmNhbmFyeQ") || request.header("authorization").is_some()
}

#[track_caller]
fn saw_no_secret(server: &HttpServer) -> usize {
    let seen = server.seen();
    assert!(!seen.iter().any(has_secret), "{seen:?}");
    seen.len()
}

fn challenge(realm: &str) -> Response {
    Response::status(401).header("WWW-Authenticate", &format!("Bearer realm=\"{realm}\",service=\"registry.test\""))
}

fn parameters(request: &Request) -> Vec<String> {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    query.split('&').map(str::to_owned).collect()
}

/// A registry with its own token service at `/token`; `answer` says what is behind it.
fn with_tokens(
    tokens: impl Fn(&Request) -> Response + Send + Sync + 'static,
    answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> HttpServer {
    HttpServer::serving(move |request| {
        if request.path.starts_with("/token") {
            tokens(request)
        } else if request.header("authorization").is_some_and(|value| value.starts_with("Bearer token-")) {
            answer(request)
        } else {
            challenge(&format!("http://{}/token", request.host))
        }
    })
}

#[test]
fn c010_tokens_are_asked_for_once_and_kept() {
    let document = manifest(b"{}", &[]);
    let given = document.clone();
    let server = with_tokens(
        |_| Response::ok(r#"{"token":"token-1","expires_in":300}"#),
        move |request| serve(request, &given, &[]),
    );
    let client = client();
    let mut known = endpoint(server.port());
    known.credential = password();
    let repository = client.repository(route(known.clone()), Access::Pull, &NEVER);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(repository.manifest(&tag("v1")).unwrap(), document));
        }
    });
    // Another repository object of the same client has the token too.
    client.repository(route(known), Access::Pull, &NEVER).manifest(&tag("v1")).unwrap();
    let seen = server.seen();
    let asked: Vec<_> = seen.iter().filter(|request| request.path.starts_with("/token")).collect();
    assert_eq!(asked.len(), 1, "{seen:?}");
    assert_eq!(asked[0].header("authorization"), Some("Basic dGVzdGVyOmNhbmFyeQ=="));
    assert_eq!(
        parameters(asked[0]),
        ["service=registry.test", "scope=repository%3Aapp%2Fone%3Apull", "account=tester"]
    );
}

#[test]
fn c010_a_token_that_became_old_is_renewed_once() {
    let count = AtomicU32::new(0);
    let document = manifest(b"{}", &[]);
    let given = document.clone();
    let server = with_tokens(
        move |_| Response::ok(format!(r#"{{"access_token":"token-{}"}}"#, count.fetch_add(1, Ordering::Relaxed))),
        move |request| match request.header("authorization") {
            Some("Bearer token-0") if request.path.ends_with("/v2") => {
                challenge(&format!("http://{}/token", request.host))
            }
            _ => serve(request, &given, &[]),
        },
    );
    let client = client();
    let repository = client.repository(route(endpoint(server.port())), Access::Pull, &NEVER);
    repository.manifest(&tag("v1")).unwrap();
    let other = repository.manifest(&tag("v2")).unwrap_err();
    assert!(matches!(other.kind, Kind::NotFound), "{other:?}");
    let tokens = server.seen().iter().filter(|request| request.path.starts_with("/token")).count();
    assert_eq!(tokens, 2);
}

#[test]
fn s265_denied_without_and_with_a_credential() {
    // The service gives a token that is not enough, as hubs do for what is not there or not ours.
    let server = with_tokens(
        |_| Response::ok(r#"{"token":"token-1"}"#),
        |request| {
            let realm = format!("Bearer realm=\"http://{}/token\",error=\"insufficient_scope\"", request.host);
            let said = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
            Response { status: 401, ..Response::ok(said) }.header("WWW-Authenticate", &realm)
        },
    );
    for (credential, expected) in [(Credential::Anonymous, false), (password(), true)] {
        let client = client();
        let mut endpoint = endpoint(server.port());
        endpoint.credential = credential;
        let repository = client.repository(route(endpoint), Access::Push, &NEVER);
        let denied = repository.upload(&layer(b"x"), &b"x".to_vec(), None, &|_| {}).unwrap_err();
        let Kind::Denied { had_credential } = denied.kind else { panic!("{denied:?}") };
        assert_eq!(had_credential, expected);
        assert!(denied.to_string().contains("denied"), "{denied}");
        let scopes: Vec<_> =
            server.seen().iter().filter(|seen| seen.path.starts_with("/token")).map(parameters).collect();
        assert_eq!(scopes.len(), 1, "it was not asked for again: {scopes:?}");
        assert!(scopes[0].contains(&"scope=repository%3Aapp%2Fone%3Apull%2Cpush".to_owned()), "{scopes:?}");
    }
}

#[test]
fn c010_identity_tokens_and_registry_tokens() {
    let server = with_tokens(
        |request| {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let is_right = request.method == "POST" && form.contains("refresh_token=token-canary&");
            if is_right { Response::ok(r#"{"access_token":"token-1"}"#) } else { Response::status(401) }
        },
        |request| serve(request, &manifest(b"{}", &[]), &[]),
    );
    let client = client();
    let mut endpoint = endpoint(server.port());
    endpoint.credential = Credential::IdentityToken(SecretText::new("token-canary"));
    client.repository(route(endpoint.clone()), Access::Pull, &NEVER).manifest(&tag("v1")).unwrap();
    let seen = server.seen();
    let form = seen.iter().find(|request| request.path == "/token").unwrap();
    assert_eq!(
        String::from_utf8_lossy(&form.body),
        "grant_type=refresh_token&client_id=onggi&refresh_token=token-canary&service=registry.test&scope=repository%3Aapp%2Fone%3Apull"
    );
    endpoint.credential = Credential::RegistryToken(SecretText::new("token-mine"));
    client.repository(route(endpoint), Access::Pull, &NEVER).manifest(&tag("v1")).unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].header("authorization"), Some("Bearer token-mine"));
}

#[test]
fn c020_a_mount_asks_for_both_repositories() {
    let server = with_tokens(
        |_| Response::ok(r#"{"token":"token-1"}"#),
        |request| match request.method.as_str() {
            "POST" => Response::status(201),
            _ => Response::status(404),
        },
    );
    let client = client();
    let repository = client.repository(route(endpoint(server.port())), Access::Push, &NEVER);
    let mounted = repository.upload(&layer(b"x"), &b"x".to_vec(), Some("base/two"), &|_| {}).unwrap();
    assert_eq!(mounted, registry::Upload::Mounted);
    let seen = server.seen();
    let scopes: Vec<_> = seen.iter().filter(|request| request.path.starts_with("/token")).map(parameters).collect();
    assert_eq!(scopes[1][1..], ["scope=repository%3Aapp%2Fone%3Apull%2Cpush", "scope=repository%3Abase%2Ftwo%3Apull"]);
}

#[test]
fn c010_login_gives_the_identity_token_of_the_service() {
    let server = with_tokens(
        |request| match request.header("authorization") {
            Some("Basic dGVzdGVyOmNhbmFyeQ==") if parameters(request).contains(&"offline_token=true".to_owned()) => {
                Response::ok(r#"{"token":"token-1","refresh_token":"kept"}"#)
            }
            _ => Response { status: 401, ..Response::ok(r#"{"details":"incorrect username or password"}"#) },
        },
        |_| Response::ok("{}"),
    );
    let mut known = endpoint(server.port());
    known.credential = password();
    let identity = client().check_credential(&known, &NEVER).unwrap().unwrap();
    assert_eq!(identity.expose(), "kept");
    assert!(!format!("{identity:?}").contains("kept"));
    known.credential = Credential::Password { user: "tester".to_owned(), password: SecretText::new("wrong") };
    let refused = client().check_credential(&known, &NEVER).unwrap_err();
    assert!(matches!(refused.kind, Kind::Unauthorized { had_credential: true }), "{refused:?}");
    assert!(refused.to_string().ends_with("(incorrect username or password)"), "{refused}");
}

#[test]
fn r23_redirects_carry_no_credential_to_another_host() {
    let blob = content(100_000);
    let stored = blob.clone();
    let store = HttpServer::serving(move |request| {
        // What asks for a credential gets none either.
        if request.path == "/asks" {
            challenge(&format!("http://{}/token", request.host))
        } else {
            Response::ok(stored.clone())
        }
    });
    // The same machine, another port; another name of it, another host.
    for (target, works) in [
        (store.url("/blob"), true),
        (format!("http://127.0.0.2:{}/blob", store.port()), true),
        (format!("http://localhost:{}/blob", store.port()), true),
        (store.url("/asks"), false),
        (format!("http://tester:canary@127.0.0.1:{}/blob", store.port()), false),
    ] {
        let location = target.clone();
        let server = HttpServer::serving(move |request| match request.header("authorization") {
            None => Response::status(401).header("WWW-Authenticate", "Basic realm=\"x\""),
            Some(_) => Response::status(307).header("Location", &location),
        });
        let client = client();
        let mut endpoint = endpoint(server.port());
        endpoint.credential = password();
        endpoint.headers = vec![("X-Secret".to_owned(), "canary".to_owned())];
        let repository = client.repository(route(endpoint), Access::Pull, &NEVER);
        let got = read(&repository, &layer(&blob), 0);
        assert_eq!(got.is_ok(), works, "{target}: {got:?}");
        assert!(!works || got.unwrap() == blob);
        let seen = server.seen();
        assert_eq!(seen.last().unwrap().header("authorization"), Some("Basic dGVzdGVyOmNhbmFyeQ=="));
        assert_eq!(seen.last().unwrap().header("x-secret"), Some("canary"));
        saw_no_secret(&store);
    }
}

#[test]
fn r23_token_services_that_a_registry_may_not_name() {
    let capture = HttpServer::serving(|_| Response::ok(r#"{"token":"token-1"}"#));
    let port = capture.port();
    let realms = [
        format!("http://127.0.0.1:{port}/token"),
        format!("http://127.0.0.2:{port}/token"),
        format!("http://localhost:{port}/token"),
        "http://169.254.169.254/latest".to_owned(),
        format!("//127.0.0.1:{port}/token"),
        format!("http://OWN@127.0.0.1:{port}/token"),
        format!("http://OWN.:{port}/token"),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ];
    for realm in realms {
        let named = realm.clone();
        let server = HttpServer::serving(move |request| challenge(&named.replace("OWN", &request.host)));
        for credential in [password(), Credential::IdentityToken(SecretText::new("canary")), Credential::Anonymous] {
            let mut endpoint = endpoint(server.port());
            endpoint.credential = credential;
            let client = client();
            let repository = client.repository(route(endpoint.clone()), Access::Pull, &NEVER);
            let refused = repository.manifest(&tag("v1")).unwrap_err();
            assert!(matches!(refused.kind, Kind::Redirect(_)), "{realm}: {refused:?}");
            assert!(!refused.to_string().contains("canary"));
            assert!(client.check_credential(&endpoint, &NEVER).is_err());
        }
        assert_eq!(saw_no_secret(&capture), 0, "{realm}");
        saw_no_secret(&server);
    }
}

#[test]
fn r23_a_token_service_does_not_hand_a_secret_on() {
    let capture = HttpServer::serving(|_| Response::ok(r#"{"token":"token-1"}"#));
    let target = capture.url("/token");
    for credential in [password(), Credential::IdentityToken(SecretText::new("canary"))] {
        let target = target.clone();
        let server = with_tokens(
            move |_| Response::status(307).header("Location", &target),
            |request| serve(request, &manifest(b"{}", &[]), &[]),
        );
        let mut endpoint = endpoint(server.port());
        endpoint.credential = credential;
        drop(client().repository(route(endpoint), Access::Pull, &NEVER).manifest(&tag("v1")));
        saw_no_secret(&capture);
    }
}

#[test]
fn r23_a_look_alike_host_has_no_credential() {
    // Each endpoint is a host of its own: what is for one port is for no other, and tokens are not shared.
    let capture = HttpServer::serving(|_| Response::status(401).header("WWW-Authenticate", "Basic realm=\"x\""));
    let server =
        with_tokens(|_| Response::ok(r#"{"token":"token-1"}"#), |request| serve(request, &manifest(b"{}", &[]), &[]));
    let client = client();
    let mut known = endpoint(server.port());
    known.credential = password();
    client.repository(route(known.clone()), Access::Pull, &NEVER).manifest(&tag("v1")).unwrap();
    let mut mirror = endpoint(capture.port());
    (mirror.is_mirror, mirror.serves_tags) = (true, true);
    let with_mirror = registry::Route { endpoints: vec![mirror, known] };
    client.repository(with_mirror, Access::Pull, &NEVER).manifest(&tag("v1")).unwrap();
    assert_eq!(saw_no_secret(&capture), 1);
}

#[test]
fn r23_an_upload_goes_on_elsewhere_without_a_credential() {
    let blob = content(1_000_000);
    let digest = layer(&blob).digest.to_string();
    let store = HttpServer::serving(move |request| match request.method.as_str() {
        "PATCH" => Response::status(202).header("Location", "/session?state=2"),
        "PUT" if request.path == format!("/session?state=2&digest={}", digest.replace(':', "%3A")) => {
            Response::status(201)
        }
        _ => Response::status(404),
    });
    let location = store.url("/session?state=1");
    let server = HttpServer::serving(move |request| match (request.header("authorization"), request.method.as_str()) {
        (None, _) => Response::status(401).header("WWW-Authenticate", "Basic realm=\"x\""),
        (_, "POST") => Response::status(202).header("Location", &location),
        _ => Response::status(404),
    });
    let mut endpoint = endpoint(server.port());
    endpoint.credential = password();
    let client = client();
    let repository = client.repository(route(endpoint), Access::Push, &NEVER);
    repository.upload(&layer(&blob), &blob, None, &|_| {}).unwrap();
    let seen = store.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].body == blob);
    assert!(seen.iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn r24_no_way_leads_from_tls_to_none() {
    let options = RegistryOptions { with_tls: true, ..RegistryOptions::default() };
    let Some(registry) = started("r24_no_way_leads_from_tls_to_none", &options) else { return };
    let mut endpoint = endpoint(registry.port());
    endpoint.scheme = Scheme::Https;
    endpoint.tls.authorities = vec![TestAuthority::new().unwrap().certificate()];
    let refused = client().ping(&endpoint, &NEVER).unwrap_err();
    assert!(matches!(refused.kind, Kind::Tls(_)), "signed by another authority: {refused:?}");
    // Plain HTTP is not tried where the configuration does not say so, and the credential is not sent.
    let capture = HttpServer::start();
    let mut plain = endpoint;
    plain.port = capture.port();
    plain.credential = password();
    assert!(client().check_credential(&plain, &NEVER).is_err());
    assert_eq!(saw_no_secret(&capture), 0);
}
