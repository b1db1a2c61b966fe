//! One loop for all that happens around a running container: its output, its input, who is attached, signals, its end.
//!
//! ```text
//!   container ---stdout, stderr or terminal---> log, console, clients
//!   container <---stdin or terminal------------ console, clients
//! ```
//!
//! It runs in whichever process owns the container: in `run` itself, whose own streams are the [`Console`] then, or in the
//! monitor, which has none. Both listen on the socket `attach` in the container's folder. There is one thread: the kernel
//! ends a container with the thread that started it, and a namespace is cloned from a process without locks held.
//!
//! Nobody who is slow loses anything: when the bytes for one reader pile up, nothing more is read from the container,
//! which has to wait, as it would with a pipe. A reader who is gone is forgotten.

mod client;
mod console;
mod input;
mod listener;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use runtime::{Process, SignalQueue, Stdio, StdioStream};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::Signal;
use rustix::pty::OpenptFlags;

use self::client::{Client, Request};
pub(super) use self::console::Console;
use self::input::{Input, Origin};
use self::listener::Listener;
pub(super) use self::listener::connect;
use super::container::Container;
use super::health::watch::HealthWatch;
use super::log::Log;
use super::record::ContainerRecord;
use super::stop::stop_signal;
use super::wire::Hello;
use crate::streams::{CHUNK, OutputStream, never_wait};
use crate::{Engine, signals};

/// A container in front may end before anybody could ask for it: so long it has no socket.
const UNTIL_OTHERS_ASK: Duration = Duration::from_millis(20);

/// What belongs to one life of the container, from its start to its end.
#[derive(Debug, Default)]
pub(super) struct Ends {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    stdin: Option<OwnedFd>,
    /// Held open so that the terminal stays, also while no process of the container has it open.
    peer: Option<OwnedFd>,
}

/// The owner's side of a container.
#[derive(Debug)]
pub(super) struct Supervisor<'a> {
    engine: &'a Engine,
    container: &'a Container,
    signals: SignalQueue,
    listener: Option<Listener>,
    listen_at: Option<Instant>,
    console: Option<Console>,
    clients: Vec<Client>,
    next_client: u64,
    input: Input,
    ends: Ends,
    log: Log,
    buffer: Vec<u8>,
    health: Option<HealthWatch>,
    /// It is to stay ended when it ends.
    is_held: bool,
    /// We were told to end: when to stop asking the container nicely.
    kill_at: Option<Instant>,
    /// Nobody wants the rest of the output.
    is_abandoned: bool,
}

/// Who has something for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Process,
    Signals,
    Listener,
    Output(OutputStream),
    Health,
    Input,
    ConsoleInput,
    ConsoleOutput,
    Client(usize),
}

/// What came of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The container's first process has ended.
    Ended,
    /// The given time has come.
    TimeIsUp,
    Again,
}

impl<'a> Supervisor<'a> {
    /// Collects signals from now on. With a console this process is the container's first client; others can come later.
    pub(super) fn new(engine: &'a Engine, container: &'a Container, console: Option<Console>) -> io::Result<Self> {
        let signals = match console {
            Some(_) => signals::to_hand_on()?,
            None => signals::to_end_by()?,
        };
        let (listener, listen_at) = match console {
            Some(_) => (None, Some(Instant::now() + UNTIL_OTHERS_ASK)),
            None => (Some(Listener::open(container)?), None),
        };
        Ok(Self {
            engine,
            container,
            signals,
            listener,
            listen_at,
            console,
            clients: Vec::new(),
            next_client: 0,
            input: Input::default(),
            ends: Ends::default(),
            log: Log::new(&container.record),
            buffer: vec![0; CHUNK],
            health: None,
            is_held: false,
            kill_at: None,
            is_abandoned: false,
        })
    }

    /// Takes in a client whose socket was handed to us; gives what it wants.
    pub(super) fn welcome(&mut self, socket: OwnedFd) -> Hello {
        self.next_client += 1;
        let mut client = Client::new(self.next_client, socket);
        let hello = client.await_hello();
        self.clients.push(client);
        hello
    }

