//! The output of one step: the latest lines with their times, within a bound.
//!
//! The whole output is kept on disk by the engine; here is what a view may need to show again, the tail while the step
//! runs and the end of it when the step failed. Lines are kept as bytes and made harmless only when they are shown.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::KeptOutput;
use crate::ui::printable::is_active;

/// Most bytes kept of one step: some thousands of lines.
const LIMIT: usize = 512 * 1024;

/// A line is broken here: no terminal shows more, and a step may write gigabytes without a line end.
const LONGEST_LINE: usize = 16 * 1024;

/// One line of output, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// When it began, since the step's start.
    pub(crate) at: Duration,
    /// Where it begins in the step's output.
    pub(crate) offset: u64,
    /// Where the next one does.
    pub(crate) end: u64,
    /// Its bytes as the step wrote them.
    pub(crate) bytes: Vec<u8>,
}

impl LogLine {
    /// `0.123 text`: how a line is shown again below a failed step.
    pub(crate) fn timed(&self) -> String {
        format!("{:.3} {}", self.at.as_secs_f64(), visible(&self.bytes))
    }
}

/// The latest output of a step.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: VecDeque<LogLine>,
    partial: Option<LogLine>,
    bytes: usize,
    dropped: usize,
    /// How much was written so far.
    written: u64,
    /// Some of it did not come here.
    has_gap: bool,
}

/// What came before the lines that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Lines(usize),
    /// Nobody counted them.
    Some,
}

impl Log {
    /// Takes in what the step wrote, and returns the lines that are complete now.
    pub(crate) fn write(&mut self, data: &[u8], at: Duration) -> Vec<LogLine> {
        let mut complete = Vec::new();
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            let offset = self.written;
            let line = self.partial.get_or_insert_with(|| LogLine { at, offset, end: offset, bytes: Vec::new() });
            let end = piece.strip_suffix(b"\n");
            line.bytes.extend_from_slice(end.unwrap_or(piece));
            self.written += piece.len() as u64;
            line.end = self.written;
            if end.is_some() || line.bytes.len() > LONGEST_LINE {
                complete.extend(self.end_line());
            }
        }
        complete
    }

    /// What comes next begins here; output before it may have been left out.
    pub(crate) fn skip_to(&mut self, offset: u64) {
        if offset > self.written {
            self.partial = None;
            self.written = offset;
            self.has_gap = true;
        }
    }

    /// Ends a line that has no line end yet.
    pub(crate) fn end_line(&mut self) -> Option<LogLine> {
        let mut line = self.partial.take()?;
        if line.bytes.last() == Some(&b'\r') {
            line.bytes.pop();
        }
        self.bytes += line.bytes.len() + size_of::<LogLine>();
        self.lines.push_back(line.clone());
        while self.bytes > LIMIT
            && let Some(oldest) = self.lines.pop_front()
        {
            self.bytes -= oldest.bytes.len() + size_of::<LogLine>();
            self.dropped += 1;
        }
        Some(line)
    }

    /// Whether anything was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.partial.is_none()
    }

    /// The last `count` lines that show something, the unfinished one included.
    pub(crate) fn tail(&self, count: usize) -> Vec<String> {
        let newest_first = self.partial.iter().chain(self.lines.iter().rev());
        let mut tail: Vec<String> =
            newest_first.map(|line| visible(&line.bytes)).filter(|text| !text.trim().is_empty()).take(count).collect();
        tail.reverse();
        tail
    }

    /// The last `count` complete lines, and what came before them.
    pub(crate) fn last(&self, count: usize) -> (Before, impl Iterator<Item = &LogLine>) {
        let skipped = self.lines.len().saturating_sub(count);
        let before = match self.dropped + skipped {
            _ if self.has_gap => Before::Some,
            0 => Before::Nothing,
            count => Before::Lines(count),
        };
        (before, self.lines.iter().skip(skipped))
    }
}

/// Reads a part of a step's output again, in pieces with their offsets. What cannot be read is left out.
pub(crate) fn read_again(log: &KeptOutput, from: u64, end: u64, take: &mut dyn FnMut(u64, &[u8])) {
    let mut piece = vec![0; 64 << 10];
    let mut offset = from;
    while offset < end {
        let wanted = usize::try_from(end - offset).map_or(piece.len(), |left| left.min(piece.len()));
        match log.read_at(offset, &mut piece[..wanted]) {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                take(offset, &piece[..count]);
                offset += count as u64;
            }
        }
    }
}

/// A line as a terminal would leave it on the screen, without anything that a terminal obeys: of a progress bar its last
/// state, no colours, no cursor moves, no titles, no clipboard writes.
pub(crate) fn visible(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or(text);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\x1b' => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\t' => {
                let used = crate::ui::width::columns(&shown) % 8;
                shown.extend(std::iter::repeat_n(' ', 8 - used));
            }
            '\x08' => {
                shown.pop();
            }
            active if is_active(active) => {}
            plain => shown.push(plain),
        }
    }
    shown
}

/// Skips what follows an ESC (ECMA-48: control sequences, control strings, and the short forms).
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => skip_control_sequence(rest),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_control_string(rest),
        Some(' '..='/') => {
            rest.find(|character| matches!(character, '0'..='~'));
        }
        _ => {}
    }
}

/// Parameters and intermediates up to the final byte.
fn skip_control_sequence(rest: &mut std::str::Chars<'_>) {
    rest.find(|character| matches!(character, '@'..='~'));
}

/// Up to BEL or ST.
fn skip_control_string(rest: &mut std::str::Chars<'_>) {
    while let Some(character) = rest.next() {
        match character {
            '\x07' | '\u{9c}' => return,
            '\x1b' => {
                rest.next();
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
