//! A command that failed: what to print and with which status to end.

use std::io::Write;
use std::path::Path;

use crate::cli::usage::Usage;
use crate::render::problem::{self, Excerpt, Problem, Severity};
use crate::session::{self, Session};
use crate::template::TemplateError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something to tell.
    Problems { problems: Vec<Problem>, status: Option<u8> },
    /// Standard output cannot be written to.
    Output(std::io::Error),
}

/// What anything ends with that has no status of its own.
const GENERAL_STATUS: u8 = 1;

impl Failure {
    /// One problem, the general status.
    pub(crate) fn new(problem: Problem) -> Self {
        Self::Problems { problems: vec![problem], status: None }
    }

    /// A mistake in the template of `--format`.
    pub(crate) fn in_format(error: TemplateError, format: Option<&str>) -> Self {
        Self::new(Problem::in_template(error, format.unwrap_or_default()))
    }

    /// All of several, if there are any.
    pub(crate) fn all(errors: Vec<engine::Error>) -> Option<Self> {
        let mut problems = Vec::new();
        for error in errors {
            match error.into() {
                Self::Problems { problems: more, .. } => problems.extend(more),
                output @ Self::Output(_) => return Some(output),
            }
        }
        (!problems.is_empty()).then_some(Self::Problems { problems, status: None })
    }

    /// Ends with `status` unless the failure has its own.
    #[must_use]
    pub(crate) fn or_status(self, status: u8) -> Self {
        match self {
            Self::Problems { problems, status: None } => Self::Problems { problems, status: Some(status) },
            other => other,
        }
    }

    /// Tells it on standard error, and gives the status to end with.
    pub(crate) fn report(self, session: &Session) -> u8 {
        match self {
            Self::Problems { problems, status } => {
                let problems = match &session.typed_root {
                    None => problems,
                    Some(root) => problems.into_iter().map(|problem| in_store(problem, root)).collect(),
                };
                let text = problem::render(&problems, session.terminal.has_color);
                drop(std::io::stderr().write_all(text.as_bytes()));
                status.unwrap_or(GENERAL_STATUS)
            }
            // Whoever reads has seen enough (`onggi images | head -1`).
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => 0,
            Self::Output(error) => {
                let problem =
                    Problem { causes: vec![error.to_string()], ..Problem::error("cannot write to standard output") };
                Self::new(problem).report(session)
            }
        }
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        let status = error.exit_code;
        let problems = match &error.source {
            Some(source) if !error.problems.is_empty() => in_source(&error, source),
            _ => vec![Problem { causes: error.causes, hint: error.hint, ..Problem::error(error.message) }],
        };
        Self::Problems { problems, status }
    }
}

/// Commands in hints work when they are typed: in the store that this command was about.
fn in_store(problem: Problem, root: &Path) -> Problem {
    let root = root.display().to_string();
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:@%,".contains(letter);
    let root = if root.chars().all(plain) { root } else { format!("'{}'", root.replace('\'', r"'\''")) };
    let hint = problem.hint.map(|hint| hint.replace("`onggi ", &format!("`onggi --root {root} ")));
    Problem { hint, ..problem }
}

/// Every place that is wrong; what else is known goes with the last.
fn in_source(error: &engine::Error, source: &engine::SourceText) -> Vec<Problem> {
    let mut problems: Vec<Problem> = error
        .problems
        .iter()
        .map(|problem| Problem {
            severity: if problem.is_error { Severity::Error } else { Severity::Warning },
            message: problem.message.clone(),
            excerpt: Some(Excerpt {
                path: source.name.clone(),
                source: source.text.clone(),
                span: problem.span.clone(),
                label: problem.label.clone(),
            }),
            causes: Vec::new(),
            hint: problem.help.clone(),
        })
        .collect();
    if let Some(last) = problems.last_mut() {
        last.causes.clone_from(&error.causes);
        let hints: Vec<String> = last.hint.take().into_iter().chain(error.hint.clone()).collect();
        last.hint = (!hints.is_empty()).then(|| hints.join("\n"));
    }
    problems
}

/// Tells what is wrong with the words that were typed, or prints the help that they ask for.
pub(crate) fn report_usage(usage: Usage) -> u8 {
    match usage {
        Usage::Asked(text) => {
            drop(std::io::stdout().write_all(text.as_bytes()));
            0
        }
        Usage::Mistake { problem, usage, status } => {
            let mut text = problem::render(&[*problem], session::terminal().has_color);
            if let Some(usage) = usage {
                text.push_str(&format!("\n{usage}\n"));
            }
            drop(std::io::stderr().write_all(text.as_bytes()));
            status
        }
    }
}

/// A panic is a fault of ours: says where to send it.
pub(crate) fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    let message = panic.payload_as_str().unwrap_or("no message");
    drop(writeln!(
        std::io::stderr(),
        "error: onggi has a fault: {message}{place}\nhint: please report it with this line and the command that was run"
    ));
}

#[cfg(test)]
mod tests;
