//! Reads a tar of any of the common dialects (ustar, GNU long names, PAX) as one stream of entries.
//!
//! Written for checking, not for speed or for hostile input: anything unusual is a problem that is reported.

use std::collections::BTreeMap;
use std::io::Read;

use super::Problem;

const BLOCK: usize = 512;

/// The header of one entry, extensions applied.
#[derive(Debug, Clone, Default)]
pub(super) struct Header {
    pub(super) path: Vec<u8>,
    pub(super) kind: u8,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) target: Vec<u8>,
    pub(super) device: (u64, u64),
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

/// Calls `visit` for each entry with a reader limited to its content; what it leaves unread is skipped.
pub(super) fn read<R: Read>(
    mut source: R,
    mut visit: impl FnMut(Header, &mut dyn Read) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut extensions = Extensions::default();
    let mut block = [0u8; BLOCK];
    loop {
        if !fill(&mut source, &mut block)? || block.iter().all(|&byte| byte == 0) {
            // What follows the end (padding) still belongs to the stream whose digest the caller computes.
            std::io::copy(&mut source, &mut std::io::sink()).map_err(reading)?;
            return Ok(());
        }
        let mut header = parse(&block)?;
        if matches!(header.kind, b'x' | b'g' | b'L' | b'K') {
            let mut content = vec![0; usize::try_from(header.size).map_err(|_| Problem::new("tar: size"))?];
            source.read_exact(&mut content).map_err(reading)?;
            skip_padding(&mut source, header.size)?;
            extensions.add(header.kind, &content)?;
            continue;
        }
        std::mem::take(&mut extensions).apply(&mut header)?;
        let size = if matches!(header.kind, b'0' | 0 | b'7') { header.size } else { 0 };
        let mut content = (&mut source).take(size);
        visit(header, &mut content)?;
        std::io::copy(&mut content, &mut std::io::sink()).map_err(reading)?;
        if content.limit() != 0 {
            return Err(Problem::new("tar: ends inside a file"));
        }
        skip_padding(&mut source, size)?;
    }
}

fn reading(error: std::io::Error) -> Problem {
    Problem::new(format!("tar: {error}"))
}

/// False at a clean end of the stream.
fn fill(source: &mut impl Read, block: &mut [u8; BLOCK]) -> Result<bool, Problem> {
    let mut filled = 0;
    while filled < BLOCK {
        match source.read(&mut block[filled..]).map_err(reading)? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(Problem::new("tar: ends inside a header")),
            length => filled += length,
        }
    }
    Ok(true)
}

fn skip_padding(source: &mut impl Read, size: u64) -> Result<(), Problem> {
    let padding = size.next_multiple_of(BLOCK as u64) - size;
    std::io::copy(&mut source.take(padding), &mut std::io::sink()).map_err(reading).map(drop)
}

fn parse(block: &[u8; BLOCK]) -> Result<Header, Problem> {
    let sum: u64 =
        block.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { u64::from(b) }).sum();
    if number(&block[148..156])? != sum {
        return Err(Problem::new(format!("tar: wrong checksum of {:?}", String::from_utf8_lossy(text(&block[..100])))));
    }
    let mut path = text(&block[..100]).to_vec();
    let prefix = text(&block[345..500]);
    if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
        path = [prefix, b"/", &path].concat();
    }
    Ok(Header {
        path,
        kind: block[156],
        mode: u32::try_from(number(&block[100..108])? & 0o7777).unwrap_or_default(),
        uid: number(&block[108..116])?,
        gid: number(&block[116..124])?,
        size: number(&block[124..136])?,
        target: text(&block[157..257]).to_vec(),
        device: (number(&block[329..337])?, number(&block[337..345])?),
        xattrs: BTreeMap::new(),
    })
}

fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|&byte| byte == 0).unwrap_or(field.len())]
}

/// Octal, or GNU's base 256 when the first bit is set.
fn number(field: &[u8]) -> Result<u64, Problem> {
    if field[0] & 0x80 != 0 {
        return Ok(field[1..].iter().fold(u64::from(field[0] & 0x7f), |n, &byte| n << 8 | u64::from(byte)));
    }
    let digits = String::from_utf8_lossy(text(field));
    let digits = digits.trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| Problem::new(format!("tar: {digits:?} is not a number")))
}

/// What the entries before a file said about it.
#[derive(Default)]
struct Extensions {
    records: BTreeMap<String, Vec<u8>>,
}

impl Extensions {
    fn add(&mut self, kind: u8, content: &[u8]) -> Result<(), Problem> {
        match kind {
            b'L' => drop(self.records.insert("path".into(), text(content).to_vec())),
            b'K' => drop(self.records.insert("linkpath".into(), text(content).to_vec())),
            b'x' => self.add_records(content)?,
            // Global records carry comments of git and the like; none of them reaches an image.
            _ => {}
        }
        Ok(())
    }

    /// "LENGTH KEY=VALUE\n" again and again.
    fn add_records(&mut self, mut content: &[u8]) -> Result<(), Problem> {
        let wrong = || Problem::new("tar: broken PAX record");
        while !content.is_empty() && content[0] != 0 {
            let space = content.iter().position(|&byte| byte == b' ').ok_or_else(wrong)?;
            let length = std::str::from_utf8(&content[..space]).ok().and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
            let record: &[u8] = content.get(space + 1..length).ok_or_else(wrong)?;
            let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(wrong)?;
            let key = String::from_utf8_lossy(&record[..equals]).into_owned();
            self.records.insert(key, record[equals + 1..].to_vec());
            content = &content[length..];
        }
        Ok(())
    }

    fn apply(self, header: &mut Header) -> Result<(), Problem> {
        for (key, value) in self.records {
            let decimal = || {
                let digits = std::str::from_utf8(&value).ok().and_then(|n| n.parse().ok());
                digits.ok_or_else(|| Problem::new(format!("tar: PAX record {key} is not a number")))
            };
            match key.as_str() {
                "path" => header.path = value,
                "linkpath" => header.target = value,
                "size" => header.size = decimal()?,
                "uid" => header.uid = decimal()?,
                "gid" => header.gid = decimal()?,
                _ => {
                    if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                        header.xattrs.insert(name.to_owned(), value);
                    }
                }
            }
        }
        Ok(())
    }
}
