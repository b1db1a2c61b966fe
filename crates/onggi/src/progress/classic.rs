//! The classic builder's view (S120 to S129): `Step 1/8 : FROM …`, ` ---> ID`, output as it comes, and at the end what was
//! built.
//!
//! It goes to standard output, as Docker's does: scripts read the last image's ID there. What is no part of it there,
//! warnings, is kept for standard error.

use std::time::Duration;

use super::View;
use super::event::{Event, InstructionEvent, Stream};
use super::log::{Log, LogLine, visible};
use super::sink::Sink;
use super::steps::Steps;
use crate::ui::printable::printable;
use crate::ui::size::{CONTEXT_DIGITS, human_size};
use crate::ui::terminal::Terminal;

/// Digits of an ID.
const SHORT: usize = 12;
/// Columns of the context's size.
const SIZE_WIDTH: usize = 8;

/// The view.
#[derive(Debug)]
pub(crate) struct Classic {
    /// Of standard output.
    terminal: Terminal,
    /// Only its warnings are shown.
    steps: Steps,
    running: Option<String>,
    /// What the step wrote, for a terminal: whole lines, made harmless.
    stdout: Log,
    stderr: Log,
    /// The output so far does not end with a line.
    is_line_open: bool,
}

impl Classic {
    pub(crate) fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            steps: Steps::default(),
            running: None,
            stdout: Log::default(),
            stderr: Log::default(),
            is_line_open: false,
        }
    }

    fn instruction(&mut self, event: InstructionEvent, out: &mut dyn Sink) {
        let line = match event {
            InstructionEvent::Context { size } => {
                let size = human_size(size, CONTEXT_DIGITS);
                format!("Sending build context to Docker daemon {size:>SIZE_WIDTH$}")
            }
            InstructionEvent::Begun { number, total, text } => {
                format!("Step {number}/{total} : {}", printable(&text))
            }
            InstructionEvent::Triggers { count: 1 } => "# Executing 1 build trigger".to_owned(),
            InstructionEvent::Triggers { count } => format!("# Executing {count} build triggers"),
            InstructionEvent::Running { container, .. } => {
                let container = short(&container);
                let line = format!(" ---> Running in {container}");
                self.running = Some(container);
                line
            }
            InstructionEvent::Ran => {
                self.end_output(out);
                let Some(container) = self.running.take() else { return };
                format!("Removing intermediate container {container}")
            }
            InstructionEvent::UsingCache => " ---> Using cache".to_owned(),
            InstructionEvent::Image(None) => " ---> ".to_owned(),
            InstructionEvent::Image(Some(image)) => format!(" ---> {}", image.0.short()),
            InstructionEvent::NotNeeded => " ---> Not needed".to_owned(),
            InstructionEvent::Built(image) => format!("Successfully built {}", image.0.short()),
            InstructionEvent::Tagged(name) => format!("Successfully tagged {name}"),
        };
        out.put(line.as_bytes());
        out.put(b"\n");
    }

    fn output(&mut self, stream: Stream, data: &[u8], out: &mut dyn Sink) {
        if !self.terminal.is_terminal {
            out.put(data);
            self.is_line_open = data.last().is_some_and(|last| *last != b'\n');
            return;
        }
        let log = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        for line in log.write(data, Duration::ZERO) {
            self.line(&line, stream, out);
        }
    }

    fn line(&self, line: &LogLine, stream: Stream, out: &mut dyn Sink) {
        let text = visible(&line.bytes);
        let text = match stream {
            // Docker's own colour for it.
            Stream::Stderr if self.terminal.has_color => format!("\x1b[91m{text}\x1b[0m\n"),
            _ => text + "\n",
        };
        out.put(text.as_bytes());
    }

    /// What comes next begins with a line of its own.
    fn end_output(&mut self, out: &mut dyn Sink) {
        let rest = [(Stream::Stdout, self.stdout.end_line()), (Stream::Stderr, self.stderr.end_line())];
        for (stream, line) in rest {
            if let Some(line) = line {
                self.line(&line, stream, out);
            }
        }
        if std::mem::take(&mut self.is_line_open) {
            out.put(b"\n");
        }
    }
}

impl View for Classic {
    fn event(&mut self, event: Event, out: &mut dyn Sink) {
        match event {
            Event::Instruction(event) => self.instruction(event, out),
            Event::StepLog { stream, data, .. } => self.output(stream, &data, out),
            Event::CacheMiss { reason, .. } => {
                out.put(format!(" ---> Not cached: {}\n", printable(&reason)).as_bytes());
            }
            // Silence is explained.
            Event::StepStatus { text, .. } if text.starts_with("waiting ") => {
                out.put(format!(" ---> {}\n", printable(&text)).as_bytes());
            }
            Event::Warning { .. } | Event::Check(_) => drop(self.steps.apply(event)),
            _ => {}
        }
    }

    fn tick(&mut self, _now: Duration, _out: &mut dyn Sink) {}

    fn finish(&mut self, _now: Duration, out: &mut dyn Sink) {
        self.end_output(out);
    }

    fn remarks(&self) -> String {
        let mut text = Vec::new();
        self.steps.write_warnings(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn short(id: &str) -> String {
    id.chars().take(SHORT).collect()
}

#[cfg(test)]
mod tests;
