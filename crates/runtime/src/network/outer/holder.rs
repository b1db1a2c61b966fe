//! The process that keeps the outer namespace, and the program that connects it, for as long as somebody needs them.
//!
//! It sleeps in one call. Whoever is connected is a user; when the last one is gone, so is the holder. The program is its child and is killed
//! by the kernel when the holder ends, however that happens. When the program ends first, it is started again.

use std::fs;
use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::way_out::{Event, WayOut};
use super::{FAILED, NAMESPACE, READY, error};
use crate::network::NetworkError;
use crate::network::addresses::StateLock;

/// Who ends sooner after its start will not do better the next time.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// Holds the namespace that is standard output for those who connect with the socket that is standard input, and has the path `socket`;
/// returns when nobody is connected any more. With `forwards_names`, the host's first name server is asked for those who ask at
/// [`OUTER_NAME_SERVER`](super::OUTER_NAME_SERVER); nobody may ask it directly then.
///
/// # Errors
/// When standard input or output is something else.
pub fn hold(socket: &Path, forwards_names: bool) -> Result<(), NetworkError> {
    // A terminal that we were started from is not ours.
    rustix::process::setsid().ok();
    let take = |descriptor: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(descriptor, 3);
    let failed = |errno: Errno| error("hold")(errno.into());
    let listener = UnixListener::from(take(rustix::stdio::stdin()).map_err(failed)?);
    let namespace = take(rustix::stdio::stdout()).map_err(failed)?;
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    rustix::stdio::dup2_stdin(&null).map_err(failed)?;
    rustix::stdio::dup2_stdout(&null).map_err(failed)?;
    listener.set_nonblocking(true).map_err(error("hold"))?;
    let limit = getrlimit(Resource::Nofile);
    // A descriptor for each user; with fewer there is room for fewer.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).ok();
    let mut holder =
        Holder { listener, namespace, forwards_names, users: Vec::new(), state: State::Waiting, way_out: None };
    holder.begin();
    holder.attend(socket)
}

/// What users are told about the way out.
#[derive(Debug)]
enum State {
    Waiting,
    Ready,
    Failed(String),
}

#[derive(Debug)]
struct Holder {
    listener: UnixListener,
    namespace: OwnedFd,
    forwards_names: bool,
    users: Vec<UnixStream>,
    state: State,
    way_out: Option<(WayOut, Instant)>,
}

impl Holder {
    /// Begins to make a way out.
    fn begin(&mut self) {
        match WayOut::start(self.namespace.as_fd(), self.forwards_names) {
            Ok(Some(way_out)) => (self.way_out, self.state) = (Some((way_out, Instant::now())), State::Waiting),
            // The host itself has none: containers reach each other.
            Ok(None) => self.state = State::Ready,
            Err(reason) => self.state = State::Failed(reason),
        }
    }

    fn attend(&mut self, socket: &Path) -> Result<(), NetworkError> {
        let folder = socket.parent().unwrap_or(Path::new("/"));
        // Whoever started us is connected by now.
        self.welcome();
        loop {
            if self.users.is_empty() || matches!(self.state, State::Failed(_)) {
                let _lock = StateLock::acquire(folder)?;
                self.welcome();
                if self.users.is_empty() || matches!(self.state, State::Failed(_)) {
                    fs::remove_file(socket).unwrap_or_default();
                    return Ok(());
                }
            }
            self.wait();
        }
    }

    /// Sleeps until something happens, and sees to it.
    fn wait(&mut self) {
        let is_there = PollFlags::IN;
        let mut polled = vec![PollFd::new(&self.listener, is_there)];
        let before = polled.len() + self.users.len();
        polled.extend(self.users.iter().map(|user| PollFd::new(user, is_there)));
        polled.extend(
            self.way_out
                .iter()
                .flat_map(|(way_out, _)| way_out.descriptors())
                .map(|fd| PollFd::from_borrowed_fd(fd, is_there)),
        );
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            // There is no memory: who is killed next may leave some.
            Err(_) => std::thread::yield_now(),
        }
        let ready: Vec<bool> = polled.iter().map(|descriptor| !descriptor.revents().is_empty()).collect();
        drop(polled);
        if let Some((way_out, began)) = &mut self.way_out {
            match way_out.look(&ready[before..]) {
                Event::Nothing => {}
                Event::Ready => self.tell(State::Ready),
                Event::Ended(reason) => {
                    let is_hopeless = matches!(self.state, State::Waiting) || began.elapsed() < SHORTEST_LIFE;
                    self.way_out = None;
                    match is_hopeless {
                        true => self.tell(State::Failed(reason)),
                        false => self.begin(),
                    }
                }
            }
        }
        let mut number = 0;
        self.users.retain(|user| {
            number += 1;
            // They say nothing: it can only be the end.
            !ready[number] || matches!(rustix::io::read(user, &mut [0; 64]), Ok(1..) | Err(Errno::INTR))
        });
        if ready[0] {
            self.welcome();
        }
    }

    fn tell(&mut self, state: State) {
        self.state = state;
        for user in &self.users {
            self.answer(user);
        }
    }

    fn answer(&self, mut user: &UnixStream) {
        // Who is gone is noticed at the next look.
        match &self.state {
            State::Waiting => {}
            State::Ready => drop(user.write_all(&[READY])),
            State::Failed(reason) => drop(user.write_all(&[&[FAILED], reason.as_bytes()].concat())),
        }
    }

    /// Takes in all who wait.
    fn welcome(&mut self) {
        if self.way_out.is_none() && matches!(self.state, State::Ready) {
            // The host may have got a way out by now.
            self.begin();
        }
        while let Ok((user, _)) = self.listener.accept() {
            if hand_over(&user, self.namespace.as_fd()).is_ok() {
                self.answer(&user);
                self.users.push(user);
            }
        }
    }
}

/// The first word, with the namespace.
fn hand_over(user: &UnixStream, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [namespace];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    rustix::net::sendmsg(user, &[IoSlice::new(&[NAMESPACE])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}
