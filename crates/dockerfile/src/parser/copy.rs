//! COPY and ADD.

use crate::diagnostic::{Code, Diagnostic};
use crate::instruction::{AddInstruction, CopyInstruction, Heredoc, Word};
use crate::json::{self, Json};
use crate::keyword::Keyword;
use crate::logical_line::Text;
use crate::mode::FileMode;
use crate::source::Span;

use super::flags::Flags;
use super::{Context, command};

/// Sources, here-documents and destination.
struct Paths {
    sources: Vec<Word>,
    heredocs: Vec<Heredoc>,
    destination: Word,
}

/// COPY.
pub(super) fn copy(flags: &mut Flags, arguments: Text<'_>, context: &mut Context) -> Option<CopyInstruction> {
    let paths = paths(Keyword::Copy, arguments, context)?;
    let from = flags.value("from").filter(|from| from_is_usable(from, context));
    let (chown, chmod) = (flags.value("chown"), flags.value("chmod"));
    check_owner_and_mode(chown.as_ref(), chmod.as_ref(), context);
    if let (Some(from), Some(heredoc)) = (&from, paths.heredocs.first()) {
        let message = format!("a here-document cannot come from `{}`", from.text);
        let error = Diagnostic::error(Code::InvalidFlag, heredoc.span, message);
        context.push(error.with_help("use two COPY instructions, the one with the here-document without `--from`"));
        return None;
    }
    Some(CopyInstruction {
        sources: paths.sources,
        destination: paths.destination,
        heredocs: paths.heredocs,
        from,
        chown,
        chmod,
        link: flags.switch("link").unwrap_or(false),
        parents: flags.switch("parents").unwrap_or(false),
        excludes: flags.values("exclude"),
    })
}

/// ADD.
pub(super) fn add(flags: &mut Flags, arguments: Text<'_>, context: &mut Context) -> Option<AddInstruction> {
    let paths = paths(Keyword::Add, arguments, context)?;
    let (chown, chmod) = (flags.value("chown"), flags.value("chmod"));
    check_owner_and_mode(chown.as_ref(), chmod.as_ref(), context);
    let checksum = flags.value("checksum");
    if let Some(checksum) = &checksum {
        context.check_expansion(checksum);
    }
    Some(AddInstruction {
        sources: paths.sources,
        destination: paths.destination,
        heredocs: paths.heredocs,
        chown,
        chmod,
        link: flags.switch("link").unwrap_or(false),
        keep_git_dir: flags.switch("keep-git-dir"),
        checksum,
        unpack: flags.switch("unpack"),
        excludes: flags.values("exclude"),
    })
}

/// What a variable in `--from` holds is known later only (N011; BuildKit refuses variables here).
fn from_is_usable(from: &Word, context: &mut Context) -> bool {
    if from.text.is_empty() {
        let error = Diagnostic::error(Code::InvalidFlag, from.span, "`--from` needs a value");
        context.push(error.with_help("name a stage, its number or an image: `--from=build`"));
        return false;
    }
    context.check_expansion(from);
    true
}

fn check_owner_and_mode(chown: Option<&Word>, chmod: Option<&Word>, context: &mut Context) {
    for word in [chown, chmod].into_iter().flatten() {
        context.check_expansion(word);
    }
    // What a variable holds is known later.
    let Some(chmod) = chmod.filter(|chmod| !chmod.text.contains('$')) else { return };
    if let Err(error) = FileMode::parse(&chmod.text) {
        context.push(Diagnostic::error(Code::InvalidFlag, chmod.span, error.to_string()).with_help(error.help()));
    }
}

/// Arguments as words: a JSON array or between blanks, where quotes mean nothing until expansion.
pub(super) fn words(keyword: Keyword, arguments: Text<'_>, context: &mut Context) -> Option<Vec<Word>> {
    match json::parse(arguments.as_str()) {
        Json::Strings(strings) => Some(
            strings
                .into_iter()
                .map(|string| Word::new(string.value, arguments.slice(string.start, string.end).span()))
                .collect(),
        ),
        Json::NotStrings(offset) => {
            context.push(command::not_strings(arguments, offset));
            None
        }
        other => {
            if matches!(other, Json::Broken(_)) && json::looks_broken(arguments.as_str()) {
                command::warn_broken_json(keyword, arguments, context);
            }
            Some(arguments.words().into_iter().map(Text::to_word).collect())
        }
    }
}

fn paths(keyword: Keyword, arguments: Text<'_>, context: &mut Context) -> Option<Paths> {
    let name = keyword.as_str();
    let mut words = words(keyword, arguments, context)?;
    let destination = match (words.pop(), words.is_empty()) {
        (None, _) => {
            context.push(super::missing_argument(
                keyword,
                arguments,
                "a source and a destination",
                &format!("{name} . ."),
            ));
            return None;
        }
        (Some(only), true) => {
            let end = Span::new(only.span.end, only.span.end);
            let error =
                Diagnostic::error(Code::MissingArgument, end, format!("{name} has a source but no destination"))
                    .with_label("destination is missing")
                    .with_help(format!("write `{name} {} .` to put it into the working directory", only.text));
            context.push(error);
            return None;
        }
        (Some(destination), false) => destination,
    };
    let documents = &arguments.line().heredocs;
    let document = |word: &Word| {
        let index = documents.binary_search_by_key(&word.span.start, |document| document.span.start).ok()?;
        documents.get(index).filter(|document| document.span == word.span)
    };
    if document(&destination).is_some() {
        let error =
            Diagnostic::error(Code::MissingArgument, destination.span, "a here-document cannot be the destination");
        context.push(error.with_help(format!("write the destination last: `{name} {} /file`", destination.text)));
        return None;
    }
    let heredocs: Vec<Heredoc> = words.iter().filter_map(|word| document(word).cloned()).collect();
    let sources: Vec<Word> = words.into_iter().filter(|word| document(word).is_none()).collect();
    for word in sources.iter().chain([&destination]) {
        context.check_expansion(word);
    }
    check_destination(name, sources.len() + heredocs.len(), &destination, context);
    Some(Paths { sources, heredocs, destination })
}

/// Several sources need a folder as destination (Dockerfile reference, "COPY"). `.` and `..` are folders by
/// themselves, and what a variable at the end holds is known later only.
fn check_destination(name: &str, sources: usize, destination: &Word, context: &mut Context) {
    let text = destination.text.trim_end_matches(['"', '\'']);
    let last = text.rsplit('/').next().unwrap_or(text);
    if sources < 2 || text.ends_with('/') || matches!(last, "." | "..") || last.contains('$') {
        return;
    }
    let message = format!("{name} has {sources} sources, so the destination must be a folder");
    context.push(
        Diagnostic::error(Code::InvalidDestination, destination.span, message)
            .with_label("no slash at the end")
            .with_help(format!("write `{text}/`")),
    );
}
