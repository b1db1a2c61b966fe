//! What a layer is made of: one [`Entry`] for each name that a changeset adds, changes or removes.
//!
//! Plain data in the words of the image-spec ("Image Layer Filesystem Changeset"). Paths are bytes in one normal
//! form, so that two spellings of the same name never meet. Nothing here knows tar, EROFS or overlayfs.

use std::fmt;

/// A point in time, in seconds since 1970 and nanoseconds behind that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00:00 UTC; negative before.
    pub secs: i64,
    /// Nanoseconds to be added, below 1,000,000,000.
    pub nanos: u32,
}

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xattr {
    /// Full name, such as `security.capability`.
    pub name: Vec<u8>,
    /// Value, any bytes.
    pub value: Vec<u8>,
}

/// Everything about an entry but its name, its type and its content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Metadata {
    /// Permission bits with set-user-ID, set-group-ID and sticky: `0o7777` only.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change of the content.
    pub mtime: Timestamp,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<Xattr>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file with that many bytes of content.
    File {
        /// Length of the content.
        size: u64,
    },
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points to, verbatim.
        target: Vec<u8>,
    },
    /// A second name of a file.
    HardLink {
        /// The other name, in normal form.
        target: Vec<u8>,
    },
    /// A character device.
    CharDevice {
        /// Number of the driver.
        major: u32,
        /// Number within the driver.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Number of the driver.
        major: u32,
        /// Number within the driver.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
    /// The entry's path is removed from the layers below.
    Whiteout,
    /// The entry's path is a folder whose content in the layers below is hidden.
    Opaque,
}

/// One name in a layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Normal form: relative, no leading or trailing `/`, no empty, `.` or `..` component; the root is empty.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Mode, owners, time and extended attributes.
    pub metadata: Metadata,
}

/// Shows a path from an image in a message: lossy, escaped and cut, for it is hostile text.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 256;
        let cut = &self.0[..self.0.len().min(LONGEST)];
        for character in String::from_utf8_lossy(cut).chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                fmt::Write::write_char(f, character)?;
            }
        }
        if self.0.len() > LONGEST { f.write_str("…") } else { Ok(()) }
    }
}

/// Longest path that Linux takes (`PATH_MAX`, with its terminating zero).
pub(crate) const LONGEST_PATH: usize = 4096;
/// Longest component that Linux takes (`NAME_MAX`).
pub(crate) const LONGEST_COMPONENT: usize = 255;

/// Why a name cannot be brought to normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It has a `..` component, which would leave the folder it is in.
    #[error("path has a `..` component")]
    Parent,
    /// A component is longer than 255 bytes.
    #[error("path has a component of more than 255 bytes")]
    Component,
    /// It is longer than 4096 bytes.
    #[error("path is longer than 4096 bytes")]
    TooLong,
    /// It has a zero byte.
    #[error("path has a zero byte")]
    Zero,
}

/// Brings a name to normal form: `./usr//bin/` and `/usr/bin` become `usr/bin`.
///
/// # Errors
/// When a component is `..`, or something is longer than Linux can hold.
pub fn normalize(name: &[u8]) -> Result<Vec<u8>, PathError> {
    let mut path = Vec::with_capacity(name.len());
    for component in name.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => continue,
            b".." => return Err(PathError::Parent),
            _ if component.len() > LONGEST_COMPONENT => return Err(PathError::Component),
            _ if component.contains(&0) => return Err(PathError::Zero),
            _ => {}
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(component);
    }
    if path.len() > LONGEST_PATH { Err(PathError::TooLong) } else { Ok(path) }
}

/// Splits a path in normal form into its folder and its last component.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests;
