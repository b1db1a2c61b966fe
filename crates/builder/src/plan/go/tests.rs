use super::*;

#[test]
fn lists_are_quoted_as_go_does() {
    let table = [
        (vec!["node", "./app.js"], r#"["node" "./app.js"]"#),
        (vec![], "[]"),
        (vec!["it's \"q\"", "a\\b"], r#"["it's \"q\"" "a\\b"]"#),
        (vec!["\u{1b}[0m\t\n", "\0", "é옹"], r#"["\x1b[0m\t\n" "\x00" "é옹"]"#),
        (vec!["\u{200b}\u{e0001}"], r#"["\u200b\U000e0001"]"#),
    ];
    for (words, quoted) in table {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        assert_eq!(list(&words), quoted);
    }
}

#[test]
fn numbers_are_quoted_as_characters() {
    for (number, quoted) in
        [(0, r"'\x00'"), (3, r"'\x03'"), (10, r"'\n'"), (48, "'0'"), (39, r"'\''"), (-1, "'\u{fffd}'")]
    {
        assert_eq!(character(number), quoted);
    }
}

#[test]
fn durations_are_printed_as_go_does() {
    let table = [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (500_000_000, "500ms"),
        (30_000_000_000, "30s"),
        (90_500_000_000, "1m30.5s"),
        (7_200_000_000_000, "2h0m0s"),
        (-1_000_000_000, "-1s"),
    ];
    for (nanoseconds, text) in table {
        assert_eq!(duration(nanoseconds), text);
    }
}
