//! Makes the output of two runs comparable: digests, short IDs, times and the test's own paths become names.
//!
//! The same digest gets the same number throughout one [`Normaliser`], so that a snapshot still shows which of them
//! are equal. No regular expressions: one scan over the words is enough and says exactly what is replaced.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Replaces what differs from run to run, and remembers what it called it.
#[derive(Debug, Clone, Default)]
pub struct Normaliser {
    names: HashMap<String, usize>,
    hidden: Vec<(PathBuf, String)>,
}

/// Normalises one text on its own.
#[must_use]
pub fn normalise(text: &str) -> String {
    Normaliser::default().apply(text)
}

impl Normaliser {
    /// Shows this path as `name`.
    pub fn hide(&mut self, path: &Path, name: &str) {
        self.hidden.push((path.to_owned(), name.to_owned()));
    }

    /// The text with `<id-1>` for hexadecimal IDs of 12 or 64 digits, `<time>` for `0.1s`, and hidden paths named.
    pub fn apply(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (path, name) in &self.hidden {
            text = text.replace(&path.display().to_string(), name);
        }
        let mut result = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            result.push_str(&rest[..start]);
            let end = start + word_length(&rest[start..]);
            let word = &rest[start..end];
            match self.replacement(word) {
                Some(name) => result.push_str(&name),
                None => result.push_str(word),
            }
            rest = &rest[end..];
        }
        result.push_str(rest);
        result
    }

    fn replacement(&mut self, word: &str) -> Option<String> {
        if is_id(word) {
            let next = self.names.len() + 1;
            // A short ID is the beginning of a long one, so both are known by their first twelve digits.
            let number = *self.names.entry(word[..12].to_owned()).or_insert(next);
            return Some(format!("<id-{number}>"));
        }
        is_seconds(word).then(|| "<time>".to_owned())
    }
}

fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while length < bytes.len() {
        let inside_number = bytes[length] == b'.'
            && bytes[..length].iter().all(u8::is_ascii_digit)
            && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
        if !bytes[length].is_ascii_alphanumeric() && !inside_number {
            break;
        }
        length += 1;
    }
    length
}

fn is_id(word: &str) -> bool {
    (word.len() == 12 || word.len() == 64) && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_seconds(word: &str) -> bool {
    let Some(number) = word.strip_suffix("ms").or_else(|| word.strip_suffix('s')) else { return false };
    let mut parts = number.split('.');
    let digits = |part: Option<&str>| part.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    digits(parts.next()) && digits(parts.next()) && parts.next().is_none()
}
