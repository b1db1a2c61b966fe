//! What a build leaves for the next one, which is to say what changed: the keys of its steps, and behind each key the
//! base image and the files that went into it.
//!
//! It only serves to explain. A step of very many files leaves none of their names.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use layer::EntryKind;

use crate::copy::{flagged, plain};
use crate::key::CacheKey;
use crate::path::lossy;
use crate::plan::CopyOp;
use crate::source::{Selection, SourceEntry};

/// More files of one step than this are not named.
const MOST_FILES: usize = 5000;

/// A step, as far as it can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownStep {
    pub(crate) key: CacheKey,
    /// The image at the bottom, with its digest.
    pub(crate) base: String,
    /// Empty as well where there are too many.
    pub(crate) files: Vec<Print>,
}

/// A file in few bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) path: String,
    /// Of what is in it, or where it leads to.
    content: u64,
    /// Of everything else that reaches the image.
    metadata: u64,
}

/// How a file differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its path in the context, stage or image.
    pub path: String,
    /// In which way.
    pub kind: FileChangeKind,
}

/// In which way a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChangeKind {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// Its content, or the place that a link leads to.
    Content,
    /// Its mode, owner or attributes, or what kind of file it is.
    Metadata,
}

impl KnownStep {
    /// `copied` is what becomes of the files, where it is COPY or ADD.
    pub(crate) fn new(key: CacheKey, base: String, selections: &[Arc<Selection>], copied: Option<&CopyOp>) -> Self {
        let count: usize = selections.iter().map(|selection| selection.entries.len()).sum();
        let entries = selections.iter().filter(|_| count <= MOST_FILES).flat_map(|selection| {
            // Of a folder only the content is copied.
            let skipped = usize::from(selection.is_folder());
            selection.entries.iter().skip(skipped).map(move |entry| Print::of(selection, entry, copied))
        });
        let files = entries.collect();
        Self { key, base, files }
    }

    /// Reads the printed form back; `None` when it is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut base = String::new();
        let mut files = Vec::new();
        let mut key = String::new();
        for line in text.lines() {
            if let Some(text) = line.strip_prefix("base: ") {
                text.clone_into(&mut base);
            } else if let Some(print) = line.strip_prefix("file: ") {
                files.push(Print::parse(print)?);
            } else {
                key.push_str(line);
                key.push('\n');
            }
        }
        Some(Self { key: CacheKey::parse(&key)?, base, files })
    }

    /// Which files differ from those of an older step, in the order of their names; `None` when that is not known.
    pub(crate) fn changed_files(&self, older: &Self) -> Option<Vec<FileChange>> {
        if self.files.is_empty() || older.files.is_empty() {
            return None;
        }
        let mut known: HashMap<&str, &Print> = older.files.iter().map(|print| (print.path.as_str(), print)).collect();
        let mut changes = Vec::new();
        for print in &self.files {
            let kind = match known.remove(print.path.as_str()) {
                None => FileChangeKind::New,
                Some(older) if older.content != print.content => FileChangeKind::Content,
                Some(older) if older.metadata != print.metadata => FileChangeKind::Metadata,
                Some(_) => continue,
            };
            changes.push(FileChange { path: print.path.clone(), kind });
        }
        let gone = known.into_keys().map(|path| FileChange { path: path.to_owned(), kind: FileChangeKind::Gone });
        changes.extend(gone);
        changes.sort_by(|one, other| crate::order::compare(one.path.as_bytes(), other.path.as_bytes()));
        changes.dedup_by(|one, other| one.path == other.path);
        (!changes.is_empty()).then_some(changes)
    }
}

/// The key's lines, then the base's and those of the files.
impl fmt::Display for KnownStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        writeln!(f, "base: {}", one_line(&self.base))?;
        for print in &self.files {
            writeln!(f, "file: {:016x} {:016x} {}", print.content, print.metadata, one_line(&print.path))?;
        }
        Ok(())
    }
}

impl Print {
    fn of(selection: &Selection, entry: &SourceEntry, copied: Option<&CopyOp>) -> Self {
        let (mode, uid, gid) = copied.map_or_else(|| plain(entry), |op| flagged(entry, op));
        let mut metadata = Mixed::default();
        for number in [mode, uid, gid] {
            metadata.add(&number.to_le_bytes());
        }
        for xattr in &entry.metadata.xattrs {
            metadata.add(&xattr.name);
            metadata.add(&xattr.value);
        }
        let mut content = Mixed::default();
        match &entry.kind {
            EntryKind::File { .. } => content.add(entry.digest.as_ref().map_or(&[0; 32], |digest| digest.as_bytes())),
            EntryKind::Symlink { target } | EntryKind::HardLink { target } => {
                metadata.add(b"link");
                content.add(target);
            }
            other => metadata.add(format!("{other:?}").as_bytes()),
        }
        // A here-document or a file alone has no path below its root.
        let path = selection.path_of(entry);
        let path = if path.is_empty() { &selection.name } else { &path };
        Self { path: one_line(&lossy(path)), content: content.0, metadata: metadata.0 }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (content, metadata) = (number()?, number()?);
        Some(Self { path: parts.next()?.to_owned(), content, metadata })
    }
}

/// FNV-1a, in 64 bits: only for finding out what differs between two builds of one context.
#[derive(Debug)]
struct Mixed(u64);

impl Default for Mixed {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Mixed {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests;
