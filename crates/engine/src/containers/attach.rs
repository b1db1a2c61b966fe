//! A client: our own streams, connected with the process that owns a container.
//!
//! It may end in any way without harm to the container. On a terminal, keys go to the container as they are typed, Ctrl-C
//! too; some of them leave it running ([`DetachKeys`]).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use runtime::SignalQueue;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::Signal;

use super::container::Container;
use super::events;
use super::record::ContainerStatus;
use super::supervise::connect;
use super::wire::{self, Decoder, Hello};
use crate::detach_keys::{DetachKeys, DetachWatch};
use crate::streams::{CHUNK, Output, OutputStream, Queue};
use crate::terminal::{RawMode, window_size};
use crate::{Engine, Error, ErrorKind, signals};

/// How to attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachOptions {
    /// Nothing that is typed goes to the container.
    pub no_stdin: bool,
    /// Signals that we get go to a container without a terminal.
    pub sig_proxy: bool,
    /// What leaves it running.
    pub detach_keys: DetachKeys,
}

/// How it was to be attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// The container has ended, with this code.
    Ended(u8),
    /// The detach keys were typed: it runs on.
    Left,
    /// Standard input, all that was asked for, has ended.
    InputEnded,
    /// Nobody reads our standard output any more; the container runs on.
    Unread,
}

/// Who has something for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Owner,
    Signal,
    Input,
    Output,
}

/// Attaches to a running container until it ends.
///
/// # Errors
/// When it does not run.
pub fn attach(engine: &Engine, name: &str, options: &AttachOptions) -> Result<Attached, Error> {
    let container = Container::find(engine, name)?;
    let record = &container.record;
    let socket = open_socket(engine, &container)?;
    let stdin = record.interactive && !options.no_stdin;
    super::run::check_terminal(record.tty && stdin)?;
    let hello = Hello { stdin, stdout: true, stderr: !record.tty, size: None };
    let mut client = Client::new(socket, hello, record.tty, options);
    if let Some(size) = window_size().filter(|_| record.tty) {
        // Two changes of size, so that what is on the screen is drawn again.
        client.resize(runtime::WindowSize { rows: size.rows.saturating_add(1), ..size });
        client.resize(size);
    }
    events::note(engine, &container, "attach", &[]);
    let attached = client.attend(&container)?;
    if attached == Attached::Left {
        events::note(engine, &container, "detach", &[]);
    }
    Ok(attached)
}

/// Connects with the container's owner, who listens soon after the start.
pub(super) fn open_socket(engine: &Engine, container: &Container) -> Result<OwnedFd, Error> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let refused = |message: &str, hint: String| Error::new(ErrorKind::Conflict, message).with_hint(hint);
    let name = &container.record.name;
    let end = Instant::now() + PATIENCE;
    loop {
        let current = Container::open(engine, &container.record.id)?;
        match current.as_ref().map(Container::state).transpose()?.map(|state| state.status()) {
            Some(ContainerStatus::Running) => {}
            Some(ContainerStatus::Paused) => {
                let message = "you cannot attach to a paused container, unpause it first";
                return Err(refused(message, format!("`onggi unpause {name}` lets it go on")));
            }
            Some(ContainerStatus::Restarting) => {
                let message = "you cannot attach to a restarting container, wait until it is running";
                return Err(refused(message, format!("`onggi logs {name}` shows why it ends")));
            }
            _ => {
                let message = "you cannot attach to a stopped container, start it first";
                return Err(refused(message, format!("`onggi start -a {name}` does both")));
            }
        }
        match connect(container) {
            Ok(Some(socket)) => return Ok(socket),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
            Ok(None) => return Err(broken(&io::Error::from(Errno::CONNREFUSED))),
            Err(error) => return Err(broken(&error)),
        }
    }
}

fn broken(error: &io::Error) -> Error {
    Error::new(ErrorKind::Internal, "cannot attach to the container").because(error)
}

/// The client's side of the socket.
#[derive(Debug)]
pub(super) struct Client {
    socket: OwnedFd,
    incoming: Decoder,
    outgoing: Queue,
    signals: Option<SignalQueue>,
    has_terminal: bool,
    sig_proxy: bool,
    /// Until it has ended.
    has_input: bool,
    /// So much input may still be sent.
    room: usize,
    is_input_all: bool,
    keys: Option<DetachWatch>,
    stdout: Output,
    stderr: Output,
    /// The container ends when nobody reads what it writes, as it would with a pipe.
    ends_unread: bool,
    told_unread: bool,
}

