//! From the headers of one member to what it is: path, type, stored size, sparse map.

use crate::entry::{EntryKind, LONGEST_PATH, normalize, split};

use super::header::{Dialect, Header};
use super::pax::{Pax, PaxSparse};
use super::reader::Pending;
use super::sparse::{MOST_SEGMENTS, Segment};
use super::{AUFS, OPAQUE, TarError, WHITEOUT, shown};

/// Type flags (POSIX.1-2017, and GNU's `S`).
pub(super) mod flags {
    pub(in crate::tar) const OLD_FILE: u8 = 0;
    pub(in crate::tar) const FILE: u8 = b'0';
    pub(in crate::tar) const HARD_LINK: u8 = b'1';
    pub(in crate::tar) const SYMLINK: u8 = b'2';
    pub(in crate::tar) const CHAR: u8 = b'3';
    pub(in crate::tar) const BLOCK: u8 = b'4';
    pub(in crate::tar) const DIRECTORY: u8 = b'5';
    pub(in crate::tar) const FIFO: u8 = b'6';
    pub(in crate::tar) const CONTIGUOUS: u8 = b'7';
    pub(in crate::tar) const GNU_SPARSE: u8 = b'S';
}

/// A member without its metadata.
pub(super) struct Stored {
    pub(super) path: Vec<u8>,
    pub(super) kind: EntryKind,
    pub(super) stored: u64,
    /// Set for sparse files; still empty where the map follows the header.
    pub(super) segments: Option<Vec<Segment>>,
    /// The map stands in front of the data (PAX 1.0).
    pub(super) map_follows: bool,
    /// Bookkeeping of aufs, no part of the layer.
    pub(super) is_skipped: bool,
}

/// What is needed to name the member in an error.
#[derive(Clone, Copy)]
struct Place<'a> {
    offset: u64,
    name: &'a [u8],
}

/// Applies the headers. Only regular files have data: for all other types Go's and Python's readers ignore the size.
pub(super) fn interpret(
    offset: u64,
    name: &[u8],
    header: Header<'_>,
    pending: &Pending,
    globals: &Pax,
) -> Result<Stored, TarError> {
    let place = Place { offset, name };
    let none = Pax::default();
    let pax = pending.pax.as_ref().unwrap_or(&none);
    debug_assert!(!globals.is_unfit_for_all(), "refused when it was read");
    place.agree("path", pending.long_name.as_ref(), pax.path.as_ref())?;
    place.agree("linkpath", pending.long_link.as_ref(), pax.link.as_ref())?;
    let name = if pax.sparse.is_used() { pax.sparse.name.as_deref().unwrap_or(name) } else { name };
    let path = normalize(name).map_err(|source| TarError::Name { offset, name: shown(name), source })?;

    let is_old_folder = matches!(header.flag(), flags::FILE | flags::OLD_FILE) && name.ends_with(b"/");
    let flag = if is_old_folder { flags::DIRECTORY } else { header.flag() };
    let mut segments = None;
    let mut stored = 0;
    let kind = match flag {
        flags::FILE | flags::OLD_FILE | flags::CONTIGUOUS | flags::GNU_SPARSE => {
            stored = place.stored(header, pax)?;
            let size = place.sparse_size(header, flag, &pax.sparse, &mut segments)?;
            EntryKind::File { size: size.unwrap_or(stored) }
        }
        flags::DIRECTORY => EntryKind::Directory,
        flags::SYMLINK => EntryKind::Symlink { target: place.target(header, pending, pax)? },
        flags::HARD_LINK => {
            let target = place.target(header, pending, pax)?;
            let target = normalize(&target);
            EntryKind::HardLink {
                target: target.map_err(|source| TarError::Name { offset, name: shown(name), source })?,
            }
        }
        flags::CHAR => place.device(header).map(|(major, minor)| EntryKind::CharDevice { major, minor })?,
        flags::BLOCK => place.device(header).map(|(major, minor)| EntryKind::BlockDevice { major, minor })?,
        flags::FIFO => EntryKind::Fifo,
        flag => return Err(TarError::Type { offset, name: shown(name), flag: char::from(flag) }),
    };
    let map_follows = pax.sparse.major == Some(1) && segments.is_some();
    place.whiteout(Stored { path, kind, stored, segments, map_follows, is_skipped: false })
}

