//! How many columns text takes on a terminal, and how to cut it to fit.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that `text` takes.
pub(crate) fn columns(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.width(),
    }
}

/// `text` cut to `limit` columns, the last of them `…` when something was cut (S216).
pub(crate) fn ellipsis(text: &str, limit: usize) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    let mut cut = clip(text, limit.saturating_sub(1)).to_owned();
    cut.push('…');
    cut
}

/// The longest beginning of `text` that takes at most `limit` columns.
pub(crate) fn clip(text: &str, limit: usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > limit {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests;
