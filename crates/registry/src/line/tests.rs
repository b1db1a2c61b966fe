//! Where redirects may lead.

use std::sync::Arc;

use fetch::Surroundings;
use ureq::Body;
use ureq::http::{HeaderMap, HeaderValue};

use super::{Line, Reply};
use crate::client::Client;
use crate::place::Place;
use crate::{Credential, Endpoint, Scheme, Tls};

fn line() -> Line {
    let endpoint = Endpoint {
        scheme: Scheme::Https,
        host: "good.example".to_owned(),
        port: 443,
        plain_http_port: None,
        repository: "app".to_owned(),
        is_mirror: false,
        serves_tags: true,
        tls: Tls::default(),
        credential: Credential::Anonymous,
        headers: Vec::new(),
        proxy: None,
    };
    let client = Client::new(Surroundings::default(), "onggi/test");
    Line { endpoint: Arc::new(endpoint.clone()), ..client.line(&endpoint) }
}

fn redirect(from: &str, location: &str) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert("location", HeaderValue::from_str(location).unwrap());
    Reply { status: 307, headers, body: Body::builder().data(""), place: Place::parse(from).unwrap() }
}

#[test]
fn r24_redirects_do_not_leave_tls() {
    let line = line();
    let next = |from: &str, to: &str| {
        let place = line.next(&Place::parse(from).unwrap(), &redirect(from, to));
        place.map(|place| place.to_string()).map_err(|failure| failure.kind.to_string())
    };
    assert_eq!(next("https://good.example/a", "https://store.example/b"), Ok("https://store.example/b".to_owned()));
    assert_eq!(next("http://good.example/a", "https://store.example/b"), Ok("https://store.example/b".to_owned()));
    assert_eq!(next("https://good.example/a", "/b"), Ok("https://good.example/b".to_owned()));
    for insecure in ["http://good.example/b", "http://good.example:443/b", "HTTP://store.example/"] {
        let refused = next("https://good.example/a", insecure).unwrap_err();
        assert!(refused.contains("which is not secure"), "{refused}");
    }
    for nothing in ["file:///etc/passwd", "https://u:p@store.example/", "https://", "data:,x"] {
        assert_eq!(next("https://good.example/a", nothing).unwrap_err(), "it redirects to nothing that can be fetched");
    }
}

#[test]
fn c021_uploads_behind_a_proxy_that_ends_tls() {
    let line = line();
    let goes_on = |location: &str| {
        let reply = redirect("https://good.example/v2/app/blobs/uploads/", location);
        crate::upload::location(&line, &reply).map(|place| place.to_string())
    };
    assert_eq!(goes_on("http://good.example/v2/s?a=b").as_deref(), Some("https://good.example/v2/s?a=b"));
    assert_eq!(goes_on("http://other.example/v2/s"), None);
    assert_eq!(goes_on("https://other.example/v2/s").as_deref(), Some("https://other.example/v2/s"));
    assert_eq!(goes_on("s?a=%2F").as_deref(), Some("https://good.example/v2/app/blobs/uploads/s?a=%2F"));
}