    /// Streams for a container that is about to start: its ends of them.
    pub(super) fn open_streams(&mut self) -> io::Result<Stdio> {
        let record = &self.container.record;
        self.ends = Ends::default();
        self.input.close();
        if record.tty {
            return Ok(Stdio::null());
        }
        let (out, out_end) = crate::terminal::pipe()?;
        let (err, err_end) = crate::terminal::pipe()?;
        never_wait(&out)?;
        never_wait(&err)?;
        (self.ends.stdout, self.ends.stderr) = (Some(out), Some(err));
        let mut stdin = StdioStream::Null;
        if record.interactive {
            let (end, input) = crate::terminal::pipe()?;
            never_wait(&input)?;
            (stdin, self.ends.stdin) = (StdioStream::Fd(end), Some(input));
        }
        Ok(Stdio { stdin, stdout: StdioStream::Fd(out_end), stderr: StdioStream::Fd(err_end) })
    }

    /// Stays until the container has ended and all that it wrote is delivered; gives its exit code.
    pub(super) fn attend(&mut self, process: &Process) -> io::Result<u8> {
        if let Some(terminal) = process.terminal() {
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            self.ends.peer = rustix::pty::ioctl_tiocgptpeer(terminal, flags).ok();
            let terminal = terminal.try_clone_to_owned()?;
            never_wait(&terminal)?;
            self.ends.stdin = Some(terminal.try_clone()?);
            self.ends.stdout = Some(terminal);
        }
        if let Some(stdin) = self.ends.stdin.take() {
            self.input.open(stdin);
        }
        self.health = HealthWatch::begin(self.container);
        while self.turn(Some(process), None)? != Turn::Ended {}
        self.health = None;
        let code = process.wait()?.docker_code();
        self.input.close();
        self.drain()?;
        self.ends = Ends::default();
        self.log.finish(self.engine, self.container);
        Ok(code)
    }

