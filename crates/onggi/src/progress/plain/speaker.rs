//! What one step has to say, and has not said yet.
//!
//! A step that waits for the floor may write without end. What is more than a little is not kept here: it is read again
//! from the step's log when its turn comes.

use std::time::Duration;

use crate::progress::event::KeptOutput;
use crate::progress::log::{Log, LogLine, read_again, visible};
use crate::progress::sink::Sink;

/// So much of a step's lines waits in memory.
const MOST_WAITING: usize = 256 << 10;
/// Times of lines that are read again are as precise as this.
const GRAIN: Duration = Duration::from_millis(10);

/// How lines of output look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) number: u32,
    pub(super) is_terminal: bool,
}

impl Form {
    fn write(self, line: &LogLine, at: Duration, out: &mut dyn Sink) {
        out.put(format!("#{} {:.3} ", self.number, at.as_secs_f64()).as_bytes());
        match self.is_terminal {
            true => out.put(visible(&line.bytes).as_bytes()),
            false => out.put(&line.bytes),
        }
        out.put(b"\n");
    }
}

/// A step as the one who speaks.
#[derive(Debug, Default)]
pub(super) struct Speaker {
    /// Where its output can be read again.
    pub(super) log: Option<KeptOutput>,
    /// Since when it has been waiting to say something.
    pub(super) waits_since: Option<Duration>,
    /// Places of status lines that are not finished and not shown yet.
    pub(super) open_statuses: Vec<usize>,
    pub(super) is_over: bool,
    /// Something of it was shown besides its name.
    pub(super) has_spoken: bool,
    lines: Vec<u8>,
    /// Output behind `lines` that is not in memory.
    spilled: Option<Spilled>,
    /// What comes behind that.
    last: Vec<u8>,
}

#[derive(Debug)]
struct Spilled {
    from: u64,
    end: u64,
    /// Where in the output it was, when.
    marks: Vec<(u64, Duration)>,
    /// Lines that are in no log.
    lost: usize,
}

impl Speaker {
    pub(super) fn waits(&mut self, now: Duration) {
        self.waits_since.get_or_insert(now);
    }

    /// Adds a line that is no output.
    pub(super) fn add(&mut self, line: &[u8]) {
        let lines = if self.spilled.is_some() { &mut self.last } else { &mut self.lines };
        lines.extend_from_slice(line);
    }

    /// Adds a line of output; with the floor, it is written at once.
    pub(super) fn add_line(&mut self, line: &LogLine, form: Form, has_floor: bool) {
        if self.spilled.is_none() && (has_floor || self.lines.len() < MOST_WAITING) {
            form.write(line, line.at, &mut self.lines);
            return;
        }
        let spilled = self.spilled.get_or_insert_with(|| Spilled::at(line.offset));
        spilled.add(line, self.log.is_some());
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let marks = self.spilled.as_ref().map_or(0, |spilled| spilled.marks.len() * size_of::<(u64, Duration)>());
        self.lines.len() + self.last.len() + marks
    }

    /// Says all of it.
    pub(super) fn speak(&mut self, form: Form, out: &mut dyn Sink) {
        if self.waits_since.take().is_none() {
            return;
        }
        self.has_spoken |= !self.lines.is_empty() || self.spilled.is_some();
        out.put(&std::mem::take(&mut self.lines));
        if let Some(spilled) = self.spilled.take() {
            spilled.write(self.log.as_ref(), form, out);
        }
        out.put(&std::mem::take(&mut self.last));
    }
}

impl Spilled {
    fn at(offset: u64) -> Self {
        Self { from: offset, end: offset, marks: Vec::new(), lost: 0 }
    }

    fn add(&mut self, line: &LogLine, is_kept: bool) {
        self.end = line.end;
        if !is_kept {
            self.lost += 1;
        } else if self.marks.last().is_none_or(|(_, at)| line.at.saturating_sub(*at) >= GRAIN) {
            self.marks.push((line.offset, line.at));
        }
    }

    fn write(&self, log: Option<&KeptOutput>, form: Form, out: &mut dyn Sink) {
        let Some(log) = log else {
            out.put(format!("#{} [{} lines that could not be kept]\n", form.number, self.lost).as_bytes());
            return;
        };
        let mut lines = Log::default();
        lines.skip_to(self.from);
        read_again(log, self.from, self.end, &mut |_, data| {
            for line in lines.write(data, Duration::ZERO) {
                form.write(&line, self.time(line.offset), out);
            }
        });
        if let Some(rest) = lines.end_line() {
            form.write(&rest, self.time(rest.offset), out);
        }
    }

    fn time(&self, offset: u64) -> Duration {
        let place = self.marks.partition_point(|(start, _)| *start <= offset);
        place.checked_sub(1).map_or(Duration::ZERO, |place| self.marks[place].1)
    }
}
