//! What the files of a context held when they were last read, so that unchanged ones are not read again.
//!
//! A file counts as unchanged when device, inode, size, modification and status-change time are the same. As git
//! does, a file that changed within the clock's grain of the moment it was read is not trusted: it will be read again
//! next time (decision D6 of the design: when in doubt, hash). Its digest is kept all the same, for saying what
//! changed.

use layer::Xattr;
use oci::Digest;

use crate::source::SourceEntry;

/// Identity and version of a file, from `statx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) ctime: i64,
}

impl Stamp {
    /// No file is like this.
    const UNTRUSTED: Self = Self { device: 0, inode: 0, size: 0, mtime: 0, ctime: 0 };

    /// The stamp of a file that was read from `began` on, in nanoseconds. Every change sets the status-change time to
    /// the clock's, so one that follows within the clock's grain would not show.
    pub(crate) fn if_trusted(self, began: i64) -> Self {
        if self.ctime.saturating_add(CLOCK_GRAIN_NS) < began { self } else { Self::UNTRUSTED }
    }
}

impl Remembered {
    /// Gives an entry what is known of it.
    pub(crate) fn fill(&self, entry: &mut SourceEntry) {
        entry.digest = Some(self.digest);
        entry.metadata.xattrs.clone_from(&self.xattrs);
    }
}

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) stamp: Stamp,
    pub(crate) digest: Digest,
    pub(crate) xattrs: Vec<Xattr>,
}

/// Files by path, in the order of [`crate::order::compare`].
#[derive(Debug, Clone, Default)]
pub(crate) struct StatIndex {
    rows: Vec<(Vec<u8>, Remembered)>,
}

const MAGIC: &[u8; 16] = b"onggi context 2\n";

/// The kernel's coarsest clock for file times: one tick at 100 Hz.
const CLOCK_GRAIN_NS: i64 = 10_000_000;

impl StatIndex {
    /// Reads the form of [`StatIndex::to_bytes`]. Damage costs a new look at every file, no more.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        parse(bytes).map_or_else(Self::default, |rows| Self { rows })
    }

    /// Whether bytes can be read as an index.
    pub(crate) fn is_whole(bytes: &[u8]) -> bool {
        parse(bytes).is_some()
    }

    /// What is known of a file, if it has not changed since.
    pub(crate) fn get(&self, path: &[u8], stamp: Stamp) -> Option<&Remembered> {
        self.lookup(path).filter(|known| known.stamp == stamp)
    }

    /// Whether there is a row for the path, changed or not.
    pub(crate) fn lookup(&self, path: &[u8]) -> Option<&Remembered> {
        let row = self.rows.binary_search_by(|(known, _)| crate::order::compare(known, path)).ok()?;
        Some(&self.rows[row].1)
    }

    /// Puts newer rows in place of older ones.
    pub(crate) fn update(&mut self, newer: Vec<(Vec<u8>, Remembered)>) {
        // Stable sort: of two rows for a path the later one, which is the newer, is kept.
        self.rows.extend(newer);
        self.rows.sort_by(|one, other| crate::order::compare(&one.0, &other.0));
        self.rows.reverse();
        self.rows.dedup_by(|one, other| one.0 == other.0);
        self.rows.reverse();
    }

    /// Keeps only the rows of paths that are wanted.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&[u8]) -> bool) {
        self.rows.retain(|(path, _)| wanted(path));
    }

    /// Little-endian binary form.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.rows.len() * 120);
        bytes.extend_from_slice(MAGIC);
        for (path, known) in &self.rows {
            let stamp = known.stamp;
            for number in [stamp.device, stamp.inode, stamp.size] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            for number in [stamp.mtime, stamp.ctime] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(known.digest.as_bytes());
            put(&mut bytes, path);
            put_number(&mut bytes, known.xattrs.len());
            for xattr in &known.xattrs {
                put(&mut bytes, &xattr.name);
                put(&mut bytes, &xattr.value);
            }
        }
        bytes
    }
}

fn put_number(bytes: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).expect("paths and attributes are far shorter than 4 GiB");
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn put(bytes: &mut Vec<u8>, value: &[u8]) {
    put_number(bytes, value.len());
    bytes.extend_from_slice(value);
}

/// Takes values from the front of a slice.
struct Cursor<'bytes>(&'bytes [u8]);

impl<'bytes> Cursor<'bytes> {
    fn take(&mut self, count: usize) -> Option<&'bytes [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn word(&mut self) -> Option<[u8; 8]> {
        self.take(8)?.try_into().ok()
    }

    fn length(&mut self) -> Option<usize> {
        let number = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        usize::try_from(number).ok()
    }

    fn value(&mut self) -> Option<&'bytes [u8]> {
        let length = self.length()?;
        self.take(length)
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Remembered)>> {
    let mut cursor = Cursor(bytes.strip_prefix(MAGIC)?);
    let mut rows = Vec::with_capacity(cursor.0.len() / 120);
    while !cursor.0.is_empty() {
        let stamp = Stamp {
            device: u64::from_le_bytes(cursor.word()?),
            inode: u64::from_le_bytes(cursor.word()?),
            size: u64::from_le_bytes(cursor.word()?),
            mtime: i64::from_le_bytes(cursor.word()?),
            ctime: i64::from_le_bytes(cursor.word()?),
        };
        let digest = Digest::from_bytes(cursor.take(32)?.try_into().ok()?);
        let path = cursor.value()?.to_vec();
        let count = cursor.length()?;
        let mut xattrs = Vec::new();
        for _ in 0..count {
            xattrs.push(Xattr { name: cursor.value()?.to_vec(), value: cursor.value()?.to_vec() });
        }
        rows.push((path, Remembered { stamp, digest, xattrs }));
    }
    Some(rows)
}

#[cfg(test)]
mod tests;
