//! A process between us and a command that has no PID namespace of its own: when the command ends, everything that it has
//! left behind is ended too, as the end of a namespace would do it.
//!
//! ```text
//!  we --+-- keeper (subreaper: orphans of the command become its children)
//!       |     +-- the command, traced by nobody
//!       +-- line: the keeper says who the command is; when we are gone it is silent, and the keeper ends all
//! ```
//!
//! The keeper is a copy of one thread of a possibly multi-threaded process and never executes anything, so nothing here
//! allocates, locks or panics; it ends with the command's exit code.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};

use super::child::{self, parent_in};
use super::plan::Plan;
use super::{Ended, clone_flags, is_own_executable, kill, read_failure};
use crate::process::{Cleanup, pidfd_open};
use crate::sys::{self, Forked};

/// A command that has executed its program, and who waits for it.
pub(super) struct Kept {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    pub(super) keeper: OwnedFd,
    pub(super) line: Line,
}

/// Our end of the line; while it is open, the keeper lets the command go on.
#[derive(Debug)]
pub(super) struct Line(OwnedFd);

impl Cleanup for Line {
    fn clean_up(&self) {
        // The keeper has ended, and has heard all that there was to say.
        rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both).ok();
    }
}

/// Numbers of the keeper's descriptors, behind the standard streams.
const LINE: i32 = 3;
const COMMAND: i32 = 4;

/// Starts the keeper and the command, and waits until the command executes its program.
pub(super) fn attempt(plan: &Plan, cgroup: Option<&OwnedFd>) -> Result<Kept, Ended> {
    let here = |doing| move |errno| Ended::Here(doing, errno);
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(here("open a pipe"))?;
    let line = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = line.map_err(here("open a line to the keeper"))?;
    sys::heed_children().map_err(here("heed child processes"))?;
    let mask = sys::set_signal_mask(u64::MAX).map_err(here("block signals"))?;
    let forked = sys::clone_process(sys::CloneFlags::NONE, None);
    if let Ok(Forked::Child) = forked {
        keep(plan, cgroup.map(AsFd::as_fd), write.as_fd(), theirs.as_fd());
    }
    let restored = sys::set_signal_mask(mask);
    drop((write, theirs));
    let Forked::Parent { pidfd: keeper, .. } = forked.map_err(here("start the command's keeper"))? else {
        return Err(Ended::Silently);
    };
    restored.map_err(here("unblock signals"))?;
    let started = meet(&ours).and_then(|(pid, pidfd)| {
        rustix::net::send(&ours, b"g", rustix::net::SendFlags::NOSIGNAL).map_err(here("talk to the keeper"))?;
        await_exec(plan, pid, &read)?;
        Ok((pid, pidfd))
    });
    match started {
        Ok((pid, pidfd)) => Ok(Kept { pid, pidfd, keeper, line: Line(ours) }),
        Err(ended) => {
            // With the line gone the keeper ends the command, and then itself.
            drop(ours);
            super::wait(&keeper, WaitIdOptions::EXITED).ok();
            kill(&keeper);
            Err(ended)
        }
    }
}

/// Waits until the pipe closes, which `execve` does; it is the keeper who waits for the command's end.
fn await_exec(plan: &Plan, pid: Pid, pipe: &OwnedFd) -> Result<(), Ended> {
    match read_failure(pipe) {
        Some(failure) => Err(Ended::Failed(failure)),
        // Without a procfs in its root nothing leads to our executable, and we may not look at other users' processes.
        None if !plan.is_chroot && is_own_executable(pid) => Err(Ended::HostExecutable),
        None => Ok(()),
    }
}

/// Learns who the command is, while the keeper has not waited for it.
fn meet(line: &OwnedFd) -> Result<(Pid, OwnedFd), Ended> {
    let mut number = [0; 4];
    let read = loop {
        match rustix::io::read(line, &mut number) {
            Err(Errno::INTR) => {}
            read => break read.map_err(|errno| Ended::Here("hear from the keeper", errno))?,
        }
    };
    let pid = (read == number.len()).then(|| Pid::from_raw(i32::from_ne_bytes(number))).flatten();
    let pid = pid.ok_or(Ended::Silently)?;
    let pidfd = pidfd_open(pid).map_err(|error| {
        Ended::Here("open the command's process", Errno::from_io_error(&error).unwrap_or(Errno::IO))
    })?;
    Ok((pid, pidfd))
}

