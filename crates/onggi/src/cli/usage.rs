//! Mistakes in what was typed: in our words, with a hint that works, and with Docker's exit codes.
//!
//! Seen with Docker 28.2: a wrong flag ends with 125 in every command, anything else with 1.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::missing::{self, Reason};
use crate::render::problem::Problem;

/// A wrong flag.
const FLAG_STATUS: u8 = 125;

/// What to print instead of doing anything.
#[derive(Debug)]
pub(crate) enum Usage {
    /// Help or version that was asked for, also by giving no command at all: to standard output, with success.
    Asked(String),
    /// A mistake: to standard error.
    Mistake {
        problem: Box<Problem>,
        /// The right form of the command.
        usage: Option<String>,
        status: u8,
    },
}

impl Usage {
    /// Translates clap's error about `words`.
    pub(crate) fn new(mut error: clap::Error, words: &[OsString]) -> Self {
        match error.kind() {
            ErrorKind::DisplayVersion => Self::Asked(error.render().to_string()),
            _ if is_help(&error) => Self::Asked(error.render().to_string()),
            kind => {
                let usage = text(&error, ContextKind::Usage);
                drop(error.remove(ContextKind::Usage));
                Self::Mistake { problem: Box::new(problem(&error, words)), usage, status: status(kind, &error) }
            }
        }
    }
}

/// Whether it is no error but the help.
pub(crate) fn is_help(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
}

/// Of the exit codes, only wrong flags are special: a positional argument too many is a 1.
fn status(kind: ErrorKind, error: &clap::Error) -> u8 {
    let names_a_flag = text(error, ContextKind::InvalidArg).is_some_and(|arg| arg.starts_with('-'));
    match kind {
        ErrorKind::InvalidSubcommand | ErrorKind::MissingRequiredArgument => 1,
        _ if names_a_flag => FLAG_STATUS,
        _ => 1,
    }
}

fn problem(error: &clap::Error, words: &[OsString]) -> Problem {
    let arg = text(error, ContextKind::InvalidArg).map(|arg| bare(&arg)).unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    let problem = match error.kind() {
        ErrorKind::InvalidSubcommand => return unknown_command(error, words),
        ErrorKind::UnknownArgument if arg.starts_with('-') => {
            let command = command_of(words);
            if missing::has_flag(&command, &arg) {
                return Problem::error(format!("flag `{arg}` of `onggi {command}` is not there yet"));
            }
            Problem::error(format!("unknown flag `{arg}`"))
        }
        ErrorKind::UnknownArgument => Problem::error(format!("unexpected argument `{arg}`")),
        ErrorKind::InvalidValue if value.is_empty() => Problem::error(format!("flag `{arg}` needs a value")),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            Problem::error(format!("`{value}` is not a value of `{arg}`"))
        }
        ErrorKind::NoEquals => Problem::error(format!("flag `{arg}` needs its value behind `=`")),
        ErrorKind::TooManyValues => Problem::error(format!("flag `{arg}` does not take the value `{value}`")),
        // What could have been a command, behind arguments.
        ErrorKind::ArgumentConflict if arg.is_empty() => {
            let word = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            Problem::error(format!("unexpected argument `{word}`"))
        }
        ErrorKind::ArgumentConflict => match text(error, ContextKind::PriorArg).map(|prior| bare(&prior)) {
            Some(prior) if prior != arg => Problem::error(format!("`{arg}` cannot be used with `{prior}`")),
            _ => Problem::error(format!("flag `{arg}` is given more than once")),
        },
        ErrorKind::MissingRequiredArgument => Problem::error(format!("missing `{arg}`")),
        ErrorKind::MissingSubcommand => {
            return Problem::error("missing command").with_hint("see all commands with `onggi --help`");
        }
        ErrorKind::InvalidUtf8 => Problem::error("an argument is not UTF-8"),
        _ => {
            let rendered = error.render().to_string();
            let line = rendered.lines().next().unwrap_or_default();
            Problem::error(line.strip_prefix("error: ").unwrap_or(line))
        }
    };
    match hint(error) {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

fn unknown_command(error: &clap::Error, words: &[OsString]) -> Problem {
    let name = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
    let command = path_to(&name, words);
    let known = match command.strip_prefix("onggi config ") {
        Some(name) => missing::config_command(name),
        None => missing::command(&name),
    };
    match known {
        Some(Reason::NotPlanned) => {
            return Problem::error(format!("`{command}` is not planned: onggi is not a cluster manager"));
        }
        Some(Reason::NotYet(instead)) => {
            let problem = Problem::error(format!("`{command}` is not there yet"));
            return match instead {
                Some(instead) => problem.with_hint(instead),
                None => problem,
            };
        }
        None => {}
    }
    let problem = Problem::error(format!("unknown command `{command}`"));
    let parent = command.strip_suffix(&name).unwrap_or("onggi ").trim_end();
    match nearest(error, ContextKind::SuggestedSubcommand) {
        Some(suggested) => problem.with_hint(format!("did you mean `{parent} {suggested}`?")),
        None => problem.with_hint(format!("see all commands with `{parent} --help`")),
    }
}

/// `onggi image bogus`: the words up to the wrong one, without the global flags.
fn path_to(name: &str, words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let end = words.iter().rposition(|word| *word == name).unwrap_or(0);
    match end.checked_sub(1).map(|before| words[before]) {
        Some(parent @ ("image" | "container" | "network" | "builder" | "system" | "volume" | "config")) => {
            format!("onggi {parent} {name}")
        }
        _ => format!("onggi {name}"),
    }
}

/// The command that was called: `run`, `image ls`.
fn command_of(words: &[OsString]) -> String {
    let mut tree = super::tree();
    tree.build();
    let mut command = &tree;
    let mut path = Vec::new();
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        match command.find_subcommand(word) {
            Some(found) => {
                path.push(found.get_name());
                command = found;
            }
            None if path.is_empty() => {}
            None => break,
        }
    }
    path.join(" ")
}

/// A flag or value that looks like the wrong one, or the values that there are.
fn hint(error: &clap::Error) -> Option<String> {
    let suggested = nearest(error, ContextKind::SuggestedArg).or_else(|| nearest(error, ContextKind::SuggestedValue));
    if let Some(suggested) = suggested {
        return Some(format!("did you mean `{suggested}`?"));
    }
    match error.get(ContextKind::ValidValue)? {
        ContextValue::Strings(values) if !values.is_empty() => {
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            Some(format!("use one of {}", values.join(", ")))
        }
        _ => None,
    }
}

/// `--env <NAME[=VALUE]>` is `--env`, `<IMAGE>...` is `IMAGE`.
fn bare(arg: &str) -> String {
    match arg.strip_prefix('<') {
        Some(positional) => positional.trim_end_matches("...").trim_end_matches('>').to_owned(),
        None if arg.starts_with('[') => arg.trim_matches(['[', ']']).to_owned(),
        None => arg.split([' ', '=']).next().unwrap_or(arg).trim_end_matches('[').to_owned(),
    }
}

/// The best of the suggestions, which come worst first.
fn nearest(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::Strings(texts) => texts.last().cloned(),
        _ => text(error, kind),
    }
}

/// What is known, the first one where there are several.
fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        ContextValue::StyledStrs(texts) => texts.first().map(ToString::to_string),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
