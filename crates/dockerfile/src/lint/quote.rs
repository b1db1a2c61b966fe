//! Texts in double quotes as Go's `%q` writes them: that is how BuildKit's messages have them.

/// The text, quoted.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => push_escape(&mut out, 'x', 2, c),
            c if !is_shown(c) && u32::from(c) <= 0xffff => push_escape(&mut out, 'u', 4, c),
            c if !is_shown(c) => push_escape(&mut out, 'U', 8, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn push_escape(out: &mut String, letter: char, digits: usize, c: char) {
    out.push_str(&format!("\\{letter}{:0digits$x}", u32::from(c)));
}

/// Go shows letters, marks, numbers, punctuation, symbols and the ASCII blank.
fn is_shown(c: char) -> bool {
    c == ' '
        || !(c.is_whitespace()
            || c.is_control()
            || matches!(u32::from(c), 0xad | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfeff | 0xe000..=0xf8ff))
}
