//! Docker's rules of where files go, and what they are called there (docker cp, "Description").

use std::os::fd::OwnedFd;

/// A path as typed, taken apart by its text as Docker does it: `..` goes up, and only its end tells what is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    /// Absolute, without `.`, `..` and double slashes.
    clean: Vec<u8>,
    ends_in_slash: bool,
    ends_in_dot: bool,
}

impl Typed {
    pub(super) fn new(path: &[u8]) -> Self {
        let mut names: Vec<&[u8]> = Vec::new();
        for name in path.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => drop(names.pop()),
                name => names.push(name),
            }
        }
        Self {
            clean: [b"/", &names.join(&b'/')[..]].concat(),
            ends_in_slash: path.ends_with(b"/"),
            ends_in_dot: path == b"." || path.ends_with(b"/."),
        }
    }

    /// A further path, from a link: with nothing of its own at its end.
    pub(super) fn followed(&self, target: &[u8]) -> Self {
        let path = match target.first() {
            Some(b'/') => target.to_vec(),
            _ => [self.parent(), b"/", target].concat(),
        };
        Self { ends_in_slash: self.ends_in_slash, ends_in_dot: self.ends_in_dot, ..Self::new(&path) }
    }

    pub(super) fn clean(&self) -> &[u8] {
        &self.clean
    }

    /// The path of the folder that the last name is in.
    pub(super) fn parent(&self) -> &[u8] {
        let slash = self.clean.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        &self.clean[..slash.max(1)]
    }

    /// The last name; `.` for the root.
    pub(super) fn base(&self) -> &[u8] {
        match self.clean.rsplit(|byte| *byte == b'/').next() {
            None | Some(b"") => b".",
            Some(base) => base,
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.clean == b"/"
    }

    /// It can only be a folder, and a link at its end is followed.
    pub(super) fn must_be_folder(&self) -> bool {
        self.ends_in_slash || self.ends_in_dot || self.is_root()
    }

    /// What is in the folder is meant, and not the folder.
    pub(super) fn is_content_only(&self) -> bool {
        self.ends_in_dot || self.is_root()
    }
}

/// What is copied, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    Other,
}

/// What is at the target's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Folder,
    Other,
    Nothing,
}

/// Where files go.
#[derive(Debug)]
pub(super) struct Target {
    /// What is there by the name that was typed.
    pub(super) found: Found,
    /// The folder itself, or the one that the name is in.
    pub(super) folder: OwnedFd,
    /// The path of that folder from the root.
    pub(super) path: Vec<u8>,
    /// The name in that folder, unless the folder itself is meant.
    pub(super) name: Vec<u8>,
}

/// What the copy is called in the target's folder; empty where only what is in the source is copied.
pub(super) fn name_in_target(source: &Typed, kind: Kind, target: &Target) -> Vec<u8> {
    match (target.found, kind) {
        (Found::Folder, Kind::Folder) if source.is_content_only() => Vec::new(),
        (Found::Folder, _) => source.base().to_vec(),
        (Found::Other | Found::Nothing, _) => target.name.clone(),
    }
}

/// Docker's errors for what cannot be.
pub(super) fn check(found: Found, source: Kind, target: &Typed) -> Result<(), &'static str> {
    match (found, source) {
        (Found::Other, Kind::Folder) => Err("cannot copy directory"),
        (Found::Other | Found::Nothing, Kind::Other) if target.must_be_folder() => Err("no such directory"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
