//! How large the tar of a context would be that Docker's client sends to a classic builder (S120), from what `stat`
//! says alone: nothing is read and no tar is written.
//!
//! Docker writes ustar headers without owners, and pax records for what does not fit into them. Attributes, of which it
//! sends file capabilities, are not looked at: that would open every file.

use std::collections::HashMap;

use layer::EntryKind;

use crate::source::SourceEntry;

const BLOCK: u64 = 512;
/// Longest name that fits into a header, and longest path that fits in two parts.
const NAME: usize = 100;
const PREFIX: usize = 155;
/// Sizes with more than eleven octal digits do not fit.
const LARGEST: u64 = 0o777_7777_7777;

/// Bytes of the tar of a whole context, with files of these sizes added: those that are sent in any case.
pub(crate) fn tar_size(context: &[SourceEntry], added: &[(&str, u64)]) -> u64 {
    let mut first_names: HashMap<(u64, u64), &[u8]> = HashMap::new();
    let mut size = 2 * BLOCK;
    // The folder itself has no entry.
    for entry in context.iter().filter(|entry| !entry.path.is_empty()) {
        let first = entry.identity.and_then(|identity| {
            let known = first_names.get(&identity).copied();
            first_names.entry(identity).or_insert(&entry.path);
            known
        });
        size += entry_size(entry, first);
    }
    for (path, length) in added {
        if !context.iter().any(|entry| entry.path == path.as_bytes()) {
            size += header(path.as_bytes(), &[], *length) + padded(*length);
        }
    }
    size
}

/// Header and content of one entry; a further name of a file is only a link.
fn entry_size(entry: &SourceEntry, first_name: Option<&[u8]>) -> u64 {
    match (&entry.kind, first_name) {
        (_, Some(first_name)) => header(&entry.path, first_name, 0),
        (EntryKind::Directory, _) => header(&[&entry.path[..], b"/"].concat(), &[], 0),
        (EntryKind::Symlink { target }, _) => header(&entry.path, target, 0),
        (EntryKind::File { size }, _) => header(&entry.path, &[], *size) + padded(*size),
        _ => header(&entry.path, &[], 0),
    }
}

/// A header, and the pax header before it where one is needed.
fn header(path: &[u8], link: &[u8], size: u64) -> u64 {
    let mut records = 0;
    if !fits(path) {
        records += record("path", path.len());
    }
    if link.len() > NAME || !link.is_ascii() {
        records += record("linkpath", link.len());
    }
    if size > LARGEST {
        records += record("size", size.to_string().len());
    }
    BLOCK + if records > 0 { BLOCK + padded(records) } else { 0 }
}

/// Whether a path fits into a ustar header, in one part or in two.
fn fits(path: &[u8]) -> bool {
    if !path.is_ascii() {
        return false;
    }
    if path.len() <= NAME {
        return true;
    }
    let end = if path.len() > PREFIX + 1 { PREFIX + 1 } else { path.len() - usize::from(path.ends_with(b"/")) };
    let slash = path[..end].iter().rposition(|byte| *byte == b'/');
    slash.is_some_and(|slash| (1..=PREFIX).contains(&slash) && (1..=NAME).contains(&(path.len() - slash - 1)))
}

/// `LENGTH key=value\n`, where LENGTH counts itself.
fn record(key: &str, value: usize) -> u64 {
    let rest = key.len() + value + 3;
    let mut length = rest + rest.to_string().len();
    if length.to_string().len() > rest.to_string().len() {
        length += 1;
    }
    length as u64
}

fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK) * BLOCK
}

#[cfg(test)]
mod tests;
