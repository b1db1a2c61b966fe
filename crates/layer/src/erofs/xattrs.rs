//! Extended attributes behind an inode: a header of 12 bytes, then entries padded to 4 bytes.
//!
//! Attributes that overlayfs obeys (`trusted.overlay.`, `user.overlay.`) are dropped on the way in: a layer has no say
//! in how it is mounted (field-notes 2.6). Our own are added when the image is written and never shown to readers.

use crate::entry::Xattr;

use super::put16;

/// Prefixes that the format has numbers for (`EROFS_XATTR_INDEX_…`). ACLs are whole names.
const PREFIXES: [(u8, &[u8]); 5] = [
    (1, b"user."),
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
];

const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// Tells overlayfs that the folder hides what is below.
pub(crate) const OPAQUE: (&[u8], &[u8]) = (b"trusted.overlay.opaque", b"y");
/// Tells overlayfs to filter the whiteouts from listings of a folder that only one layer has
/// (`ovl_path_check_origin_xattr`, fs/overlayfs/inode.c; an empty value says that the origin is not known).
pub(crate) const ORIGIN: (&[u8], &[u8]) = (b"trusted.overlay.origin", b"");

/// Why attributes do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XattrError {
    /// A name is empty or longer than 255 bytes.
    #[error("name of an extended attribute is empty or longer than 255 bytes")]
    Name,
    /// A value has more than 65,535 bytes.
    #[error("value of an extended attribute has more than 65535 bytes")]
    Value,
    /// All together have more than 262,144 bytes.
    #[error("extended attributes have more than 262144 bytes")]
    Total,
}

/// Whether overlayfs would obey it.
pub(crate) fn is_overlay(name: &[u8]) -> bool {
    OVERLAY.iter().any(|prefix| name.starts_with(prefix))
}

/// Appends the entries of those attributes that the format can hold; Linux keeps no others on disk file systems.
pub(crate) fn encode(xattrs: &[Xattr]) -> Result<Vec<u8>, XattrError> {
    let mut out = Vec::new();
    for xattr in xattrs {
        let length = xattr.name.len();
        if length == 0 || length > 255 || xattr.name.contains(&0) {
            return Err(XattrError::Name);
        }
        if xattr.value.len() > usize::from(u16::MAX) {
            return Err(XattrError::Value);
        }
        if !is_overlay(&xattr.name) {
            push(&mut out, &xattr.name, &xattr.value);
        }
    }
    // `i_xattr_icount` has 16 bits and counts 4 bytes; room is left for our own two.
    if out.len() > 4 * 65_000 { Err(XattrError::Total) } else { Ok(out) }
}

/// Appends one entry; none if the format has no number for the name's prefix.
pub(crate) fn push(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let known = PREFIXES.iter().find_map(|(index, prefix)| {
        let rest = name.strip_prefix(*prefix)?;
        let is_whole = !prefix.ends_with(b".");
        (rest.is_empty() == is_whole).then_some((*index, rest))
    });
    let Some((index, rest)) = known else { return };
    out.push(rest.len() as u8);
    out.push(index);
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(rest);
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Size of header and entries, and `i_xattr_icount`.
pub(crate) fn body_size(entries: usize) -> (u64, u16) {
    if entries == 0 { (0, 0) } else { (12 + entries as u64, (entries / 4 + 1) as u16) }
}

/// Size of header and entries by `i_xattr_icount`.
pub(crate) fn size_of_count(count: u16) -> u64 {
    if count == 0 { 0 } else { 12 + 4 * (u64::from(count) - 1) }
}

/// Writes header and entries.
pub(crate) fn write(out: &mut [u8], entries: &[u8]) {
    if !entries.is_empty() {
        put16(out, 0, 0);
        out[12..12 + entries.len()].copy_from_slice(entries);
    }
}

/// Splits header and entries into names and values; `None` if they are damaged.
pub(crate) fn decode(body: &[u8]) -> Option<Vec<Xattr>> {
    let mut xattrs = Vec::new();
    let mut entries = body.get(12..).unwrap_or(&[]);
    while !entries.is_empty() {
        let (head, rest) = entries.split_at_checked(4)?;
        let name_length = usize::from(head[0]);
        let value_length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let (name, behind) = rest.split_at_checked(name_length)?;
        let value = behind.get(..value_length)?;
        let (_, prefix) = PREFIXES.iter().find(|(index, _)| *index == head[1])?;
        xattrs.push(Xattr { name: [prefix, name].concat(), value: value.to_vec() });
        entries = entries.get((4 + name_length + value_length).next_multiple_of(4)..)?;
    }
    Some(xattrs)
}

#[cfg(test)]
mod tests;