impl Client {
    /// Says what it wants at once, so that the socket may be handed over to an owner that does not run yet.
    pub(super) fn new(socket: OwnedFd, hello: Hello, tty: bool, options: &AttachOptions) -> Self {
        let mut outgoing = Queue::default();
        wire::push(&mut outgoing, wire::HELLO, &hello.encode());
        let keys = (tty && hello.stdin).then(|| DetachWatch::new(&options.detach_keys));
        let mut client = Self {
            socket,
            incoming: Decoder::default(),
            outgoing,
            signals: None,
            has_terminal: tty,
            sig_proxy: options.sig_proxy,
            has_input: hello.stdin,
            room: wire::WINDOW,
            is_input_all: hello.stdin && !hello.stdout && !hello.stderr,
            keys,
            stdout: Output::new(OutputStream::Stdout),
            stderr: Output::new(OutputStream::Stderr),
            ends_unread: false,
            told_unread: false,
        };
        client.flush();
        client
    }

    /// It was started for us: when nobody reads its output, it ends.
    pub(super) fn ending_unread(mut self) -> Self {
        self.ends_unread = true;
        self
    }

    pub(super) fn resize(&mut self, size: runtime::WindowSize) {
        wire::push(&mut self.outgoing, wire::RESIZE, &wire::encode_size(size));
        self.flush();
    }

    /// Stays until the container has ended, or is left alone.
    pub(super) fn attend(mut self, container: &Container) -> Result<Attached, Error> {
        // What we want to see, before anybody can take us for attached.
        self.flush();
        self.signals = Some(signals::of_client(self.sig_proxy, self.has_terminal).map_err(|error| broken(&error))?);
        let raw = (self.has_terminal && self.has_input).then(RawMode::enter).flatten();
        let mut buffer = vec![0; CHUNK];
        let outcome = loop {
            match self.turn(&mut buffer) {
                Ok(Some(outcome)) => break Ok(outcome),
                Ok(None) => {}
                Err(error) => break Err(error),
            }
        };
        drop(raw);
        self.write_the_rest();
        outcome.map_err(|error| self.explain(container, &error))
    }

    /// The owner is gone without a word.
    fn explain(&self, container: &Container, error: &io::Error) -> Error {
        match container.state() {
            Ok(state) if state.is_lost() => {
                let message = format!("the container {} has ended: {}", container.record.name, state.error);
                Error::new(ErrorKind::Internal, message).with_exit_code(255)
            }
            _ => broken(error),
        }
    }

    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<Option<Attached>> {
        for source in self.wait()? {
            let outcome = match source {
                Ready::Owner => {
                    self.flush();
                    if self.is_full() { None } else { self.take_frames()? }
                }
                Ready::Signal => self.take_signals(),
                Ready::Input => self.read_input(buffer),
                Ready::Output => {
                    self.stdout.flush();
                    self.stderr.flush();
                    None
                }
            };
            if outcome.is_some() {
                return Ok(outcome);
            }
        }
        if self.stdout.is_broken() && !self.told_unread {
            self.told_unread = true;
            if self.has_terminal && self.sig_proxy && self.stdout.has_hung_up() {
                // The kernel hangs up before it sends the signal, which may come too late to be handed on.
                self.send_signal(Signal::HUP.as_raw());
            }
            if !self.ends_unread || self.stdout.has_hung_up() {
                return Ok(Some(Attached::Unread));
            }
            self.send_signal(Signal::KILL.as_raw());
        }
        let is_done = self.is_input_all && !self.has_input && self.outgoing.is_empty();
        Ok(is_done.then_some(Attached::InputEnded))
    }

    fn is_full(&self) -> bool {
        self.stdout.is_full() || self.stderr.is_full()
    }

