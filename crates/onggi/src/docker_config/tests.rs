use super::*;

fn with<T>(content: &str, look: impl Fn(Lookup<'_>) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), content).unwrap();
    look(&|name| (name == "DOCKER_CONFIG").then(|| folder.path().display().to_string()))
}

#[test]
fn c303_formats_of_lists_are_those_typed_or_configured() {
    for (content, typed, is_quiet, expected) in [
        (r#"{"psFormat": "x"}"#, None, false, Some("x")),
        (r#"{"psFormat": "x"}"#, Some(""), false, Some("x")),
        (r#"{"psFormat": "x"}"#, Some("y"), false, Some("y")),
        (r#"{"psFormat": "x"}"#, Some("y"), true, Some("y")),
        (r#"{"psFormat": "x"}"#, None, true, None),
        (r#"{"psFormat": ""}"#, None, false, None),
        (r#"{"psFormat": 1}"#, None, false, None),
        (r#"{"imagesFormat": "x"}"#, None, false, None),
        ("broken", None, false, None),
        ("", Some("y"), false, Some("y")),
    ] {
        let format = with(content, |lookup| format("psFormat", typed, is_quiet, lookup));
        assert_eq!(format.as_deref(), expected, "{content} {typed:?} {is_quiet}");
    }
}

#[test]
fn c303_proxies_are_set_in_both_spellings_unless_named() {
    let content = r#"{"proxies": {"default": {"httpProxy": "http://p", "noProxy": "a,b", "ftpProxy": ""}, "tcp://x": {"httpsProxy": "no"}}}"#;
    let all = with(content, |lookup| proxies(&[], lookup));
    let all: Vec<_> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(all, ["HTTP_PROXY=http://p", "http_proxy=http://p", "NO_PROXY=a,b", "no_proxy=a,b"]);
    let rest = with(content, |lookup| proxies(&["http_proxy", "NO_PROXY", "no_proxy"], lookup));
    assert_eq!(rest, [("HTTP_PROXY".to_owned(), "http://p".to_owned())]);
    assert!(with("{}", |lookup| proxies(&[], lookup)).is_empty());
}
