//! The members of an archive by name, with links followed and documents in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use oci::{DiffId, Digest};
use serde::de::DeserializeOwned;

use super::error::LoadError;
use super::take::{Taken, check};
use super::{limits, member, names};

/// What a member holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A small file that is no tar.
    Document(Vec<u8>),
    /// A layer out of a stream.
    Taken(Taken),
    /// A layer out of a stream that the store has by now; digest and length are those in the archive.
    Known { layer: DiffId, digest: Digest, size: u64 },
    /// A layer that is still in the file.
    Place { offset: u64, size: u64 },
    /// Another name of a member.
    Link { target: String },
    /// Something large that is no tar.
    Other,
}

/// All members but folders.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    contents: HashMap<String, Content>,
    /// Bytes of documents so far.
    documents: u64,
}

/// The digest that a member's name promises.
pub(super) fn named_digest(path: &str) -> Option<Digest> {
    Digest::from_hex(path.strip_prefix(names::BLOBS)?).ok()
}

impl Catalog {
    /// Refuses a name that is there: readers disagree whether the first or the last one counts.
    pub(super) fn add(&mut self, path: String, content: Content) -> Result<(), LoadError> {
        if let Content::Document(bytes) = &content {
            if let Some(expected) = named_digest(&path) {
                check(&path, expected, Digest::of(bytes))?;
            }
            self.documents += bytes.len() as u64;
            if self.documents > limits::DOCUMENTS {
                return Err(LoadError::TooMany { what: "bytes of documents", limit: limits::DOCUMENTS });
            }
        }
        match self.contents.entry(path) {
            Entry::Vacant(slot) => {
                slot.insert(content);
                Ok(())
            }
            Entry::Occupied(slot) => Err(LoadError::Duplicate { member: slot.key().clone() }),
        }
    }

    /// Adds a symbolic link, whose target is relative to its own folder.
    pub(super) fn add_symlink(&mut self, path: String, target: &[u8]) -> Result<(), LoadError> {
        let shown = String::from_utf8_lossy(target).into_owned();
        let escapes = || LoadError::Escapes { member: path.clone(), target: shown.clone() };
        let mut parts: Vec<&str> =
            path.rsplit_once('/').map_or_else(Vec::new, |(folder, _)| folder.split('/').collect());
        let text = std::str::from_utf8(target).map_err(|_| escapes())?;
        if text.is_empty() || text.starts_with('/') {
            return Err(escapes());
        }
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(escapes)?;
                }
                part => parts.push(part),
            }
        }
        let target = member::path(parts.join("/").as_bytes())?;
        self.add(path, Content::Link { target })
    }

    /// Whether a member has this name.
    pub(super) fn has(&self, path: &str) -> bool {
        self.contents.contains_key(path)
    }

    /// Whether there are folders with what Docker wrote before 1.10.
    pub(super) fn is_legacy(&self) -> bool {
        self.has(names::REPOSITORIES) || self.contents.keys().any(|path| path.ends_with("/layer.tar"))
    }

    /// The name behind all links.
    pub(super) fn resolve(&self, path: &str, needed_by: &str) -> Result<String, LoadError> {
        let first = member::path(path.as_bytes())?;
        let mut path = &first;
        for _ in 0..limits::LINKS {
            match self.contents.get(path) {
                Some(Content::Link { target }) => path = target,
                Some(_) => return Ok(path.clone()),
                None => return Err(LoadError::Missing { member: path.clone(), needed_by: needed_by.to_owned() }),
            }
        }
        Err(LoadError::LinkLoop { member: first })
    }

    /// The bytes of a document.
    pub(super) fn document(&self, path: &str, needed_by: &str) -> Result<&[u8], LoadError> {
        let path = self.resolve(path, needed_by)?;
        match self.contents.get(&path) {
            Some(Content::Document(bytes)) => Ok(bytes),
            _ => Err(LoadError::NotADocument { member: path }),
        }
    }

    /// A document's meaning.
    pub(super) fn json<T: DeserializeOwned>(&self, path: &str, needed_by: &str) -> Result<T, LoadError> {
        parse(path, self.document(path, needed_by)?)
    }

    /// What a member holds; the name must be one that [`Catalog::resolve`] gave.
    pub(super) fn content(&mut self, path: &str) -> Result<&mut Content, LoadError> {
        let missing = || LoadError::Missing { member: path.to_owned(), needed_by: names::DOCKER_MANIFEST.to_owned() };
        self.contents.get_mut(path).ok_or_else(missing)
    }
}

/// Reads a document.
pub(crate) fn parse<T: DeserializeOwned>(member: &str, bytes: &[u8]) -> Result<T, LoadError> {
    serde_json::from_slice(bytes).map_err(|source| LoadError::Json { member: member.to_owned(), source })
}
