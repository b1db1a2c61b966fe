//! BuildKit's view for terminals: one line for each step with its time at the right, the last lines of what runs, all
//! of it redrawn in place.
//!
//! A frame is written in one go, over the one before and without clearing first, so nothing flickers. A build that is
//! over before the first frame is due is shown once, at its end.

use std::time::Duration;

use super::View;
use super::event::{Event, StepOutcome};
use super::sink::Sink;
use super::steps::{Step, Steps};
use crate::ui::terminal::Terminal;
use crate::ui::width::{clip, columns};

/// Shown lines of a running step.
const TAIL_LINES: usize = 6;
/// Lines of a failed step shown again at the end; more are in the kept log.
const FAILURE_LINES: usize = 1000;
/// Time between two frames, and before the first.
const FRAME: Duration = Duration::from_millis(100);
/// Names shorter than this say nothing.
const LEAST_NAME: usize = 12;

const BLUE: &str = "\x1b[34m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const FAINT: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// The view.
#[derive(Debug)]
pub(crate) struct Tty {
    steps: Steps,
    terminal: Terminal,
    builder: String,
    /// Lines of the last frame, which the cursor stands below.
    drawn: usize,
    next_frame: Duration,
}

/// One line of a frame.
struct Row<'a> {
    name: String,
    elapsed: Duration,
    color: &'static str,
    ended: bool,
    /// The step, on its first row only.
    step: Option<&'a Step>,
}

impl Tty {
    /// `builder` is shown at the right of the first line.
    pub(crate) fn new(terminal: Terminal, builder: &str) -> Self {
        Self { steps: Steps::default(), terminal, builder: builder.to_owned(), drawn: 0, next_frame: FRAME }
    }

    /// The lines of a frame. The last frame has every step; the others what fits on the screen.
    fn frame(&self, now: Duration, is_last: bool) -> Vec<String> {
        let mut rows: Vec<Row<'_>> = self.steps.begun.iter().flat_map(|step| rows(step, now)).collect();
        let tails = if is_last { 0 } else { self.tail_room(&rows) };
        if !is_last {
            let room = self.terminal.height.saturating_sub(2 + tails);
            drop_to_fit(&mut rows, room);
        }
        let mut lines = vec![self.headline(now, is_last)];
        let mut tails = tails;
        for row in &rows {
            lines.extend(self.line(row));
            let Some(step) = row.step.filter(|step| step.ended.is_none() && !is_last) else { continue };
            let tail = step.log.tail(TAIL_LINES.min(tails));
            tails -= tail.len();
            lines.extend(tail.iter().map(|text| self.tail_line(text)));
        }
        lines
    }

    /// `[+] Building 2.5s (7/7) FINISHED` with the builder's name at the right.
    fn headline(&self, now: Duration, is_last: bool) -> String {
        let (ended, total) = (self.steps.ended(), self.steps.total());
        let state = if is_last && ended > 0 && ended == total { "FINISHED" } else { "" };
        let left = format!("[+] Building {:.1}s ({ended}/{total}) {state}", now.as_secs_f64());
        let width = self.terminal.width.saturating_sub(1);
        // A line that wraps would put every later frame in the wrong place.
        clip(&justify(&left, &self.builder, width), width).to_owned()
    }

    /// ` => name   0.0s`; nothing on a screen too narrow for it.
    fn line(&self, row: &Row<'_>) -> Option<String> {
        let seconds = row.elapsed.as_secs_f64();
        let time = format!("{:.1}s", if seconds < 0.05 { 0.0 } else { seconds });
        let left = self.terminal.width.checked_sub(4 + 1 + time.len() + 2).filter(|left| *left >= LEAST_NAME)?;
        let name = format!(" => {}", clip(&row.name, left));
        let line = justify(&name, &time, self.terminal.width - 1);
        Some(self.colored(row.color, line))
    }

    fn tail_line(&self, text: &str) -> String {
        let line = format!(" => => # {text}");
        self.colored(FAINT, clip(&line, self.terminal.width.saturating_sub(1)).to_owned())
    }

