//! Tokens as services give them, and the texts that are made of secrets.

use super::{given, is_near};

#[test]
fn c010_answers_of_token_services() {
    let read = |body: &str| {
        given(body.as_bytes())
            .map(|given| (given.token.expose().to_owned(), given.holds.as_secs(), given.identity.is_some()))
    };
    let token = |text: &str, seconds, has_identity| Some((text.to_owned(), seconds, has_identity));
    assert_eq!(read(r#"{"token":"a","expires_in":300}"#), token("a", 300, false));
    assert_eq!(read(r#"{"access_token":"a"}"#), token("a", 60, false));
    assert_eq!(read(r#"{"token":"","access_token":"b","expires_in":0}"#), token("b", 60, false));
    assert_eq!(read(r#"{"token":"a","expires_in":1e300,"refresh_token":"r"}"#), token("a", 86_400, true));
    for wrong in ["", "{}", "[]", r#"{"token":""}"#, r#"{"token":"a\r\nX: y"}"#, r#"{"token":5}"#, r#"{"token":"a b"}"#]
    {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn r23_addresses_of_the_own_network() {
    for near in [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.100.100.200",
        "localhost",
        "localhost.",
        "x.localhost",
        "::1",
        "fd00:ec2::254",
        "fe80::1",
        "::ffff:127.0.0.1",
        "0x7f.1",
        "2130706433",
        "127.1",
    ] {
        assert!(is_near(near), "{near}");
    }
    for far in ["auth.example", "8.8.8.8", "2001:4860:4860::8888", "localhost.example", "1.example"] {
        assert!(!is_near(far), "{far}");
    }
}
