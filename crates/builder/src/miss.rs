//! Why a step was not taken from the cache, in one line that names what changed.

use std::collections::HashSet;
use std::fmt;

use crate::key::{CacheKey, Field};

/// Why a step was run although a cache is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheMiss {
    /// `--no-cache`.
    Disabled,
    /// `--no-cache-filter` names the stage.
    DisabledForStage,
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
            Self::DisabledForStage => f.write_str("the cache is switched off for this stage by --no-cache-filter"),
            Self::NeverBuilt => f.write_str("no earlier build of this context had this step"),
            Self::Removed => f.write_str("the result of the same step has been removed"),
            Self::Changed { field: Field::Parent, .. } => f.write_str("the layers below changed"),
            Self::Changed { field: Field::Files, .. } => f.write_str("files changed (names, modes, owners or content)"),
            Self::Changed { field: Field::Document, old, new } => {
                let text = new.as_ref().or(old.as_ref()).map_or("", String::as_str);
                write!(f, "the here-document `{}` changed", line(text.split(' ').next().unwrap_or_default()))
            }
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

#[cfg(test)]
mod tests;
