use super::*;

fn strings(text: &str) -> Option<Vec<String>> {
    match parse(text) {
        Json::Strings(strings) => Some(strings.into_iter().map(|string| string.value).collect()),
        _ => None,
    }
}

#[test]
fn arrays_of_strings() {
    let cases: &[(&str, &[&str])] = &[
        (r#"["node", "./app.js"]"#, &["node", "./app.js"]),
        (r#"[ "npm", "start" ]"#, &["npm", "start"]),
        (r#"["a"]"#, &["a"]),
        ("[]", &[]),
        ("[ ]", &[]),
        ("\t[\"a\"\t,\n\"b\"]  ", &["a", "b"]),
        (r#"["\n\t\"\\\/\b\f\r"]"#, &["\n\t\"\\/\u{8}\u{c}\r"]),
        (r#"["\u00e9\uD83D\uDE00"]"#, &["é😀"]),
        (r#"["\uD83Dx"]"#, &["\u{fffd}x"]),
        (r#"["\uD83D\u0041"]"#, &["\u{fffd}A"]),
        (r#"["\uDE00"]"#, &["\u{fffd}"]),
        ("[\"옹기\"]", &["옹기"]),
    ];
    for (text, expected) in cases {
        assert_eq!(
            strings(text).as_deref(),
            Some(expected.iter().map(|s| s.to_string()).collect::<Vec<_>>().as_slice()),
            "{text}"
        );
    }
}

#[test]
fn places_of_strings_cover_their_quotes() {
    let text = r#" [ "a b", "c"]"#;
    let Json::Strings(strings) = parse(text) else { panic!("{text}") };
    let parts: Vec<&str> = strings.iter().map(|string| &text[string.start..string.end]).collect();
    assert_eq!(parts, [r#""a b""#, r#""c""#]);
}

#[test]
fn everything_else() {
    let cases = [
        ("node app.js", Json::NotArray),
        ("", Json::NotArray),
        (r#"{"a": 1}"#, Json::NotArray),
        (r#"["sleep", 10]"#, Json::NotStrings(10)),
        (r#"[null]"#, Json::NotStrings(1)),
        (r#"[true, "a"]"#, Json::NotStrings(1)),
        (r#"["a", ["b"]]"#, Json::NotStrings(6)),
        (r#"["a", {"k": [1, -2.5e+3, false]}]"#, Json::NotStrings(6)),
        ("['a']", Json::Broken(1)),
        (r#"["a" "b"]"#, Json::Broken(5)),
        (r#"["a",]"#, Json::Broken(5)),
        (r#"["a"] b"#, Json::Broken(6)),
        (r#"["a"#, Json::Broken(3)),
        (r#"["\x"]"#, Json::Broken(3)),
        ("[\"a\nb\"]", Json::Broken(3)),
        ("[01]", Json::Broken(2)),
        ("[-]", Json::Broken(2)),
        ("[1.]", Json::Broken(3)),
        ("[tru]", Json::Broken(1)),
        ("[", Json::Broken(1)),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), expected, "{text}");
    }
    let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(parse(&deep), Json::Broken(_)));
}

#[test]
fn broken_arrays_are_told_from_shell_tests() {
    for text in [
        "['a', 'b']",
        r#"["a" "b"]"#,
        r#"["a", "b""#,
        r#"["a", 'b']"#,
        "[a, b]",
        "[node, app.js]",
        "[“npm”, “start”]",
        r#"["a",]"#,
        r#"["a"#,
    ] {
        assert!(looks_broken(text), "{text}");
    }
    for text in [
        r#"[ "$a" = "b" ] && make"#,
        r#"[ "$a" = "b" ]"#,
        "[ -f /etc/passwd ]",
        "[ -f /etc/passwd ] && echo yes, it is",
        "[[ a == b ]] || exit 1",
        r#"[ 'x' != "$y" ] || true"#,
        "make",
        "",
    ] {
        assert!(!looks_broken(text), "{text}");
    }
}

#[test]
fn repairs() {
    for (text, expected) in [
        ("['a', 'b c']", r#"["a", "b c"]"#),
        (r#"["node" "./app.js"]"#, r#"["node", "./app.js"]"#),
        (r#"["a", "b""#, r#"["a", "b"]"#),
        ("[a, b]", r#"["a", "b"]"#),
        ("/bin/bash -c", r#"["/bin/bash", "-c"]"#),
        ("[“npm”, ‘start’]", r#"["npm", "start"]"#),
        ("['']", r#"[""]"#),
        ("['a\\\"b']", r#"["a\\\"b"]"#),
    ] {
        assert_eq!(repair(text), expected, "{text}");
        assert!(strings(&repair(text)).is_some(), "{text}");
    }
}
