//! Some bytes of a blob as one stream, which goes on by itself where it was cut.

use std::io::{self, Read};
use std::time::Instant;

use oci::Descriptor;
use ureq::BodyReader;
use ureq::http::Method;

use crate::error::{Failure, Kind};
use crate::line::{Line, Reply};
use crate::retry::Retry;
use crate::wire::{Halt, Patience, patiently, unwrapped};

/// The bytes from a position to an end that are left.
pub(crate) struct Stretch {
    line: Line,
    digest: oci::Digest,
    size: u64,
    position: u64,
    end: u64,
    /// Attempts that failed since there was progress.
    failed: u32,
    /// Why the stream before this one ended.
    pending: Option<Failure>,
    etag: Option<String>,
    stream: Option<Stream>,
    /// Only a range will do: the rest is somebody else's.
    is_part: bool,
    /// A range was refused; the blob is asked for whole.
    is_whole: bool,
}

struct Stream {
    body: BodyReader<'static>,
    /// Bytes before the position, from a server that begins at the beginning.
    skip: u64,
    /// The connection can serve another request once the body is read.
    ends_by_itself: bool,
}

/// What one read came to.
pub(crate) enum Step {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing yet: to be repeated, if somebody still waits.
    Nothing,
}

impl Stretch {
    pub(crate) fn new(line: &Line, blob: &Descriptor, from: u64, end: u64) -> Self {
        Self {
            line: line.clone(),
            digest: blob.digest,
            size: blob.size,
            position: from,
            end,
            failed: 0,
            pending: None,
            etag: None,
            stream: None,
            is_part: false,
            is_whole: false,
        }
    }

    /// A part of a blob whose other parts are fetched at the same time, for another one who waits.
    pub(crate) fn into_part(mut self, halt: Halt) -> Self {
        self.line.halt = halt;
        self.is_part = true;
        self
    }

    /// Whether the next read goes on with a stream that is open.
    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// The same, to be asked for without a range.
    pub(crate) fn into_whole(mut self) -> Self {
        self.is_whole = true;
        self
    }

