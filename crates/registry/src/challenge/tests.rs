//! Headers as registries send them, and as they should not.

use super::{Challenge, challenges};

fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope), error: None }
}

#[test]
fn c010_challenges_are_read() {
    let hub =
        r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#;
    let full = bearer("https://auth.example/token", Some("registry.example"), Some("repository:a/b:pull,push"));
    for (header, expected) in [
        (hub, vec![full.clone()]),
        ("Basic realm=\"x\"", vec![Challenge::Basic]),
        ("basic", vec![Challenge::Basic]),
        ("BASIC realm=x , charset=\"UTF-8\"", vec![Challenge::Basic]),
        ("bearer REALM = \"https://a/\"", vec![bearer("https://a/", None, None)]),
        ("Bearer realm=\"https://a/?x=\\\"y\\\"\"", vec![bearer("https://a/?x=\"y\"", None, None)]),
        ("Basic realm=\"x\", Bearer realm=\"https://a/\"", vec![bearer("https://a/", None, None), Challenge::Basic]),
        ("Negotiate, Basic realm=\"a, Bearer realm=b\"", vec![Challenge::Basic]),
        ("Negotiate YWJj==, Basic realm=x", vec![Challenge::Basic]),
        (", ,Basic realm=x,,", vec![Challenge::Basic]),
        ("Digest realm=\"x\", nonce=\"y\"", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(challenges([header]), expected, "{header}");
    }
    assert_eq!(challenges(["Basic realm=x", hub]), [full, Challenge::Basic]);
    let [Challenge::Bearer { error, .. }] =
        &challenges(["Bearer realm=\"https://a/\",error=\"insufficient_scope\""])[..]
    else {
        panic!("one challenge")
    };
    assert_eq!(error.as_deref(), Some("insufficient_scope"));
}

#[test]
fn r23_headers_that_break_the_grammar_are_no_challenge() {
    for header in [
        "Bearer",
        "Bearer service=\"x\"",
        "Bearer realm=\"https://a/",
        "Bearer realm=\"https://a/\" service=\"x\"",
        "Bearer realm=\"https://a/\"x",
        "Bearer realm=\"https://a/\",realm=\"https://b/\"",
        "Bearer realm=\"https://a/\u{7}\"",
        "Bearer realm=\"a\\",
        "Bearer realm=https://a/",
        "Basic realm=\"x\" Bearer realm=\"y\"",
        "\"Basic\"",
        "Basic realm=x; Bearer realm=y",
    ] {
        assert_eq!(challenges([header]), [], "{header}");
    }
    assert_eq!(challenges([format!("Basic realm=\"{}\"", "x".repeat(10_000)).as_str()]), []);
}
