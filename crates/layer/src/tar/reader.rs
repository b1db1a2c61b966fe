//! The state machine that reads a tar: bytes go in as they come, members come out. It does no I/O and copies no data.
//!
//! Only one view of an archive is accepted: where headers contradict each other, or where known readers go different
//! ways (CVE-2025-62518, RUSTSEC-2026-0068), the archive is refused. It never searches for the next header.

use crate::entry::{Entry, LONGEST_PATH, Metadata, Timestamp};

use super::header::Header;
use super::member::{Stored, flags, interpret};
use super::pax::Pax;
use super::sparse::{self, MapReader, Segment};
use super::{BLOCK, TarError, padding, shown};

/// Largest block of PAX records: bounds names and extended attributes.
const MOST_RECORDS: u64 = 1 << 20;

/// A member of the archive with all its headers applied.
#[derive(Debug)]
pub(crate) struct Member {
    /// What it is; a sparse file has its full size here.
    pub(crate) entry: Entry,
    /// Where its stored bytes begin in the stream.
    pub(crate) data: u64,
    /// How many bytes are stored.
    pub(crate) stored: u64,
    /// For a sparse file, which parts of it the stored bytes are.
    pub(crate) segments: Option<Vec<Segment>>,
}

/// What the reader has found.
#[derive(Debug)]
pub(crate) enum Event {
    /// A member's headers are complete; its data follows.
    Member(Box<Member>),
    /// The stored bytes of the member before, as asked for with [`Reader::capture`].
    Captured(Vec<u8>),
}

/// Headers that apply to the member to come.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) long_name: Option<Vec<u8>>,
    pub(super) long_link: Option<Vec<u8>>,
    pub(super) pax: Option<Pax>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.long_name.is_none() && self.long_link.is_none() && self.pax.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    LongName,
    LongLink,
    Pax,
    Global,
}

#[derive(Debug)]
enum State {
    /// At the beginning of a header, or within one.
    Header,
    /// Within the payload of an extension header.
    Extension { kind: Extension, size: usize, payload: Vec<u8> },
    /// Before a block that continues the map of an old GNU sparse file.
    GnuSparse { member: Box<Member> },
    /// Within the map in front of the data of a PAX 1.0 sparse file.
    SparseMap { member: Box<Member>, map: MapReader },
    /// Within a member's data.
    Data { remaining: u64, captured: Option<Vec<u8>> },
    /// Before the next block.
    Padding { remaining: u64 },
    /// Behind one block of zeros.
    ZeroBlock,
    /// Behind the end of the archive.
    End,
}

