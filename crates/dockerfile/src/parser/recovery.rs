//! Lines that are no instruction: what was probably meant.

use std::borrow::Cow;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::json;
use crate::keyword::Keyword;
use crate::logical_line::{LogicalLine, Text};
use crate::source::Span;
use crate::suggest;

/// The text with everything unreadable replaced byte by byte, so that offsets stay, and an error for each line
/// that has such bytes.
pub(super) fn readable_text<'a>(bytes: &'a [u8], diagnostics: &mut Diagnostics) -> Cow<'a, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains('\0')
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    // One error for each line, not for each byte.
    let mut told_in_this_line = false;
    let mut tell = |at: usize, length: usize, what: &str, told: &mut bool| {
        if !std::mem::replace(told, true) {
            let span = Span::new(at, at + length);
            let error = Diagnostic::error(Code::InvalidText, span, format!("the line holds {what}"));
            diagnostics.push(error.with_help("save the file as UTF-8 text"));
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => told_in_this_line = false,
                '\0' => tell(text.len(), 1, "a NUL byte", &mut told_in_this_line),
                _ => {}
            }
            text.push(if c == '\0' { '?' } else { c });
        }
        let invalid = chunk.invalid().len();
        if invalid > 0 {
            tell(text.len(), invalid, "text that is not UTF-8", &mut told_in_this_line);
            text.extend(std::iter::repeat_n('?', invalid));
        }
    }
    Cow::Owned(text)
}

/// Error for a line whose first word is no instruction. `previous` is the logical line above.
pub(super) fn unknown_instruction(name: Text<'_>, rest: Text<'_>, previous: Option<&LogicalLine>) -> Diagnostic {
    let word = name.as_str();
    let error = Diagnostic::error(Code::UnknownInstruction, name.span(), format!("unknown instruction `{word}`"));
    if let Some(help) = continuation_help(name, previous) {
        return error.with_help(help);
    }
    if word.starts_with("//") || word.starts_with("--") || word.starts_with(';') {
        return error.with_help("comments begin with `#`");
    }
    if word.starts_with("<<<<<<<") || word.starts_with("=======") || word.starts_with(">>>>>>>") {
        return error.with_label("mark of an unfinished merge").with_help("finish the merge, then remove this line");
    }
    // `RUN["a"]`, `FROM:alpine`, `CMD=x`: the blank is missing.
    let letters = word.len() - word.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    if let Some(keyword) = Keyword::lookup(&word[..letters])
        && letters < word.len()
    {
        let argument = word[letters..].trim_start_matches(['=', ':']);
        return error.with_help(format!("write a blank behind it: `{} {argument}`", keyword.as_str()));
    }
    match word.to_ascii_uppercase().as_str() {
        "IMAGE" | "BASE" => return error.with_help("did you mean `FROM`?"),
        "EXEC" | "COMMAND" | "START" => return error.with_help("did you mean `CMD`?"),
        "CD" => return error.with_help(format!("did you mean `WORKDIR {}`?", rest.as_str())),
        "EXPORT" | "SET" => return error.with_help(format!("did you mean `ENV {}`?", rest.as_str())),
        _ => {}
    }
    match suggest::nearest(word, Keyword::ALL.map(Keyword::as_str)) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help("a line begins with an instruction; a command of the shell needs `RUN` before it"),
    }
}

/// A forgotten backslash: the line above is not finished, or this one goes on with it.
fn continuation_help(name: Text<'_>, previous: Option<&LogicalLine>) -> Option<String> {
    let previous = previous?;
    let above = previous.all().as_str();
    let word = name.as_str();
    let unfinished = above.ends_with("&&") || above.ends_with("||") || above.ends_with(['|', ',', ';']);
    let goes_on = word.starts_with("&&") || word.starts_with("||") || word == "|";
    let line = previous.last_line;
    if unfinished || goes_on {
        return Some(format!("end line {line} with ` \\` to continue it here"));
    }
    if let Some((_, comment)) = above.rsplit_once('\\')
        && comment.trim_start().starts_with('#')
    {
        return Some(format!("nothing may follow the `\\` in line {line}: put the comment on a line of its own"));
    }
    let open_array =
        above.contains('[') && json::looks_broken(above.split_once('[').map_or("", |(name, _)| &above[name.len()..]));
    (open_array && !above.ends_with(']')).then(|| format!("end line {line} with ` \\` to continue it here"))
}

/// Whether an error is about a line that was to be a FROM: then "no FROM" need not be said as well.
pub(super) fn is_about_from(problem: &Diagnostic, text: &str) -> bool {
    let line_start = text[..problem.span.start.min(text.len())].rfind('\n').map_or(0, |at| at + 1);
    let word = text[line_start..].trim_start_matches('\u{feff}').split_whitespace().next().unwrap_or("");
    let letters = word.len() - word.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    problem.is_error()
        && (word[..letters].eq_ignore_ascii_case("FROM")
            || (problem.code == Code::UnknownInstruction
                && problem.help.as_deref().is_some_and(|help| help.contains("`FROM`"))))
}
