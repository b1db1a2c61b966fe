//! Gives files to owners whom a user namespace does not have: `chown` of a container ends here and becomes a mark on the file.
//!
//! ```text
//!  container: chown --filter--> waits ............................. goes on
//!                                 |                                    ^
//!  keeper (a thread of ours): receives, finds the file as the caller sees it, sets the mark, answers
//! ```
//!
//! The caller is hostile. What it names is looked up by the kernel, below the caller's own root and never through a magic link of
//! procfs; what is found has to be on a mount of the container, and is then changed by its descriptor alone. Rights are
//! those of the caller: without `CAP_CHOWN` it can do nothing here that the kernel would not let it do. A caller in a user
//! namespace of its own is the kernel's affair.

mod call;
mod caller;
mod change;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags};
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};

use self::call::Call;
use self::caller::Caller;
use crate::process::Cleanup;
use crate::seccomp::owner_filter;
use crate::spec::User;
use crate::sys::{self, Answer, FilterInstruction, Notification};

/// Opens nothing, and is not kept open by programs.
const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// What the child needs to hand its calls to a keeper, and the keeper to get them.
#[derive(Debug)]
pub(crate) struct OwnerPlan {
    pub(crate) filter: Vec<FilterInstruction>,
    /// IDs below this number exist in the namespace.
    mapped: u32,
    /// Whom the process stands for, if that is a user whom nobody can be.
    user: Option<User>,
    /// The child's end of a socket, and ours.
    child: OwnedFd,
    own: OwnedFd,
}

impl OwnerPlan {
    /// `None` where the kernel cannot do it; then it refuses what it cannot do otherwise either.
    pub(crate) fn new(mapped: u32, user: Option<User>) -> io::Result<Option<Self>> {
        if !sys::has_notifications() {
            return Ok(None);
        }
        let flags = SocketFlags::CLOEXEC;
        let (own, child) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        Ok(Some(Self { filter: owner_filter(mapped), mapped, user, child, own }))
    }

    /// The child's part: allocates nothing. Where a filter with a listener is in force already, in a container in a container,
    /// its keeper stays the only one.
    pub(crate) fn install(&self) -> Result<(), Errno> {
        let listener = match sys::load_notifying_filter(&self.filter) {
            Err(Errno::BUSY) => return Ok(()),
            listener => listener?,
        };
        let listeners = [listener.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&listeners));
        let byte = [io::IoSlice::new(b"l")];
        let sent = rustix::net::sendmsg(&self.child, &byte, &mut ancillary, SendFlags::NOSIGNAL);
        sent.map(drop)
    }

    /// The parent's part, once the child executes its program: starts a keeper, if there is anything to keep. `container` is a
    /// process that sees all of the container's mounts: its first one.
    pub(crate) fn keep(self, container: i32) -> io::Result<Option<Keeper>> {
        let Self { mapped, user, child, own, .. } = self;
        drop(child);
        let Some(listener) = receive_descriptor(&own)? else { return Ok(None) };
        let keeping = match Keeping::new(listener, container, mapped, user) {
            Ok(keeping) => keeping,
            // It has ended already.
            Err(Errno::NOENT | Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let stop = rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?;
        let stopped = stop.try_clone()?;
        // A signal to this process must not find a thread that has it unblocked, when the others wait for it.
        let mask = sys::set_signal_mask(u64::MAX)?;
        let spawned = std::thread::Builder::new().name("owners".to_owned()).spawn(move || keeping.serve(&stopped));
        sys::set_signal_mask(mask)?;
        Ok(Some(Keeper { stop, thread: Mutex::new(Some(spawned?)) }))
    }
}

fn receive_descriptor(socket: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [io::IoSliceMut::new(&mut byte)], &mut ancillary, flags)
    })?;
    let descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(descriptors.last())
}

/// The thread; it ends with the container.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: OwnedFd,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Cleanup for Keeper {
    fn clean_up(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(thread), Ok(_)) = (thread, rustix::io::write(&self.stop, &1_u64.to_ne_bytes())) {
            thread.join().ok();
        }
    }
}

/// What the thread works with.
struct Keeping {
    listener: OwnedFd,
    mapped: u32,
    user: Option<User>,
    /// The host's procfs: the thread's own root changes.
    proc: OwnedFd,
    own_root: OwnedFd,
    /// The container in procfs, for its mounts.
    container: OwnedFd,
    /// Number of the mount that is the container's root.
    root_mount: u64,
    /// Our user namespace.
    namespace: (u64, u64),
}

