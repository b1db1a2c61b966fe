use super::*;

#[test]
fn nearest_names() {
    let names = ["from", "chown", "chmod", "link", "exclude"];
    for (typed, expected) in [
        ("form", Some("from")),
        ("FROM", Some("from")),
        ("fro", Some("from")),
        ("chwon", Some("chown")),
        ("chmd", Some("chmod")),
        ("exlcud", Some("exclude")),
        ("lnk", Some("link")),
        ("x", None),
        ("", None),
        ("mount", None),
        ("옹기", None),
    ] {
        assert_eq!(nearest(typed, names), expected, "{typed}");
    }
    assert_eq!(nearest(&"f".repeat(10_000), names), None);
}

#[test]
fn distances() {
    for (a, b, expected) in
        [("", "", 0), ("a", "", 1), ("", "ab", 2), ("ab", "ba", 1), ("kitten", "sitting", 3), ("abc", "ca", 3)]
    {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        assert_eq!(distance(&a, &b), expected);
    }
}
