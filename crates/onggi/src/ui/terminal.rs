//! What the standard streams are: a terminal or not, how wide, with colours or without.

use std::io::IsTerminal;

/// The stream that progress and messages go to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Whether it is a terminal at all.
    pub(crate) is_terminal: bool,
    /// Whether colours are wanted: a terminal that is not `dumb`, and `NO_COLOR` not set.
    pub(crate) has_color: bool,
    /// Columns.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
}

impl Terminal {
    /// Asks standard error. `no_color` and `term` are the variables of those names.
    pub(crate) fn of_stderr(no_color: Option<&str>, term: Option<&str>) -> Self {
        Self::of(std::io::stderr().is_terminal(), no_color, term)
    }

    /// Asks standard output, of which only what it is counts.
    pub(crate) fn of_stdout(no_color: Option<&str>, term: Option<&str>) -> Self {
        Self::of(std::io::stdout().is_terminal(), no_color, term)
    }

    fn of(is_terminal: bool, no_color: Option<&str>, term: Option<&str>) -> Self {
        let (width, height) = match is_terminal {
            true => size(),
            false => (80, 24),
        };
        let has_color = is_terminal && no_color.is_none_or(str::is_empty) && term != Some("dumb");
        Self { is_terminal, has_color, width, height }
    }

    /// Asks for the size again: people resize windows while they wait.
    pub(crate) fn measure(&mut self) {
        if self.is_terminal {
            (self.width, self.height) = size();
        }
    }
}

/// Columns and rows, 80 by 24 where the terminal does not know.
fn size() -> (usize, usize) {
    let known = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    known
        .filter(|size| size.ws_col > 0 && size.ws_row > 0)
        .map_or((80, 24), |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
}
