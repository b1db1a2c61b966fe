//! What identifies a step's result, and why one was not found.
//!
//! A [`CacheKey`] is data: a list of named values that can be printed, hashed and compared. It holds content plus
//! exactly the metadata that reaches the image, never a time. The parent is named by its layers' content, so a step
//! that ran again and made the same files does not invalidate what follows (decision 0007).

use std::collections::HashSet;
use std::fmt;

use oci::{ChainId, Digest};

/// What a value of a key is about; the names are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Which kind of step.
    Step,
    /// The stack of layers that it begins with.
    Parent,
    /// What is run.
    Command,
    /// One variable of the environment.
    Env,
    /// One build argument in scope.
    Arg,
    /// Who runs it, or owns what is made.
    User,
    /// Where it runs.
    WorkingDirectory,
    /// Which network it has.
    Network,
    /// Where files go.
    Destination,
    /// Digest of the files and of their metadata that reaches the image.
    Files,
    /// `--chown`, as written: who that is follows from the layers below.
    Owner,
    /// `--chmod`.
    Mode,
    /// How sources were named; only for saying what changed, the name of a result does not depend on it.
    Sources,
}

impl Field {
    const ALL: [Self; 13] = [
        Self::Step,
        Self::Parent,
        Self::Command,
        Self::Env,
        Self::Arg,
        Self::User,
        Self::WorkingDirectory,
        Self::Network,
        Self::Destination,
        Self::Files,
        Self::Owner,
        Self::Mode,
        Self::Sources,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Parent => "parent layers",
            Self::Command => "command",
            Self::Env => "environment",
            Self::Arg => "build argument",
            Self::User => "user",
            Self::WorkingDirectory => "working directory",
            Self::Network => "network",
            Self::Destination => "destination",
            Self::Files => "files",
            Self::Owner => "owner",
            Self::Mode => "mode",
            Self::Sources => "sources",
        }
    }
}

/// The identity of a step's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    values: Vec<(Field, String)>,
}

impl CacheKey {
    /// Begins a key for a step of this kind on top of these layers.
    pub fn new(step: &str, parent: Option<ChainId>) -> Self {
        let parent = parent.map_or_else(|| "none".to_owned(), |chain| chain.to_string());
        Self { values: vec![(Field::Step, step.to_owned()), (Field::Parent, parent)] }
    }

    /// Adds a value.
    #[must_use]
    pub fn with(mut self, field: Field, value: impl Into<String>) -> Self {
        self.values.push((field, value.into()));
        self
    }

    /// The name of the result in the store: digest of the printed form, without what only names things.
    pub fn digest(&self) -> Digest {
        let values = self.values.iter().filter(|(field, _)| *field != Field::Sources).cloned().collect();
        Digest::of(Self { values }.to_string().as_bytes())
    }

    /// Reads the printed form back; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let value = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            let field = Field::ALL.into_iter().find(|field| field.name() == name)?;
            Some((field, unescape(value)))
        };
        let values: Option<Vec<_>> = text.lines().map(value).collect();
        values.filter(|values| !values.is_empty()).map(|values| Self { values })
    }

    /// What the step is about, whatever it stands on: what is run, or what is copied where.
    pub(crate) fn subject(&self) -> Vec<String> {
        let is_subject =
            |field: Field| matches!(field, Field::Step | Field::Command | Field::Sources | Field::Destination);
        let values = self.values.iter().filter(|(field, _)| is_subject(*field));
        values.map(|(field, value)| format!("{}: {value}", field.name())).collect()
    }

    fn is_same_kind(&self, older: &Self) -> bool {
        self.values.first() == older.values.first()
    }

    /// How many values an older key has in common with this one.
    fn likeness(&self, older: &Self) -> usize {
        self.values.iter().filter(|value| older.values.contains(value)).count()
    }

    /// The first value that differs from an older key of the same step; the layers below only if nothing else does.
    pub fn difference(&self, older: &Self) -> Option<CacheMiss> {
        let changed = |field, old: Option<&str>, new: Option<&str>| CacheMiss::Changed {
            field,
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        let own = self.only_here(older);
        let theirs = older.only_here(self);
        let Some((field, new)) = own.first() else {
            return theirs.first().map(|(field, old)| changed(*field, Some(old), None));
        };
        // One variable that was replaced by another did not change.
        let variable = |pair: &str| pair.split('=').next().map(str::to_owned);
        let is_counterpart =
            |other: &Field, old: &str| other == field && (*field != Field::Env || variable(old) == variable(new));
        let old = theirs.iter().find(|(other, old)| is_counterpart(other, old)).map(|(_, old)| *old);
        Some(changed(*field, old, Some(new)))
    }

    /// Values that another key has not, the parent last.
    fn only_here(&self, other: &Self) -> Vec<(Field, &str)> {
        let missing = self.values.iter().filter(|value| !other.values.contains(value));
        let mut missing: Vec<(Field, &str)> = missing.map(|(field, value)| (*field, value.as_str())).collect();
        missing.sort_by_key(|(field, _)| *field == Field::Parent);
        missing
    }
}

