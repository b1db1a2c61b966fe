//! Asks before something is removed.

use std::io::BufRead;

use crate::failure::Failure;
use crate::session::Session;

/// Asks on standard output, and reads the answer from standard input; anything but `y` is a no.
pub(super) fn confirm(session: &Session, warning: &str) -> Result<bool, Failure> {
    confirm_in_line(session, &format!("{warning}\nAre you sure you want to continue?"))
}

/// The same with the whole question.
pub(super) fn confirm_in_line(session: &Session, question: &str) -> Result<bool, Failure> {
    session.print(&format!("{question} [y/N] "))?;
    let mut answer = String::new();
    // Who cannot be asked has not agreed.
    std::io::stdin().lock().read_line(&mut answer).unwrap_or_default();
    Ok(matches!(answer.trim(), "y" | "Y"))
}
