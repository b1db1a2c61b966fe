//! BuildKit's view for logs and pipes: numbered lines (`#5 0.123 text`), one step after the other.
//!
//! Steps that run at the same time are kept apart: while one has the floor the others wait with what they have to say,
//! until it ends or has kept them waiting for too long. Output is passed on as the step wrote it, unless it goes to a
//! terminal, where it is made harmless.

use std::time::Duration;

use super::View;
use super::event::{Event, StepOutcome};
use super::log::{LogLine, visible};
use super::steps::{Change, Steps};

/// A waiting step gets the floor after this time, whatever the one that has it does.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// And after this time when the one that has it is silent.
const SILENCE: Duration = Duration::from_secs(1);
/// A status that is shown before it is finished is at least this old.
const STATUS_AGE: Duration = Duration::from_millis(150);
/// Lines of a failed step that are repeated at the end.
const FAILURE_LINES: usize = 10;

/// The view.
#[derive(Debug)]
pub(crate) struct Plain {
    steps: Steps,
    /// By the place of the step in `steps.begun`.
    speakers: Vec<Speaker>,
    floor: Option<usize>,
    has_spoken: bool,
    is_terminal: bool,
}

/// What a step has to say.
#[derive(Debug, Default)]
struct Speaker {
    lines: Vec<u8>,
    /// Since when it has been waiting to say something.
    waits_since: Option<Duration>,
    last_spoke: Duration,
    /// Places of status lines that are not finished and not shown yet.
    open_statuses: Vec<usize>,
    is_over: bool,
}

impl Plain {
    /// `is_terminal` tells whether control characters in the steps' output would be obeyed.
    pub(crate) fn new(is_terminal: bool) -> Self {
        Self { steps: Steps::default(), speakers: Vec::new(), floor: None, has_spoken: false, is_terminal }
    }

    /// Turns a change into lines of its step.
    fn note(&mut self, change: Change, now: Duration) {
        match change {
            Change::Nothing => {}
            Change::Started(place) => {
                self.speaker(place, now).waits(now);
                for status in 0..self.steps.begun[place].statuses.len() {
                    self.say_status(place, status, now);
                }
            }
            Change::Status(place, status) if self.steps.begun[place].statuses[status].ended.is_some() => {
                self.speaker(place, now).open_statuses.retain(|open| *open != status);
                self.say_status(place, status, now);
            }
            Change::Status(place, status) => {
                let open = &mut self.speaker(place, now).open_statuses;
                if !open.contains(&status) {
                    open.push(status);
                }
            }
            Change::Lines(place, lines) => {
                self.say_open_statuses(place, now, Duration::ZERO);
                for line in lines {
                    self.say_line(place, &line, now);
                }
            }
            Change::Ended(place, rest) => {
                self.say_open_statuses(place, now, Duration::ZERO);
                if let Some(line) = rest {
                    self.say_line(place, &line, now);
                }
                self.say_end(place, now);
            }
        }
    }

    fn say_line(&mut self, place: usize, line: &LogLine, now: Duration) {
        let is_terminal = self.is_terminal;
        let number = self.steps.begun[place].number;
        let speaker = self.speaker(place, now);
        speaker.lines.extend_from_slice(format!("#{number} {:.3} ", line.at.as_secs_f64()).as_bytes());
        match is_terminal {
            true => speaker.lines.extend_from_slice(visible(&line.bytes).as_bytes()),
            false => speaker.lines.extend_from_slice(&line.bytes),
        }
        speaker.lines.push(b'\n');
        speaker.waits(now);
    }

    fn say_status(&mut self, place: usize, status: usize, now: Duration) {
        let status = &self.steps.begun[place].statuses[status];
        let elapsed = status.ended.unwrap_or(now).saturating_sub(status.started).as_secs_f64();
        let time = if elapsed > 0.01 { format!(" {elapsed:.1}s") } else { String::new() };
        let done = if status.ended.is_some() && !status.is_note { " done" } else { "" };
        let line = format!("{}{time}{done}", status.text);
        self.say(place, &line, now);
    }