/// Why there is no result for a key. Of the older keys the one that the same instruction had is looked for: one about
/// the same thing, or else the one most like it among those that no step of this build (`planned`) is about.
pub(crate) fn reason(key: &CacheKey, older: &[CacheKey], planned: &HashSet<Vec<String>>) -> CacheMiss {
    let subject = key.subject();
    let same_kind = || older.iter().filter(|older| key.is_same_kind(older));
    // Of several that are as good, the first.
    let same_subject = best(same_kind().filter(|older| older.subject() == subject), |older| key.likeness(older));
    let replaced = || {
        let gone = same_kind().filter(|older| !planned.contains(&older.subject()));
        best(gone, |older| (similarity(&subject, &older.subject()), key.likeness(older)))
    };
    match same_subject.or_else(replaced) {
        None => CacheMiss::NeverBuilt,
        Some(older) => key.difference(older).unwrap_or(CacheMiss::Removed),
    }
}

/// The key with the highest score; of several the first.
fn best<'k, S: Ord>(keys: impl Iterator<Item = &'k CacheKey>, score: impl Fn(&CacheKey) -> S) -> Option<&'k CacheKey> {
    let mut best: Option<(S, &CacheKey)> = None;
    for key in keys {
        let score = score(key);
        if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
            best = Some((score, key));
        }
    }
    best.map(|(_, key)| key)
}

/// How much of two texts is the same from the front and from the back, in thousandths of the longer one.
fn similarity(one: &[String], other: &[String]) -> usize {
    let (one, other) = (one.join("\n"), other.join("\n"));
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let front = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one_rest, other_rest) = (&one[front..], &other[front..]);
    let back = one_rest.iter().rev().zip(other_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    (front + back) * 1000 / one.len().max(other.len()).max(1)
}

/// One value a line; line breaks and backslashes within a value are escaped.
impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (field, value) in &self.values {
            writeln!(f, "{}: {}", field.name(), value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r"))?;
        }
        Ok(())
    }
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                other => plain.extend(other),
            },
            letter => plain.push(letter),
        }
    }
    plain
}

/// Why a step was run although a cache is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheMiss {
    /// `--no-cache`.
    Disabled,
    /// No earlier build of this context had this step.
    NeverBuilt,
    /// The key is the one of the last build, but its result has been removed.
    Removed,
    /// A value of the key differs from the last build's.
    Changed {
        /// Which value.
        field: Field,
        /// What it was; `None` when there was none.
        old: Option<String>,
        /// What it is; `None` when there is none.
        new: Option<String>,
    },
    /// Files of the context differ from the last build's.
    FilesChanged {
        /// Some of them, first in order of names.
        paths: Vec<String>,
        /// How many in all.
        count: usize,
    },
}

impl fmt::Display for CacheMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("the cache is switched off by --no-cache"),
            Self::NeverBuilt => f.write_str("no earlier build of this context had this step"),
            Self::Removed => f.write_str("the result of the same step has been removed"),
            Self::Changed { field: Field::Parent, .. } => f.write_str("the layers below changed"),
            Self::Changed { field: Field::Files, .. } => f.write_str("files changed (names, modes, owners or content)"),
            Self::Changed { field, old, new } => {
                write!(f, "{} changed", field.name())?;
                match (old, new) {
                    (Some(old), Some(new)) => write!(f, ": was `{}`, is `{}`", line(old), line(new)),
                    (None, Some(new)) => write!(f, ": new is `{}`", line(new)),
                    (Some(old), None) => write!(f, ": `{}` is gone", line(old)),
                    (None, None) => Ok(()),
                }
            }
            Self::FilesChanged { paths, count } => {
                write!(f, "{} changed: {}", if *count == 1 { "a file" } else { "files" }, paths.join(", "))?;
                if *count > paths.len() { write!(f, " and {} more", count - paths.len()) } else { Ok(()) }
            }
        }
    }
}

/// One line of a value, for messages.
fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(160).collect()
}

#[cfg(test)]
mod tests;
