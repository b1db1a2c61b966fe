//! What a container writes is kept: the log drivers, which `logs` reads again.
//!
//! Output is cut into lines as Docker's copier does: a line of more than 16 KiB is kept in pieces, and what has no line
//! break at the end stays without one. A file appears with the first byte. It is written once for each batch that was read,
//! and is bounded: when it is full it is renamed, and the oldest goes. A full disk must not stop the container.

mod file;
pub(super) mod format;
pub(super) mod read;
mod settings;

use jiff::Timestamp;

use self::file::LogFile;
use self::format::Row;
pub(super) use self::settings::Driver;
use self::settings::Limits;
pub use self::settings::LogSettings;
use super::container::Container;
use super::record::ContainerRecord;
use crate::Engine;
use crate::streams::OutputStream;

/// The file that is written now; older ones have a number behind it.
pub(super) const NAME: &str = "container.log";
/// Docker's buffer: a longer line is cut.
const LONGEST_PIECE: usize = 16 << 10;

/// What a container writes, on its way to the disk.
#[derive(Debug)]
pub(super) struct Log {
    driver: Driver,
    limits: Limits,
    extra: Vec<(String, String)>,
    stdout: Line,
    stderr: Line,
    file: Option<LogFile>,
}

/// The line that a stream is in.
#[derive(Debug, Default)]
struct Line {
    /// What there is of it, less than a piece.
    piece: Vec<u8>,
    /// When its first piece was kept; all others have that time too.
    began: Option<Timestamp>,
}

impl Log {
    pub(super) fn new(record: &ContainerRecord) -> Self {
        let driver = record.log.driver();
        Self {
            driver,
            limits: record.log.limits(),
            extra: record.log.attributes(record),
            stdout: Line::default(),
            stderr: Line::default(),
            file: None,
        }
    }

    /// Keeps what was read from a stream.
    pub(super) fn write(&mut self, engine: &Engine, container: &Container, stream: OutputStream, bytes: &[u8]) {
        if self.driver != Driver::None {
            let pieces = self.line(stream).cut(bytes, engine.now());
            self.keep(container, stream, &pieces);
        }
    }

    /// Keeps lines that will never be finished.
    pub(super) fn finish(&mut self, engine: &Engine, container: &Container) {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let last = self.line(stream).end(engine.now());
            self.keep(container, stream, last.as_slice());
        }
    }

    fn line(&mut self, stream: OutputStream) -> &mut Line {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }

    fn keep(&mut self, container: &Container, stream: OutputStream, pieces: &[Piece]) {
        if pieces.is_empty() {
            return;
        }
        if self.file.is_none() {
            self.file = LogFile::open(container, self.limits).ok();
        }
        let Some(file) = &mut self.file else { return };
        for Piece { text, time, is_partial } in pieces {
            let row = Row { stream, text, time: *time, is_partial: *is_partial };
            file.add(|bytes| match self.driver {
                Driver::Local => format::add_local(bytes, &row),
                Driver::JsonFile | Driver::None => format::add_json(bytes, &row, &self.extra),
            });
        }
        file.flush();
    }
}

/// A line, or a part of one that is too long or never ended.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    /// Without its line break.
    text: Vec<u8>,
    time: Timestamp,
    is_partial: bool,
}

impl Line {
    fn cut(&mut self, mut bytes: &[u8], now: Timestamp) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let room = LONGEST_PIECE - self.piece.len();
            let window = &bytes[..bytes.len().min(room)];
            match window.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.piece.extend_from_slice(&bytes[..end]);
                    let time = self.began.take().unwrap_or(now);
                    pieces.push(Piece { text: std::mem::take(&mut self.piece), time, is_partial: false });
                    bytes = &bytes[end + 1..];
                }
                None => {
                    self.piece.extend_from_slice(window);
                    bytes = &bytes[window.len()..];
                    if self.piece.len() == LONGEST_PIECE {
                        pieces.extend(self.part(now));
                    }
                }
            }
        }
        pieces
    }

    fn end(&mut self, now: Timestamp) -> Option<Piece> {
        let piece = self.part(now);
        self.began = None;
        piece
    }

    fn part(&mut self, now: Timestamp) -> Option<Piece> {
        if self.piece.is_empty() {
            return None;
        }
        let time = *self.began.get_or_insert(now);
        Some(Piece { text: std::mem::take(&mut self.piece), time, is_partial: true })
    }
}

#[cfg(test)]
mod tests;
