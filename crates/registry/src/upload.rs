//! Sending a blob: mounted from another repository where that can be, else uploaded; a cut upload goes on where the
//! registry says that it has got to.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use oci::Descriptor;
use ureq::http::Method;

use crate::error::{Failure, Kind, RegistryError};
use crate::line::{Ask, Content, Line, Reply};
use crate::place::Place;
use crate::repository::{Repository, has_blob};
use crate::retry::Retry;
use crate::scout::{PIECE, Scout};

/// Blobs up to this size are sent with the request that ends the upload, which saves one.
const AT_ONCE: u64 = 256 << 10;
/// More than that is sent when the registry has agreed to it.
const ASKED_FROM: u64 = 1 << 20;
/// After an upload was lost, [`PIECE`]s are sent, and smaller ones after each further loss, to no less than this; each has a
/// connection of its own, so that what lets a connection live for some bytes only lets a piece through. Distribution 2.8
/// loses what it has confirmed too when a later piece is cut.
const LEAST_PIECE: u64 = 64 << 10;

/// Content that can be read from any position, more than once.
pub trait ReadAt: Sync {
    /// Reads some bytes at an offset; 0 at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        rest.read(buffer)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, offset)
    }
}

/// How a blob came to be in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// It was there.
    Existed,
    /// The registry took it from another repository of its own.
    Mounted,
    /// It was sent.
    Sent,
}

impl Repository<'_> {
    /// Puts a blob into the repository.
    ///
    /// `mount_from` is another repository of the same registry that has it, probably. `sent` is told how many bytes of the
    /// blob were sent so far; less than before when some must be sent again.
    ///
    /// # Errors
    /// When the registry does not take it, or the content cannot be read or is another one.
    pub fn upload(
        &self,
        blob: &Descriptor,
        content: &dyn ReadAt,
        mount_from: Option<&str>,
        sent: &dyn Fn(u64),
    ) -> Result<Upload, RegistryError> {
        let asked = |line: &Line| format!("send blob {} to `{}`", blob.digest.short(), line.endpoint.repository);
        self.push(asked, |line| {
            if line.persist(|| has_blob(line, blob))? {
                return Ok(Upload::Existed);
            }
            // What was learned from another blob's end holds for this one too.
            let piece = blob.size.min(line.scouting.most());
            Sending {
                line,
                blob,
                content,
                sent,
                piece,
                scout: None,
                confirmed: 0,
                expects: true,
                asked_from: ASKED_FROM,
                is_complete: false,
            }
            .run(mount_from)
        })
    }
}

struct Sending<'a> {
    line: &'a Line,
    blob: &'a Descriptor,
    content: &'a dyn ReadAt,
    sent: &'a dyn Fn(u64),
    /// Most bytes of one request.
    piece: u64,
    /// That this upload goes first, and others wait for what it learns.
    scout: Option<Scout<'a>>,
    /// The furthest that the registry has confirmed.
    confirmed: u64,
    /// Whether the registry is asked before much is sent: one that refuses blobs of that size says so then, and not by
    /// closing the connection in the middle. Not those that do not know how (417).
    expects: bool,
    /// Requests with more than so many bytes are asked for before: all of them once one was answered with "not now".
    asked_from: u64,
    /// The registry has all bytes, and does not end the upload: sending them again would not help.
    is_complete: bool,
}

/// An upload that the registry knows: where to send the next bytes, and which.
struct Session {
    place: Place,
    offset: u64,
}

