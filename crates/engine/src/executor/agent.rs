//! A socket for one step, of which all that is said is passed on to an agent of the host and back.
//!
//! The step never sees the agent's own socket: it has neither its owner nor its folder, and is gone with the step.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use builder::ExecutorError;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

/// The listening end, until it is dropped.
#[derive(Debug)]
pub(crate) struct AgentProxy {
    /// Closed to end the threads, which wait for its other end as well.
    stop: Option<OwnedFd>,
    listening: Option<JoinHandle<()>>,
}

/// Mode, owner and group.
type Access = (u32, u32, u32);

impl AgentProxy {
    /// Listens as `name` in `folder` for the step's programs.
    pub(super) fn start(folder: &Path, name: &str, agent: &Path, access: Access) -> Result<Self, ExecutorError> {
        let failed = |error: std::io::Error| format!("cannot pass on the SSH agent {}: {error}", agent.display());
        if let Err(error) = UnixStream::connect(agent) {
            return Err(failed(error).into());
        }
        let listener = listen(folder, name, access).map_err(failed)?;
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (agent, stopped) = (agent.to_owned(), Arc::new(stopped));
        let listening = std::thread::spawn(move || accept(&listener, &agent, &stopped));
        Ok(Self { stop: Some(stop), listening: Some(listening) })
    }
}

impl Drop for AgentProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(listening) = self.listening.take() {
            // A thread that failed has nothing left to say.
            listening.join().ok();
        }
    }
}

/// A socket's path has 107 bytes at most; through the folder's descriptor it is always short.
fn listen(folder: &Path, name: &str, (mode, uid, gid): Access) -> std::io::Result<UnixListener> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", std::os::fd::AsRawFd::as_raw_fd(&folder)));
    let listener = UnixListener::bind(&path)?;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::fs::chownat(CWD, &path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    rustix::fs::chmodat(CWD, &path, Mode::from_raw_mode(mode & 0o777), AtFlags::empty())?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn accept(listener: &UnixListener, agent: &Path, stopped: &Arc<OwnedFd>) {
    let mut conversations: Vec<JoinHandle<()>> = Vec::new();
    while let Some(()) = wait_for(listener.as_fd(), None, stopped).map(drop) {
        let Ok((client, _)) = listener.accept() else { continue };
        // Without an agent the program sees its connection close.
        let Ok(server) = UnixStream::connect(agent) else { continue };
        if client.set_nonblocking(false).is_err() {
            continue;
        }
        let stopped = Arc::clone(stopped);
        conversations.retain(|conversation| !conversation.is_finished());
        conversations.push(std::thread::spawn(move || talk(&client, &server, &stopped)));
    }
    for conversation in conversations {
        conversation.join().ok();
    }
}

/// Passes on what either side says until one of them is silent for good, or the step is over.
fn talk(client: &UnixStream, server: &UnixStream, stopped: &OwnedFd) {
    while let Some((from_client, from_server)) = wait_for(client.as_fd(), Some(server.as_fd()), stopped) {
        let goes_on = (!from_client || pass(client, server)) && (!from_server || pass(server, client));
        if !goes_on {
            break;
        }
    }
    for stream in [client, server] {
        stream.shutdown(Shutdown::Both).ok();
    }
}

/// Whether there may be more.
fn pass(mut from: &UnixStream, mut to: &UnixStream) -> bool {
    let mut buffer = [0; 16 << 10];
    match from.read(&mut buffer) {
        Ok(0) | Err(_) => false,
        Ok(count) => to.write_all(&buffer[..count]).is_ok(),
    }
}

/// Waits until one of two descriptors has something; `None` when it is time to end.
fn wait_for(
    one: std::os::fd::BorrowedFd<'_>,
    other: Option<std::os::fd::BorrowedFd<'_>>,
    stopped: &OwnedFd,
) -> Option<(bool, bool)> {
    loop {
        let mut polled = vec![PollFd::new(stopped, PollFlags::IN), PollFd::from_borrowed_fd(one, PollFlags::IN)];
        polled.extend(other.map(|other| PollFd::from_borrowed_fd(other, PollFlags::IN)));
        match rustix::event::poll(&mut polled, None) {
            Err(Errno::INTR) => continue,
            Err(_) => return None,
            Ok(_) => {}
        }
        let has = |place: usize| polled.get(place).is_some_and(|end| !end.revents().is_empty());
        return (!has(0)).then(|| (has(1), has(2)));
    }
}
