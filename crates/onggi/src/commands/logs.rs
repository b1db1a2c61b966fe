//! `logs`: what the container wrote to standard output goes there, the rest to standard error (S072).

use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use engine::{LogLine, LogOptions};
use jiff::Timestamp;

use crate::cli::logs::LogsArgs;
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::Session;

pub(super) fn run(args: &LogsArgs, session: &Session) -> Result<u8, Failure> {
    let options = LogOptions {
        follow: args.follow,
        // As with Docker, whatever is no number means all.
        tail: args.tail.as_deref().and_then(|tail| tail.parse().ok()),
        since: args.since.as_deref().map(|text| moment("since", text, session)).transpose()?,
        until: args.until.as_deref().map(|text| moment("until", text, session)).transpose()?,
    };
    let mut pages = Pages { args, stdout: BufWriter::new(std::io::stdout()), begins: [true; 2], failure: None };
    engine::logs(&session.engine()?, &args.container, &options, &mut |line| pages.show(&line))?;
    pages.finish()?;
    Ok(0)
}

/// A time as `--since` and `--until` take it.
pub(super) fn moment(flag: &str, text: &str, session: &Session) -> Result<Timestamp, Failure> {
    engine::parse_moment(text, session.now, &session.zone()).ok_or_else(|| {
        let problem = Problem::error(format!("invalid value for \"{flag}\": `{text}` is no time"));
        Failure::new(problem.with_hint(format!("write it as in `--{flag} 10m` or `--{flag} 2026-01-02T15:04:05Z`")))
    })
}

/// Where the lines go.
struct Pages<'a> {
    args: &'a LogsArgs,
    stdout: BufWriter<std::io::Stdout>,
    /// Standard output and error are at the beginning of a line.
    begins: [bool; 2],
    failure: Option<std::io::Error>,
}

impl Pages<'_> {
    fn show(&mut self, line: &LogLine) -> ControlFlow<()> {
        match self.write(line) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn write(&mut self, line: &LogLine) -> std::io::Result<()> {
        let begins = &mut self.begins[usize::from(line.is_stderr)];
        let prefix = if *begins { prefix(self.args, line) } else { String::new() };
        *begins = line.text.ends_with(b"\n");
        let bytes = [prefix.as_bytes(), &line.text].concat();
        if line.is_stderr {
            // In the order in which they were written, as far as two streams have one.
            self.stdout.flush()?;
            return std::io::stderr().write_all(&bytes);
        }
        self.stdout.write_all(&bytes)?;
        if self.args.follow { self.stdout.flush() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.stdout.flush();
        self.failure.map_or(flushed, Err).map_err(Failure::Output)
    }
}

/// Time and details in front of a line.
fn prefix(args: &LogsArgs, line: &LogLine) -> String {
    let mut prefix = String::new();
    if args.timestamps {
        prefix.push_str(&format!("{:.9} ", line.time));
    }
    if args.details {
        let pairs: Vec<_> =
            line.attributes.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        prefix.push_str(&pairs.join(","));
        prefix.push(' ');
    }
    prefix
}

/// As in the query of a URL.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