/// The keeper: starts the command, waits for it, ends what is left of it, ends with its code.
fn keep(plan: &Plan, cgroup: Option<BorrowedFd<'_>>, pipe: BorrowedFd<'_>, line: BorrowedFd<'_>) -> ! {
    const BROKEN: i32 = 125;
    let own = rustix::process::getpid();
    if rustix::process::set_child_subreaper(Some(own)).is_err() {
        sys::exit_now(BROKEN);
    }
    match sys::clone_process(clone_flags(plan), cgroup) {
        Ok(Forked::Child) => {
            child::run(plan, pipe);
            sys::exit_now(1);
        }
        Ok(Forked::Parent { pid, pidfd }) => {
            let told = rustix::io::write(line, &pid.as_raw_nonzero().get().to_ne_bytes());
            // All else belongs to the process that we are a copy of, and would keep its pipes open.
            let only = told.and_then(|_| keep_only(line, pidfd.as_fd()));
            // Nothing may be dropped: what is closed is closed.
            std::mem::forget(pidfd);
            let code = match only {
                Ok((line, command)) => watch(line, command),
                Err(_) => BROKEN,
            };
            end_rest(own);
            sys::exit_now(code);
        }
        Err(_) => sys::exit_now(BROKEN),
    }
}

/// Closes everything but the standard streams, the line and the command's descriptor.
fn keep_only(
    line: BorrowedFd<'_>,
    command: BorrowedFd<'_>,
) -> Result<(BorrowedFd<'static>, BorrowedFd<'static>), Errno> {
    // Neither may be overwritten before it is moved.
    let command = rustix::io::fcntl_dupfd_cloexec(command, COMMAND + 1)?;
    let line = rustix::io::fcntl_dupfd_cloexec(line, COMMAND + 1)?;
    sys::duplicate_onto(line.as_fd(), LINE)?;
    sys::duplicate_onto(command.as_fd(), COMMAND)?;
    std::mem::forget((line, command));
    sys::close_all_from(COMMAND.cast_unsigned() + 1)?;
    Ok((sys::borrow_number(LINE), sys::borrow_number(COMMAND)))
}

/// Waits for the command's end, and waits for orphans meanwhile as process 1 does.
fn watch(line: BorrowedFd<'_>, command: BorrowedFd<'_>) -> i32 {
    const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
    // Until the process that we are a copy of knows the command, its number must not become another's.
    let mut heard = [0; 1];
    if !matches!(rustix::io::read(line, &mut heard), Ok(1)) {
        end(command);
    }
    loop {
        let mut polled =
            [PollFd::from_borrowed_fd(command, PollFlags::IN), PollFd::from_borrowed_fd(line, PollFlags::IN)];
        let _again = rustix::event::poll(&mut polled, Some(&LOOK));
        if !polled[1].revents().is_empty() {
            end(command);
        }
        if !polled[0].revents().is_empty() || polled[1].revents().contains(PollFlags::HUP) {
            match rustix::process::waitid(WaitId::PidFd(command), WaitIdOptions::EXITED) {
                Ok(Some(status)) => return code_of(&status),
                Err(Errno::INTR) | Ok(None) => continue,
                Err(_) => return 125,
            }
        }
        reap_orphans(command);
    }
}

fn end(command: BorrowedFd<'_>) {
    sys::pidfd_send_signal(command, Signal::KILL.as_raw()).ok();
}

/// Docker's code; the exact signal is of no use to who waits for the keeper.
fn code_of(status: &WaitIdStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code & 0xff,
        (None, signal) => 128 + signal.unwrap_or_default(),
    }
}

/// Waits for those that have ended, but not for the command.
fn reap_orphans(command: BorrowedFd<'_>) {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while let Ok(Some(ended)) = rustix::process::waitid(WaitId::All, look) {
        // It may be the command, whose end is noticed in a moment.
        if rustix::process::waitid(WaitId::PidFd(command), look).is_ok_and(|status| status.is_some()) {
            return;
        }
        let _orphan = ended;
        if rustix::process::waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG).is_err() {
            return;
        }
    }
}

/// Kills and waits for all children until there are none: whoever they leave behind becomes a child in turn.
fn end_rest(own: Pid) {
    // Without procfs nobody is found, and nobody is waited for.
    while kill_children(own) {
        match rustix::process::waitid(WaitId::All, WaitIdOptions::EXITED) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// Looks for them in procfs, which the keeper has as whoever started it has it. Whether it is there.
fn kill_children(own: Pid) -> bool {
    const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    let Ok(proc) = rustix::fs::open(c"/proc", FOLDER, Mode::empty()) else { return false };
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&proc, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let Some(pid) = number(entry.file_name()) else { continue };
        if parent_of(proc.as_fd(), entry.file_name()) == Some(own.as_raw_nonzero().get().unsigned_abs()) {
            rustix::process::kill_process(pid, Signal::KILL).ok();
        }
    }
    true
}

fn number(name: &CStr) -> Option<Pid> {
    Pid::from_raw(std::str::from_utf8(name.to_bytes()).ok()?.parse().ok()?)
}

fn parent_of(proc: BorrowedFd<'_>, name: &CStr) -> Option<u32> {
    let process = rustix::fs::openat(proc, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let stat = rustix::fs::openat(&process, c"stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = [0; 128];
    let length = rustix::io::read(&stat, &mut text).ok()?;
    parent_in(text.get(..length)?)
}
