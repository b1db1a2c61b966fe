//! JSON arrays of strings: the exec form.
//!
//! Strict JSON (RFC 8259), since what is not JSON falls back to the shell form and must do so exactly where BuildKit
//! does. Small enough to own: nothing but an array of strings is ever kept.

use crate::logical_line::is_blank;

/// What a text is, seen as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    /// An array of strings; with each one the byte range of the text that it was read from.
    Strings(Vec<JsonString>),
    /// A valid array with something else than a string, which begins at the offset.
    NotStrings(usize),
    /// Begins like an array but goes wrong at the offset.
    Broken(usize),
    /// Does not begin like an array.
    NotArray,
}

/// One string of the array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonString {
    pub value: String,
    pub start: usize,
    pub end: usize,
}

/// Nested values are only looked over, never kept; deeper than this is nobody's exec form.
const MAX_DEPTH: usize = 64;

/// Reads a text as an array of strings.
pub(crate) fn parse(text: &str) -> Json {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    reader.skip_blanks();
    if reader.peek() != Some(b'[') {
        return Json::NotArray;
    }
    match reader.array() {
        Some((strings, odd)) => {
            reader.skip_blanks();
            match odd {
                _ if reader.at < text.len() => Json::Broken(reader.at),
                Some(offset) => Json::NotStrings(offset),
                None => Json::Strings(strings),
            }
        }
        None => Json::Broken(reader.at.min(text.len())),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// The outermost array: its strings, and where the first value stands that is none.
    fn array(&mut self) -> Option<(Vec<JsonString>, Option<usize>)> {
        let mut strings = Vec::new();
        let mut odd = None;
        self.eat(b'[')?;
        self.skip_blanks();
        if self.eat(b']').is_some() {
            return Some((strings, odd));
        }
        loop {
            self.skip_blanks();
            let start = self.at;
            if self.peek() == Some(b'"') {
                let value = self.string()?;
                strings.push(JsonString { value, start, end: self.at });
            } else {
                self.value(1)?;
                odd.get_or_insert(start);
            }
            self.skip_blanks();
            if self.eat(b']').is_some() {
                return Some((strings, odd));
            }
            self.eat(b',')?;
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'[' => self.container(depth, b']', false),
            b'{' => self.container(depth, b'}', true),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn container(&mut self, depth: usize, close: u8, keyed: bool) -> Option<()> {
        self.at += 1;
        self.skip_blanks();
        if self.eat(close).is_some() {
            return Some(());
        }
        loop {
            self.skip_blanks();
            if keyed {
                if self.peek() != Some(b'"') {
                    return None;
                }
                self.string()?;
                self.skip_blanks();
                self.eat(b':')?;
                self.skip_blanks();
            }
            self.value(depth + 1)?;
            self.skip_blanks();
            if self.eat(close).is_some() {
                return Some(());
            }
            self.eat(b',')?;
        }
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        let _sign = self.eat(b'-');
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return None,
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<String> {
        self.eat(b'"')?;
        let mut out = Vec::new();
        loop {
            let byte = self.peek()?;
            match byte {
                b'"' => {
                    self.at += 1;
                    return String::from_utf8(out).ok();
                }
                b'\\' => {
                    self.at += 1;
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..0x20 => return None,
                _ => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let c = match self.peek()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return None,
        };
        self.at += 1;
        Some(c)
    }

    /// Four hex digits after `\u`, or two times four; half a pair becomes U+FFFD, as in Go.
    fn unicode(&mut self) -> Option<char> {
        let unit = self.hex4()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after = self.at;
        if self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                return char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            }
            self.at = after;
        }
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        let mut unit = 0;
        for digit in digits {
            unit = unit * 16 + char::from(*digit).to_digit(16)?;
        }
        self.at += 4;
        Some(unit)
    }
}

/// Whether a text that is not JSON was probably meant to be: `['a', 'b']`, `["a" "b"]`, `["a", "b"`, `[a, b]`. The
/// shell's own `[ "$a" = b ]` must not look so.
pub(crate) fn looks_broken(text: &str) -> bool {
    let Some(inner) = text.trim().strip_prefix('[') else { return false };
    let first = inner.trim_start();
    let Some(quote) = first.chars().next().filter(|c| is_quote(*c)) else {
        return inner.ends_with(']') && inner.contains(',') && !inner.starts_with(is_blank);
    };
    let after = &first[quote.len_utf8()..];
    let Some(close) = after.find(|c| c == quote || (quote == '“' && c == '”')) else { return true };
    let next = after[close..].chars().skip(1).find(|c| !is_blank(*c));
    next.is_none_or(|c| c == ',' || c == ']' || is_quote(c))
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '“' | '”' | '‘' | '’')
}

/// The array that was probably meant, written correctly.
pub(crate) fn repair(text: &str) -> String {
    let text = text.trim();
    let inner = text.strip_prefix('[').unwrap_or(text);
    let inner = inner.trim_end().strip_suffix(']').unwrap_or(inner);
    let mut items: Vec<String> = Vec::new();
    let mut item = String::new();
    let mut quote = None;
    let mut was_quoted = false;
    for c in inner.chars() {
        match quote {
            Some(open) if c == open || (open == '“' && c == '”') || (open == '‘' && c == '’') => quote = None,
            Some(_) => item.push(c),
            None if is_quote(c) => {
                if was_quoted {
                    items.push(std::mem::take(&mut item));
                }
                quote = Some(c);
                was_quoted = true;
            }
            None if c == ',' || is_blank(c) => {
                if was_quoted || !item.is_empty() {
                    items.push(std::mem::take(&mut item));
                }
                was_quoted = false;
            }
            None => item.push(c),
        }
    }
    if was_quoted || !item.is_empty() {
        items.push(item);
    }
    write(&items)
}

/// Writes an array of strings as JSON.
pub(crate) fn write(items: &[String]) -> String {
    let mut out = String::from("[");
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\"" } else { ", \"" });
        for c in item.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests;
