//! What servers say, and how it is shown.

use super::{Failure, Kind, Said, inert};

#[test]
fn what_servers_say_is_read() {
    for (body, expected) in [
        (
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}"#,
            Some("manifest_unknown: manifest unknown"),
        ),
        (r#"{"errors":[{"code":"DENIED"},{"message":"no"}]}"#, Some("denied; no")),
        (r#"{"details":"incorrect username or password"}"#, Some("incorrect username or password")),
        (r#"{"error":"invalid_grant","error_description":"expired"}"#, Some("expired")),
        (r#"{"message":"Not Found"}"#, Some("Not Found")),
        (r#"{"errors":[{"code":5,"message":null}]}"#, None),
        (r#"{"errors":{}}"#, None),
        ("<html>", None),
        ("", None),
    ] {
        assert_eq!(Said::parse(body.as_bytes()).line.as_deref(), expected, "{body}");
    }
}

#[test]
fn what_servers_say_is_inert() {
    assert_eq!(inert(" a\u{1b}]52;c;x\u{7}\r\nb\u{202e}c ", 200), "a\\u{1b}]52;c;x\\u{7}\\r\\nb\\u{202e}c");
    assert_eq!(inert(&"x".repeat(5000), 10), "xxxxxxxxxx…");
    let long = format!(r#"{{"errors":[{}]}}"#, vec![r#"{"code":"A","message":"b"}"#; 1000].join(","));
    assert_eq!(Said::parse(long.as_bytes()).line.unwrap(), "a: b; a: b; a: b");
}

#[test]
fn a_line_names_what_was_asked_of_whom_and_why() {
    let mut error = Failure::new("registry.example", Kind::NotFound).asking("read manifest `v1` of `app`");
    error.said = Some("manifest_unknown: manifest unknown".to_owned());
    assert_eq!(
        error.to_string(),
        "cannot read manifest `v1` of `app` at `registry.example`: not found (manifest_unknown: manifest unknown)"
    );
    let tried = |host: &str, kind| Failure::new(host, kind).asking("read manifest `v1` of `app`");
    error.tried = vec![tried("one:5000", Kind::Host), tried("two", Kind::Unavailable { status: 503 })];
    error.said = None;
    assert_eq!(
        error.to_string(),
        "cannot read manifest `v1` of `app` at `registry.example`: not found; before that `one:5000`: no such host, `two`: it is not available now, status 503"
    );
    assert_eq!(Failure::new("x", Kind::Cancelled).asking("x").to_string(), "cancelled");
}
