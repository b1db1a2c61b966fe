//! `events`: what was written down, and what is added to it meanwhile.
//!
//! Whoever follows waits for what happens in the store's own folder: a line is added, or a new file takes the old one's
//! place.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use serde_json::Value;

use crate::{Engine, Error, ErrorKind};

/// Which events to show.
#[derive(Debug, Clone, Default)]
pub struct EventsOptions {
    /// What is not older; otherwise only what happens from now on, or with `until` all that is known.
    pub since: Option<Timestamp>,
    /// What is not newer; otherwise it goes on for ever.
    pub until: Option<Timestamp>,
    /// Only what fits all of these.
    pub filters: Vec<EventFilter>,
}

/// One `KEY=VALUE`. Those with the same key are alternatives, but for labels, which must all be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    key: String,
    value: String,
}

const KEYS: [&str; 5] = ["container", "event", "image", "label", "type"];

impl FromStr for EventFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |message: String| {
            Error::new(ErrorKind::InvalidInput, message).with_hint(format!("filters are {}", KEYS.join(", ")))
        };
        let Some((key, value)) = text.split_once('=') else {
            return Err(wrong(format!("invalid filter `{text}`: it must be KEY=VALUE")));
        };
        let key = key.trim().to_ascii_lowercase();
        if !KEYS.contains(&key.as_str()) {
            return Err(wrong(format!("invalid filter `{key}`")));
        }
        Ok(Self { key, value: value.trim().to_owned() })
    }
}

impl EventFilter {
    fn fits(&self, event: &Value) -> bool {
        let attributes = &event["Actor"]["Attributes"];
        let is = |value: &Value| value.as_str() == Some(&self.value);
        match self.key.as_str() {
            "container" => {
                let id = event["Actor"]["ID"].as_str().unwrap_or_default();
                is(&attributes["name"]) || !self.value.is_empty() && id.starts_with(&self.value)
            }
            // `exec_start: sh -c …` and `health_status: healthy` are found by their first word, too.
            "event" => is(&event["Action"]) || event["Action"].as_str().and_then(first_word) == Some(&self.value),
            "image" => {
                is(&attributes["image"])
                    || event["from"].as_str().is_some_and(|name| name.split(':').next() == Some(&self.value))
            }
            "label" => match self.value.split_once('=') {
                Some((key, value)) => attributes[key].as_str() == Some(value),
                None => !attributes[&self.value].is_null(),
            },
            _ => is(&event["Type"]),
        }
    }
}

fn first_word(action: &str) -> Option<&str> {
    action.split_once(':').map(|(word, _)| word)
}

/// Gives events, oldest first, to `show`, which says whether it wants more. Each is an object in Docker's shape.
///
/// # Errors
/// When the store cannot be read.
pub fn events(
    engine: &Engine,
    options: &EventsOptions,
    show: &mut dyn FnMut(&Value) -> ControlFlow<()>,
) -> Result<(), Error> {
    let failed = |error: io::Error| Error::new(ErrorKind::Internal, "cannot read what happened").because(&error);
    let since = options.since.unwrap_or_else(|| options.until.map_or_else(|| engine.now(), |_| Timestamp::MIN));
    // Before anything is read: what happens from here on wakes us.
    let watch = Watch::new(engine).map_err(failed)?;
    let mut reader = Reader::default();
    loop {
        let is_over = options.until.is_some_and(|until| engine.now() >= until);
        let mut choose = |event: &Value| {
            let time = event["timeNano"].as_i64().and_then(|time| Timestamp::from_nanosecond(time.into()).ok());
            let Some(time) = time else { return ControlFlow::Continue(()) };
            if options.until.is_some_and(|until| time > until) {
                return ControlFlow::Break(());
            }
            if time < since || !takes(&options.filters, event) { ControlFlow::Continue(()) } else { show(event) }
        };
        if reader.read(engine, &mut choose)?.is_break() || is_over {
            return Ok(());
        }
        watch.wait(options.until.map(|until| until.duration_since(engine.now()).unsigned_abs()));
    }
}

fn takes(filters: &[EventFilter], event: &Value) -> bool {
    KEYS.iter().all(|key| {
        let mut tests = filters.iter().filter(|filter| filter.key == *key).map(|filter| filter.fits(event));
        match *key {
            "label" => tests.all(|fits| fits),
            _ => !filters.iter().any(|filter| filter.key == *key) || tests.any(|fits| fits),
        }
    })
}

/// The file that is being read, and what was read of a line that is not whole.
#[derive(Debug, Default)]
struct Reader {
    file: Option<File>,
    rest: Vec<u8>,
}

impl Reader {
    /// Gives all lines that are there.
    fn read(
        &mut self,
        engine: &Engine,
        show: &mut dyn FnMut(&Value) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let failed = |error: io::Error| Error::new(ErrorKind::Internal, "cannot read what happened").because(&error);
        if self.rest_of_file(show).map_err(failed)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let known = self.file.as_ref().map(File::metadata).transpose().map_err(failed)?.map(|data| data.ino());
        let mut files = engine.store().open_events()?;
        // A file is full before there is a newer one: so ours is read once more, and then the newer ones.
        let mut place = None;
        for (number, file) in files.iter().enumerate() {
            if Some(file.metadata().map_err(failed)?.ino()) == known {
                place = Some(number + 1);
            }
        }
        if place == Some(files.len()) {
            return Ok(ControlFlow::Continue(()));
        }
        if self.rest_of_file(show).map_err(failed)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        for file in files.drain(place.unwrap_or(0)..) {
            self.file = Some(file);
            self.rest.clear();
            if self.rest_of_file(show).map_err(failed)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn rest_of_file(&mut self, show: &mut dyn FnMut(&Value) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
        let Some(file) = &mut self.file else { return Ok(ControlFlow::Continue(())) };
        file.read_to_end(&mut self.rest)?;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        for line in lines.split(|byte| *byte == b'\n') {
            if let Ok(event) = serde_json::from_slice(line)
                && show(&event).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Tells when something may have been written down.
#[derive(Debug)]
struct Watch {
    inotify: OwnedFd,
}

impl Watch {
    fn new(engine: &Engine) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let what = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        inotify::add_watch(&inotify, engine.store().path(), what)?;
        Ok(Self { inotify })
    }

    fn wait(&self, left: Option<std::time::Duration>) {
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        rustix::event::poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], timeout.as_ref()).ok();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut woken = inotify::Reader::new(&self.inotify, &mut buffer);
        while woken.next().is_ok() {}
    }
}
