//! One member's headers: names and sizes from ustar, GNU and PAX, and nothing else of them.

use super::error::MemberError;

pub(super) const BLOCK: usize = 512;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// To a path relative to the link's folder.
    Symlink(Vec<u8>),
    /// To a path from the archive's root.
    HardLink(Vec<u8>),
}

/// A member of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// In normal form: no `.`, no `..`, no leading slash.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// Where its content begins.
    pub(super) offset: u64,
    /// Length of its content.
    pub(super) size: u64,
}

/// The fields of one header block.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: Option<u64>,
    pub(super) flag: u8,
}

impl Header {
    /// `None` when the checksum is wrong.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Option<Self> {
        let stored = octal(&block[148..156])?;
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte }))
            .sum();
        if sum != stored {
            return None;
        }
        let mut name = text(&block[..100]).to_vec();
        // GNU's magic has a blank where ustar has a zero, and no prefix behind it.
        let prefix = text(&block[345..500]);
        if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        Some(Self { name, link: text(&block[157..257]).to_vec(), size: number(&block[124..136]), flag: block[156] })
    }
}

/// What extension headers say of the member behind them.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

impl Extensions {
    /// Reads PAX records, `length key=value\n` each.
    pub(super) fn read_pax(&mut self, mut records: &[u8], member: &str) -> Result<(), MemberError> {
        let field = |field| MemberError::Field { member: member.to_owned(), field };
        while !records.is_empty() {
            let (key, value, rest) = record(records).ok_or_else(|| field("PAX record"))?;
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(decimal(value).ok_or_else(|| field("PAX size"))?),
                _ if key.starts_with(b"GNU.sparse.") => return Err(field("GNU.sparse")),
                _ => {}
            }
            records = rest;
        }
        Ok(())
    }
}

/// Splits the first record off.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&records[..blank])?).ok()?;
    let record = records.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &records[length..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Up to the first zero byte.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits, or GNU's binary form for what they cannot hold.
fn number(field: &[u8]) -> Option<u64> {
    match field.first() {
        Some(0x80) => {
            let (high, low) = field[1..].split_at(field.len() - 9);
            let low = low.try_into().ok()?;
            high.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(low))
        }
        _ => octal(field),
    }
}

/// Blanks, digits, then a blank or zero, as all writers leave it.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// A name in normal form.
pub(super) fn path(name: &[u8]) -> Result<String, MemberError> {
    let shown = || String::from_utf8_lossy(&name[..name.len().min(200)]).into_owned();
    let refused = |reason: &str| MemberError::Name { member: shown(), reason: reason.to_owned() };
    if name.first() == Some(&b'/') {
        return Err(refused("it begins with a slash"));
    }
    let path = layer::normalize(name).map_err(|error| refused(&error.to_string()))?;
    String::from_utf8(path).map_err(|_| refused("it is not UTF-8"))
}
