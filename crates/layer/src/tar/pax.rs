//! PAX extended headers: records of `length key=value` that override fields of the header behind them
//! (POSIX.1-2017, pax, "pax Extended Header").

use crate::entry::{Timestamp, Xattr};

use super::sparse::Segment;

/// What the records of one extended header say. An empty value takes an earlier one back.
#[derive(Debug, Clone, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) xattrs: Vec<Xattr>,
    pub(super) sparse: PaxSparse,
}

/// The records of GNU's three ways to write sparse files.
#[derive(Debug, Clone, Default)]
pub(super) struct PaxSparse {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) segments: Option<Vec<Segment>>,
    offset: Option<u64>,
}

/// Most extended attributes of one member.
const MOST_XATTRS: usize = 1024;

/// Name of the record that is malformed.
pub(super) type Malformed = &'static str;

impl Pax {
    /// Reads a block of records on top of what is known already.
    pub(super) fn read(&mut self, mut records: &[u8]) -> Result<(), Malformed> {
        while !records.is_empty() {
            let (key, value, rest) = record(records).ok_or("PAX record")?;
            self.apply(key, value)?;
            records = rest;
        }
        Ok(())
    }

    fn apply(&mut self, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let set = !value.is_empty();
        match key {
            b"path" => self.path = set.then(|| value.to_vec()),
            b"linkpath" => self.link = set.then(|| value.to_vec()),
            b"size" => self.size = optional(value, decimal).ok_or("size")?,
            b"uid" => self.uid = optional(value, decimal).ok_or("uid")?,
            b"gid" => self.gid = optional(value, decimal).ok_or("gid")?,
            b"mtime" => self.mtime = optional(value, time).ok_or("mtime")?,
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattr(name, value)?;
                } else if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.apply(key, value)?;
                }
            }
        }
        Ok(())
    }

    /// An attribute may well have an empty value, so that it cannot be taken back.
    fn xattr(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let is_full = self.xattrs.len() == MOST_XATTRS;
        match self.xattrs.iter_mut().find(|known| known.name == name) {
            Some(known) => known.value = value.to_vec(),
            None if is_full => return Err("SCHILY.xattr"),
            None => self.xattrs.push(Xattr { name: name.to_vec(), value: value.to_vec() }),
        }
        Ok(())
    }

    /// What a global header may not say: it would rename or resize all members behind it, or put attributes on them
    /// that take more room than the members.
    pub(super) fn is_unfit_for_all(&self) -> bool {
        let names = self.path.is_some() || self.link.is_some() || self.size.is_some();
        names || self.sparse.is_used() || !self.xattrs.is_empty()
    }
}

impl PaxSparse {
    pub(super) fn is_used(&self) -> bool {
        self.major.is_some() || self.size.is_some() || self.segments.is_some()
    }

    fn apply(&mut self, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match key {
            b"major" => self.major = Some(decimal(value).ok_or("GNU.sparse.major")?),
            b"minor" => self.minor = Some(decimal(value).ok_or("GNU.sparse.minor")?),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(decimal(value).ok_or("GNU.sparse.size")?),
            b"offset" => self.offset = Some(decimal(value).ok_or("GNU.sparse.offset")?),
            b"numbytes" => {
                let offset = self.offset.take().ok_or("GNU.sparse.numbytes")?;
                let length = decimal(value).ok_or("GNU.sparse.numbytes")?;
                self.segments.get_or_insert_default().push(Segment { offset, length });
            }
            b"map" => self.segments = Some(map(value).ok_or("GNU.sparse.map")?),
            _ => {}
        }
        Ok(())
    }
}

/// `offset,length,offset,length…`
fn map(value: &[u8]) -> Option<Vec<Segment>> {
    if value.is_empty() {
        return Some(Vec::new());
    }
    let mut numbers = value.split(|byte| *byte == b',').map(decimal);
    let mut segments = Vec::new();
    while let Some(offset) = numbers.next() {
        segments.push(Segment { offset: offset?, length: numbers.next()?? });
    }
    Some(segments)
}

/// Splits the first record off: key, value, rest.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&records[..space])?).ok()?;
    if length > records.len() {
        return None;
    }
    let (line, rest) = records.split_at(length);
    let body = line.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    if equals == 0 {
        return None;
    }
    Some((&body[..equals], &body[equals + 1..], rest))
}

#[expect(clippy::option_option, reason = "outer: well-formed, inner: the record was taken back")]
fn optional<T>(value: &[u8], parse: fn(&[u8]) -> Option<T>) -> Option<Option<T>> {
    if value.is_empty() { Some(None) } else { parse(value).map(Some) }
}

/// Digits only: no sign, no space.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, digit| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// Seconds with an optional sign and fraction; digits beyond nanoseconds are cut off.
fn time(value: &[u8]) -> Option<Timestamp> {
    let (negative, value) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let (whole, fraction) = match value.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&value[..dot], &value[dot + 1..]),
        None => (value, &b""[..]),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let secs = i64::try_from(decimal(whole)?).ok()?;
    let nanos = (0..9).fold(0, |sum, place| sum * 10 + u32::from(fraction.get(place).unwrap_or(&b'0') - b'0'));
    Some(match (negative, nanos) {
        (false, _) => Timestamp { secs, nanos },
        (true, 0) => Timestamp { secs: -secs, nanos },
        (true, _) => Timestamp { secs: -secs - 1, nanos: 1_000_000_000 - nanos },
    })
}

#[cfg(test)]
mod tests;
