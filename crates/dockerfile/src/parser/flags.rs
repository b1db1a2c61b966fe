//! `--name=value` before an instruction's arguments.

use crate::diagnostic::{Code, Diagnostic};
use crate::instruction::Word;
use crate::keyword::{FlagKind, Keyword};
use crate::logical_line::Text;
use crate::mode::FileMode;
use crate::suggest;
use crate::words::{self, RawFlag};

use super::{Context, shortened};

/// The flags of one instruction, all of them known to it.
#[derive(Debug, Default)]
pub(super) struct Flags {
    found: Vec<(&'static str, Option<Word>)>,
    /// Whether any flag was wrong; then what follows is not to be trusted either.
    pub(super) has_errors: bool,
}

impl Flags {
    /// Reads the flags at the beginning of `rest`; what follows them is returned. Wrong ones are reported and left out.
    pub(super) fn read<'l>(keyword: Keyword, rest: Text<'l>, context: &mut Context) -> (Flags, Text<'l>) {
        let mut flags = Flags::default();
        if !rest.as_str().starts_with("--") {
            warn_about_dashes(keyword, rest, context);
            return (flags, rest);
        }
        let (raw, arguments) = words::take_flags(rest);
        for flag in raw {
            match flags.check(keyword, &flag, arguments) {
                Ok(known) => flags.found.push(known),
                Err(problem) => {
                    flags.has_errors = true;
                    context.push(problem);
                }
            }
        }
        (flags, arguments)
    }

    fn check(
        &self,
        keyword: Keyword,
        flag: &RawFlag<'_>,
        arguments: Text<'_>,
    ) -> Result<(&'static str, Option<Word>), Diagnostic> {
        let known = keyword.flags().iter().find(|(name, _)| *name == flag.name);
        let Some((name, kind)) = known else { return Err(unknown(keyword, flag)) };
        let span = flag.text.span();
        let repeated = self.found.iter().any(|(found, _)| found == name);
        if repeated && *kind != FlagKind::Values {
            let error = Diagnostic::error(Code::DuplicateFlag, span, format!("`--{name}` is given twice"));
            return Err(error.with_help(format!("keep one `--{name}`")));
        }
        match (kind, &flag.value) {
            (FlagKind::Switch, None) => Ok((name, None)),
            (FlagKind::Switch, Some(value)) => {
                let lower = value.to_ascii_lowercase();
                if lower != "true" && lower != "false" {
                    let message = format!("`--{name}` is `true` or `false`, not `{value}`");
                    let error = Diagnostic::error(Code::InvalidFlag, span, message);
                    return Err(error.with_help(format!("write `--{name}` or `--{name}=false`")));
                }
                Ok((name, Some(Word::new(lower, span))))
            }
            (_, None) => {
                let next = arguments.split_word().0;
                let help = if *name == "chmod" && FileMode::parse(next.as_str()).is_err() {
                    "write for example `--chmod=755`".to_owned()
                } else if next.is_empty() {
                    format!("write `--{name}=value`")
                } else {
                    format!("write `--{name}={}`, with `=` and no blank", shortened(next.as_str()))
                };
                let error = Diagnostic::error(Code::InvalidFlag, span, format!("`--{name}` needs a value"));
                Err(error.with_help(help))
            }
            (_, Some(value)) => {
                let mut span = span;
                span.start += flag.text.as_str().find('=').map_or(0, |at| at + 1);
                Ok((name, Some(Word::new(value.as_str(), span))))
            }
        }
    }

    /// Value of a flag that may be given once.
    pub(super) fn value(&mut self, name: &str) -> Option<Word> {
        let index = self.found.iter().position(|(found, _)| *found == name)?;
        self.found.remove(index).1
    }

    /// Values of a flag that may be given often, in order.
    pub(super) fn values(&mut self, name: &str) -> Vec<Word> {
        let (matching, others) = std::mem::take(&mut self.found).into_iter().partition(|(found, _)| *found == name);
        self.found = others;
        let matching: Vec<(&str, Option<Word>)> = matching;
        matching.into_iter().filter_map(|(_, value)| value).collect()
    }

    /// Value of a switch, `None` when it is not given.
    pub(super) fn switch(&mut self, name: &str) -> Option<bool> {
        let index = self.found.iter().position(|(found, _)| *found == name)?;
        Some(self.found.remove(index).1.is_none_or(|value| value.text == "true"))
    }
}

fn unknown(keyword: Keyword, flag: &RawFlag<'_>) -> Diagnostic {
    let name = &flag.name;
    let message = format!("{} has no flag `--{name}`", keyword.as_str());
    let error = Diagnostic::error(Code::UnknownFlag, flag.text.span(), message);
    let own = keyword.flags();
    if keyword == Keyword::From && name == "after" {
        let stage = flag.value.as_deref().unwrap_or("STAGE");
        let help = "remove it; a stage waits for those that it copies from";
        return error.with_help(format!("{help}: `COPY --from={stage} /etc/passwd /tmp/`"));
    }
    if let Some(meant) = suggest::nearest(name, own.iter().map(|(own, _)| *own)) {
        return error.with_help(format!("did you mean `--{meant}`?"));
    }
    let owner = Keyword::ALL.into_iter().find(|other| other.flags().iter().any(|(known, _)| known == name));
    if let Some(owner) = owner {
        return error.with_help(format!("`--{name}` belongs to {}", owner.as_str()));
    }
    if own.is_empty() {
        let help = match keyword {
            Keyword::Cmd | Keyword::Entrypoint => {
                format!("write it as an array: `{} [\"{}\"]`", keyword.as_str(), flag.text.as_str())
            }
            _ => format!("remove it; {} takes no flags", keyword.as_str()),
        };
        return error.with_help(help);
    }
    let list: Vec<String> = own.iter().map(|(name, _)| format!("`--{name}`")).collect();
    error.with_help(format!("{} has {}", keyword.as_str(), list.join(", ")))
}

/// `-from=x` and `—from=x` (a dash that an editor made longer) are taken as arguments; say so.
fn warn_about_dashes(keyword: Keyword, rest: Text<'_>, context: &mut Context) {
    let (word, _) = rest.split_word();
    let bare = word.as_str().trim_start_matches(['-', '–', '—']);
    if bare.len() == word.as_str().len()
        || !matches!(keyword, Keyword::Copy | Keyword::Add | Keyword::From | Keyword::Run)
    {
        return;
    }
    let name = bare.split('=').next().unwrap_or("");
    if keyword.flags().iter().any(|(known, _)| *known == name) {
        let message = format!("`{}` is not taken as a flag", word.as_str());
        let warning = Diagnostic::warning(Code::InvalidFlag, word.span(), message);
        context.push(warning.with_help(format!("write `--{bare}`, with two short dashes")));
    }
}
