//! Here-document markers: `<<EOF`, `<<-EOF`, `<<"EOF"`, `3<<EOF`.
//!
//! Only finds the markers in a line; the lexer reads the bodies.

use crate::instruction::{Heredoc, HeredocBody};
use crate::json::{self, Json};
use crate::keyword::Keyword;
use crate::logical_line::{LogicalLine, Text};
use crate::suggest;
use crate::words;

/// Markers of a logical line, bodies still empty. None for instructions without here-documents and for JSON forms.
pub(crate) fn markers(line: &LogicalLine, escape: char) -> Vec<Heredoc> {
    if !line.text.contains("<<") {
        return Vec::new();
    }
    let (mut name, mut rest) = line.all().split_word();
    if name.as_str().eq_ignore_ascii_case("ONBUILD") {
        (name, rest) = rest.split_word();
    }
    // A mistyped RUN should not turn its here-document into twenty unknown instructions.
    let keyword = Keyword::lookup(name.as_str())
        .or_else(|| suggest::nearest(name.as_str(), Keyword::ALL.map(Keyword::as_str)).and_then(Keyword::lookup));
    if !keyword.is_some_and(Keyword::takes_heredocs) {
        return Vec::new();
    }
    let arguments = words::skip_flags(rest);
    if matches!(json::parse(arguments.as_str()), Json::Strings(_)) {
        return Vec::new();
    }
    let Ok(words) = words::quoted_words(arguments, escape) else { return Vec::new() };
    words.into_iter().filter_map(marker).collect()
}

/// Reads one word as a marker.
pub(crate) fn marker(word: Text<'_>) -> Option<Heredoc> {
    let text = word.as_str();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = text[digits..].strip_prefix("<<")?;
    let (strip_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let descriptor = if digits == 0 { 0 } else { text[..digits].parse().ok()? };
    let name: String = unquote(rest);
    if name.is_empty() {
        return None;
    }
    let expand = name == rest;
    Some(Heredoc { name, expand, strip_tabs, descriptor, span: word.span(), body: HeredocBody::default() })
}

/// Takes quotes and backslashes away, as a shell does for the marker.
fn unquote(text: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None | Some('"'), '\\') => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}
