//! Parser directives: `# syntax=`, `# escape=`, `# check=` at the very top of the file.
//!
//! A blank line, an ordinary comment or an instruction ends them (Dockerfile reference, "Parser directives").

use crate::checks::Checks;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::instruction::{Directives, Word};
use crate::lexer::{PhysicalLine, physical_line};
use crate::source::Span;
use crate::suggest;

const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// The directives, and where reading goes on.
#[derive(Debug)]
pub(crate) struct Top {
    pub directives: Directives,
    pub position: usize,
    /// Line number (from 1) of `position`.
    pub line: usize,
}

/// Reads byte order mark, `#!` line and directives.
pub(crate) fn read(text: &str, diagnostics: &mut Diagnostics) -> Top {
    let mut top = Top { directives: Directives::default(), position: 0, line: 1 };
    if text.starts_with('\u{feff}') {
        top.position = '\u{feff}'.len_utf8();
    }
    if text[top.position..].starts_with("#!")
        && let Some(line) = physical_line(text, top.position)
    {
        top.position = line.next;
        top.line += 1;
    }
    let mut seen = Vec::new();
    while let Some(line) = physical_line(text, top.position) {
        let Some((name, value)) = directive(line) else { break };
        let lower = name.text.to_ascii_lowercase();
        if !NAMES.contains(&lower.as_str()) {
            if let Some(meant) = near_miss(&name) {
                diagnostics.push(meant);
            }
            break;
        }
        if seen.contains(&lower) {
            let message = format!("`{lower}` is set twice");
            let help = format!("keep one `# {lower}=` line");
            diagnostics.push(Diagnostic::error(Code::DuplicateDirective, name.span, message).with_help(help));
        } else {
            apply(&mut top.directives, &lower, value, diagnostics);
            seen.push(lower);
        }
        top.position = line.next;
        top.line += 1;
    }
    warn_about_late_ones(text, &top, diagnostics);
    top
}

/// `# name = value`: name and value with their places.
fn directive(line: PhysicalLine<'_>) -> Option<(Word, Word)> {
    let comment = line.text.trim_start().strip_prefix('#')?.trim_start();
    let name_start = line.start + (line.text.len() - comment.len());
    let (name, value) = comment.split_once('=')?;
    let value_start = name_start + name.len() + 1 + (value.len() - value.trim_start().len());
    let (name, value) = (name.trim_end(), value.trim());
    let is_name =
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_name || value.is_empty() {
        return None;
    }
    Some((
        Word::new(name, Span::new(name_start, name_start + name.len())),
        Word::new(value, Span::new(value_start, value_start + value.len())),
    ))
}

fn near_miss(name: &Word) -> Option<Diagnostic> {
    let meant = suggest::nearest(&name.text, NAMES)?;
    let message = format!("unknown parser directive `{}`", name.text);
    Some(
        Diagnostic::warning(Code::InvalidDirective, name.span, message)
            .with_label("taken as a comment")
            .with_help(format!("did you mean `# {meant}=`?")),
    )
}

fn apply(directives: &mut Directives, name: &str, value: Word, diagnostics: &mut Diagnostics) {
    match name {
        "syntax" => {
            if !is_dockerfile_frontend(&value.text) {
                diagnostics.push(foreign_frontend(&value));
            }
            directives.syntax = Some(value);
        }
        "escape" => match value.text.as_str() {
            "\\" => directives.escape = '\\',
            "`" => directives.escape = '`',
            other => {
                let message = format!("invalid escape character `{other}`");
                diagnostics.push(
                    Diagnostic::error(Code::InvalidDirective, value.span, message)
                        .with_help("write `# escape=\\`, or a backtick in place of the backslash"),
                );
            }
        },
        _ => directives.check = Some(checks(&value, diagnostics)),
    }
}

/// Whatever it is called, the grammar is the one here: code from images has no business in this process (D001).
fn foreign_frontend(name: &Word) -> Diagnostic {
    let message = format!("the front end `{}` is not run; the file is read as a Dockerfile", name.text);
    Diagnostic::warning(Code::ForeignFrontend, name.span, message)
        .with_help("remove the line, or write `# syntax=docker/dockerfile:1`")
}

/// `skip=A,B;error=true;experimental=C`
fn checks(value: &Word, diagnostics: &mut Diagnostics) -> Checks {
    Checks::parse(&value.text).unwrap_or_else(|error| {
        diagnostics.push(
            Diagnostic::error(Code::InvalidDirective, value.span, error.to_string())
                .with_help("write for example `# check=skip=JSONArgsRecommended;error=true`"),
        );
        Checks::default()
    })
}

/// Warns of directives that come too late to count, up to the first instruction. `# check=` counts there too, for the
/// instruction below it.
fn warn_about_late_ones(text: &str, top: &Top, diagnostics: &mut Diagnostics) {
    let mut position = top.position;
    while let Some(line) = physical_line(text, position) {
        let trimmed = line.text.trim();
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            return;
        }
        if let Some((name, _)) = directive(line)
            && matches!(name.text.to_ascii_lowercase().as_str(), "syntax" | "escape")
        {
            let message = format!("parser directive `{}` comes too late and is taken as a comment", name.text);
            diagnostics.push(
                Diagnostic::warning(Code::MisplacedDirective, name.span, message)
                    .with_help("move it to the first line of the file"),
            );
        }
        position = line.next;
    }
}

/// Whether a front end, named as in `# syntax=`, reads Dockerfiles: Docker's own in any version, or a copy of it in
/// another registry.
pub fn is_dockerfile_frontend(name: &str) -> bool {
    let image = name.split_whitespace().next().unwrap_or_default();
    let image = image.split('@').next().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    matches!(last.split(':').next(), Some("dockerfile" | "dockerfile-upstream"))
}

/// Error for a file in another language, for which BuildKit would run a front end: its first line is `// syntax=image`,
/// or it is a JSON object with a `syntax`. Nothing in it can be read as a Dockerfile.
pub(crate) fn foreign_language(text: &str) -> Option<Diagnostic> {
    let image = in_slashes(text).or_else(|| in_json(text))?;
    let message = format!("the file is written for the front end `{}`, not as a Dockerfile", image.text);
    let error = Diagnostic::error(Code::ForeignFrontend, image.span, message);
    Some(error.with_label("never run").with_help("write it as a Dockerfile, beginning with `FROM`"))
}

/// `// syntax=image`
fn in_slashes(text: &str) -> Option<Word> {
    let start = text.strip_prefix('\u{feff}').map_or(0, |rest| text.len() - rest.len());
    let line = physical_line(text, start)?;
    let (name, value) = line.text.strip_prefix("//")?.split_once('=')?;
    let image = value.split_whitespace().next().filter(|_| name.trim().eq_ignore_ascii_case("syntax"))?;
    word_at(text, line.start + line.text.len() - value.len(), image)
}

/// `{"syntax": "image", …}`
fn in_json(text: &str) -> Option<Word> {
    const KEY: &str = "\"syntax\"";
    text.trim_start_matches('\u{feff}').trim_start().strip_prefix('{')?;
    let key = text.find(KEY)? + KEY.len();
    let value = text[key..].trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let image = value.split(['"', '\n']).next()?.split_whitespace().next()?;
    word_at(text, text.len() - value.len(), image)
}

/// The first `word` at or behind an offset.
fn word_at(text: &str, offset: usize, word: &str) -> Option<Word> {
    let start = offset + text[offset..].find(word)?;
    Some(Word::new(word, Span::new(start, start + word.len())))
}
