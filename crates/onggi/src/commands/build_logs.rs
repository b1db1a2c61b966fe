//! `build logs`: what the steps of a build wrote (N016).

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};

use engine::{BuildRecord, BuildResult, Engine};

use crate::cli::build::BuildLogsArgs;
use crate::failure::Failure;
use crate::progress::visible;
use crate::render::builds;
use crate::render::problem::Problem;
use crate::session::Session;
use crate::ui::printable::printable;

/// A line is broken here on a terminal.
const LONGEST_LINE: u64 = 64 << 10;

pub(super) fn run(args: &BuildLogsArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    let format = args.format.as_deref();
    if args.all {
        let all = engine::build_logs(&engine)?;
        let text = builds::builds(&all, format, session.now).map_err(|error| Failure::in_format(error, format))?;
        session.print(&text)?;
        return Ok(0);
    }
    let build = engine::build_log(&engine, args.build.as_deref())?;
    let failed = build.failed_step().filter(|_| args.build.is_none() && build.result == BuildResult::Failed);
    let step = match (&args.step, failed) {
        (Some(text), _) => Some(number(text, &build)?),
        // What is asked for most: why the last build failed.
        (None, Some(failed)) if failed.log_bytes > 0 && format.is_none() => Some(failed.number),
        (None, _) => None,
    };
    session.note(&printable(&builds::summary(&build, session.now)));
    match step {
        Some(step) => show_step(&engine, &build, step, session),
        None => {
            let text = builds::steps(&build, format).map_err(|error| Failure::in_format(error, format))?;
            session.print(&text)?;
            Ok(0)
        }
    }
}

/// `5`, or `#5` as it is shown.
fn number(text: &str, build: &BuildRecord) -> Result<u32, Failure> {
    let wrong = |_| {
        let problem = Problem::error(format!("`{text}` is not the number of a step"));
        Failure::new(problem.with_hint(format!("`onggi build logs {}` lists the steps with their numbers", build.id)))
    };
    text.strip_prefix('#').unwrap_or(text).parse().map_err(wrong)
}

/// All of it: as it was written, or made harmless for a terminal.
fn show_step(engine: &Engine, build: &BuildRecord, step: u32, session: &Session) -> Result<u8, Failure> {
    let log = engine::step_log(engine, build, step)?;
    let name = build.steps.iter().find(|known| known.number == step).map_or("", |known| known.name.as_str());
    session.note(&format!("step {step}: {}", printable(name)));
    let Some(log) = log else {
        session.note("it wrote nothing");
        return Ok(0);
    };
    let out = std::io::stdout();
    let shown = match out.is_terminal() {
        true => write_harmless(BufReader::new(log), &mut out.lock()),
        false => std::io::copy(&mut { log }, &mut out.lock()).map(drop),
    };
    shown.map_err(Failure::Output)?;
    Ok(0)
}

fn write_harmless(mut log: impl BufRead, out: &mut impl Write) -> std::io::Result<()> {
    let mut line = Vec::new();
    while log.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? > 0 {
        let has_end = line.last() == Some(&b'\n');
        let text = visible(line.strip_suffix(b"\n").unwrap_or(&line));
        out.write_all(text.as_bytes())?;
        if has_end {
            out.write_all(b"\n")?;
        }
        line.clear();
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::write_harmless;

    /// Field-notes, section 2, row 29.
    #[test]
    fn n016_a_log_is_harmless_on_a_terminal() {
        let mut out = Vec::new();
        write_harmless(&b"a\x1b[2Jb\r\n\n 10%\r 20%\n\x1b]52;c;aGk=\x07open"[..], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "ab\n\n 20%\nopen");
    }
}
