//! `logs`: what was kept, read again, and what is added to it meanwhile.
//!
//! All files of a log are opened before the first is read, so that rotation takes nothing away from a reader. Whoever
//! follows waits for what happens in the container's folder: something is written, a file is renamed, the state changes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags};

use super::NAME;
use super::format::{ReadRow, read_json, read_local};
use super::settings::Driver;
use crate::containers::container::Container;
use crate::streams::{CHUNK, OutputStream};
use crate::{Engine, Error, ErrorKind};

/// Which part of a log to show.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Go on until the container ends.
    pub follow: bool,
    /// Only so many at the end; all otherwise.
    pub tail: Option<usize>,
    /// Only what is not older.
    pub since: Option<Timestamp>,
    /// Only what is not newer.
    pub until: Option<Timestamp>,
}

/// One line of a container's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whether it came from standard error.
    pub is_stderr: bool,
    /// The text, usually with its line break.
    pub text: Vec<u8>,
    /// When it was written.
    pub time: Timestamp,
    /// Labels and variables that were to be kept with it.
    pub attributes: Vec<(String, String)>,
}

/// Gives the lines of a container's log, oldest first, to `show`, which says whether it wants more (S070).
///
/// # Errors
/// When there is no such container, or its log cannot be read.
pub fn logs(
    engine: &Engine,
    name: &str,
    options: &LogOptions,
    show: &mut dyn FnMut(LogLine) -> ControlFlow<()>,
) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let driver = container.record.log.driver();
    if driver == Driver::None {
        let message = "configured logging driver does not support reading";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Internal, format!("cannot read the log of container {}", container.record.name))
            .because(&error)
    };
    // Before anything is read: what happens from here on wakes us.
    let watch = options.follow.then(|| Watch::new(&container)).transpose().map_err(failed)?;
    let mut reader = Reader::open(&container, driver).map_err(failed)?;
    if let Some(count) = options.tail {
        reader.skip_to_tail(count).map_err(failed)?;
    }
    loop {
        let is_over = match &watch {
            Some(_) => !runs(engine, &container)? || options.until.is_some_and(|until| engine.now() > until),
            None => true,
        };
        if reader.read(options, show).map_err(failed)?.is_break() || is_over {
            return Ok(());
        }
        if let Some(watch) = &watch {
            let left = options.until.map(|until| until.duration_since(engine.now()).unsigned_abs());
            watch.wait(&container, left)?;
        }
    }
}

/// Something may still be written.
fn runs(engine: &Engine, container: &Container) -> Result<bool, Error> {
    match Container::open(engine, &container.record.id)? {
        Some(container) => Ok(container.state()?.is_active()),
        None => Ok(false),
    }
}

