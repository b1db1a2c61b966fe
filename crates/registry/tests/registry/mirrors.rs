//! Mirrors: asked in their order before the registry, never written to, and named where all fail.

use std::net::TcpListener;

use oci::TagOrDigest;
use registry::{Access, Endpoint, Kind, Route};
use testkit::{HttpServer, Response};

use crate::support::{NEVER, client, content, endpoint, layer, manifest, read, serve, serve_range, tag};

fn mirror(port: u16, repository: &str, serves_tags: bool) -> Endpoint {
    Endpoint { is_mirror: true, serves_tags, repository: repository.to_owned(), ..endpoint(port) }
}

#[test]
fn c330_the_first_endpoint_that_has_it_is_used() {
    let document = manifest(b"{}", &[]);
    let blob = content(200_000);
    let (given, stored) = (document.clone(), blob.clone());
    let registry = HttpServer::serving(move |request| serve(request, &given, std::slice::from_ref(&stored)));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let empty = HttpServer::serving(|_| Response::status(404));
    let broken = HttpServer::serving(|_| Response::status(500));
    let endpoints = vec![
        mirror(gone, "app/one", true),
        mirror(empty.port(), "other/one", true),
        mirror(broken.port(), "app/one", true),
        endpoint(registry.port()),
    ];
    let client = client();
    let repository = client.repository(Route { endpoints: endpoints.clone() }, Access::Pull, &NEVER);
    assert_eq!(repository.manifest(&tag("v1")).unwrap(), document);
    assert_eq!(empty.seen()[0].path, "/v2/other/one/manifests/v1", "a mirror has a path of its own");
    assert!(read(&repository, &layer(&blob), 0).unwrap() == blob);
    assert_eq!(repository.resolve(&tag("v1")).unwrap().unwrap().digest, document.digest);
    assert_eq!(repository.resolve(&tag("v2")).unwrap(), None);
    let error = repository.manifest(&tag("v2")).unwrap_err();
    assert!(matches!(error.kind, Kind::NotFound));
    assert_eq!(error.tried.len(), 3);
    let line = error.to_string();
    for port in [gone, empty.port(), broken.port(), registry.port()] {
        assert!(line.contains(&format!("`127.0.0.1:{port}`")), "{line}");
    }
    // What is written goes to the registry alone.
    drop((empty.seen(), broken.seen()));
    let push = client.repository(Route { endpoints }, Access::Push, &NEVER);
    assert!(push.put_manifest(&tag("v1"), &document).is_ok());
    assert!(push.has_blob(&layer(&blob)).unwrap());
    assert!(push.tags().is_err());
    assert!(empty.seen().is_empty() && broken.seen().is_empty());
}

#[test]
fn c330_mirrors_for_digests_are_not_asked_for_tags() {
    let document = manifest(b"{}", &[]);
    let (first, second) = (document.clone(), document.clone());
    let digests = HttpServer::serving(move |request| serve(request, &first, &[]));
    let registry = HttpServer::serving(move |request| serve(request, &second, &[]));
    let endpoints = vec![mirror(digests.port(), "app/one", false), endpoint(registry.port())];
    let client = client();
    let repository = client.repository(Route { endpoints }, Access::Pull, &NEVER);
    repository.manifest(&tag("v1")).unwrap();
    repository.resolve(&tag("v1")).unwrap();
    assert!(digests.seen().is_empty());
    repository.manifest(&TagOrDigest::Digest(document.digest)).unwrap();
    assert_eq!((digests.seen().len(), registry.seen().len()), (1, 2));
}

#[test]
fn c330_a_mirror_that_fails_in_the_middle_hands_over() {
    let blob = content(500_000);
    let (first, second) = (blob.clone(), blob.clone());
    let mirror_server = HttpServer::serving(move |request| match request.header("range") {
        None => Response { missing: 400_000, ..Response::ok(&first[..100_000]) },
        Some(_) => Response::status(500),
    });
    let registry = HttpServer::serving(move |request| serve_range(request, &second));
    let endpoints = vec![mirror(mirror_server.port(), "app/one", true), endpoint(registry.port())];
    let client = client();
    let repository = client.repository(Route { endpoints }, Access::Pull, &NEVER);
    assert!(read(&repository, &layer(&blob), 0).unwrap() == blob);
    assert_eq!(registry.seen()[0].header("range"), Some("bytes=100000-499999"));
}