    fn colored(&self, color: &str, line: String) -> String {
        match self.terminal.has_color && !color.is_empty() {
            true => format!("{color}{line}{RESET}"),
            false => line,
        }
    }

    /// How many lines of output there is room for, at most `TAIL_LINES` for each running step.
    fn tail_room(&self, rows: &[Row<'_>]) -> usize {
        let running = rows.iter().filter(|row| !row.ended).count();
        let wanted: usize = rows
            .iter()
            .filter_map(|row| row.step.filter(|step| step.ended.is_none()))
            .map(|step| step.log.tail(TAIL_LINES).len())
            .sum();
        wanted.min(self.terminal.height.saturating_sub(3 + running))
    }

    /// Writes a frame over the one before.
    fn draw(&mut self, now: Duration, is_last: bool, out: &mut dyn Sink) {
        let lines = self.frame(now, is_last);
        let redraws = self.drawn > 0;
        if redraws {
            out.put(format!("\x1b[?25l\r\x1b[{}A", self.drawn).as_bytes());
        }
        for line in &lines {
            out.put(line.as_bytes());
            out.put(if redraws { b"\x1b[K\n" } else { b"\n" });
        }
        if redraws {
            out.put(b"\x1b[J\x1b[?25h");
        }
        self.drawn = lines.len();
        self.next_frame = now + FRAME;
    }
}

impl View for Tty {
    fn event(&mut self, event: Event, _out: &mut dyn Sink) {
        self.steps.apply(event);
    }

    fn shows_all_output(&self) -> bool {
        false
    }

    fn tick(&mut self, now: Duration, out: &mut dyn Sink) {
        if now >= self.next_frame {
            self.terminal.measure();
            self.draw(now, false, out);
        }
    }

    fn finish(&mut self, now: Duration, out: &mut dyn Sink) {
        if self.steps.total() > 0 {
            self.draw(now.max(self.steps.latest()), true, out);
        }
        self.steps.write_reasons(out);
        self.steps.write_failures(FAILURE_LINES, out);
        self.steps.write_warnings(out);
    }
}

/// The step's own row and those of its status lines.
fn rows(step: &Step, now: Duration) -> impl Iterator<Item = Row<'_>> {
    let (mark, color) = match step.ended.as_ref().map(|(_, outcome)| outcome) {
        None => ("", ""),
        Some(StepOutcome::Done) => ("", BLUE),
        Some(StepOutcome::Cached) => ("CACHED ", BLUE),
        Some(StepOutcome::Failed(_)) => ("ERROR ", RED),
        Some(StepOutcome::Canceled) => ("CANCELED ", YELLOW),
    };
    let own = Row {
        name: format!("{mark}{}", step.name),
        elapsed: step.elapsed(now),
        color,
        ended: step.ended.is_some(),
        step: Some(step),
    };
    let below = step.statuses.iter().map(move |status| {
        let end = status.ended.or(step.ended.as_ref().map(|(at, _)| *at));
        Row {
            name: format!("=> {}", status.text),
            elapsed: end.unwrap_or(now).saturating_sub(status.started),
            color: if end.is_some() { BLUE } else { "" },
            ended: end.is_some(),
            step: None,
        }
    });
    std::iter::once(own).chain(below)
}

/// Drops the oldest rows, those that have ended first, until `room` are left.
fn drop_to_fit(rows: &mut Vec<Row<'_>>, room: usize) {
    let mut excess = rows.len().saturating_sub(room);
    rows.retain(|row| {
        let drops = excess > 0 && row.ended;
        excess -= usize::from(drops);
        !drops
    });
    rows.drain(..excess);
}

/// `left` and `right` at the two ends of `width` columns, at least one space between them.
fn justify(left: &str, right: &str, width: usize) -> String {
    let gap = width.saturating_sub(columns(left) + columns(right)).max(1);
    format!("{left}{:gap$}{right}", "")
}

#[cfg(test)]
mod tests;
