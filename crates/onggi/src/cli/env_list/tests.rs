use std::path::Path;

use super::{EnvError, file, variable};

fn host(name: &str) -> Option<String> {
    (name == "HOME").then(|| "/root".to_owned())
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// S043, S044, B003.
#[test]
fn variables_have_a_value_or_the_one_from_here() {
    assert_eq!(variable("A=b=c", &host), Ok(Some(pair("A", "b=c"))));
    assert_eq!(variable("A=", &host), Ok(Some(pair("A", ""))));
    assert_eq!(variable("HOME", &host), Ok(Some(pair("HOME", "/root"))));
    assert_eq!(variable("NOT_SET", &host), Ok(None));
    assert_eq!(variable("=x", &host), Err(EnvError::NoName { text: "=x".to_owned() }));
    assert_eq!(variable("", &host), Err(EnvError::NoName { text: String::new() }));
}

/// C201.
#[test]
fn files_are_read_as_docker_does() {
    let path = Path::new("env");
    let text = b"\xef\xbb\xbf# comment\nA=1\r\n\n  B=\"two\"\nHOME\nNOT_SET\nC=d # e";
    let expected = [pair("A", "1"), pair("B", "\"two\""), pair("HOME", "/root"), pair("C", "d # e")];
    assert_eq!(file(path, text, &host), Ok(expected.to_vec()));
    for (text, message) in [
        (&b"A=1\nB C=2"[..], "line 2 of `env`: variable `B C` has a space in its name"),
        (b"\xff=1", "line 1 of `env` is not UTF-8"),
        (b"=1", "variable `=1` has no name"),
    ] {
        assert_eq!(file(path, text, &host).unwrap_err().to_string(), message);
    }
}
