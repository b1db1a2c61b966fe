//! URLs that are read, and those that are refused.

use super::{Place, encoded};

#[test]
fn r23_hosts_are_told_apart() {
    for (url, expected) in [
        ("https://Good.Example/v2/", Some("https://good.example/v2/")),
        ("https://good.example:443/v2/", Some("https://good.example/v2/")),
        ("https://good.example:444/v2/?a=b#c", Some("https://good.example:444/v2/?a=b")),
        ("https://good.example./v2/", Some("https://good.example./v2/")),
        ("http://[::1]:5000/x", Some("http://[::1]:5000/x")),
        ("http://[::1]/x", Some("http://[::1]/x")),
        ("https://good.example", Some("https://good.example/")),
        ("https://good.example@evil.example/", None),
        ("https://user:secret@good.example/", None),
        ("https://good.example\\@evil.example/", None),
        ("https://g\u{43e}\u{43e}d.example/", None),
        ("https://good.example:99999/", None),
        ("https://good.example:/", None),
        ("file:///etc/passwd", None),
        ("//good.example/", None),
        ("https://", None),
        ("", None),
    ] {
        assert_eq!(Place::parse(url).map(|place| place.to_string()).as_deref(), expected, "{url}");
    }
    let origin = |url: &str| Place::parse(url).unwrap().origin;
    assert_eq!(origin("https://good.example/"), origin("https://GOOD.example:443/"));
    for other in
        ["https://good.example./", "http://good.example/", "https://good.example.evil/", "https://good.example:444/"]
    {
        assert_ne!(origin("https://good.example/"), origin(other));
    }
}

#[test]
fn locations() {
    let here = Place::parse("https://good.example:5000/v2/a/blobs/uploads/?x=y").unwrap();
    for (location, expected) in [
        ("/v2/a/1?state=%2F", Some("https://good.example:5000/v2/a/1?state=%2F")),
        ("1?state=2", Some("https://good.example:5000/v2/a/blobs/uploads/1?state=2")),
        ("?state=2", Some("https://good.example:5000/v2/a/blobs/uploads/?state=2")),
        ("//other.example/1", Some("https://other.example/1")),
        ("http://other.example/1", Some("http://other.example/1")),
        ("data:text/plain,x", None),
        ("", None),
        ("https://u:p@other.example/1", None),
    ] {
        assert_eq!(here.join(location).map(|place| place.to_string()).as_deref(), expected, "{location}");
    }
    let with = here.with_parameter("digest", "sha256:a/b");
    assert!(with.to_string().ends_with("/uploads/?x=y&digest=sha256%3Aa%2Fb"), "{with}");
    assert_eq!(encoded("a b\u{e9}~"), "a%20b%C3%A9~");
}
