//! What is printed: steps, plain lines and errors. The only place in xtask that writes to the terminal.

use std::io::Write;

/// Announces what happens next.
pub(crate) fn step(text: &str) {
    line(&format!("==> {text}"));
}

/// Prints one line.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away (`| head`) is no reason to stop half-way.
    drop(writeln!(out, "{text}"));
    drop(out.flush());
}

/// Prints the last line of a command that failed.
pub(crate) fn error(text: &str) {
    drop(std::io::stdout().flush());
    drop(writeln!(std::io::stderr(), "error: {text}"));
}
