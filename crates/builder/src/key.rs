//! What identifies a step's result.
//!
//! A [`CacheKey`] is data: a list of named values that can be printed, hashed and compared. It holds content plus
//! exactly the metadata that reaches the image, never a time. The parent is named by its layers' content, so a step
//! that ran again and made the same files does not invalidate what follows (decision 0007).

use std::fmt;

use oci::{ChainId, Digest};

use crate::miss::CacheMiss;

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
    /// A here-document that is executed.
    Script,
    /// Something that is mounted, how and where; [`Field::Files`] behind it is what is in it.
    Mount,
    /// Names added to `/etc/hosts`; where they lead does not count.
    Hosts,
    /// What the machine is called, if not as usual.
    Hostname,
    /// A limit that the command can see.
    Limit,
    /// One of the layers that are squashed.
    Layer,
    /// Where files go.
    Destination,
    /// Digest of the files and of their metadata that reaches the image.
    Files,
    /// A here-document: its name, and the digest of its text.
    Document,
    /// `--chown`, as written: who that is follows from the layers below.
    Owner,
    /// `--chmod`.
    Mode,
    /// `SOURCE_DATE_EPOCH`, where no file may be later.
    Epoch,
    /// How sources were named; only for saying what changed, the name of a result does not depend on it.
    Sources,
}

impl Field {
    const ALL: &[Self] = &[
        Self::Step,
        Self::Parent,
        Self::Command,
        Self::Env,
        Self::Arg,
        Self::User,
        Self::WorkingDirectory,
        Self::Network,
        Self::Script,
        Self::Mount,
        Self::Hosts,
        Self::Hostname,
        Self::Limit,
        Self::Layer,
        Self::Destination,
        Self::Files,
        Self::Document,
        Self::Owner,
        Self::Mode,
        Self::Epoch,
        Self::Sources,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Parent => "parent layers",
            Self::Command => "command",
            Self::Env => "environment",
            Self::Arg => "build argument",
            Self::User => "user",
            Self::WorkingDirectory => "working directory",
            Self::Network => "network",
            Self::Script => "script",
            Self::Mount => "mount",
            Self::Hosts => "added host",
            Self::Hostname => "hostname",
            Self::Limit => "limit",
            Self::Layer => "layer",
            Self::Destination => "destination",
            Self::Files => "files",
            Self::Document => "here-document",
            Self::Owner => "owner",
            Self::Mode => "mode",
            Self::Epoch => "source date epoch",
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
            let field = Field::ALL.iter().copied().find(|field| field.name() == name)?;
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

    /// The layers below, by content.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.values.iter().find(|(field, _)| *field == Field::Parent).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_same_kind(&self, older: &Self) -> bool {
        self.values.first() == older.values.first()
    }

    /// How many values an older key has in common with this one.
    pub(crate) fn likeness(&self, older: &Self) -> usize {
        self.values.iter().filter(|value| older.values.contains(value)).count()
    }

    /// The first value that differs from an older key of the same step; the layers below only if nothing else does.
    pub fn difference(&self, older: &Self) -> Option<CacheMiss> {
        let mut all = self.differences(older);
        (!all.is_empty()).then(|| all.swap_remove(0))
    }

    /// All values that differ; the layers below only if nothing else does.
    pub fn differences(&self, older: &Self) -> Vec<CacheMiss> {
        let changed = |field, old: Option<&str>, new: Option<&str>| CacheMiss::Changed {
            field,
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        let mut theirs = older.only_here(self);
        // One variable that was replaced by another did not change.
        let variable = |pair: &str| pair.split('=').next().map(str::to_owned);
        let mut all = Vec::new();
        for (field, new) in self.only_here(older) {
            let is_counterpart = |(other, old): &(Field, &str)| {
                *other == field && (field != Field::Env || variable(old) == variable(new))
            };
            let old = theirs.iter().position(is_counterpart).map(|place| theirs.remove(place).1);
            all.push((field, changed(field, old, Some(new))));
        }
        all.extend(theirs.into_iter().map(|(field, old)| (field, changed(field, Some(old), None))));
        if all.iter().any(|(field, _)| *field != Field::Parent) {
            all.retain(|(field, _)| *field != Field::Parent);
        }
        all.into_iter().map(|(_, change)| change).collect()
    }

    /// Values that another key has not, the parent last.
    fn only_here(&self, other: &Self) -> Vec<(Field, &str)> {
        let missing = self.values.iter().filter(|value| !other.values.contains(value));
        let mut missing: Vec<(Field, &str)> = missing.map(|(field, value)| (*field, value.as_str())).collect();
        missing.sort_by_key(|(field, _)| *field == Field::Parent);
        missing
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

#[cfg(test)]
mod tests;