    fn wait(&self) -> io::Result<Vec<Ready>> {
        let (mut sources, mut polled) = (Vec::new(), Vec::new());
        let mut add = |source, descriptor, events| {
            sources.push(source);
            polled.push(PollFd::from_borrowed_fd(descriptor, events));
        };
        let reads = if self.is_full() { PollFlags::empty() } else { PollFlags::IN };
        let writes = if self.outgoing.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        // One that is gone would say so again and again.
        if !(reads | writes).is_empty() {
            add(Ready::Owner, self.socket.as_fd(), reads | writes);
        }
        self.signals.iter().for_each(|signals| add(Ready::Signal, signals.as_fd(), PollFlags::IN));
        if self.has_input && self.room > 0 && !self.outgoing.is_full() {
            add(Ready::Input, rustix::stdio::stdin(), PollFlags::IN);
        }
        for output in [&self.stdout, &self.stderr] {
            output.waits_for().into_iter().for_each(|descriptor| add(Ready::Output, descriptor, PollFlags::OUT));
        }
        match rustix::event::poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let events = polled.iter().map(PollFd::revents);
        Ok(sources.into_iter().zip(events).filter(|(_, events)| !events.is_empty()).map(|(source, _)| source).collect())
    }

    fn take_signals(&mut self) -> Option<Attached> {
        while let Some(signal) = self.signals.as_ref().and_then(SignalQueue::next_signal) {
            if signal == Signal::WINCH.as_raw() {
                if let Some(size) = window_size() {
                    self.resize(size);
                }
            } else {
                self.send_signal(signal);
                if signal == Signal::HUP.as_raw() && self.has_terminal {
                    // Our terminal is gone; whoever wants can attach from another one.
                    return Some(Attached::Unread);
                }
            }
        }
        None
    }

    fn send_signal(&mut self, signal: i32) {
        if let Ok(number) = u8::try_from(signal) {
            wire::push(&mut self.outgoing, wire::SIGNAL, &[number]);
            self.flush();
        }
    }

    fn read_input(&mut self, buffer: &mut [u8]) -> Option<Attached> {
        let most = buffer.len().min(self.room);
        match rustix::io::read(rustix::stdio::stdin(), &mut buffer[..most]) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(0) | Err(_) => {
                self.has_input = false;
                wire::push(&mut self.outgoing, wire::STDIN_CLOSED, &[]);
            }
            Ok(count) => {
                let (bytes, is_left) = match &mut self.keys {
                    Some(keys) => keys.sift(&buffer[..count]),
                    None => (buffer[..count].to_vec(), false),
                };
                if !bytes.is_empty() {
                    self.room = self.room.saturating_sub(bytes.len());
                    wire::push(&mut self.outgoing, wire::STDIN, &bytes);
                }
                if is_left {
                    self.flush();
                    return Some(Attached::Left);
                }
            }
        }
        self.flush();
        None
    }

    fn take_frames(&mut self) -> io::Result<Option<Attached>> {
        let gone = || io::Error::other("the process that watches over it is gone");
        let filled = self.incoming.fill(&self.socket, false);
        while let Some((kind, payload)) = self.incoming.next_frame().map_err(|_| gone())? {
            match kind {
                wire::STDOUT => self.stdout.push(payload),
                wire::STDERR => self.stderr.push(payload),
                wire::TAKEN => {
                    let count = payload.try_into().map(u32::from_le_bytes).unwrap_or_default();
                    self.room += usize::try_from(count).unwrap_or_default();
                }
                wire::ENDED => return Ok(Some(Attached::Ended(payload.first().copied().unwrap_or_default()))),
                _ => {}
            }
        }
        filled.map(|()| None).map_err(|_| gone())
    }

    fn flush(&mut self) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        if self.outgoing.write(|bytes| rustix::net::send(&self.socket, bytes, flags)).is_err() {
            // That it is gone is found out by reading.
            self.outgoing.clear();
        }
    }

    /// The last output, however slowly it is read; until a signal says that it is enough.
    fn write_the_rest(&mut self) {
        loop {
            let outputs = [&self.stdout, &self.stderr];
            let mut polled: Vec<PollFd<'_>> = outputs
                .iter()
                .filter_map(|output| output.waits_for())
                .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::OUT))
                .collect();
            if polled.is_empty() {
                return;
            }
            if let Some(signals) = &self.signals {
                polled.push(PollFd::new(signals, PollFlags::IN));
            }
            rustix::event::poll(&mut polled, None).ok();
            drop(polled);
            let signal = self.signals.as_ref().and_then(SignalQueue::next_signal);
            if signal.is_some_and(|signal| signal != Signal::WINCH.as_raw()) {
                return;
            }
            self.stdout.flush();
            self.stderr.flush();
        }
    }
}
