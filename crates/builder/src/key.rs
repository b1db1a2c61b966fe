//! What identifies a step's result, and why one was not found.
//!
//! A [`CacheKey`] is data: a list of named values that can be printed, hashed and compared. It holds content plus
//! exactly the metadata that reaches the image, never a time. The parent is named by its layers' content, so a step
//! that ran again and made the same files does not invalidate what follows (decision 0007).

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
    /// `--chown`, resolved.
    Owner,
    /// `--chmod`.
    Mode,
    /// How sources were named, where that decides the shape of the result.
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

    /// The name of the result in the store: digest of the printed form.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_string().as_bytes())
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

    /// Whether an older key is of the same kind of step.
    pub(crate) fn is_same_step(&self, older: &Self) -> bool {
        self.values.first() == older.values.first()
    }

    /// How many values an older key has in common with this one.
    pub(crate) fn likeness(&self, older: &Self) -> usize {
        self.values.iter().filter(|value| older.values.contains(value)).count()
    }

    /// The first value that differs from an older key of the same step.
    pub fn difference(&self, older: &Self) -> Option<CacheMiss> {
        let absent = |key: &Self, field: Field, value: &str| !key.values.iter().any(|(f, v)| *f == field && v == value);
        let own = self.values.iter().find(|(field, value)| absent(older, *field, value));
        let theirs = older.values.iter().find(|(field, value)| absent(self, *field, value));
        let changed = |field: Field, old: Option<&String>, new: Option<&String>| CacheMiss::Changed {
            field,
            old: old.cloned(),
            new: new.cloned(),
        };
        match (theirs, own) {
            (Some((field, old)), Some((other, new))) if field == other => Some(changed(*field, Some(old), Some(new))),
            (_, Some((field, new))) => Some(changed(*field, None, Some(new))),
            (Some((field, old)), None) => Some(changed(*field, Some(old), None)),
            (None, None) => None,
        }
    }
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
