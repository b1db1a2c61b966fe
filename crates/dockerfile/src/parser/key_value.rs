//! ENV, LABEL and ARG: `key=value` with quotes, and the legacy `ENV key value`.

use crate::diagnostic::{Code, Diagnostic};
use crate::instruction::{ArgDeclaration, KeyValue, Word};
use crate::keyword::Keyword;
use crate::logical_line::Text;
use crate::source::Span;
use crate::words;

use super::{Context, missing_argument, open_quote, quoted};

/// Words of the arguments, or nothing when a quote is open.
fn split<'l>(arguments: Text<'l>, context: &mut Context) -> Option<Vec<Text<'l>>> {
    match words::quoted_words(arguments, context.escape) {
        Ok(words) => Some(words),
        Err(open) => {
            let at = arguments.slice(open.offset, arguments.as_str().len());
            let start = at.span().start;
            let first_line_end = start + at.as_str().len().min(1);
            context.push(open_quote(Span::new(start, first_line_end), open.quote, context.escape));
            None
        }
    }
}

/// ENV and LABEL.
pub(super) fn pairs(keyword: Keyword, arguments: Text<'_>, context: &mut Context) -> Option<Vec<KeyValue>> {
    let name = keyword.as_str();
    if arguments.is_empty() {
        context.push(missing_argument(keyword, arguments, "`key=value`", &format!("{name} KEY=value")));
        return None;
    }
    // The legacy form is told by its first word, before any quote is looked at.
    let (first, _) = arguments.split_word();
    if !first.as_str().contains('=') && !first.as_str().contains(['"', '\'']) {
        return legacy(keyword, arguments, context).map(|pair| vec![pair]);
    }
    let words = split(arguments, context)?;
    if words.first().is_some_and(|word| !word.as_str().contains('=')) {
        return legacy(keyword, arguments, context).map(|pair| vec![pair]);
    }
    let mut pairs: Vec<KeyValue> = Vec::new();
    let mut good = true;
    for (index, word) in words.iter().enumerate() {
        match word.as_str().find('=') {
            Some(0) => {
                context.push(blank_name(keyword, word));
                good = false;
            }
            Some(at) => {
                let pair = KeyValue {
                    key: word.slice(0, at).to_word(),
                    value: word.slice(at + 1, word.as_str().len()).to_word(),
                    is_legacy: false,
                };
                context.check_expansion(&pair.key);
                // `A=${B?two words}` lacks quotes, not the brace.
                if !valueless(&words[index + 1..]).iter().any(|word| word.as_str().contains('}')) {
                    context.check_expansion(&pair.value);
                }
                pairs.push(pair);
            }
            // Several such words in a row are one mistake.
            None if index > 0 && !words[index - 1].as_str().contains('=') => {}
            None => {
                context.push(no_value(keyword, &words[..index], valueless(&words[index..])));
                good = false;
            }
        }
    }
    good.then_some(pairs)
}

/// The words at the beginning that have no `=`.
fn valueless<'w, 'l>(words: &'w [Text<'l>]) -> &'w [Text<'l>] {
    let end = words.iter().position(|word| word.as_str().contains('=')).unwrap_or(words.len());
    &words[..end]
}

/// Words without `=` among others that have one: mostly a value with blanks and no quotes.
fn no_value(keyword: Keyword, before: &[Text<'_>], words: &[Text<'_>]) -> Diagnostic {
    let text = words.iter().map(Text::as_str).collect::<Vec<_>>().join(" ");
    let start = words.first().map_or(0, |word| word.span().start);
    let end = words.last().map_or(start, |word| word.span().end);
    let message = format!("`{text}` is not of the form `key=value`");
    let error = Diagnostic::error(Code::MissingArgument, Span::new(start, end), message);
    match before.last().and_then(|last| last.as_str().split_once('=')) {
        Some((_, "")) if words.len() == 1 => error.with_help("remove the blank behind `=`"),
        Some((key, value)) => {
            let joined = format!("{} {text}", value.trim_matches(['"', '\'']));
            error.with_help(format!("quote values with blanks: `{key}={}`", quoted(joined.trim_start())))
        }
        None => error.with_help(format!("write `{} {text}=value`", keyword.as_str())),
    }
}

fn blank_name(keyword: Keyword, word: &Text<'_>) -> Diagnostic {
    Diagnostic::error(Code::InvalidName, word.span(), format!("the name before `=` is missing in {}", keyword.as_str()))
        .with_help(format!("write `{} NAME{}`, without a blank before `=`", keyword.as_str(), word.as_str()))
}

/// `ENV key rest of the line`.
fn legacy(keyword: Keyword, arguments: Text<'_>, context: &mut Context) -> Option<KeyValue> {
    let (key, value) = arguments.split_word();
    let name = keyword.as_str();
    if value.is_empty() {
        let message = format!("{name} `{}` has no value", key.as_str());
        context.push(
            Diagnostic::error(Code::MissingArgument, key.span(), message).with_help(format!(
                "write `{name} {key}=value`, or `{name} {key}=` for an empty one",
                key = key.as_str()
            )),
        );
        return None;
    }
    let pair = KeyValue { key: key.to_word(), value: value.to_word(), is_legacy: true };
    context.check_expansion(&pair.key);
    context.check_expansion(&pair.value);
    Some(pair)
}

/// ARG.
pub(super) fn arg(arguments: Text<'_>, context: &mut Context) -> Option<Vec<ArgDeclaration>> {
    if arguments.is_empty() {
        context.push(missing_argument(Keyword::Arg, arguments, "a name", "ARG VERSION=1.0"));
        return None;
    }
    let mut declarations = Vec::new();
    for word in split(arguments, context)? {
        let text = word.as_str();
        let at = text.find('=');
        if at == Some(0) {
            context.push(blank_name(Keyword::Arg, &word));
            return None;
        }
        let default: Option<Word> = at.map(|at| word.slice(at + 1, text.len()).to_word());
        let name = word.slice(0, at.unwrap_or(text.len())).to_word();
        context.check_expansion(&name);
        if let Some(default) = &default {
            context.check_expansion(default);
        }
        declarations.push(ArgDeclaration { name, default });
    }
    Some(declarations)
}
