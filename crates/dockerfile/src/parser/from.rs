//! FROM.

use crate::diagnostic::{Code, Diagnostic};
use crate::instruction::{Comment, Stage, Word};
use crate::keyword::Keyword;
use crate::logical_line::{LogicalLine, Text};
use crate::source::Span;
use crate::suggest;

use super::flags::Flags;
use super::{Context, missing_argument};

/// Reads a FROM line. Problems with the stage's name cost the name, not the stage.
pub(super) fn read(line: &LogicalLine, rest: Text<'_>, context: &mut Context) -> Option<Stage> {
    let (mut flags, arguments) = Flags::read(Keyword::From, rest, context);
    let words = arguments.words();
    let Some(base) = words.first() else {
        context.push(missing_argument(Keyword::From, arguments, "an image or a stage", "FROM alpine"));
        return None;
    };
    let name = stage_name(&words, context);
    let base = base.to_word();
    context.check_expansion(&base);
    let platform = flags.value("platform");
    if let Some(platform) = &platform {
        context.check_expansion(platform);
    }
    let all = line.all();
    let span = all.span();
    Some(Stage {
        comment: line.comment.clone(),
        description: description(&line.comment, name.as_ref()),
        empty_lines: line.empty_lines.clone(),
        name,
        base,
        platform,
        span: Span::new(span.start, line.end.max(span.end)),
        first_line: line.first_line,
        last_line: line.last_line,
        text: all.as_str().to_owned(),
        instructions: Vec::new(),
    })
}

/// `AS name`, in lower case.
fn stage_name(words: &[Text<'_>], context: &mut Context) -> Option<Word> {
    let (as_word, name) = match words {
        [_] => return None,
        [_, as_word, name] if as_word.as_str().eq_ignore_ascii_case("as") => (as_word, name),
        [_, as_word] if as_word.as_str().eq_ignore_ascii_case("as") => {
            context.push(
                Diagnostic::error(Code::MissingArgument, as_word.span(), "the stage's name is missing behind AS")
                    .with_help("write for example `AS build`"),
            );
            return None;
        }
        [base, second, others @ ..] => {
            context.push(surplus(base, second, others));
            return None;
        }
        [] => return None,
    };
    let lower = name.as_str().to_ascii_lowercase();
    if !is_valid(&lower) {
        let error =
            Diagnostic::error(Code::InvalidName, name.span(), format!("invalid stage name `{}`", name.as_str()))
                .with_label("a letter, then letters, digits, `-`, `_` and `.`")
                .with_help(format!("write for example `{} {}`", as_word.as_str(), valid_version(&lower)));
        context.push(error);
        return None;
    }
    Some(Word::new(lower, name.span()))
}

fn surplus(base: &Text<'_>, second: &Text<'_>, others: &[Text<'_>]) -> Diagnostic {
    let last = others.last().unwrap_or(second);
    let span = second.span().to(last.span());
    let error =
        Diagnostic::error(Code::UnexpectedArgument, span, "FROM takes one image, and optionally `AS` and a name");
    let misspelt_as = suggest::nearest(second.as_str(), ["as"]).is_some() && second.as_str().len() < 4;
    match others {
        [name] if misspelt_as => {
            error.with_help(format!("did you mean `FROM {} AS {}`?", base.as_str(), name.as_str()))
        }
        [] if second.as_str().starts_with(':') => {
            error.with_help(format!("write it without a blank: `FROM {}{}`", base.as_str(), second.as_str()))
        }
        [] if second.as_str().starts_with(|c: char| c.is_ascii_digit()) && !base.as_str().contains([':', '@', '$']) => {
            error.with_help(format!("write the tag behind a colon: `FROM {}:{}`", base.as_str(), second.as_str()))
        }
        [] if is_valid(&second.as_str().to_ascii_lowercase()) => {
            error.with_help(format!("to name the stage write `FROM {} AS {}`", base.as_str(), second.as_str()))
        }
        _ if second.as_str().starts_with("--") => {
            error.with_help(format!("flags come first: `FROM {} {}`", second.as_str(), base.as_str()))
        }
        _ if second.as_str().eq_ignore_ascii_case("as") => {
            let name = others.first().map_or("build", |name| name.as_str());
            error.with_help(format!("write `FROM {} AS {name}`", base.as_str()))
        }
        _ if second.as_str().starts_with('#') => error.with_help("put the comment on a line of its own"),
        _ => error.with_help(format!("write `FROM {}`", base.as_str())),
    }
}

/// Whether a name, in lower case, can name a stage.
pub(crate) fn is_valid(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
}

/// A name like a bad one that can name a stage.
fn valid_version(name: &str) -> String {
    let mapped: String = name.chars().map(|c| if is_valid(&format!("a{c}")) { c } else { '-' }).collect();
    let trimmed = mapped.trim_matches('-');
    if is_valid(trimmed) { trimmed.to_owned() } else { format!("stage-{trimmed}").trim_end_matches('-').to_owned() }
}

/// What the comment above says of the stage.
fn description(comment: &Comment, name: Option<&Word>) -> Option<String> {
    comment.description_of(&name?.text).map(str::to_owned)
}
