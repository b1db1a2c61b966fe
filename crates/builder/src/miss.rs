//! Why a step was not taken from the cache: what changed, each in one line with the old and the new value.

use std::collections::HashSet;
use std::fmt;

use crate::key::Field;
use crate::known::{FileChange, FileChangeKind, KnownStep};

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
    /// The image that the stage begins with is another one.
    BaseChanged {
        /// Its name with its digest.
        old: String,
        /// The same.
        new: String,
    },
    /// Files differ from the last build's.
    FilesChanged(Vec<FileChange>),
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
            Self::BaseChanged { old, new } => {
                write!(f, "the base image changed: was `{}`, is `{}`", line(old), line(new))
            }
            Self::FilesChanged(files) => {
                let shown: Vec<String> = files.iter().take(MOST_FILES).map(ToString::to_string).collect();
                write!(f, "{} changed: {}", if files.len() == 1 { "a file" } else { "files" }, shown.join(", "))?;
                if files.len() > shown.len() { write!(f, " and {} more", files.len() - shown.len()) } else { Ok(()) }
            }
        }
    }
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.path))?;
        f.write_str(match self.kind {
            FileChangeKind::New => " (new)",
            FileChangeKind::Gone => " (gone)",
            FileChangeKind::Content => "",
            FileChangeKind::Metadata => " (mode, owner or attributes)",
        })
    }
}

/// So many files are named.
const MOST_FILES: usize = 10;

/// One line of a value, for messages.
fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(160).collect()
}

/// Why there is no result for a step. Of the older ones the one that the same instruction had is looked for: one about
/// the same thing, or else the one most like it among those that no step of this build (`planned`) is about.
pub(crate) fn reasons(step: &KnownStep, older: &[KnownStep], planned: &HashSet<Vec<String>>) -> Vec<CacheMiss> {
    let subject = step.key.subject();
    let same_kind = || older.iter().filter(|older| step.key.is_same_kind(&older.key));
    // Of several that are as good, the first.
    let same_subject =
        best(same_kind().filter(|older| older.key.subject() == subject), |older| step.key.likeness(&older.key));
    let replaced = || {
        let gone = same_kind().filter(|older| !planned.contains(&older.key.subject()));
        best(gone, |older| (similarity(&subject, &older.key.subject()), step.key.likeness(&older.key)))
    };
    let Some(older) = same_subject.or_else(replaced) else { return vec![CacheMiss::NeverBuilt] };
    let changes = step.key.differences(&older.key);
    let chooses_files =
        |change: &CacheMiss| matches!(change, CacheMiss::Changed { field: Field::Sources | Field::Document, .. });
    let is_chosen_otherwise = changes.iter().any(chooses_files);
    let sets_metadata =
        |change: &CacheMiss| matches!(change, CacheMiss::Changed { field: Field::Mode | Field::Owner, .. });
    let is_set_otherwise = changes.iter().any(sets_metadata);
    let mut reasons = Vec::new();
    let has_other_base = step.base != older.base && !older.base.is_empty();
    if has_other_base && step.key.parent() != older.key.parent() {
        reasons.push(CacheMiss::BaseChanged { old: older.base.clone(), new: step.base.clone() });
    }
    for change in changes {
        match &change {
            // That other files are copied is said by what names them.
            CacheMiss::Changed { field: Field::Files, .. } if is_chosen_otherwise => {}
            CacheMiss::Changed { field: Field::Files, .. } => {
                let mut files = step.changed_files(older);
                // So is what flags make of files.
                if let Some(files) = files.as_mut().filter(|_| is_set_otherwise) {
                    files.retain(|file| file.kind != FileChangeKind::Metadata);
                }
                match files {
                    Some(files) if files.is_empty() => {}
                    files => reasons.push(files.map_or(change, CacheMiss::FilesChanged)),
                }
            }
            CacheMiss::Changed { field: Field::Parent, .. } if has_other_base => {}
            _ => reasons.push(change),
        }
    }
    if reasons.is_empty() {
        reasons.push(CacheMiss::Removed);
    }
    reasons
}

/// The step with the highest score; of several the first.
fn best<'k, S: Ord>(
    steps: impl Iterator<Item = &'k KnownStep>,
    score: impl Fn(&KnownStep) -> S,
) -> Option<&'k KnownStep> {
    let mut best: Option<(S, &KnownStep)> = None;
    for step in steps {
        let score = score(step);
        if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
            best = Some((score, step));
        }
    }
    best.map(|(_, step)| step)
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
