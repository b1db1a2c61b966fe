//! Instructions that only change the image's config: EXPOSE, USER, VOLUME, WORKDIR, STOPSIGNAL, MAINTAINER.

use crate::diagnostic::{Code, Diagnostic};
use crate::instruction::Word;
use crate::keyword::Keyword;
use crate::logical_line::Text;
use crate::port::{ExposedPort, PortError};
use crate::signal;

use super::{Context, copy, missing_argument};

/// USER and WORKDIR: the rest of the line is one word, blanks included.
pub(super) fn single(keyword: Keyword, arguments: Text<'_>, context: &mut Context) -> Option<Word> {
    if arguments.is_empty() {
        let (what, example) = match keyword {
            Keyword::User => ("a user", "USER nobody"),
            _ => ("a path", "WORKDIR /app"),
        };
        context.push(missing_argument(keyword, arguments, what, example));
        return None;
    }
    let word = arguments.to_word();
    context.check_expansion(&word);
    Some(word)
}

/// STOPSIGNAL.
pub(super) fn stop_signal(arguments: Text<'_>, context: &mut Context) -> Option<Word> {
    if arguments.is_empty() {
        context.push(missing_argument(Keyword::StopSignal, arguments, "a signal", "STOPSIGNAL SIGTERM"));
        return None;
    }
    let word = arguments.to_word();
    context.check_expansion(&word);
    let decidable = !word.text.contains(['$', '"', '\'', context.escape]);
    if decidable && signal::parse_signal(&word.text).is_none() {
        let help = match signal::nearest(&word.text) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write a name or a number from 1 to 64, for example `SIGTERM` or `15`".to_owned(),
        };
        let message = format!("unknown signal `{}`", word.text);
        context.push(Diagnostic::error(Code::InvalidSignal, word.span, message).with_help(help));
        return None;
    }
    Some(word)
}

/// MAINTAINER.
pub(super) fn maintainer(arguments: Text<'_>, context: &mut Context) -> Option<Word> {
    if arguments.is_empty() {
        context.push(missing_argument(
            Keyword::Maintainer,
            arguments,
            "a name",
            "LABEL maintainer=\"you@example.com\"",
        ));
        return None;
    }
    Some(arguments.to_word())
}

/// VOLUME: a JSON array or words.
pub(super) fn volume(arguments: Text<'_>, context: &mut Context) -> Option<Vec<Word>> {
    let words = copy::words(Keyword::Volume, arguments, context)?;
    if words.is_empty() {
        context.push(missing_argument(Keyword::Volume, arguments, "a path", "VOLUME /data"));
        return None;
    }
    for word in &words {
        context.check_expansion(word);
        if word.text.is_empty() {
            let error = Diagnostic::error(Code::MissingArgument, word.span, "VOLUME has an empty path");
            context.push(error.with_help("name a folder, for example `VOLUME /data`"));
            return None;
        }
    }
    Some(words)
}

/// EXPOSE. Words with variables can only be checked after expansion.
pub(super) fn expose(arguments: Text<'_>, context: &mut Context) -> Option<Vec<Word>> {
    if arguments.is_empty() {
        context.push(missing_argument(Keyword::Expose, arguments, "a port", "EXPOSE 80"));
        return None;
    }
    let words: Vec<Word> = arguments.words().into_iter().map(Text::to_word).collect();
    let mut good = true;
    for word in &words {
        context.check_expansion(word);
        if !word.text.contains(['$', '"', '\'', context.escape]) {
            good &= check_port(word, context);
        }
    }
    good.then_some(words)
}

fn check_port(word: &Word, context: &mut Context) -> bool {
    let error = match ExposedPort::parse(&word.text) {
        Ok(_) => return true,
        Err(error) => error,
    };
    let help = match &error {
        PortError::Number(_) if word.text.contains(',') => {
            format!("separate ports by blanks: `EXPOSE {}`", word.text.replace(',', " ").trim())
        }
        PortError::Number(_) => "a port is a number from 0 to 65535, for example `EXPOSE 8080`".to_owned(),
        PortError::Range(range) => {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            format!("write `{last}-{first}`")
        }
        PortError::Protocol(_) => "write `/tcp`, `/udp` or `/sctp`".to_owned(),
    };
    context.push(Diagnostic::error(Code::InvalidPort, word.span, error.to_string()).with_help(help));
    false
}