    /// Waits before the next start. Says whether it is to come.
    pub(super) fn pause(&mut self, delay: Duration) -> io::Result<bool> {
        let until = Instant::now() + delay;
        while !self.is_held {
            if self.turn(None, Some(until))? == Turn::TimeIsUp {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The container is not to be started again.
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Tells the clients that the container has ended; they leave when they have got all that came before.
    pub(super) fn tell_end(&mut self, code: u8) {
        self.clients.iter_mut().for_each(|client| client.tell_end(code));
        self.clients.retain(|client| !client.is_gone());
    }

    /// Stays until the last client has left.
    pub(super) fn see_off(mut self) {
        self.listener = None;
        while !self.clients.is_empty() && !self.is_abandoned {
            if self.turn(None, None).is_err() {
                return;
            }
        }
    }

    /// What the container wrote before it ended.
    fn drain(&mut self) -> io::Result<()> {
        while !self.is_abandoned {
            if !self.has_room() {
                self.turn(None, None)?;
            } else if !self.read(OutputStream::Stdout) & !self.read(OutputStream::Stderr) {
                break;
            }
        }
        while !self.is_abandoned && self.console.as_ref().is_some_and(Console::has_more) {
            self.turn(None, None)?;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        !self.console.as_ref().is_some_and(Console::is_full) && !self.clients.iter().any(Client::is_full)
    }

    /// Waits until something happens, and sees to it.
    fn turn(&mut self, process: Option<&Process>, until: Option<Instant>) -> io::Result<Turn> {
        let ready = self.wait(process, until)?;
        let now = Instant::now();
        if self.listen_at.is_some_and(|time| time <= now) && process.is_some() {
            self.listen_at = None;
            // Without a socket nobody else can attach; the container runs all the same.
            self.listener = Listener::open(self.container).ok();
        }
        if let (Some(time), Some(process)) = (self.kill_at, process)
            && time <= now
        {
            self.kill_at = None;
            process.signal(Signal::KILL.as_raw()).ok();
        }
        let mut turn = Turn::Again;
        for (source, events) in ready {
            match source {
                Source::Process => turn = Turn::Ended,
                Source::Signals => self.take_signals(process),
                Source::Listener => self.accept(process),
                Source::Output(stream) => drop(self.read(stream)),
                // All that is to be done comes after the rest.
                Source::Health => {}
                Source::Input => self.feed(),
                Source::ConsoleInput => self.read_console(),
                Source::ConsoleOutput => self.flush_console(),
                Source::Client(place) => self.serve(place, events, process),
            }
        }
        if turn != Turn::Ended
            && let Some(health) = &mut self.health
        {
            health.work(self.engine, self.container);
        }
        self.forget_gone();
        Ok(if turn == Turn::Again && until.is_some_and(|until| until <= now) { Turn::TimeIsUp } else { turn })
    }

    fn wait(&self, process: Option<&Process>, until: Option<Instant>) -> io::Result<Vec<(Source, PollFlags)>> {
        let (mut sources, mut polled) = (Vec::new(), Vec::new());
        let mut add = |source, descriptor, events| {
            sources.push(source);
            polled.push(PollFd::from_borrowed_fd(descriptor, events));
        };
        add(Source::Signals, self.signals.as_fd(), PollFlags::IN);
        if let Some(process) = process {
            add(Source::Process, process.pidfd(), PollFlags::IN);
            if self.has_room() {
                for (stream, end) in
                    [(OutputStream::Stdout, &self.ends.stdout), (OutputStream::Stderr, &self.ends.stderr)]
                {
                    end.iter().for_each(|end| add(Source::Output(stream), end.as_fd(), PollFlags::IN));
                }
            }
        }
        if let Some(health) = &self.health {
            health.descriptors().for_each(|descriptor| add(Source::Health, descriptor, PollFlags::IN));
        }
        if let Some(end) = self.input.waits_for() {
            add(Source::Input, end, PollFlags::OUT);
        }
        if let Some(console) = &self.console {
            if process.is_some() && self.input.wants_more() && console.has_input() {
                add(Source::ConsoleInput, rustix::stdio::stdin(), PollFlags::IN);
            }
            console.outputs().for_each(|output| add(Source::ConsoleOutput, output, PollFlags::OUT));
        }
        self.listener.iter().for_each(|listener| add(Source::Listener, listener.as_fd(), PollFlags::IN));
        for (place, client) in self.clients.iter().enumerate() {
            add(Source::Client(place), client.as_fd(), client.events());
        }
        let kill_at = self.kill_at.filter(|_| process.is_some());
        let listen_at = self.listen_at.filter(|_| process.is_some());
        let health_at = self.health.as_ref().and_then(HealthWatch::deadline);
        let deadline = [until, kill_at, listen_at, health_at].into_iter().flatten().min();
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = timeout.map(|left| Timespec::try_from(left).map_err(io::Error::other)).transpose()?;
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let events = polled.iter().map(PollFd::revents);
        Ok(sources.into_iter().zip(events).filter(|(_, events)| !events.is_empty()).collect())
    }

    /// Reads once from the container. Says whether there was anything.
    fn read(&mut self, stream: OutputStream) -> bool {
        let end = match stream {
            OutputStream::Stdout => &mut self.ends.stdout,
            OutputStream::Stderr => &mut self.ends.stderr,
        };
        let Some(descriptor) = end else { return false };
        let count = match rustix::io::read(&*descriptor, &mut self.buffer) {
            Ok(count) if count > 0 => count,
            Err(Errno::AGAIN | Errno::INTR) => return false,
            // A terminal whose other side is closed gives EIO.
            Ok(_) | Err(_) => {
                *end = None;
                return false;
            }
        };
        let bytes = &self.buffer[..count];
        self.log.write(self.engine, self.container, stream, bytes);
        for client in &mut self.clients {
            client.deliver(stream, bytes);
        }
        if let Some(console) = &mut self.console
            && console.deliver(stream, bytes).is_err()
        {
            // Nobody reads us, so nobody reads the container: it learns that as it would on a pipe.
            *end = None;
        }
        true
    }

    fn take_signals(&mut self, process: Option<&Process>) {
        while let Some(signal) = self.signals.next_signal() {
            match (&self.console, process) {
                (Some(_), Some(process)) => drop(process.signal(signal)),
                (Some(_), None) => self.is_abandoned = true,
                // A closed terminal is none of a monitor's business.
                (None, _) if signal == Signal::HUP.as_raw() => {}
                (None, process) => self.end(process),
            }
        }
    }

    /// Somebody wants this monitor to end, perhaps as the machine goes down: the container is stopped as by `stop`.
    fn end(&mut self, process: Option<&Process>) {
        (self.is_held, self.is_abandoned) = (true, process.is_none());
        if let (Some(process), None) = (process, self.kill_at) {
            let lifetime = &self.container.record.lifetime;
            let signal = stop_signal(&self.container.record).unwrap_or(Signal::TERM);
            process.signal(signal.as_raw()).ok();
            self.kill_at = lifetime.grace().map(|grace| Instant::now() + grace);
        }
    }

    fn accept(&mut self, process: Option<&Process>) {
        if let Some(socket) = self.listener.as_ref().and_then(Listener::accept) {
            self.next_client += 1;
            self.clients.push(Client::new(self.next_client, socket));
            // What it wants to see is known before anything more is shown.
            self.serve(self.clients.len() - 1, PollFlags::IN, process);
        }
    }

    fn serve(&mut self, place: usize, events: PollFlags, process: Option<&Process>) {
        let client = &mut self.clients[place];
        client.flush();
        if !events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            return;
        }
        let id = client.id();
        for request in client.requests() {
            match request {
                Request::Stdin(bytes) => self.input.push(Origin::Client(id), bytes),
                Request::StdinClosed => self.input_ended(Origin::Client(id)),
                Request::Resize(size) => {
                    process.map(|process| process.resize(size));
                }
                Request::Signal(signal) => {
                    process.map(|process| process.signal(signal));
                }
                Request::Hold => {
                    self.is_held = true;
                    self.clients[place].tell_held();
                }
            }
        }
        self.feed();
    }

    /// Who was there for the input and went, however that was found out, has no more of it.
    fn forget_gone(&mut self) {
        let gone: Vec<u64> =
            self.clients.iter().filter(|client| client.is_gone() && client.has_stdin()).map(Client::id).collect();
        self.clients.retain(|client| !client.is_gone());
        for id in gone {
            self.input_ended(Origin::Client(id));
            self.feed();
        }
    }

    /// Whoever the container was started for has no more input: that is the end of it (`StdinOnce`).
    fn input_ended(&mut self, origin: Origin) {
        let record = &self.container.record;
        if record.streams.stdin_once && !record.tty {
            self.input.push_end(origin);
        }
    }

    /// Hands input to the container, and tells those it came from.
    fn feed(&mut self) {
        for (origin, count) in self.input.flush() {
            if let Origin::Client(id) = origin
                && let Some(client) = self.clients.iter_mut().find(|client| client.id() == id)
            {
                client.tell_taken(count);
            }
        }
    }

    fn read_console(&mut self) {
        let Some(console) = &mut self.console else { return };
        match console.read(&mut self.buffer) {
            Some(0) => self.input_ended(Origin::Console),
            Some(count) => self.input.push(Origin::Console, self.buffer[..count].to_vec()),
            None => {}
        }
        self.feed();
    }

    fn flush_console(&mut self) {
        let Some(console) = &mut self.console else { return };
        let broken = console.flush();
        if broken.contains(&OutputStream::Stdout) {
            self.ends.stdout = None;
        }
        if broken.contains(&OutputStream::Stderr) {
            self.ends.stderr = None;
        }
    }
}

/// Whether its owner can be the process that was called: nothing is asked for that outlives it.
pub(super) fn can_be_in_front(record: &ContainerRecord) -> bool {
    !record.tty && !record.lifetime.restart.restarts() && record.streams.has_output()
}

/// For the descriptor of a socket that is made before there is anybody to use it.
pub(super) fn hello(record: &ContainerRecord) -> Hello {
    let streams = &record.streams;
    let size = record.tty.then(crate::terminal::window_size).flatten();
    Hello { stdin: streams.stdin, stdout: streams.stdout, stderr: streams.stderr && !record.tty, size }
}