impl Sending<'_> {
    fn run(mut self, mount_from: Option<&str>) -> Result<Upload, Failure> {
        let mut begun = match mount_from {
            Some(source) => match self.mount(source)? {
                Ok(upload) => return Ok(upload),
                Err(session) => session,
            },
            None => None,
        };
        let mut retry = Retry::new(&self.line.shared.limits, false);
        loop {
            let confirmed = self.confirmed;
            // Where no upload can begin, as in a repository that does not exist, none goes on.
            let session = match begun.take() {
                Some(session) => session,
                None => self.line.persist(|| self.start())?,
            };
            let failure = match self.send(session) {
                Ok(()) => return Ok(Upload::Sent),
                Err(failure) => failure,
            };
            // The registry may have got everything, and only its answer was lost.
            if failure.is_passing() && !self.line.halt.is_set() && has_blob(self.line, self.blob).unwrap_or(false) {
                return Ok(Upload::Sent);
            }
            if self.confirmed > confirmed {
                retry.progressed();
            }
            let is_lost = matches!(failure.kind, Kind::NotFound | Kind::Refused { status: 416 });
            let failure = if is_lost { self.lost() } else { failure };
            if self.is_complete && !is_lost {
                return Err(failure);
            }
            if !retry.pause(&failure, &self.line.halt) {
                return Err(if self.line.halt.is_set() { self.line.fails(Kind::Cancelled) } else { failure });
            }
            self.shrink();
            if is_lost {
                self.line.scouting.lost(self.piece);
            }
        }
    }

    /// Sends less at once from now on, since the registry kept nothing of what was cut.
    fn shrink(&mut self) {
        self.piece = (self.piece / 2).clamp(LEAST_PIECE, PIECE);
    }

    /// Sends much at once only when that is known to go well, or as the one that goes first.
    fn go_first_or_wait(&mut self) {
        if self.scout.is_none() {
            self.scout = self.line.scouting.wait(self.blob.size.min(self.piece), &self.line.halt);
            self.piece = self.piece.min(self.line.scouting.most());
        }
    }

    fn lost(&self) -> Failure {
        self.line.fails(Kind::Cut(io::Error::other("the registry no longer knows the upload")))
    }

    /// Asks the registry to take the blob from another repository; it may begin an upload instead, or do neither.
    fn mount(&self, source: &str) -> Result<Result<Upload, Option<Session>>, Failure> {
        let mut scopes = self.line.scopes.clone();
        scopes.push(format!("repository:{source}:pull"));
        scopes.sort();
        let line = Line { scopes, ..self.line.clone() };
        let place = line.place("blobs/uploads/");
        let place = place.with_parameter("mount", &self.blob.digest.to_string()).with_parameter("from", source);
        match line.persist(|| line.send(line.ask(Method::POST, place.clone()))) {
            Ok(reply) if reply.status == 201 => Ok(Ok(Upload::Mounted)),
            Ok(reply) => Ok(Err(session(self.line, &reply, 0).ok())),
            Err(failure) if matches!(failure.kind, Kind::Cancelled) => Err(failure),
            // Whatever it has against that: without it all may go well.
            Err(_) => Ok(Err(None)),
        }
    }

    fn start(&self) -> Result<Session, Failure> {
        let reply = self.line.send(self.line.ask(Method::POST, self.line.place("blobs/uploads/")))?;
        session(self.line, &reply, 0)
    }

    /// Sends what is left, then ends the upload.
    fn send(&mut self, mut session: Session) -> Result<(), Failure> {
        self.is_complete = false;
        if self.blob.size <= AT_ONCE && session.offset == 0 {
            let bytes = self.bytes()?;
            (self.sent)(self.blob.size);
            return self.end(&session, &bytes);
        }
        self.go_first_or_wait();
        let mut failed = 0;
        while session.offset < self.blob.size {
            let before = session.offset;
            let attempt = self.patch(&session);
            let next = match attempt {
                Ok(session) => session,
                Err(Failure { kind: Kind::Refused { status: 417 }, .. }) if self.expects => {
                    self.expects = false;
                    continue;
                }
                Err(failure) if self.may_go_on(&failure) => {
                    if matches!(failure.kind, Kind::TooManyRequests | Kind::Unavailable { .. }) {
                        self.asked_from = 0;
                    }
                    let mut retry = Retry::resumed(&self.line.shared.limits, false, failed);
                    if !retry.pause(&failure, &self.line.halt) {
                        return Err(failure);
                    }
                    failed = retry.failed();
                    let next = self.line.persist(|| self.status(&session))?;
                    if next.offset <= before {
                        self.shrink();
                    } else if let Some(scout) = &self.scout {
                        // A registry that keeps what was cut costs nobody anything.
                        scout.learned();
                    }
                    next
                }
                Err(failure) => return Err(failure),
            };
            session = next;
            if let Some(scout) = self.scout.as_ref().filter(|_| session.offset >= self.blob.size) {
                scout.carried(session.offset - before);
            }
            if session.offset > self.confirmed {
                self.confirmed = session.offset;
                failed = 0;
            }
            if session.offset < before {
                (self.sent)(session.offset);
            }
        }
        self.is_complete = true;
        self.line.persist(|| match self.end(&session, &[]) {
            // Its answer was lost.
            Err(failure) if failure.is_passing() && has_blob(self.line, self.blob).unwrap_or(false) => Ok(()),
            ended => ended,
        })
    }

    /// Whether the registry can be asked how far the upload has got: a token that became old during it is no end either.
    fn may_go_on(&self, failure: &Failure) -> bool {
        let is_old_token = matches!(failure.kind, Kind::Unauthorized { .. } | Kind::Denied { .. });
        failure.is_passing() || is_old_token || matches!(failure.kind, Kind::Refused { status: 416 })
    }

    /// Sends the next bytes.
    fn patch(&self, session: &Session) -> Result<Session, Failure> {
        let end = self.blob.size.min(session.offset.saturating_add(self.piece));
        let mut piece =
            Piece { sending: self, start: session.offset, position: session.offset, end, failed: RefCell::new(None) };
        let length = end - session.offset;
        let mut ask =
            Ask { answer: self.line.shared.limits.commit, ..self.line.ask(Method::PATCH, session.place.clone()) };
        ask.headers.push(("content-type", "application/octet-stream".to_owned()));
        if self.expects && length > self.asked_from {
            ask.headers.push(("expect", "100-continue".to_owned()));
        }
        if self.piece < self.blob.size {
            ask.headers.push(("connection", "close".to_owned()));
        }
        if session.offset > 0 || end < self.blob.size {
            ask.headers.push(("content-range", format!("{}-{}", session.offset, end - 1)));
        }
        let result = self.line.send(Ask { content: Content::Stream(&mut piece, length), ..ask });
        if let Some(error) = piece.failed.take() {
            return Err(self.line.fails(Kind::Source(error)));
        }
        let reply = result?;
        if matches!(reply.status, 307 | 308) {
            let place = self.line.next(&session.place, &reply)?;
            return Ok(Session { place, offset: session.offset });
        }
        let next = self::session(self.line, &reply, end)?;
        if next.offset > end {
            return Err(self.line.fails(Kind::Protocol("it says that it has more than was sent".to_owned())));
        }
        Ok(next)
    }

    /// How far the registry has got.
    fn status(&self, session: &Session) -> Result<Session, Failure> {
        let reply = self.line.send(self.line.ask(Method::GET, session.place.clone()))?;
        let place = location(self.line, &reply).unwrap_or_else(|| session.place.clone());
        let offset = received(&reply).unwrap_or(0);
        if offset > self.blob.size {
            return Err(self.line.fails(Kind::Protocol("it says that it has more than was sent".to_owned())));
        }
        Ok(Session { place, offset })
    }

    /// Ends the upload, with the whole content if that was not sent before.
    fn end(&self, session: &Session, content: &[u8]) -> Result<(), Failure> {
        let place = session.place.clone().with_parameter("digest", &self.blob.digest.to_string());
        let mut ask = Ask { answer: self.line.shared.limits.commit, ..self.line.ask(Method::PUT, place) };
        ask.headers.push(("content-type", "application/octet-stream".to_owned()));
        ask.content = Content::Bytes(content);
        let reply = self.line.send(ask).map_err(|failure| match failure.kind {
            Kind::Refused { status: 400 } if self.is_other_content() => {
                Failure { kind: Kind::Content("the content here is not what its digest says".to_owned()), ..failure }
            }
            _ => failure,
        })?;
        let said = reply.header("docker-content-digest").and_then(|text| text.parse::<oci::Digest>().ok());
        match said {
            Some(said) if said != self.blob.digest => {
                Err(self.line.fails(Kind::Protocol(format!("it confirms {said}, and not {}", self.blob.digest))))
            }
            _ if reply.status == 201 || reply.status == 204 => Ok(()),
            _ => Err(self.line.fails(Kind::Protocol(format!("it answers {} to a whole blob", reply.status)))),
        }
    }

    /// Whether the content has another digest than it should; looked at when the registry says so.
    fn is_other_content(&self) -> bool {
        let mut hasher = oci::Hasher::new();
        let mut buffer = vec![0; 128 << 10];
        let mut position = 0;
        while let Ok(count @ 1..) = self.content.read_at(&mut buffer, position) {
            hasher.update(&buffer[..count]);
            position += count as u64;
        }
        hasher.finish() != self.blob.digest
    }

    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut piece = Piece { sending: self, start: 0, position: 0, end: self.blob.size, failed: RefCell::new(None) };
        piece.read_to_end(&mut bytes).map_err(|error| self.line.fails(Kind::Source(error)))?;
        Ok(bytes)
    }
}

