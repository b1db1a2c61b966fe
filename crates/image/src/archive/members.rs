//! The members of a tar, one after the other, from a stream or from a file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use super::error::MemberError;
use super::limits;
use super::member::{self, BLOCK, Extensions, Header, Kind, Member};

/// Longest name or PAX header.
const LONGEST_EXTENSION: u64 = 64 << 10;
/// Bytes behind the end of the archive that are read so that the writer of a pipe is not cut off.
const PADDING: u64 = 1 << 20;

/// Where a tar comes from.
pub(super) trait Source: Read {
    /// Passes over bytes; fewer, when there are no more.
    fn skip(&mut self, count: u64) -> io::Result<u64>;
}

/// A stream: what is passed over is read.
#[derive(Debug)]
pub(super) struct Stream<R>(pub(super) R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Source for Stream<R> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        io::copy(&mut (&mut self.0).take(count), &mut io::sink())
    }
}

/// A file: what is passed over costs nothing.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) file: &'a File,
    pub(super) offset: u64,
    pub(super) end: u64,
}

impl Read for Place<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Source for Place<'_> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let count = count.min(self.end - self.offset);
        self.offset += count;
        Ok(count)
    }
}

/// Walks a tar.
#[derive(Debug)]
pub(super) struct Members<S> {
    source: S,
    position: u64,
    /// Content of the current member that is still to come, and its padding.
    left: u64,
    padding: u64,
    count: usize,
    current: String,
}

impl<S: Source> Members<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, position: 0, left: 0, padding: 0, count: 0, current: "the first header".to_owned() }
    }

    /// The next member; the content of the one before is passed over.
    pub(super) fn next(&mut self) -> Result<Option<Member>, MemberError> {
        self.skip(self.left + self.padding)?;
        (self.left, self.padding) = (0, 0);
        let mut extensions = Extensions::default();
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            self.count += 1;
            if self.count > limits::MEMBERS {
                return Err(MemberError::TooMany { limit: limits::MEMBERS });
            }
            let name = || String::from_utf8_lossy(&header.name).into_owned();
            let size = header.size.ok_or_else(|| MemberError::Field { member: name(), field: "size" })?;
            match header.flag {
                b'x' => {
                    let records = self.extension(size, "PAX header")?;
                    extensions.read_pax(&records, &name())?;
                }
                // One for all members behind it: nothing that we read may hide there.
                b'g' => {
                    let mut global = Extensions::default();
                    global.read_pax(&self.extension(size, "PAX header")?, &name())?;
                    if global.path.is_some() || global.link.is_some() || global.size.is_some() {
                        return Err(MemberError::Field { member: name(), field: "global PAX header" });
                    }
                }
                b'L' => extensions.path = Some(self.name(size)?),
                b'K' => extensions.link = Some(self.name(size)?),
                _ => return self.member(header, extensions).map(Some),
            }
        }
    }

    /// Content of the current member.
    pub(super) fn data(&mut self) -> Data<'_, S> {
        Data { members: self }
    }

    /// Reads what is behind the archive, within reason, so that a pipe's writer is not cut off and the checksum at the
    /// end of a compressed stream is seen.
    pub(super) fn drain(&mut self) -> Result<(), MemberError> {
        let position = self.position;
        self.source.skip(PADDING).map_err(|source| MemberError::Read { offset: position, source })?;
        Ok(())
    }

    fn member(&mut self, header: Header, extensions: Extensions) -> Result<Member, MemberError> {
        let raw = extensions.path.unwrap_or(header.name);
        let path = member::path(&raw)?;
        let size = extensions.size.or(header.size).unwrap_or_default();
        let link = extensions.link.unwrap_or(header.link);
        let kind = match header.flag {
            // Before POSIX, folders were files whose names end in a slash.
            0 | b'0' if raw.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' => Kind::File,
            b'1' => Kind::HardLink(link),
            b'2' => Kind::Symlink(link),
            b'5' => Kind::Directory,
            flag => return Err(MemberError::Kind { member: path, flag: char::from(flag) }),
        };
        if kind != Kind::File && size != 0 {
            return Err(MemberError::Field { member: path, field: "size" });
        }
        if size > i64::MAX as u64 - self.position {
            return Err(MemberError::Field { member: path, field: "size" });
        }
        self.current.clone_from(&path);
        (self.left, self.padding) = (size, padding(size));
        Ok(Member { path, kind, offset: self.position, size })
    }

    /// The next header block; `None` at the end.
    fn header(&mut self) -> Result<Option<Header>, MemberError> {
        let offset = self.position;
        let Some(block) = self.block()? else { return Ok(None) };
        if block.iter().all(|byte| *byte == 0) {
            return match self.block()? {
                Some(second) if second.iter().any(|byte| *byte != 0) => Err(MemberError::LoneZeroBlock { offset }),
                _ => Ok(None),
            };
        }
        match Header::parse(&block) {
            Some(header) => Ok(Some(header)),
            None if offset == 0 => Err(MemberError::NotATar),
            None => Err(MemberError::Checksum { offset, after: self.current.clone() }),
        }
    }

    /// `None` where the stream ends.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, MemberError> {
        let mut block = [0; BLOCK];
        match self.fill(&mut block)? {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ if self.position < BLOCK as u64 => Err(MemberError::NotATar),
            _ => Err(self.truncated()),
        }
    }

    fn name(&mut self, size: u64) -> Result<Vec<u8>, MemberError> {
        let mut name = self.extension(size, "long name")?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    /// Content of an extension header.
    fn extension(&mut self, size: u64, field: &'static str) -> Result<Vec<u8>, MemberError> {
        if size > LONGEST_EXTENSION {
            return Err(MemberError::Field { member: self.current.clone(), field });
        }
        let mut content = vec![0; size as usize];
        if self.fill(&mut content)? < content.len() {
            return Err(self.truncated());
        }
        self.skip(padding(size))?;
        Ok(content)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, MemberError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(MemberError::Read { offset: self.position + filled as u64, source }),
            }
        }
        self.position += filled as u64;
        Ok(filled)
    }

    fn skip(&mut self, count: u64) -> Result<(), MemberError> {
        let offset = self.position;
        let skipped = self.source.skip(count).map_err(|source| MemberError::Read { offset, source })?;
        self.position += skipped;
        if skipped < count { Err(self.truncated()) } else { Ok(()) }
    }

    fn truncated(&self) -> MemberError {
        MemberError::Truncated { offset: self.position, member: self.current.clone() }
    }
}

/// Reads the current member's content. A stream that ends within it is an error.
#[derive(Debug)]
pub(super) struct Data<'a, S> {
    members: &'a mut Members<S>,
}

impl<S: Source> Read for Data<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let members = &mut *self.members;
        let most = usize::try_from(members.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = members.source.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, members.truncated()));
        }
        members.position += count as u64;
        members.left -= count as u64;
        Ok(count)
    }
}

/// Bytes from a length to the next block.
pub(super) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}
