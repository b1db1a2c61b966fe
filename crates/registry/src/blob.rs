//! Reading a blob: one stream, or ranges at once for a large one; from the next endpoint where one fails.

use std::io::{self, Read};
use std::sync::atomic::Ordering;

use oci::Descriptor;

use crate::client::watched;
use crate::error::{Failure, Kind, RegistryError};
use crate::line::Line;
use crate::ranges::Ranges;
use crate::repository::{Repository, nowhere};
use crate::stretch::{Step, Stretch};

/// Gives the bytes of a blob from a position to its end, and never more than its descriptor announces.
///
/// Cut transfers go on by themselves. Errors hold a [`RegistryError`] ([`io::Error::downcast`]). Whether the bytes are those
/// of the digest is for whoever reads them to say.
pub struct BlobReader<'r> {
    repository: &'r Repository<'r>,
    rank: usize,
    blob: Descriptor,
    position: u64,
    /// Nothing before the present endpoint has answered.
    way: Option<Way>,
    tried: Vec<RegistryError>,
}

enum Way {
    One(Box<Stretch>),
    Several(Ranges),
}

impl std::fmt::Debug for BlobReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobReader")
            .field("digest", &self.blob.digest)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Repository<'_> {
    /// The bytes of a blob from a position on.
    ///
    /// # Errors
    /// When no endpoint has it, or none gives it.
    pub fn blob(&self, blob: &Descriptor, from: u64) -> Result<BlobReader<'_>, RegistryError> {
        if self.count() == 0 {
            return Err(nowhere());
        }
        let position = from.min(blob.size);
        let mut reader =
            BlobReader { repository: self, rank: 0, blob: blob.clone(), position, way: None, tried: Vec::new() };
        if position < blob.size {
            watched(self.cancelled, &self.halt, || reader.open())?;
        }
        Ok(reader)
    }
}

impl BlobReader<'_> {
    /// Asks the present endpoint, or the next one that answers.
    fn open(&mut self) -> Result<(), RegistryError> {
        loop {
            let opened = self.repository.settled(self.rank).and_then(|line| self.open_at(line));
            match opened {
                Ok(way) => {
                    self.way = Some(way);
                    return Ok(());
                }
                Err(failure) => self.next_endpoint(failure)?,
            }
        }
    }

    /// In ranges if much is left and the server gives ranges, else for all that is left.
    fn open_at(&self, line: &Line) -> Result<Way, Failure> {
        let limits = &line.shared.limits;
        let left = self.blob.size - self.position;
        let in_ranges = left >= limits.ranges_from && limits.ranges_ahead > 1 && limits.range < left;
        let end = if in_ranges { self.position + limits.range } else { self.blob.size };
        let (stretch, is_range) = line.persist(|| {
            let mut stretch = Stretch::new(line, &self.blob, self.position, end);
            let reply = match stretch.ask() {
                Err(failure) if matches!(failure.kind, Kind::Refused { status: 416 }) => {
                    stretch = Stretch::new(line, &self.blob, self.position, self.blob.size).into_whole();
                    stretch.ask()?
                }
                reply => reply?,
            };
            let is_range = stretch.adopt(reply)?;
            Ok((stretch, is_range))
        })?;
        Ok(if in_ranges && is_range {
            Way::Several(Ranges::start(line, &self.blob, self.position, stretch))
        } else {
            Way::One(Box::new(stretch.until(self.blob.size)))
        })
    }

    /// Goes on with the next endpoint; the failure is the end if there is none.
    fn next_endpoint(&mut self, failure: Failure) -> Result<(), RegistryError> {
        let line = self.repository.configured(self.rank);
        let asked = format!("read blob {} of `{}`", self.blob.digest.short(), line.endpoint.repository);
        let error = failure.asking(&asked);
        if !line.has_others || matches!(error.kind, Kind::Cancelled) {
            return Err(RegistryError { tried: std::mem::take(&mut self.tried), ..error });
        }
        self.tried.push(error);
        self.rank += 1;
        self.way = None;
        Ok(())
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let Repository { cancelled, halt, .. } = self.repository;
        let is_waited_for = || {
            if cancelled.load(Ordering::Relaxed) {
                halt.set();
            }
            !halt.is_set()
        };
        while self.position < self.blob.size {
            let step = match &mut self.way {
                None => {
                    watched(cancelled, halt, || self.open()).map_err(io::Error::other)?;
                    continue;
                }
                Some(Way::One(stretch)) if stretch.is_open() => stretch.read(buffer, &is_waited_for),
                Some(Way::One(stretch)) => watched(cancelled, halt, || stretch.read(buffer, &is_waited_for)),
                Some(Way::Several(ranges)) => ranges.read(buffer, &is_waited_for),
            };
            match step {
                Ok(Step::Bytes(count)) => {
                    self.position += count as u64;
                    return Ok(count);
                }
                Ok(Step::Nothing) => {}
                // Several ranges at once may be what this server cannot do.
                Err(failure)
                    if matches!(self.way, Some(Way::Several(_))) && !matches!(failure.kind, Kind::Cancelled) =>
                {
                    let line = self.repository.configured(self.rank);
                    let line = self.repository.settled(self.rank).unwrap_or(line);
                    let rest = Stretch::new(line, &self.blob, self.position, self.blob.size);
                    self.way = Some(Way::One(Box::new(rest)));
                }
                Err(failure) => self.next_endpoint(failure).map_err(io::Error::other)?,
            }
        }
        Ok(0)
    }
}
