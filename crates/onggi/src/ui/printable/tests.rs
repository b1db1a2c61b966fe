use super::{printable, printable_lines};

/// Field-notes, section 2, row 29.
#[test]
fn control_characters_are_shown_and_not_obeyed() {
    for (hostile, shown) in [
        ("plain", "plain"),
        ("한글 ok", "한글 ok"),
        ("a\tb", "a b"),
        ("one\ntwo\r", "one\\ntwo\\r"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x1b[2J\x1b[1A", "\\x1b[2J\\x1b[1A"),
        ("\u{9b}31m", "\\x9b31m"),
        ("a\u{202e}txt.exe", "a\\u{202e}txt.exe"),
        ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
        ("\u{7f}\0", "\\x7f\\x00"),
    ] {
        assert_eq!(printable(hostile), shown);
    }
}

#[test]
fn line_ends_of_several_lines_stay() {
    assert_eq!(printable_lines("a\n\x1b[1mb\n"), "a\n\\x1b[1mb\n");
}
