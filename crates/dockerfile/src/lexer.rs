//! Physical lines to logical lines: continuations, comments, empty lines and here-documents.
//!
//! Knows of instructions only which of them may carry a here-document. The rules are BuildKit's
//! (`frontend/dockerfile/parser`), oddities included: a comment within a continued line is dropped, blanks at
//! the start of a continuation line stay, an empty one is skipped.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::heredoc;
use crate::instruction::{Comment, Heredoc, HeredocBody};
use crate::logical_line::LogicalLine;
use crate::source::Span;

/// Each time costs another look at the rest of the file.
const MAX_REWINDS: usize = 10;

/// A line of the file without its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PhysicalLine<'a> {
    pub text: &'a str,
    pub start: usize,
    /// Where the next line begins.
    pub next: usize,
}

/// The line that begins at `start`, or `None` at the end of the text. Every CR before the line end goes with it.
pub(crate) fn physical_line(text: &str, start: usize) -> Option<PhysicalLine<'_>> {
    if start >= text.len() {
        return None;
    }
    let rest = &text[start..];
    let length = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let line = rest[..length].trim_end_matches(['\r', '\n']);
    Some(PhysicalLine { text: line, start, next: start + length })
}

/// Reads logical lines one after the other.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    position: usize,
    line: usize,
    escape: char,
    comment: Comment,
    /// What was noticed on the way.
    pub diagnostics: Diagnostics,
    /// How often reading went on within a here-document that was never ended.
    rewinds: usize,
}

impl<'a> Lexer<'a> {
    /// Starts at a byte offset, which is the beginning of line `line` (from 1).
    pub(crate) fn new(text: &'a str, position: usize, line: usize, escape: char) -> Lexer<'a> {
        Lexer {
            text,
            position,
            line,
            escape,
            comment: Comment::default(),
            diagnostics: Diagnostics::default(),
            rewinds: 0,
        }
    }

    fn physical(&mut self) -> Option<PhysicalLine<'a>> {
        let line = physical_line(self.text, self.position)?;
        self.position = line.next;
        self.line += 1;
        Some(line)
    }

    /// The next instruction.
    pub(crate) fn next_line(&mut self) -> Option<LogicalLine> {
        loop {
            let first = self.physical()?;
            let trimmed = first.text.trim_start();
            if let Some(comment) = trimmed.strip_prefix('#') {
                self.note_comment(comment.trim());
                continue;
            }
            let (piece, mut continued) = self.strip_continuation(trimmed);
            if piece.is_empty() && !continued {
                self.comment.is_adjacent = false;
                continue;
            }
            let mut line = LogicalLine { first_line: self.line - 1, ..LogicalLine::default() };
            line.push(piece, first.start + (first.text.len() - trimmed.len()));
            line.end = first.start + first.text.len();
            while continued {
                let Some(next) = self.physical() else { break };
                let text = next.text.trim_start();
                if text.starts_with('#') {
                    continue;
                }
                if text.is_empty() {
                    line.empty_lines.lines.push(self.line - 1);
                    continue;
                }
                let piece;
                (piece, continued) = self.strip_continuation(next.text);
                line.push(piece, next.start);
                line.end = next.start + next.text.len();
            }
            line.last_line = self.line - 1;
            line.empty_lines.last_line = line.last_line;
            if line.text.trim().is_empty() {
                continue;
            }
            line.comment = std::mem::take(&mut self.comment);
            self.read_heredocs(&mut line);
            return Some(line);
        }
    }

    /// An empty comment line separates; blank lines do not.
    fn note_comment(&mut self, comment: &str) {
        if comment.is_empty() {
            self.comment = Comment::default();
        } else {
            self.comment.lines.push(comment.to_owned());
            self.comment.is_adjacent = true;
        }
    }

    /// Takes away an escape character at the end of a line. Two of them are text, not a continuation.
    fn strip_continuation<'t>(&self, line: &'t str) -> (&'t str, bool) {
        let Some(piece) = line.trim_end_matches([' ', '\t']).strip_suffix(self.escape) else {
            return (line, false);
        };
        if piece.ends_with(self.escape) { (line, false) } else { (piece, true) }
    }

    fn read_heredocs(&mut self, line: &mut LogicalLine) {
        let mut markers = heredoc::markers(line, self.escape);
        for marker in &mut markers {
            if !self.read_body(marker) {
                break;
            }
        }
        if !markers.is_empty() {
            line.last_line = self.line - 1;
            line.end = self.text[..self.position].trim_end_matches(['\r', '\n']).len().max(line.end);
        }
        line.heredocs = markers;
    }

    /// Reads lines up to the marker. False when the file ends first.
    fn read_body(&mut self, heredoc: &mut Heredoc) -> bool {
        let start = self.position;
        let (mut text, mut raw) = (String::new(), String::new());
        let mut near_miss = None;
        loop {
            let end = self.position;
            let Some(line) = self.physical() else { break };
            let stripped = if heredoc.strip_tabs { line.text.trim_start_matches('\t') } else { line.text };
            if stripped == heredoc.name {
                heredoc.body = HeredocBody { text, raw, span: Span::new(start, end) };
                return true;
            }
            if near_miss.is_none() && line.text.trim() == heredoc.name {
                near_miss = Some((self.line - 1, self.position));
            }
            let whole = &self.text[line.start..line.next];
            text.push_str(if heredoc.strip_tabs { whole.trim_start_matches('\t') } else { whole });
            raw.push_str(whole);
        }
        heredoc.body = HeredocBody { text, raw, span: Span::new(start, self.position) };
        let name = &heredoc.name;
        let help = match near_miss {
            // The rest of the file is hardly meant to be in it: go on behind the line that was to end it.
            Some((line, position)) => {
                if self.rewinds < MAX_REWINDS {
                    self.rewinds += 1;
                    (self.line, self.position) = (line + 1, position);
                }
                format!("remove the blanks around `{name}` in line {line}")
            }
            None => format!("end the text with a line that holds only `{name}`"),
        };
        let message = format!("here-document `{name}` is never ended");
        self.diagnostics.push(
            Diagnostic::error(Code::UnterminatedHeredoc, heredoc.span, message)
                .with_label("begins here")
                .with_help(help),
        );
        false
    }
}
