//! Text from elsewhere, made safe to show.
//!
//! Names, labels and history rows come from images and Dockerfiles that a stranger may have written; a terminal
//! obeys the control characters in them (field-notes, section 2, row 29: hidden text, faked last lines, clipboard
//! writes by OSC 52, reversed text by bidirectional marks). Data for programs (`--format`, `-q`, JSON) is not
//! touched.

use std::borrow::Cow;
use std::fmt::Write;

/// Control characters and marks of direction become visible escapes; a tab becomes one space, as Docker does (S216).
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\t' => safe.push(' '),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            control if is_active(control) => write_escape(&mut safe, control),
            plain => safe.push(plain),
        }
    }
    Cow::Owned(safe)
}

/// The same for text that may have several lines: line ends stay.
pub(crate) fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

fn write_escape(safe: &mut String, character: char) {
    let code = u32::from(character);
    let written = match code < 0x100 {
        true => write!(safe, "\\x{code:02x}"),
        false => write!(safe, "\\u{{{code:x}}}"),
    };
    written.expect("writing to a String cannot fail");
}

/// Whether a terminal would do something else with it than show it.
pub(crate) fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
