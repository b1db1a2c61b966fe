//! What could be typed next: commands, flags, values, and what kind of name stands in a place (C331).
//!
//! The shells' scripts ask for it with each press of the tab key, so it looks at the words alone; whoever asks fills in
//! the names of images and containers.

use clap::{Arg, ArgAction, Command};

/// The command that the shells' scripts call.
pub(crate) const COMMAND: &str = "__complete";

/// Something that could be typed, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) word: String,
    pub(crate) about: String,
}

/// Things of the store whose names stand in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Images,
    Containers,
    Networks,
    Volumes,
    /// Of whatever kind.
    All,
}

/// What could stand in the place of the last word. Nothing at all means a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) names: Option<Names>,
    /// The value of `--root` among the words.
    pub(crate) root: Option<String>,
}

/// Completes the last of `words`, of which the first is behind the program's name.
pub(crate) fn complete(tree: &Command, words: &[String]) -> Completion {
    let Some((last, before)) = words.split_last() else { return Completion::default() };
    let mut completion = Completion::default();
    let mut command = tree;
    let mut positionals = 0;
    let mut words = before.iter();
    while let Some(word) = words.next() {
        if let Some(flag) = flag(command, word) {
            // Its value is the word behind it, unless `=` has joined it.
            if takes_value(flag) && !word.contains('=') {
                let Some(value) = words.next() else {
                    completion.value_of(flag, last, "");
                    return completion;
                };
                if flag.get_id() == "root" {
                    completion.root = Some(value.clone());
                }
            }
        } else if let Some(found) = command.find_subcommand(word).filter(|_| positionals == 0) {
            command = found;
        } else if !word.starts_with('-') || word == "-" {
            positionals += 1;
        }
    }
    if let Some((name, value)) = last.split_once('=').filter(|(name, _)| name.starts_with("--")) {
        if let Some(flag) = flag(command, name) {
            completion.value_of(flag, value, &format!("{name}="));
        }
    } else if last.starts_with('-') {
        completion.flags_of(command, last);
    } else {
        completion.place_in(command, positionals, last);
    }
    completion
}

impl Completion {
    fn add(&mut self, word: String, about: Option<&clap::builder::StyledStr>) {
        self.candidates.push(Candidate { word, about: about.map(ToString::to_string).unwrap_or_default() });
    }

    fn value_of(&mut self, flag: &Arg, begin: &str, prefix: &str) {
        for value in flag.get_possible_values().iter().filter(|value| value.get_name().starts_with(begin)) {
            self.add(format!("{prefix}{}", value.get_name()), value.get_help());
        }
        self.names = names_in(flag).filter(|_| prefix.is_empty());
    }

    fn flags_of(&mut self, command: &Command, begin: &str) {
        for arg in command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()) {
            let long = arg.get_long().map(|long| format!("--{long}"));
            let short = arg.get_short().map(|short| format!("-{short}"));
            for word in long.into_iter().chain(short).filter(|word| word.starts_with(begin)) {
                self.add(word, arg.get_help());
            }
        }
    }

    fn place_in(&mut self, command: &Command, positionals: usize, begin: &str) {
        if positionals == 0 {
            for found in command.get_subcommands().filter(|found| !found.is_hide_set()) {
                if found.get_name().starts_with(begin) {
                    self.add(found.get_name().to_owned(), found.get_about());
                }
            }
        }
        let places: Vec<_> = command.get_positionals().collect();
        // The last one may be repeated.
        let place = places.get(positionals).or_else(|| places.last().filter(|arg| is_repeated(arg)));
        self.names = place.and_then(|arg| names_in(arg));
        for value in place.iter().flat_map(|arg| arg.get_possible_values()) {
            if value.get_name().starts_with(begin) {
                self.add(value.get_name().to_owned(), value.get_help());
            }
        }
    }
}

fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split('=').next().unwrap_or(word);
    command.get_arguments().find(|arg| match name.strip_prefix("--") {
        Some(long) => !long.is_empty() && arg.get_long() == Some(long),
        // Of letters behind one dash the last may take a value.
        None => {
            name.strip_prefix('-').is_some_and(|letters| arg.get_short().is_some_and(|short| letters.ends_with(short)))
        }
    })
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !arg.is_require_equals_set()
}

fn is_repeated(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.max_values() > 1)
}

/// By the word that help shows in its place.
fn names_in(arg: &Arg) -> Option<Names> {
    let shown = arg.get_value_names()?.first()?.as_str();
    Some(match shown {
        "NAME|ID" => Names::All,
        shown if shown.contains("IMAGE") || shown.starts_with("REPOSITORY") => Names::Images,
        shown if shown.contains("CONTAINER") => Names::Containers,
        shown if shown.contains("NETWORK") => Names::Networks,
        "VOLUME" => Names::Volumes,
        _ => return None,
    })
}
