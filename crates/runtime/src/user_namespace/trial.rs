//! Tries what containers need of the kernel, in a process of its own: whatever it makes ends with it.
//!
//! Asking the kernel is the only way to know: a switch, a seccomp filter, an LSM or the engine around may forbid each step,
//! and none of them has to say so anywhere.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags};
use rustix::pipe::PipeFlags;
use rustix::process::{WaitId, WaitIdOptions};
use serde::{Deserialize, Serialize};

use super::{IdMap, Mapper, UserNamespaceError, is_privileged, map_own, refused};
use crate::sys::{self, CloneFlags, Forked};

/// What was possible.
#[derive(Debug)]
pub struct Trial {
    /// Whether a user namespace can be made, and its root may do something. Fine, too, for whoever needs none.
    pub namespace: Result<(), UserNamespaceError>,
    /// How many IDs it was given, or why only one; `None` when no namespace was made.
    pub identities: Option<Result<u32, String>>,
    /// Whether a procfs can be mounted for new processes; `None` when it did not come to that.
    pub proc: Option<io::Result<()>>,
    /// What the caller's own attempts gave; `None` when it did not come to that.
    pub answer: Option<String>,
}

/// What the process says at its end.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    /// Number of the error, and whether it was the mount namespace that was refused.
    refused: Option<(i32, bool)>,
    identities: Option<Result<u32, String>>,
    /// Number of the error, 0 for success.
    proc: Option<i32>,
    answer: Option<String>,
}

/// Makes a process in a mount namespace of its own, in a user namespace unless this process may do everything as it is, and
/// calls `attempt` there. This process must have one thread.
///
/// # Errors
/// When no such process can be made, or it ends without a word.
pub fn try_out(attempt: impl FnOnce() -> String) -> io::Result<Trial> {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let pidfd = match sys::clone_process(CloneFlags::NONE, None)? {
        Forked::Child => {
            drop(reader);
            say(writer, &try_all(attempt));
            sys::exit_now(0);
        }
        Forked::Parent { pidfd, .. } => pidfd,
    };
    drop(writer);
    let mut text = String::new();
    let read = File::from(reader).read_to_string(&mut text);
    // It has said all that it had to say: nothing is learnt from how it ended.
    rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).ok();
    read?;
    let report: Report = serde_json::from_str(&text).map_err(io::Error::other)?;
    let namespace = match report.refused {
        None => Ok(()),
        Some((number, of_mounts)) => Err(refusal(Errno::from_raw_os_error(number), of_mounts)),
    };
    let proc = report.proc.map(|number| match number {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    });
    Ok(Trial { namespace, identities: report.identities, proc, answer: report.answer })
}

fn refusal(errno: Errno, of_mounts: bool) -> UserNamespaceError {
    match errno {
        Errno::PERM | Errno::ACCESS if of_mounts => UserNamespaceError::Powerless(errno.into()),
        errno => refused(errno),
    }
}

fn say(writer: OwnedFd, report: &Report) {
    let text = serde_json::to_vec(report).unwrap_or_default();
    // Nobody could be told.
    File::from(writer).write_all(&text).ok();
}

/// The process's life.
fn try_all(attempt: impl FnOnce() -> String) -> Report {
    let mut report = Report::default();
    if !is_privileged() {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let outer = IdMap::read().unwrap_or_default();
        let mapper = Mapper::start(owner, &outer);
        if let Err(errno) = sys::unshare(libc::CLONE_NEWUSER) {
            report.refused = Some((errno.raw_os_error(), false));
            return report;
        }
        let mapped = mapper.map_err(|error| error.to_string()).and_then(Mapper::map);
        let count = || IdMap::read().map_or(0, |map| map.count());
        report.identities = Some(match mapped {
            Ok(()) => Ok(count()),
            Err(reason) => Err(match map_own(owner) {
                Ok(()) => reason,
                Err(error) => format!("{reason}; {error}"),
            }),
        });
    }
    if let Err(errno) = sys::unshare(libc::CLONE_NEWNS) {
        report.refused = Some((errno.raw_os_error(), true));
        return report;
    }
    // Nothing that is attached here may be seen outside.
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).ok();
    report.proc = Some(try_proc().err().map_or(0, |errno| errno.raw_os_error()));
    report.answer = Some(attempt());
    report
}

/// Mounts a procfs in a new PID namespace, as every container has one. The kernel refuses it to a user namespace where part of
/// the procfs around is covered (`mount_too_revealing`).
fn try_proc() -> Result<(), Errno> {
    match sys::clone_process(CloneFlags::NEW_PID_NAMESPACE, None)? {
        Forked::Child => {
            sys::exit_now(mount_proc().err().map_or(0, |errno| errno.raw_os_error()));
        }
        Forked::Parent { pidfd, .. } => {
            let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)?;
            match status.and_then(|status| status.exit_status()) {
                Some(0) => Ok(()),
                Some(number) => Err(Errno::from_raw_os_error(number)),
                None => Err(Errno::INTR),
            }
        }
    }
}

fn mount_proc() -> Result<(), Errno> {
    let context = rustix::mount::fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags).map(drop)
}
