use engine::registries::{Endpoint, Explained, SecretText};

use super::*;

fn name(endpoints: Vec<(Endpoint, EndpointOrigins)>) -> ExplainedName {
    let (endpoints, origins) = endpoints.into_iter().unzip();
    let route = engine::registries::Route { endpoints };
    ExplainedName {
        name: "docker.io/library/app:latest".to_owned(),
        explained: Explained { route, origins, notes: vec!["a note".to_owned()] },
    }
}

fn endpoint() -> (Endpoint, EndpointOrigins) {
    let endpoint = Endpoint {
        scheme: Scheme::Https,
        host: "registry-1.docker.io".to_owned(),
        port: 443,
        plain_http_port: None,
        repository: "library/app".to_owned(),
        is_mirror: false,
        serves_tags: true,
        tls: engine::registries::Tls::default(),
        credential: Credential::Password { user: "me\u{1b}[31m".to_owned(), password: SecretText::new("canary") },
        headers: vec![("X-Meta-Team".to_owned(), "canary".to_owned())],
        proxy: Some("http://me:canary@proxy.example:3128".to_owned()),
    };
    let origins = EndpointOrigins {
        endpoint: Origin::Default("docker.io is registry-1.docker.io"),
        insecure: None,
        authorities: Vec::new(),
        identity: None,
        proxy: Some(Origin::Variable("HTTPS_PROXY".to_owned())),
        credential: Some(Origin::Key { path: "/c.json".into(), key: "auths[\"docker.io\"]".to_owned() }),
        headers: Some(Origin::Key { path: "/c.json".into(), key: "HttpHeaders".to_owned() }),
    };
    (endpoint, origins)
}

fn mirror() -> (Endpoint, EndpointOrigins) {
    let (endpoint, origins) = endpoint();
    let endpoint = Endpoint {
        host: "::1".to_owned(),
        port: 5000,
        plain_http_port: Some(5000),
        is_mirror: true,
        serves_tags: false,
        credential: Credential::IdentityToken(SecretText::new("canary")),
        headers: Vec::new(),
        proxy: None,
        ..endpoint
    };
    let origins = EndpointOrigins {
        endpoint: Origin::Line { path: "/r.conf".into(), line: 3 },
        insecure: Some(Origin::Default("loopback")),
        authorities: vec![Origin::File("/certs.d/ca.crt".into())],
        identity: Some(Origin::File("/certs.d/me.cert".into())),
        ..origins
    };
    (endpoint, origins)
}

#[test]
fn n042_each_part_is_shown_with_its_place() {
    insta::assert_snapshot!(text(&name(vec![mirror(), endpoint()])), @r#"
    docker.io/library/app:latest

    1. https://[::1]:5000  (mirror, for digests only)
       repository:  library/app  [/r.conf:3]
       TLS:         the system's authorities and /certs.d/ca.crt, or none at port 5000  [loopback]
       certificate: ours is shown to it  [/certs.d/me.cert]
       proxy:       none  [$HTTPS_PROXY]
       credential:  an identity token  [/c.json: auths["docker.io"]]

    2. https://registry-1.docker.io
       repository:  library/app  [docker.io is registry-1.docker.io]
       TLS:         the system's authorities
       proxy:       http://***@proxy.example:3128  [$HTTPS_PROXY]
       credential:  user `me\x1b[31m`  [/c.json: auths["docker.io"]]
       headers:     X-Meta-Team  [/c.json: HttpHeaders]

    note: a note
    "#);
}

#[test]
fn n053_no_secret_is_shown() {
    let name = name(vec![mirror(), endpoint()]);
    let (text, data) = (text(&name), data(&name).to_string());
    assert!(!text.contains("canary") && !data.contains("canary"), "{text}{data}");
    assert!(!text.contains('\u{1b}'), "{text}");
    for (url, shown) in [
        ("http://p.example:1", "http://p.example:1"),
        ("me:pw@p.example", "***@p.example"),
        ("http://me:p@w@p.example/x@y", "http://***@p.example/x@y"),
    ] {
        assert_eq!(without_password(url), shown);
    }
}
