//! What went wrong, on the screen: `error:`, the source with a caret, `caused by:`, `hint:`.
//!
//! Messages may hold text from images and Dockerfiles, so nothing in them reaches a terminal unescaped.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::template::TemplateError;
use crate::ui::printable::{printable, printable_lines};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    /// One sentence, lower case, no period.
    pub(crate) message: String,
    /// The text in which it is wrong.
    pub(crate) excerpt: Option<Excerpt>,
    /// Why, from the nearest to the farthest reason.
    pub(crate) causes: Vec<String>,
    /// What to type instead; each line is a hint of its own.
    pub(crate) hint: Option<String>,
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(crate) struct Excerpt {
    /// Name of the file.
    pub(crate) path: String,
    /// All of its bytes.
    pub(crate) source: Vec<u8>,
    /// Bytes that are meant.
    pub(crate) span: Range<usize>,
    /// A few words under them, or nothing.
    pub(crate) label: String,
}

impl Problem {
    /// An error that is only a message.
    pub(crate) fn error(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, message, excerpt: None, causes: Vec::new(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A mistake in the template given to `--format`.
    pub(crate) fn in_template(error: TemplateError, template: &str) -> Self {
        let source = template.as_bytes().to_vec();
        let excerpt = Excerpt { path: "--format".to_owned(), source, span: error.span, label: String::new() };
        Self { excerpt: Some(excerpt), hint: error.hint, ..Self::error(error.message) }
    }
}

/// All of them, a blank line between two.
pub(crate) fn render(problems: &[Problem], has_color: bool) -> String {
    problems.iter().map(|problem| one(problem, has_color)).collect::<Vec<_>>().join("\n")
}

fn one(problem: &Problem, has_color: bool) -> String {
    let mut text = head(problem, has_color);
    text.push('\n');
    for cause in &problem.causes {
        text.push_str(&format!("caused by: {}\n", printable_lines(cause)));
    }
    if let Some(hint) = &problem.hint {
        if problem.excerpt.is_some() || !problem.causes.is_empty() {
            text.push('\n');
        }
        for hint in hint.lines() {
            text.push_str(&format!("{} {}\n", bold("hint:", has_color), printable(hint)));
        }
    }
    text
}

/// The message, with the source where there is one.
fn head(problem: &Problem, has_color: bool) -> String {
    let message = printable_lines(&problem.message);
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let renderer = if has_color { Renderer::styled() } else { Renderer::plain() };
    let Some(excerpt) = &problem.excerpt else {
        return renderer.render(&[Group::with_title(level.primary_title(message))]);
    };
    let cut = Cut::of(excerpt);
    let mut annotation = AnnotationKind::Primary.span(cut.span);
    let label = printable(&excerpt.label);
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    let path = printable(&excerpt.path);
    let snippet = Snippet::source(cut.text).path(path.as_ref()).line_start(cut.first_line).annotation(annotation);
    renderer.render(&[level.primary_title(message).element(snippet)])
}

/// The lines of the source that are shown, and the span within them.
struct Cut {
    text: String,
    first_line: usize,
    span: Range<usize>,
}

impl Cut {
    /// Whole lines around the span, as text: bytes that are not UTF-8 become `U+FFFD`, and the span moves along.
    fn of(excerpt: &Excerpt) -> Self {
        let bytes = &excerpt.source;
        let start = excerpt.span.start.min(bytes.len());
        let end = excerpt.span.end.clamp(start, bytes.len());
        let from = bytes[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let to = bytes[end..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| end + at);
        let first_line = bytes[..from].iter().filter(|byte| **byte == b'\n').count() + 1;
        let before = String::from_utf8_lossy(&bytes[from..start]).into_owned();
        let marked = String::from_utf8_lossy(&bytes[start..end]).into_owned();
        let behind = String::from_utf8_lossy(&bytes[end..to]).into_owned();
        let span = before.len()..before.len() + marked.len();
        Self { text: before + &marked + &behind, first_line, span }
    }
}

fn bold(text: &str, has_color: bool) -> String {
    match has_color {
        true => format!("\x1b[1m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