impl Keeping {
    fn new(listener: OwnedFd, container: i32, mapped: u32, user: Option<User>) -> Result<Self, Errno> {
        let proc = rustix::fs::open(c"/proc", PATH, Mode::empty())?;
        let own_root = rustix::fs::open(c"/", PATH, Mode::empty())?;
        let container = rustix::fs::openat(&proc, container.to_string(), PATH, Mode::empty())?;
        let root = rustix::fs::openat(&container, c"root", PATH, Mode::empty())?;
        let namespace = rustix::fs::statat(&proc, c"self/ns/user", AtFlags::empty())?;
        let root_mount = mount_of(root.as_fd())?;
        let namespace = (namespace.st_dev, namespace.st_ino);
        Ok(Self { listener, mapped, user, proc, own_root, container, root_mount, namespace })
    }

    /// Until the container or whoever started it says that it is over.
    fn serve(&self, stop: &OwnedFd) {
        // From here on the root and the working folder are this thread's own.
        let has_own_root = sys::unshare(libc::CLONE_FS).is_ok();
        loop {
            let mut polled = [PollFd::new(&self.listener, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
            match rustix::event::poll(&mut polled, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            let [calls, stop] = polled.map(|poll| poll.revents());
            if calls.contains(PollFlags::IN) {
                match sys::receive(self.listener.as_fd()) {
                    Ok(notification) => {
                        let answer = if has_own_root { self.handle(&notification) } else { Answer::Continue };
                        // Who has been killed meanwhile gets no answer.
                        sys::answer(self.listener.as_fd(), notification.id, answer).ok();
                    }
                    Err(Errno::NOENT | Errno::INTR) => {}
                    Err(_) => return,
                }
            } else if !stop.is_empty() || !calls.is_empty() {
                return;
            }
        }
    }

    fn handle(&self, notification: &Notification) -> Answer {
        match self.try_handle(notification) {
            Ok(Some(())) => Answer::Success,
            Ok(None) => Answer::Continue,
            Err(errno) => Answer::Error(errno),
        }
    }

    /// `None`: as the kernel thinks right.
    fn try_handle(&self, notification: &Notification) -> Result<Option<()>, Errno> {
        let Ok(caller) = Caller::of_thread(self.proc.as_fd(), notification.thread) else { return Ok(None) };
        let may_chown = caller.may_chown();
        if caller.user_namespace() != Some(self.namespace) || !may_chown && self.user.is_none() {
            return Ok(None);
        }
        let Some(call) = Call::read(notification, &caller)? else { return Ok(None) };
        let root = caller.open(c"root")?;
        let base = call.base(&caller)?;
        // All that was opened and read above is the caller's, and not that of a thread that has its number now.
        if !sys::is_waiting(self.listener.as_fd(), notification.id) {
            return Ok(None);
        }
        let file = match &call.path {
            None => base,
            Some(path) => self.look_up(&root, &base, path, call.follows)?,
        };
        if !self.is_inside(file.as_fd()) {
            return Ok(None);
        }
        let rights = if may_chown { None } else { self.user.as_ref() };
        let change = change::Change { proc: self.proc.as_fd(), mapped: self.mapped, rights };
        change.apply(file.as_fd(), call.uid, call.gid).map(Some)
    }

    /// As the caller would find it: links lead where they lead within its root.
    fn look_up(&self, root: &OwnedFd, base: &OwnedFd, path: &std::ffi::CStr, follows: bool) -> Result<OwnedFd, Errno> {
        let flags = if follows { PATH } else { PATH | OFlags::NOFOLLOW };
        let found = enter(root).and_then(|()| rustix::process::fchdir(base)).and_then(|()| {
            let resolve = rustix::fs::ResolveFlags::NO_MAGICLINKS;
            rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), resolve)
        });
        // Nothing of the container is held any longer than this.
        enter(&self.own_root)?;
        found
    }

    /// Whether it is on a mount of the container: descriptors can come from elsewhere.
    fn is_inside(&self, file: BorrowedFd<'_>) -> bool {
        let Ok(mount) = mount_of(file) else { return false };
        mount == self.root_mount || self.mounts().is_ok_and(|mounts| mounts.contains(&mount))
    }

    fn mounts(&self) -> io::Result<Vec<u64>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.container, c"mountinfo", flags, Mode::empty())?;
        let text = io::read_to_string(File::from(file))?;
        Ok(text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect())
    }
}

/// Makes a folder this thread's root and working folder.
fn enter(root: &OwnedFd) -> Result<(), Errno> {
    rustix::process::fchdir(root)?;
    rustix::process::chroot(c".")
}

/// The number of the mount that something was opened on (proc(5), `/proc/PID/mountinfo`).
fn mount_of(file: BorrowedFd<'_>) -> Result<u64, Errno> {
    let status = rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let is_told = StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::MNT_ID);
    is_told.then_some(status.stx_mnt_id).ok_or(Errno::NOSYS)
}