/// The files of a log, oldest first, and where we are in them.
#[derive(Debug)]
struct Reader<'a> {
    container: &'a Container,
    driver: Driver,
    files: VecDeque<File>,
    /// What was read of the first file and is no whole row yet.
    rest: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn open(container: &'a Container, driver: Driver) -> io::Result<Self> {
        let mut reader = Self { container, driver, files: VecDeque::new(), rest: Vec::new() };
        reader.open_newer_than(None)?;
        Ok(reader)
    }

    /// Adds the files that came after the one with this inode; all files if that is gone.
    fn open_newer_than(&mut self, known: Option<u64>) -> io::Result<()> {
        let mut newer: VecDeque<File> = VecDeque::new();
        for number in 0.. {
            let name = if number == 0 { NAME.to_owned() } else { format!("{NAME}.{number}") };
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let file = match rustix::fs::openat(self.container.folder.as_fd(), name, flags, Mode::empty()) {
                Ok(file) => File::from(file),
                // Between two renames, or before anything was written.
                Err(rustix::io::Errno::NOENT) if number == 0 => continue,
                Err(rustix::io::Errno::NOENT) => break,
                Err(errno) => return Err(errno.into()),
            };
            let inode = file.metadata()?.ino();
            if Some(inode) == known {
                break;
            }
            // One that was renamed while we looked comes twice.
            if newer.front().map(File::metadata).transpose()?.is_none_or(|last| last.ino() != inode) {
                newer.push_front(file);
            }
        }
        self.files.append(&mut newer);
        Ok(())
    }

    /// Gives all rows that are there.
    fn read(
        &mut self,
        options: &LogOptions,
        show: &mut dyn FnMut(LogLine) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let mut looked = false;
        let mut buffer = vec![0; CHUNK];
        loop {
            let has_newer = self.files.len() > 1;
            let Some(file) = self.files.front_mut() else {
                if std::mem::replace(&mut looked, true) {
                    return Ok(ControlFlow::Continue(()));
                }
                self.open_newer_than(None)?;
                continue;
            };
            let count = file.read(&mut buffer)?;
            if count > 0 {
                looked = false;
                self.rest.extend_from_slice(&buffer[..count]);
                if self.show_rows(options, show).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            } else if has_newer {
                self.files.pop_front();
                self.rest.clear();
            } else if looked {
                return Ok(ControlFlow::Continue(()));
            } else {
                // A file is full before there is a newer one: so once more, when there is.
                looked = true;
                let inode = file.metadata()?.ino();
                self.open_newer_than(Some(inode))?;
            }
        }
    }

    fn show_rows(&mut self, options: &LogOptions, show: &mut dyn FnMut(LogLine) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut taken = 0;
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue()
            && let Some((row, length)) = first_row(self.driver, &self.rest[taken..])
        {
            taken += length;
            let Some(ReadRow { stream, text, time, attributes }) = row else { continue };
            if options.until.is_some_and(|until| time > until) {
                flow = ControlFlow::Break(());
            } else if options.since.is_none_or(|since| time >= since) {
                flow = show(LogLine { is_stderr: stream == OutputStream::Stderr, text, time, attributes });
            }
        }
        self.rest.drain(..taken);
        flow
    }

    /// Passes over all but the last rows.
    fn skip_to_tail(&mut self, mut count: usize) -> io::Result<()> {
        for place in (0..self.files.len()).rev() {
            let file = &mut self.files[place];
            let (start, found) = match count {
                0 => (file.metadata()?.len(), 0),
                _ => last_rows(self.driver, file, count)?,
            };
            file.seek(SeekFrom::Start(start))?;
            count -= found;
            if count == 0 {
                self.files.drain(..place);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The row that the bytes begin with, if it is a row, and its length; nothing when it is not whole.
fn first_row(driver: Driver, bytes: &[u8]) -> Option<(Option<ReadRow>, usize)> {
    match driver {
        Driver::Local => {
            let (length, rest) = bytes.split_first_chunk()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let entry = rest.get(..length)?;
            rest.get(length..length + 4)?;
            Some((read_local(entry), length + 8))
        }
        Driver::JsonFile | Driver::None => {
            let end = bytes.iter().position(|byte| *byte == b'\n')?;
            Some((read_json(&bytes[..end]), end + 1))
        }
    }
}

/// Where the last rows of a file begin, and how many there are; at most `count`, which is not 0.
fn last_rows(driver: Driver, file: &mut File, count: usize) -> io::Result<(u64, usize)> {
    let mut start = file.metadata()?.len();
    let mut found = 0;
    if driver == Driver::Local {
        let mut length = [0; 4];
        while found < count && start >= 8 {
            file.seek(SeekFrom::Start(start - 4))?;
            file.read_exact(&mut length)?;
            let Some(before) = start.checked_sub(u64::from(u32::from_be_bytes(length)) + 8) else { break };
            (start, found) = (before, found + 1);
        }
        return Ok((start, found));
    }
    // Backward from the end: each line break but the last is in front of a row.
    let mut breaks = 0;
    let mut buffer = vec![0; CHUNK];
    while start > 0 {
        let length = start.min(CHUNK as u64);
        let block = &mut buffer[..usize::try_from(length).unwrap_or(CHUNK)];
        file.seek(SeekFrom::Start(start - length))?;
        file.read_exact(block)?;
        for (place, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            breaks += 1;
            if breaks > count {
                return Ok((start - length + place as u64 + 1, count));
            }
        }
        start -= length;
    }
    Ok((0, breaks.min(count)))
}

/// Tells when something happens to a container.
#[derive(Debug)]
struct Watch {
    inotify: OwnedFd,
}

impl Watch {
    fn new(container: &Container) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let what = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        inotify::add_watch(&inotify, container.folder.path(), what)?;
        Ok(Self { inotify })
    }

    fn wait(&self, container: &Container, left: Option<std::time::Duration>) -> Result<(), Error> {
        /// Of one that is about to be started again nothing tells that it will not be, when its monitor is killed.
        const LOOK: std::time::Duration = std::time::Duration::from_secs(1);
        let state = container.state()?;
        let pid = state.process.and_then(|(pid, _)| Pid::from_raw(i32::try_from(pid).ok()?));
        let process = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
        let left = if process.is_none() { Some(left.map_or(LOOK, |left| left.min(LOOK))) } else { left };
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut polled = vec![PollFd::new(&self.inotify, PollFlags::IN)];
        polled.extend(process.iter().map(|process| PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)));
        rustix::event::poll(&mut polled, timeout.as_ref()).ok();
        if polled.len() > 1 && !polled[1].revents().is_empty() {
            // From the end of the process until its owner has written that down.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        while events.next().is_ok() {}
        Ok(())
    }
}