    /// The same up to another end; what is open is used as far as it goes.
    pub(crate) fn until(mut self, end: u64) -> Self {
        self.end = end;
        self
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> u64 {
        self.end - self.position
    }

    /// Uses an answer that has come already; says whether it is a range.
    pub(crate) fn adopt(&mut self, reply: Reply) -> Result<bool, Failure> {
        let is_range = reply.status == 206;
        self.stream = Some(self.stream(reply)?);
        Ok(is_range)
    }

    /// Asks for what is left.
    pub(crate) fn ask(&self) -> Result<Reply, Failure> {
        let place = self.line.place(&format!("blobs/{}", self.digest));
        let mut ask = self.line.ask(Method::GET, place);
        if !self.is_whole && (self.position > 0 || self.end < self.size) {
            ask.headers.push(("range", format!("bytes={}-{}", self.position, self.end - 1)));
            if let Some(etag) = &self.etag {
                ask.headers.push(("if-range", etag.clone()));
            }
        }
        self.line.send(ask)
    }

    /// Reads what comes next; only while something is left. Tries again what may pass.
    ///
    /// `is_waited_for` is asked while nothing comes of an open stream; otherwise the line's halt says so.
    pub(crate) fn read(&mut self, buffer: &mut [u8], is_waited_for: &dyn Fn() -> bool) -> Result<Step, Failure> {
        if let Some(failure) = self.pending.take() {
            let mut retry = Retry::resumed(&self.line.shared.limits, self.line.has_others, self.failed);
            if !retry.pause(&failure, &self.line.halt) {
                return Err(if self.line.halt.is_set() { self.line.fails(Kind::Cancelled) } else { failure });
            }
            self.failed = retry.failed();
        }
        match self.read_once(buffer, is_waited_for) {
            Ok(step) => Ok(step),
            Err(failure)
                if matches!(failure.kind, Kind::Refused { status: 416 }) && !self.is_whole && !self.is_part =>
            {
                self.is_whole = true;
                Ok(Step::Nothing)
            }
            Err(failure) => {
                self.stream = None;
                self.pending = Some(failure);
                Ok(Step::Nothing)
            }
        }
    }

    fn read_once(&mut self, buffer: &mut [u8], is_waited_for: &dyn Fn() -> bool) -> Result<Step, Failure> {
        if self.stream.is_none() {
            let reply = self.ask()?;
            self.stream = Some(self.stream(reply)?);
        }
        let wanted = usize::try_from(self.end - self.position).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(stream) = &mut self.stream else { return Ok(Step::Nothing) };
        let mut scratch = [0; 16 << 10];
        let into = match usize::try_from(stream.skip) {
            Ok(0) => &mut buffer[..wanted],
            skip => {
                let most = skip.map_or(scratch.len(), |skip| skip.min(scratch.len()));
                &mut scratch[..most]
            }
        };
        let limits = &self.line.shared.limits;
        let patience = Patience {
            halt: self.line.halt.clone(),
            connect: limits.connect,
            silence: limits.silence,
            returns_early: true,
        };
        let count = read_patiently(&mut stream.body, into, &patience, is_waited_for)
            .map_err(|error| Failure::new(&self.line.origin, Kind::Cut(error)))?;
        if count == 0 {
            let early = io::Error::new(io::ErrorKind::UnexpectedEof, "it ends before it should");
            return Err(self.line.fails(Kind::Cut(early)));
        }
        if stream.skip > 0 {
            stream.skip -= count as u64;
            return Ok(Step::Nothing);
        }
        self.position += count as u64;
        (self.failed, self.is_whole) = (0, false);
        if self.position == self.end
            && let Some(mut stream) = self.stream.take_if(|stream| stream.ends_by_itself)
        {
            // Not for its bytes: the connection is free for the next request when the end was seen.
            drop(patiently(Patience { returns_early: true, ..patience }, || stream.body.read(&mut [0])));
        }
        Ok(Step::Bytes(count))
    }

    /// Looks whether an answer is what was asked for: the right bytes of a blob of the right size.
    fn stream(&mut self, reply: Reply) -> Result<Stream, Failure> {
        let lies = |reason: String| Err(self.line.fails(Kind::Content(reason)));
        let length = reply.length();
        let skip = match reply.status {
            206 => {
                let range = reply.header("content-range").and_then(content_range);
                let Some((first, last, total)) = range else {
                    return lies("it gives a range and does not say which".to_owned());
                };
                if total.is_some_and(|total| total != self.size) {
                    return lies(self.wrong_size(total.unwrap_or_default()));
                }
                if first != self.position || last >= self.end || last < first {
                    let (from, to) = (self.position, self.end - 1);
                    return lies(format!("it gives bytes {first} to {last} where {from} to {to} were asked for"));
                }
                if length.is_some_and(|length| length != last - first + 1) {
                    return lies("the range that it gives has another length than it says".to_owned());
                }
                0
            }
            200 if self.is_part => {
                return Err(self.line.fails(Kind::Protocol("it gives ranges only at times".to_owned())));
            }
            200 => {
                if let Some(length) = length.filter(|length| *length != self.size) {
                    return lies(self.wrong_size(length));
                }
                self.position
            }
            status => {
                return Err(self.line.fails(Kind::Protocol(format!("it answers {status} where a blob should be"))));
            }
        };
        let etag = reply.header("etag").filter(|etag| etag.starts_with('"') && reply.place.origin == self.line.origin);
        self.etag = etag.map(str::to_owned);
        Ok(Stream { ends_by_itself: length.is_some(), body: reply.body.into_reader(), skip })
    }

    fn wrong_size(&self, is: u64) -> String {
        format!("blob {} has {is} bytes there, and not {}", self.digest.short(), self.size)
    }
}

/// Reads, in slices, until something comes or nothing has come for too long.
fn read_patiently(
    body: &mut BodyReader<'static>,
    into: &mut [u8],
    patience: &Patience,
    is_waited_for: &dyn Fn() -> bool,
) -> io::Result<usize> {
    let started = Instant::now();
    loop {
        match patiently(patience.clone(), || body.read(into)).map_err(unwrapped) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut && started.elapsed() < patience.silence => {
                if !is_waited_for() {
                    return Err(error);
                }
            }
            result => return result,
        }
    }
}

/// `bytes FIRST-LAST/TOTAL`, where the total may be `*`.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?, total))
}
