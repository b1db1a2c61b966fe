//! Switches with a value, `--rm=false`, as Go's flags allow them.
//!
//! The help would be full of `[=<true|false>]` if every switch said so, and hardly anybody types it, so the tree of
//! commands is changed only when a word of that form is there.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};

/// What Go takes for true and false.
const TRUE: [&str; 6] = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE: [&str; 6] = ["0", "f", "F", "FALSE", "false", "False"];

/// Whether some word could be a switch with its value.
pub(crate) fn are_spelled_out(words: &[OsString]) -> bool {
    words.iter().filter_map(|word| word.to_str()).any(|word| {
        word.starts_with('-')
            && word.rsplit_once('=').is_some_and(|(_, value)| TRUE.contains(&value) || FALSE.contains(&value))
    })
}

/// Lets all switches of all commands take a value. The flags of commands are built on demand, so here all are.
pub(crate) fn take_values(mut command: Command) -> Command {
    command.build();
    command.mut_args(take_value).mut_subcommands(take_values)
}

fn take_value(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .value_parser(GoBool)
}

/// A word for true or false.
pub(crate) fn parse(word: &str) -> Option<bool> {
    match word {
        word if TRUE.contains(&word) => Some(true),
        word if FALSE.contains(&word) => Some(false),
        _ => None,
    }
}

/// Go's `strconv.ParseBool`.
#[derive(Debug, Clone)]
pub(crate) struct GoBool;

impl clap::builder::TypedValueParser for GoBool {
    type Value = bool;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<bool, clap::Error> {
        match value.to_str().and_then(parse) {
            Some(value) => Ok(value),
            None => clap::builder::BoolValueParser::new().parse_ref(command, arg, value),
        }
    }
}
