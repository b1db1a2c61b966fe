use super::*;

#[test]
fn names_against_patterns() {
    for (pattern, name, expected) in [
        ("app.js", "app.js", true),
        ("app.js", "app.jsx", false),
        ("*", "anything", true),
        ("*", "", true),
        ("*", ".hidden", true),
        ("package*.json", "package.json", true),
        ("package*.json", "package-lock.json", true),
        ("package*.json", "package.json5", false),
        ("*.js", "a.js", true),
        ("*.js", ".js", true),
        ("*.js", "a.jsx", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "abcbc", true),
        ("a*b*c", "acb", false),
        ("**", "ab", true),
        ("a**b", "axxb", true),
        ("a*b", "a/b", false),
        ("a?b", "a/b", false),
        ("?", "옹", true),
        ("??", "옹", false),
        ("옹*", "옹기", true),
        ("[a-c]x", "bx", true),
        ("[a-c]x", "dx", false),
        ("[^a-c]x", "dx", true),
        ("[^a-c]x", "ax", false),
        ("[!a]", "!", true),
        ("[!a]", "b", false),
        ("[a-cx-z]", "y", true),
        ("[가-나]", "커", false),
        ("[가-힣]", "커", true),
        ("[[]x]", "[x]", true),
        ("arr[[]0].txt", "arr[0].txt", true),
        ("[]]", "]", false),
        ("\\*", "*", true),
        ("\\*", "a", false),
        ("[\\]]", "]", true),
        ("[\\-a]", "-", true),
        ("[z-a]", "m", false),
        ("{a,b}", "a", false),
        ("{a,b}", "{a,b}", true),
        ("a.c", "abc", false),
        ("(x)+", "(x)+", true),
    ] {
        let found = Pattern::new(pattern).is_ok_and(|compiled| compiled.matches(name.as_bytes()));
        assert_eq!(found, expected, "{pattern} {name}");
    }
}

#[test]
fn malformed_patterns() {
    for pattern in
        ["[", "[a", "[^", "[^a", "a[", "[]", "[]a]", "[-]", "[-x]", "[x-]", "[a-b-c]", "\\", "a\\", "[a\\", "[a-"]
    {
        assert!(Pattern::new(pattern).is_err(), "{pattern}");
    }
    let error = Pattern::new("src/[").expect_err("not closed");
    assert_eq!(error.to_string(), "malformed pattern `src/[`: `[` is never closed");
}

#[test]
fn bytes_that_are_no_text() {
    let one = Pattern::new("a?b").expect("good");
    assert!(one.matches(b"a\xffb"));
    assert!(!one.matches(b"a\xff\xffb"));
    assert!(Pattern::new("*.c").expect("good").matches(b"\xc3\x28\xe2.c"));
    assert!(Pattern::new("[^x]").expect("good").matches(b"\x80"));
}

#[test]
fn literals() {
    for (pattern, expected) in
        [("app.js", Some("app.js")), ("a\\*b", Some("a*b")), ("a*", None), ("a?", None), ("[a]", None), ("", Some(""))]
    {
        let compiled = Pattern::new(pattern).expect("good");
        assert_eq!(compiled.literal(), expected.map(str::as_bytes), "{pattern}");
    }
}

#[test]
fn paths() {
    for (pattern, path, expected) in [
        ("src/*.rs", "src/a.rs", true),
        ("src/*.rs", "src/b/a.rs", false),
        ("*/a", "x/a", true),
        ("*", "x/a", false),
        ("/src//./a", "src/a", true),
        ("../../a", "a", true),
        ("a/../b", "b", true),
        ("src/", "src", true),
        (".", "", true),
        ("a/b", "a", false),
        ("a", "a/b", false),
    ] {
        let compiled = PathPattern::new(pattern).expect("good");
        assert_eq!(compiled.matches(path.as_bytes()), expected, "{pattern} {path}");
    }
    assert_eq!(PathPattern::new("./a/b\\*/").expect("good").literal(), Some(b"a/b*".to_vec()));
    assert_eq!(PathPattern::new("a/*").expect("good").literal(), None);
    assert!(PathPattern::new("a/[/b").is_err());
}

#[test]
fn many_stars_take_no_more_than_a_moment() {
    let pattern = Pattern::new(&"*a".repeat(2000)).expect("good");
    let name = "a".repeat(1999) + "b";
    assert!(!pattern.matches(name.as_bytes()));
}
