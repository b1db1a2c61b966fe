//! One instruction's text with continuations joined, and the way back to where each byte stood in the file.

use crate::instruction::{Comment, EmptyLines, Heredoc, Word};
use crate::source::Span;

/// A logical line: one instruction, from its name to its last argument.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogicalLine {
    /// Joined text.
    pub text: String,
    /// Pieces: where a piece begins in `text`, and where it begins in the file.
    pub segments: Vec<(usize, usize)>,
    /// First physical line, from 1.
    pub first_line: usize,
    /// Last physical line, here-documents included.
    pub last_line: usize,
    /// One past the last byte in the file, here-documents included.
    pub end: usize,
    /// Comment lines above.
    pub comment: Comment,
    /// Empty lines in between.
    pub empty_lines: EmptyLines,
    /// Here-documents with their bodies.
    pub heredocs: Vec<Heredoc>,
}

impl LogicalLine {
    /// Adds a piece that stands at `source` in the file.
    pub(crate) fn push(&mut self, piece: &str, source: usize) {
        self.segments.push((self.text.len(), source));
        self.text.push_str(piece);
    }

    /// All of it, without blanks at the ends.
    pub(crate) fn all(&self) -> Text<'_> {
        Text { line: self, start: 0, end: self.text.len() }.trim()
    }

    /// The place in the file of a byte of the text.
    fn source(&self, offset: usize) -> usize {
        let index = self.segments.partition_point(|(logical, _)| *logical <= offset);
        match index.checked_sub(1).and_then(|index| self.segments.get(index)) {
            Some((logical, source)) => source + (offset - logical),
            None => offset,
        }
    }
}

/// A part of a logical line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'l> {
    line: &'l LogicalLine,
    start: usize,
    end: usize,
}

/// Blank between words. A line end cannot occur within a logical line.
pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r')
}

impl<'l> Text<'l> {
    pub(crate) fn as_str(&self) -> &'l str {
        &self.line.text[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn line(&self) -> &'l LogicalLine {
        self.line
    }

    /// Where it stands in the file; the end is mapped through its last byte, so that a span never runs on into a
    /// continuation line of which it holds nothing.
    pub(crate) fn span(&self) -> Span {
        let start = self.line.source(self.start);
        if self.start == self.end {
            let at = if self.start == 0 { start } else { self.line.source(self.start - 1) + 1 };
            return Span::new(at, at);
        }
        Span::new(start, self.line.source(self.end - 1) + 1)
    }

    /// A part, by byte offsets within this text.
    pub(crate) fn slice(&self, start: usize, end: usize) -> Text<'l> {
        Text { line: self.line, start: self.start + start, end: self.start + end }
    }

    pub(crate) fn trim(&self) -> Text<'l> {
        let text = self.as_str();
        let start = text.len() - text.trim_start().len();
        self.slice(start, text.trim_end().len().max(start))
    }

    /// The first word, and what follows without blanks before it.
    pub(crate) fn split_word(&self) -> (Text<'l>, Text<'l>) {
        let text = self.as_str();
        let end = text.find(is_blank).unwrap_or(text.len());
        (self.slice(0, end), self.slice(end, text.len()).trim())
    }

    /// Words between blanks, quotes meaning nothing.
    pub(crate) fn words(&self) -> Vec<Text<'l>> {
        let mut words = Vec::new();
        let mut rest = self.trim();
        while !rest.is_empty() {
            let (word, next) = rest.split_word();
            if !word.is_empty() {
                words.push(word);
            }
            rest = next;
        }
        words
    }

    pub(crate) fn to_word(self) -> Word {
        Word::new(self.as_str(), self.span())
    }
}