/// Reads a tar stream piece by piece.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Bytes taken so far.
    position: u64,
    state: State,
    block: [u8; BLOCK],
    filled: usize,
    pending: Pending,
    globals: Pax,
    /// Name of the member last seen, as it stands in the tar.
    name: Vec<u8>,
    /// Where its own header begins.
    header: u64,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            position: 0,
            state: State::Header,
            block: [0; BLOCK],
            filled: 0,
            pending: Pending::default(),
            globals: Pax::default(),
            name: Vec::new(),
            header: 0,
        }
    }

    /// Takes from the input until something is found; `None` when the input is used up.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, TarError> {
        loop {
            match &mut self.state {
                State::Header | State::ZeroBlock | State::GnuSparse { .. } | State::SparseMap { .. } => {
                    let Some(block) = self.fill(input) else { return Ok(None) };
                    if let Some(event) = self.block(&block)? {
                        return Ok(Some(event));
                    }
                }
                State::Extension { size, payload, .. } => {
                    let wanted = *size - payload.len();
                    let piece = take(input, wanted as u64);
                    payload.extend_from_slice(piece);
                    self.position += piece.len() as u64;
                    if piece.len() < wanted {
                        return Ok(None);
                    }
                    self.extension()?;
                }
                State::Data { remaining, captured } => {
                    let piece = take(input, *remaining);
                    self.position += piece.len() as u64;
                    *remaining -= piece.len() as u64;
                    if let Some(bytes) = captured {
                        bytes.extend_from_slice(piece);
                    }
                    if *remaining > 0 {
                        return Ok(None);
                    }
                    let captured = captured.take();
                    self.state = State::Padding { remaining: padding(self.position) };
                    if let Some(bytes) = captured {
                        return Ok(Some(Event::Captured(bytes)));
                    }
                }
                State::Padding { remaining } => {
                    let piece = take(input, *remaining);
                    self.position += piece.len() as u64;
                    *remaining -= piece.len() as u64;
                    if *remaining > 0 {
                        return Ok(None);
                    }
                    self.state = State::Header;
                }
                State::End => {
                    self.position += input.len() as u64;
                    *input = &[];
                    return Ok(None);
                }
            }
        }
    }

    /// Asks for the stored bytes of the member just found.
    pub(crate) fn capture(&mut self) {
        if let State::Data { captured, .. } = &mut self.state {
            *captured = Some(Vec::new());
        }
    }

    /// How many bytes were taken.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Ends the stream. An archive without its two blocks of zeros is taken, as Go's reader (and so Docker) takes it;
    /// one that ends within a block is not, for the kernel reads files in whole blocks.
    pub(crate) fn finish(&self) -> Result<(), TarError> {
        let within = match self.state {
            _ if self.filled > 0 => "header",
            State::Header | State::ZeroBlock | State::End if self.pending.is_empty() => return Ok(()),
            State::Data { .. } => "content",
            State::Padding { .. } => "padding",
            State::GnuSparse { .. } | State::SparseMap { .. } => "sparse map",
            _ => "extended header",
        };
        Err(TarError::Truncated { offset: self.position, within, name: shown(&self.name) })
    }

    /// Collects one block.
    fn fill(&mut self, input: &mut &[u8]) -> Option<[u8; BLOCK]> {
        let piece = take(input, (BLOCK - self.filled) as u64);
        self.block[self.filled..self.filled + piece.len()].copy_from_slice(piece);
        self.filled += piece.len();
        self.position += piece.len() as u64;
        if self.filled < BLOCK {
            return None;
        }
        self.filled = 0;
        Some(self.block)
    }

    fn block(&mut self, block: &[u8; BLOCK]) -> Result<Option<Event>, TarError> {
        let begin = self.position - BLOCK as u64;
        let is_zero = block.iter().all(|byte| *byte == 0);
        match std::mem::replace(&mut self.state, State::Header) {
            State::GnuSparse { mut member } => {
                let Some((entries, more)) = sparse::gnu_continuation(block, &mut member.segments) else {
                    return Err(self.sparse("map is malformed or too long"));
                };
                debug_assert!(entries <= 21);
                if more {
                    self.state = State::GnuSparse { member };
                    return Ok(None);
                }
                self.begin_data(member).map(Some)
            }
            State::SparseMap { mut member, mut map } => {
                if member.stored < BLOCK as u64 {
                    return Err(self.sparse("map is longer than the stored bytes"));
                }
                member.stored -= BLOCK as u64;
                let segments = map.read(block).map_err(|reason| self.sparse(reason))?;
                if segments.is_none() {
                    self.state = State::SparseMap { member, map };
                    return Ok(None);
                }
                member.segments = segments;
                self.begin_data(member).map(Some)
            }
            State::ZeroBlock if is_zero => {
                self.state = State::End;
                Ok(None)
            }
            State::ZeroBlock => Err(TarError::LoneZeroBlock { offset: begin - BLOCK as u64, after: shown(&self.name) }),
            _ if is_zero && self.pending.is_empty() => {
                self.state = State::ZeroBlock;
                Ok(None)
            }
            _ => self.headers(block, begin),
        }
    }

    /// A header block: of an extension, or of a member.
    fn headers(&mut self, block: &[u8; BLOCK], begin: u64) -> Result<Option<Event>, TarError> {
        let Some(header) = Header::new(block) else {
            return Err(TarError::Checksum { offset: begin, after: shown(&self.name) });
        };
        self.header = begin;
        let extension = match header.flag() {
            b'L' => Extension::LongName,
            b'K' => Extension::LongLink,
            b'x' => Extension::Pax,
            b'g' => Extension::Global,
            _ => {
                let pending = std::mem::take(&mut self.pending);
                return self.member(header, pending);
            }
        };
        let size = header.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(|| self.field("size"))?;
        let (what, limit) = match extension {
            Extension::LongName | Extension::LongLink => ("name", 2 * LONGEST_PATH as u64),
            Extension::Pax | Extension::Global => ("extended header", MOST_RECORDS),
        };
        if size > limit {
            return Err(TarError::Limit { offset: begin, name: shown(&self.name), what, limit });
        }
        let is_second = match extension {
            Extension::LongName => self.pending.long_name.is_some(),
            Extension::LongLink => self.pending.long_link.is_some(),
            Extension::Pax => self.pending.pax.is_some(),
            Extension::Global => false,
        };
        if is_second {
            return Err(self.conflict("extended header"));
        }
        self.state = State::Extension { kind: extension, size: size as usize, payload: Vec::new() };
        Ok(None)
    }

    /// The payload of an extension header is complete.
    fn extension(&mut self) -> Result<(), TarError> {
        let next = State::Padding { remaining: padding(self.position) };
        let State::Extension { kind, mut payload, .. } = std::mem::replace(&mut self.state, next) else {
            return Ok(());
        };
        match kind {
            Extension::LongName | Extension::LongLink => {
                let end = payload.iter().position(|byte| *byte == 0).unwrap_or(payload.len());
                payload.truncate(end);
                let place = match kind {
                    Extension::LongName => &mut self.pending.long_name,
                    _ => &mut self.pending.long_link,
                };
                *place = Some(payload);
            }
            Extension::Pax => {
                let mut pax = Pax::default();
                pax.read(&payload).map_err(|field| self.field(field))?;
                self.pending.pax = Some(pax);
            }
            Extension::Global => {
                let mut globals = self.globals.clone();
                globals.read(&payload).map_err(|field| self.field(field))?;
                if globals.is_unfit_for_all() {
                    return Err(self.conflict("global extended header"));
                }
                self.globals = globals;
            }
        }
        Ok(())
    }

    fn member(&mut self, header: Header<'_>, pending: Pending) -> Result<Option<Event>, TarError> {
        self.name = match (&pending.long_name, pending.pax.as_ref().and_then(|pax| pax.path.as_ref())) {
            (Some(name), _) | (None, Some(name)) => name.clone(),
            (None, None) => header.name(),
        };
        let Stored { path, kind, stored, segments, map_follows, is_skipped } =
            interpret(self.header, &self.name, header, &pending, &self.globals)?;
        let is_whole = stored.checked_add(self.position).is_some_and(|end| i64::try_from(end).is_ok());
        if !is_whole {
            return Err(self.field("size"));
        }
        if is_skipped {
            self.state = State::Data { remaining: stored, captured: None };
            return Ok(None);
        }
        let pax = pending.pax.unwrap_or_default();
        let metadata = self.metadata(header, pax)?;
        let entry = Entry { path, kind, metadata };
        let mut member = Box::new(Member { entry, data: self.position, stored, segments });
        let (first, more, _) = header.gnu_sparse();
        if header.flag() == flags::GNU_SPARSE {
            if sparse::gnu_segments(first, &mut member.segments).is_none() {
                return Err(self.sparse("map is malformed or too long"));
            }
            if more {
                self.state = State::GnuSparse { member };
                return Ok(None);
            }
        } else if map_follows {
            self.state = State::SparseMap { member, map: MapReader::default() };
            return Ok(None);
        }
        self.begin_data(member).map(Some)
    }

    fn begin_data(&mut self, mut member: Box<Member>) -> Result<Event, TarError> {
        member.data = self.position;
        if let (Some(segments), crate::EntryKind::File { size }) = (&member.segments, &member.entry.kind) {
            sparse::check(segments, *size, member.stored).map_err(|reason| self.sparse(reason))?;
        }
        self.state = State::Data { remaining: member.stored, captured: None };
        Ok(Event::Member(member))
    }

    fn metadata(&self, header: Header<'_>, pax: Pax) -> Result<Metadata, TarError> {
        let mode = header.mode().ok_or_else(|| self.field("mode"))?;
        let owner = |record: Option<u64>, field: Option<i64>, name| {
            let number = record.or_else(|| field.and_then(|number| u64::try_from(number).ok()));
            // The largest number means "leave as it is" to chown, so that it cannot be anyone's.
            let number = number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number != u32::MAX);
            number.ok_or_else(|| self.field(name))
        };
        let mtime = match pax.mtime.or(self.globals.mtime) {
            Some(mtime) => mtime,
            None => Timestamp { secs: header.mtime().ok_or_else(|| self.field("mtime"))?, nanos: 0 },
        };
        let mut xattrs = pax.xattrs;
        xattrs.sort_unstable();
        Ok(Metadata {
            mode: (mode & 0o7777) as u32,
            uid: owner(pax.uid.or(self.globals.uid), header.uid(), "uid")?,
            gid: owner(pax.gid.or(self.globals.gid), header.gid(), "gid")?,
            mtime,
            xattrs,
        })
    }

    fn field(&self, field: &'static str) -> TarError {
        TarError::Field { offset: self.header, name: shown(&self.name), field }
    }

    fn conflict(&self, field: &'static str) -> TarError {
        TarError::Conflict { offset: self.header, name: shown(&self.name), field }
    }

    fn sparse(&self, reason: &'static str) -> TarError {
        TarError::Sparse { offset: self.header, name: shown(&self.name), reason }
    }
}

/// Splits up to `most` bytes off the input.
fn take<'a>(input: &mut &'a [u8], most: u64) -> &'a [u8] {
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    let (piece, rest) = input.split_at(length);
    *input = rest;
    piece
}

#[cfg(test)]
mod tests;
