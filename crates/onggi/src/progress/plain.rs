//! BuildKit's view for logs and pipes: numbered lines (`#5 0.123 text`), one step after the other.
//!
//! Steps that run at the same time are kept apart (N017): the one that has the floor is shown as it goes, from its first
//! line to its last; the others wait with what they have to say, in memory as far as that is little (`speaker`). Only a
//! step that has said nothing but its name yet lets another one in. Output is passed on as the step wrote it, unless it
//! goes to a terminal, where it is made harmless.

mod speaker;

use std::time::Duration;

use super::View;
use super::event::{Event, StepOutcome};
use super::log::LogLine;
use super::sink::Sink;
use super::steps::{Change, Steps};
use speaker::{Form, Speaker};

/// A step that is silent keeps the floor from another one for so long.
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
                self.speaker(place).waits(now);
                for reason in 0..self.steps.begun[place].reasons.len() {
                    self.say_reason(place, reason, now);
                }
                for status in 0..self.steps.begun[place].statuses.len() {
                    self.say_status(place, status, now);
                }
            }
            Change::Reason(place, reason) => self.say_reason(place, reason, now),
            Change::Kept(place, log) => self.speaker(place).log = Some(log),
            Change::Status(place, status) if self.steps.begun[place].statuses[status].ended.is_some() => {
                self.speaker(place).open_statuses.retain(|open| *open != status);
                self.say_status(place, status, now);
            }
            Change::Status(place, status) => {
                let open = &mut self.speaker(place).open_statuses;
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
        let form = self.form(place);
        let has_floor = self.floor == Some(place);
        let speaker = self.speaker(place);
        speaker.add_line(line, form, has_floor);
        speaker.waits(now);
    }

    fn form(&self, place: usize) -> Form {
        Form { number: self.steps.begun[place].number, is_terminal: self.is_terminal }
    }

    fn say_reason(&mut self, place: usize, reason: usize, now: Duration) {
        let line = self.steps.begun[place].reasons[reason].clone();
        self.say(place, &line, now);
    }

    fn say_status(&mut self, place: usize, status: usize, now: Duration) {
        let status = &self.steps.begun[place].statuses[status];
        let elapsed = status.ended.unwrap_or(now).saturating_sub(status.started).as_secs_f64();
        let time = if elapsed > 0.01 { format!(" {elapsed:.1}s") } else { String::new() };
        let done = if status.ended.is_some() { " done" } else { "" };
        let line = format!("{}{time}{done}", status.text);
        self.say(place, &line, now);
    }

    /// Shows the unfinished status lines that are at least `age` old.
    fn say_open_statuses(&mut self, place: usize, now: Duration, age: Duration) {
        let open = std::mem::take(&mut self.speaker(place).open_statuses);
        for status in open {
            match now.saturating_sub(self.steps.begun[place].statuses[status].started) >= age {
                true => self.say_status(place, status, now),
                false => self.speaker(place).open_statuses.push(status),
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
        self.speaker(place).is_over = true;
    }

    fn say(&mut self, place: usize, line: &str, now: Duration) {
        let number = self.steps.begun[place].number;
        let speaker = self.speaker(place);
        speaker.add(format!("#{number} {line}\n").as_bytes());
        speaker.waits(now);
    }

    fn speaker(&mut self, place: usize) -> &mut Speaker {
        while self.speakers.len() <= place {
            self.speakers.push(Speaker::default());
        }
        &mut self.speakers[place]
    }

    /// Writes what may be written now.
    fn pump(&mut self, now: Duration, out: &mut dyn Sink) {
        loop {
            if let Some(place) = self.floor {
                let form = self.form(place);
                self.speakers[place].speak(form, out);
                if !self.speakers[place].is_over {
                    let Some(next) = self.next_speaker() else { return };
                    if self.speakers[place].has_spoken || !self.has_waited(next, now) {
                        return;
                    }
                    out.put(format!("#{} ...\n", form.number).as_bytes());
                }
                self.floor = None;
            }
            let Some(next) = self.next_speaker() else { return };
            if std::mem::replace(&mut self.has_spoken, true) {
                out.put(b"\n");
            }
            let step = &self.steps.begun[next];
            out.put(format!("#{} {}\n", step.number, step.name).as_bytes());
            self.floor = Some(next);
        }
    }

    /// The step that has waited longest, those first that are over: they let the next one in at once.
    fn next_speaker(&self) -> Option<usize> {
        let waiting = self.speakers.iter().enumerate().filter(|(place, _)| Some(*place) != self.floor);
        waiting
            .filter_map(|(place, speaker)| speaker.waits_since.map(|since| (!speaker.is_over, since, place)))
            .min()
            .map(|(_, _, place)| place)
    }

    fn has_waited(&self, place: usize, now: Duration) -> bool {
        self.speakers[place].waits_since.is_some_and(|since| now.saturating_sub(since) >= SILENCE)
    }
}

impl View for Plain {
    fn event(&mut self, event: Event, out: &mut dyn Sink) {
        let change = self.steps.apply(event);
        let now = self.steps.latest();
        self.note(change, now);
        self.pump(now, out);
    }

    fn tick(&mut self, now: Duration, out: &mut dyn Sink) {
        for place in 0..self.speakers.len() {
            self.say_open_statuses(place, now, STATUS_AGE);
        }
        self.pump(now, out);
    }

    fn finish(&mut self, now: Duration, out: &mut dyn Sink) {
        for place in 0..self.speakers.len() {
            self.say_open_statuses(place, now, Duration::ZERO);
            self.speakers[place].is_over = true;
        }
        self.pump(now, out);
        self.steps.write_not_needed(out);
        self.steps.write_failures(FAILURE_LINES, out);
        self.steps.write_warnings(out);
    }
}

#[cfg(test)]
mod tests;