/// Where the next request of an upload goes.
fn session(line: &Line, reply: &Reply, offset: u64) -> Result<Session, Failure> {
    let wrong = || line.fails(Kind::Protocol("it does not say where an upload goes on".to_owned()));
    let place = location(line, reply).ok_or_else(wrong)?;
    Ok(Session { place, offset: if offset == 0 { 0 } else { received(reply).unwrap_or(offset) } })
}

/// `Location`, absolute or relative. A registry behind a proxy that ends TLS names itself without it; that is not followed
/// to the letter.
pub(crate) fn location(line: &Line, reply: &Reply) -> Option<Place> {
    let mut place = reply.place.join(reply.header("location")?)?;
    if reply.place.origin.is_https && !place.origin.is_https {
        if place.origin.host != line.origin.host {
            return None;
        }
        place.origin = line.origin.clone();
    }
    Some(place)
}

/// `Range: 0-LAST`, as one more than the last byte. Nothing at all is `0-0` or no header, and so is a single byte.
fn received(reply: &Reply) -> Option<u64> {
    let range = reply.header("range")?.trim();
    let (first, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    let last: u64 = last.parse().ok().filter(|_| first == "0")?;
    Some(if last == 0 { 0 } else { last + 1 })
}

/// The bytes of one request.
struct Piece<'s> {
    sending: &'s Sending<'s>,
    start: u64,
    position: u64,
    end: u64,
    failed: RefCell<Option<io::Error>>,
}

impl Read for Piece<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.sending.line.halt.is_set() {
            return Err(io::Error::other("cancelled"));
        }
        let most = usize::try_from(self.end - self.position).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        let read = match self.sending.content.read_at(&mut buffer[..most], self.position) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than its descriptor says")),
            read => read,
        };
        match read {
            Ok(count) => {
                self.position += count as u64;
                (self.sending.sent)(self.position);
                if let Some(scout) = &self.sending.scout {
                    scout.sent(self.position - self.start);
                }
                Ok(count)
            }
            Err(error) => {
                let shown = io::Error::new(error.kind(), error.to_string());
                self.failed.replace(Some(error));
                Err(shown)
            }
        }
    }
}
