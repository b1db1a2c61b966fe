//! Runs other programs and turns their failure into one line.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Result, say};

/// Runs a program with its output on the screen, after showing the line that it is run by.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    say::line(&format!("    $ {}", line(command)));
    status(command)
}

/// Runs a program with its output on the screen.
pub(crate) fn status(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| start_error(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", line(command))) }
}

/// Runs a program and returns its standard output; its error output is shown when it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| start_error(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let end = lines[lines.len().saturating_sub(4)..].join("\n  ");
    Err(format!("`{}` failed: {}\n  {end}", line(command), output.status))
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let quote = |word: &std::ffi::OsStr| {
        let word = word.to_string_lossy();
        if word.contains([' ', '"', '$', '\n']) { format!("'{word}'") } else { word.into_owned() }
    };
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(quote(name)).chain(command.get_args().map(quote)).collect::<Vec<_>>().join(" ")
}

fn start_error(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start `{}`: {error}", command.get_program().display())
}

/// cargo as it was called, so that the toolchain stays the same.
pub(crate) fn cargo() -> Command {
    Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()))
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "xtask is a program of its own and reads its own environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
