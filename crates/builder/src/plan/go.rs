//! Values as Go prints them: history rows of BuildKit are made with `fmt`, and are part of the image ID.

/// `%q` of a list: `["node" "./app.js"]`, no commas (S213).
pub(super) fn list(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("[{}]", quoted.join(" "))
}

/// `%q` of a text (Go, `strconv.Quote`).
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            letter => escape(letter, &mut quoted),
        }
    }
    quoted.push('"');
    quoted
}

/// `%q` of a number is the character of that code: `'\x03'`, `'0'` (Go, `strconv.QuoteRune`).
pub(super) fn character(number: i64) -> String {
    let letter = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut quoted = "'".to_owned();
    match letter {
        '\'' => quoted.push_str("\\'"),
        letter => escape(letter, &mut quoted),
    }
    quoted + "'"
}

fn escape(letter: char, quoted: &mut String) {
    match letter {
        '\\' => quoted.push_str("\\\\"),
        '\u{7}' => quoted.push_str("\\a"),
        '\u{8}' => quoted.push_str("\\b"),
        '\u{c}' => quoted.push_str("\\f"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\u{b}' => quoted.push_str("\\v"),
        letter if letter.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(letter))),
        // What Rust would not print either is close enough to what Go calls unprintable.
        letter if is_printable(letter) => quoted.push(letter),
        letter if u32::from(letter) < 0x1_0000 => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
        letter => quoted.push_str(&format!("\\U{:08x}", u32::from(letter))),
    }
}

/// Behind another letter, so that a combining accent counts as what it is.
fn is_printable(letter: char) -> bool {
    matches!(letter, '\'' | '"') || format!("a{letter}").escape_debug().count() == 2
}

/// `time.Duration.String`: `0s`, `500ms`, `1m30.5s`, `2h0m0s`.
pub(super) fn duration(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let (unit, name) = match total {
        0 => return "0s".to_owned(),
        1..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let (whole, rest) = (total / unit, total % unit);
    let digits = unit.ilog10() as usize;
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:0digits$}") };
    let fraction = fraction.trim_end_matches('0');
    if unit < 1_000_000_000 || whole < 60 {
        return format!("{sign}{whole}{fraction}{name}");
    }
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    let hours = if hours == 0 { String::new() } else { format!("{hours}h") };
    format!("{sign}{hours}{minutes}m{seconds}{fraction}s")
}

#[cfg(test)]
mod tests;