    /// Shows the unfinished status lines that are at least `age` old.
    fn say_open_statuses(&mut self, place: usize, now: Duration, age: Duration) {
        let open = std::mem::take(&mut self.speaker(place, now).open_statuses);
        for status in open {
            match now.saturating_sub(self.steps.begun[place].statuses[status].started) >= age {
                true => self.say_status(place, status, now),
                false => self.speaker(place, now).open_statuses.push(status),
            }
        }
    }

    fn say_end(&mut self, place: usize, now: Duration) {
        let step = &self.steps.begun[place];
        let line = match step.ended.as_ref().map(|(_, outcome)| outcome) {
            Some(StepOutcome::Cached) => "CACHED".to_owned(),
            Some(StepOutcome::Failed(message)) => format!("ERROR: {}", crate::ui::printable::printable(message)),
            Some(StepOutcome::Canceled) => "CANCELED".to_owned(),
            Some(StepOutcome::Done) | None => format!("DONE {:.1}s", step.elapsed(now).as_secs_f64()),
        };
        self.say(place, &line, now);
        self.speaker(place, now).is_over = true;
    }

    fn say(&mut self, place: usize, line: &str, now: Duration) {
        let number = self.steps.begun[place].number;
        let speaker = self.speaker(place, now);
        speaker.lines.extend_from_slice(format!("#{number} {line}\n").as_bytes());
        speaker.waits(now);
    }

    fn speaker(&mut self, place: usize, now: Duration) -> &mut Speaker {
        while self.speakers.len() <= place {
            self.speakers.push(Speaker { last_spoke: now, ..Speaker::default() });
        }
        &mut self.speakers[place]
    }

    /// Writes what may be written now.
    fn pump(&mut self, now: Duration, out: &mut Vec<u8>) {
        loop {
            if let Some(place) = self.floor {
                self.speakers[place].speak(now, out);
                if !self.speakers[place].is_over {
                    let Some(next) = self.next_speaker() else { return };
                    if !self.must_yield(place, next, now) {
                        return;
                    }
                    out.extend_from_slice(format!("#{} ...\n", self.steps.begun[place].number).as_bytes());
                }
                self.floor = None;
            }
            let Some(next) = self.next_speaker() else { return };
            if std::mem::replace(&mut self.has_spoken, true) {
                out.push(b'\n');
            }
            out.extend_from_slice(
                format!("#{} {}\n", self.steps.begun[next].number, self.steps.begun[next].name).as_bytes(),
            );
            self.floor = Some(next);
        }
    }

    /// The step that has waited longest.
    fn next_speaker(&self) -> Option<usize> {
        let waiting = self.speakers.iter().enumerate().filter(|(place, _)| Some(*place) != self.floor);
        waiting
            .filter_map(|(place, speaker)| speaker.waits_since.map(|since| (since, place)))
            .min()
            .map(|(_, place)| place)
    }

    fn must_yield(&self, place: usize, next: usize, now: Duration) -> bool {
        let waited = self.speakers[next].waits_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let silent = now.saturating_sub(self.speakers[place].last_spoke);
        waited >= LONGEST_WAIT || (waited >= SILENCE && silent >= SILENCE)
    }
}

impl Speaker {
    fn waits(&mut self, now: Duration) {
        self.waits_since.get_or_insert(now);
    }

    fn speak(&mut self, now: Duration, out: &mut Vec<u8>) {
        if self.waits_since.take().is_some() {
            self.last_spoke = now;
        }
        out.append(&mut self.lines);
    }
}

impl View for Plain {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        let change = self.steps.apply(event);
        let now = self.steps.latest();
        self.note(change, now);
        self.pump(now, out);
    }

    fn tick(&mut self, now: Duration, out: &mut Vec<u8>) {
        for place in 0..self.speakers.len() {
            self.say_open_statuses(place, now, STATUS_AGE);
        }
        self.pump(now, out);
    }

    fn finish(&mut self, now: Duration, out: &mut Vec<u8>) {
        for place in 0..self.speakers.len() {
            self.say_open_statuses(place, now, Duration::ZERO);
            self.speakers[place].is_over = true;
        }
        self.pump(now, out);
        self.steps.write_failures(FAILURE_LINES, out);
        self.steps.write_warnings(out);
    }
}

#[cfg(test)]
mod tests;
