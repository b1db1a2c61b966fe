//! Places in a text: byte spans, and the lines and columns that people count.
//!
//! Spans are byte ranges of the file as it was read, so they stay right whatever the parser joined or dropped.
//! Lines and columns are worked out only when something is shown.

use std::borrow::Cow;
use std::ops::Range;

/// A byte range of the source text, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// Makes a span from its two ends.
    pub const fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// The span as a range, for slicing.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A place as people count: both numbers start at 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: usize,
    /// Character within the line, from 1.
    pub column: usize,
}

/// Finds the line and column of byte offsets in one text.
#[derive(Debug, Clone)]
pub struct SourceMap<'a> {
    bytes: &'a [u8],
    line_starts: Vec<usize>,
}

impl<'a> SourceMap<'a> {
    /// Notes where every line of `bytes` begins. The bytes need not be UTF-8.
    pub fn new(bytes: &'a [u8]) -> SourceMap<'a> {
        let mut line_starts = vec![0];
        line_starts.extend(bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
        SourceMap { bytes, line_starts }
    }

    /// Line and column of a byte offset. An offset past the end is taken as the end.
    pub fn line_column(&self, offset: usize) -> LineColumn {
        let offset = offset.min(self.bytes.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        let column = String::from_utf8_lossy(&self.bytes[start..offset]).chars().count() + 1;
        LineColumn { line, column }
    }

    /// Text of a line (counted from 1) without its line end; bytes that are not UTF-8 are shown as `U+FFFD`.
    /// Empty for a line that does not exist.
    pub fn line_text(&self, line: usize) -> Cow<'a, str> {
        let Some(start) = line.checked_sub(1).and_then(|index| self.line_starts.get(index)) else {
            return Cow::Borrowed("");
        };
        let end = self.line_starts.get(line).map_or(self.bytes.len(), |next| next - 1);
        let text = &self.bytes[*start..end];
        String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text))
    }

    /// Byte offset at which a line (counted from 1) begins.
    pub fn line_start(&self, line: usize) -> Option<usize> {
        line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied()
    }

    /// Number of lines; a line end at the end of the text opens no further line.
    pub fn line_count(&self) -> usize {
        let last_is_empty = self.line_starts.last() == Some(&self.bytes.len());
        self.line_starts.len() - usize::from(last_is_empty)
    }
}