impl Place<'_> {
    fn field(self, field: &'static str) -> TarError {
        TarError::Field { offset: self.offset, name: shown(self.name), field }
    }

    fn conflict(self, field: &'static str) -> TarError {
        TarError::Conflict { offset: self.offset, name: shown(self.name), field }
    }

    /// GNU tar and Go differ in which of the two headers wins.
    fn agree(self, field: &'static str, gnu: Option<&Vec<u8>>, pax: Option<&Vec<u8>>) -> Result<(), TarError> {
        match (gnu, pax) {
            (Some(gnu), Some(pax)) if gnu != pax => Err(self.conflict(field)),
            _ => Ok(()),
        }
    }

    /// Number of bytes in the tar. A PAX record always wins (RUSTSEC-2026-0068), but may not contradict the header.
    fn stored(self, header: Header<'_>, pax: &Pax) -> Result<u64, TarError> {
        let size = header.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(|| self.field("size"))?;
        match pax.size {
            Some(record) if size != 0 && size != record => Err(self.conflict("size")),
            Some(record) => Ok(record),
            None => Ok(size),
        }
    }

    fn sparse_size(
        self,
        header: Header<'_>,
        flag: u8,
        pax: &PaxSparse,
        segments: &mut Option<Vec<Segment>>,
    ) -> Result<Option<u64>, TarError> {
        let malformed = |reason| TarError::Sparse { offset: self.offset, name: shown(self.name), reason };
        if flag == flags::GNU_SPARSE {
            if header.dialect() != Dialect::Gnu || pax.is_used() {
                return Err(malformed("not in a GNU header"));
            }
            let size = header.gnu_sparse().2.and_then(|size| u64::try_from(size).ok());
            *segments = Some(Vec::new());
            return size.map(Some).ok_or_else(|| self.field("realsize"));
        }
        if !pax.is_used() {
            return Ok(None);
        }
        *segments = match (pax.major.unwrap_or(0), pax.minor.unwrap_or(0), &pax.segments) {
            (0, 0 | 1, Some(segments)) if segments.len() <= MOST_SEGMENTS => Some(segments.clone()),
            (0, 0 | 1, Some(_)) => return Err(malformed("too many segments")),
            (1, 0, None) => Some(Vec::new()),
            _ => return Err(malformed("version is unknown, or the map is missing")),
        };
        pax.size.map(Some).ok_or_else(|| malformed("size is missing"))
    }

    fn target(self, header: Header<'_>, pending: &Pending, pax: &Pax) -> Result<Vec<u8>, TarError> {
        let target = pending.long_link.as_deref().or(pax.link.as_deref()).unwrap_or_else(|| header.link());
        if target.is_empty() || target.contains(&0) {
            return Err(self.field("linkname"));
        }
        if target.len() >= LONGEST_PATH {
            let (name, limit) = (shown(self.name), LONGEST_PATH as u64 - 1);
            return Err(TarError::Limit { offset: self.offset, name, what: "link target", limit });
        }
        Ok(target.to_vec())
    }

    fn device(self, header: Header<'_>) -> Result<(u32, u32), TarError> {
        let (major, minor) = header.device().ok_or_else(|| self.field("devmajor"))?;
        // The kernel has 12 bits for the major and 20 for the minor number.
        let major = u32::try_from(major).ok().filter(|number| *number < 1 << 12);
        let minor = u32::try_from(minor).ok().filter(|number| *number < 1 << 20);
        Ok((major.ok_or_else(|| self.field("devmajor"))?, minor.ok_or_else(|| self.field("devminor"))?))
    }

    /// Turns `.wh.` names into what they mean (image-spec, layer.md, "Whiteouts").
    fn whiteout(self, mut member: Stored) -> Result<Stored, TarError> {
        let (folder, name) = split(&member.path);
        if name == OPAQUE && !contains_aufs(folder) {
            member.kind = EntryKind::Opaque;
            member.path.truncate(folder.len());
            return Ok(member);
        }
        if contains_aufs(&member.path) {
            member.is_skipped = true;
            return Ok(member);
        }
        let Some(removed) = name.strip_prefix(WHITEOUT) else { return Ok(member) };
        if matches!(removed, b"" | b"." | b"..") {
            return Err(TarError::Whiteout { offset: self.offset, name: shown(self.name) });
        }
        let removed = removed.to_vec();
        let length = member.path.len() - name.len();
        member.path.truncate(length);
        member.path.extend_from_slice(&removed);
        member.kind = EntryKind::Whiteout;
        Ok(member)
    }
}

fn contains_aufs(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|component| component.starts_with(AUFS))
}
