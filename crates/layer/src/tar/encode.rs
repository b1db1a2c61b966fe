//! Writes headers: one deterministic form for each entry.
//!
//! A ustar header, with a PAX header in front of it only where ustar has no room: long or non-ASCII names, large
//! numbers, times before 1970, extended attributes. No user names, no access or change times, whole seconds.

use crate::entry::{Entry, EntryKind, Metadata};

use super::member::flags;
use super::{BLOCK, OPAQUE, WHITEOUT, padding};

/// Largest number in a field of seven octal digits.
const MOST_SHORT: u64 = 0o7_777_777;
/// Largest number in a field of eleven octal digits.
const MOST_LONG: u64 = 0o77_777_777_777;

/// Appends the header blocks of an entry.
pub(crate) fn header(entry: &Entry, out: &mut Vec<u8>) {
    let path = stored_path(entry);
    let (flag, size, target, device) = match &entry.kind {
        EntryKind::File { size } => (flags::FILE, *size, &b""[..], (0, 0)),
        EntryKind::Whiteout | EntryKind::Opaque => (flags::FILE, 0, &b""[..], (0, 0)),
        EntryKind::Directory => (flags::DIRECTORY, 0, &b""[..], (0, 0)),
        EntryKind::Symlink { target } => (flags::SYMLINK, 0, &target[..], (0, 0)),
        EntryKind::HardLink { target } => (flags::HARD_LINK, 0, &target[..], (0, 0)),
        EntryKind::CharDevice { major, minor } => (flags::CHAR, 0, &b""[..], (*major, *minor)),
        EntryKind::BlockDevice { major, minor } => (flags::BLOCK, 0, &b""[..], (*major, *minor)),
        EntryKind::Fifo => (flags::FIFO, 0, &b""[..], (0, 0)),
    };
    // BuildKit writes whiteouts with mode 0 and the epoch as their time.
    let none = Metadata::default();
    let metadata = match entry.kind {
        EntryKind::Whiteout | EntryKind::Opaque => &none,
        _ => &entry.metadata,
    };
    let (prefix, name) = ustar_name(&path).unwrap_or_else(|| (Vec::new(), ascii(&path, 100)));

    let mut records = Vec::new();
    let secs = metadata.mtime.secs;
    let is_time_short = u64::try_from(secs).is_ok_and(|secs| secs <= MOST_LONG);
    decimal_record(&mut records, "gid", u64::from(metadata.gid), MOST_SHORT);
    if ustar_link(target).is_none() {
        record(&mut records, b"linkpath", target);
    }
    if !is_time_short {
        record(&mut records, b"mtime", secs.to_string().as_bytes());
    }
    if ustar_name(&path).is_none() {
        record(&mut records, b"path", &path);
    }
    for xattr in &metadata.xattrs {
        record(&mut records, &[b"SCHILY.xattr.", &xattr.name[..]].concat(), &xattr.value);
    }
    decimal_record(&mut records, "size", size, MOST_LONG);
    decimal_record(&mut records, "uid", u64::from(metadata.uid), MOST_SHORT);
    if !records.is_empty() {
        let size = records.len() as u64;
        let fields =
            Fields { prefix: b"", name: b"PaxHeaders.0", mode: 0o644, uid: 0, gid: 0, size, mtime: 0, flag: b'x' };
        out.extend_from_slice(&fields.block(b"", (0, 0)));
        out.extend_from_slice(&records);
        out.resize(out.len() + padding(size) as usize, 0);
    }

    let fields = Fields {
        prefix: &prefix,
        name: &name,
        mode: u64::from(metadata.mode & 0o7777),
        uid: fitting(u64::from(metadata.uid), MOST_SHORT),
        gid: fitting(u64::from(metadata.gid), MOST_SHORT),
        size: fitting(size, MOST_LONG),
        mtime: if is_time_short { secs.unsigned_abs() } else { 0 },
        flag,
    };
    out.extend_from_slice(&fields.block(&ustar_link(target).unwrap_or_else(|| ascii(target, 100)), device));
}

/// The entry's name in a tar: folders end in `/`, whiteouts begin with `.wh.`.
fn stored_path(entry: &Entry) -> Vec<u8> {
    let path = &entry.path[..];
    match entry.kind {
        EntryKind::Directory if path.is_empty() => b"./".to_vec(),
        EntryKind::Directory => [path, b"/"].concat(),
        EntryKind::Whiteout => {
            let (folder, name) = crate::entry::split(path);
            let separator = &path[folder.len()..path.len() - name.len()];
            [folder, separator, WHITEOUT, name].concat()
        }
        EntryKind::Opaque if path.is_empty() => OPAQUE.to_vec(),
        EntryKind::Opaque => [path, b"/", OPAQUE].concat(),
        _ => path.to_vec(),
    }
}

/// Splits a name over prefix and name of a ustar header, if it is ASCII and fits.
fn ustar_name(path: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if !path.is_ascii() || path.len() > 256 {
        return None;
    }
    if path.len() <= 100 {
        return Some((Vec::new(), path.to_vec()));
    }
    // The slash of a folder's end cannot be the place to split at, for the name must not be empty.
    let earliest = path.len() - 101;
    let slash = (earliest..path.len() - 1).find(|at| path[*at] == b'/').filter(|at| (1..=155).contains(at))?;
    Some((path[..slash].to_vec(), path[slash + 1..].to_vec()))
}

fn ustar_link(target: &[u8]) -> Option<Vec<u8>> {
    (target.len() <= 100 && target.is_ascii()).then(|| target.to_vec())
}

/// What a reader without PAX gets to see of a name that does not fit.
fn ascii(name: &[u8], most: usize) -> Vec<u8> {
    name.iter().copied().filter(u8::is_ascii).take(most).collect()
}

fn fitting(number: u64, most: u64) -> u64 {
    if number <= most { number } else { 0 }
}

fn decimal_record(records: &mut Vec<u8>, key: &str, number: u64, most: u64) {
    if number > most {
        record(records, key.as_bytes(), number.to_string().as_bytes());
    }
}

/// `length key=value\n`, where the length counts its own digits.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

struct Fields<'a> {
    prefix: &'a [u8],
    name: &'a [u8],
    mode: u64,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: u64,
    flag: u8,
}

impl Fields<'_> {
    fn block(&self, link: &[u8], device: (u32, u32)) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..self.name.len()].copy_from_slice(self.name);
        octal(&mut block[100..107], self.mode);
        octal(&mut block[108..115], self.uid);
        octal(&mut block[116..123], self.gid);
        octal(&mut block[124..135], self.size);
        octal(&mut block[136..147], self.mtime);
        block[148..156].fill(b' ');
        block[156] = self.flag;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        octal(&mut block[329..336], u64::from(device.0));
        octal(&mut block[337..344], u64::from(device.1));
        block[345..345 + self.prefix.len()].copy_from_slice(self.prefix);
        let sum = block.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut block[148..154], sum);
        block[154] = 0;
        block
    }
}

/// Fills a field with octal digits.
fn octal(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (number & 7) as u8;
        number >>= 3;
    }
}
