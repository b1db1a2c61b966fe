//! A user namespace for a process without root: within it this program is root, over nothing but what the user owns.
//!
//! ```text
//!  enter (one thread, no IDs yet) --+-- joins the namespace of another process of this store, if one lives
//!                                   +-- or makes one; a mapper stays behind outside, waiting
//!  map (any time later)             --- the mapper runs newuidmap and newgidmap, and goes
//! ```
//!
//! All processes that work on one store at the same time are in one namespace: only so can one of them join, stop or read
//! what another has started. Who is in it is a file of `PID START` lines; it outlives nobody, since dead ones do not count.
//!
//! Making the namespace costs a tenth of a millisecond; giving it IDs starts two set-user-ID programs and costs ten times as
//! much, so it is done by whoever first needs an ID that is not the user's own, and never where nothing is to be done.
//!
//! This module knows no store, only a folder for that file, and nothing of containers.

mod ids;
mod mapper;
mod trial;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, LinkNameSpaceType};

pub use self::ids::{IdKind, IdMap, IdRange, subordinate_ids};
use self::mapper::Mapper;
pub use self::trial::{Trial, try_out};
use crate::sys;

/// Name of the file, in the folder that is given.
const MEMBERS: &str = "namespace";

/// Why there is no user namespace, or none with the IDs that are needed.
#[derive(Debug, thiserror::Error)]
pub enum UserNamespaceError {
    /// A seccomp filter, an LSM or `kernel.unprivileged_userns_clone=0` forbids it (`EPERM`).
    #[error("this process may not create a user namespace")]
    Forbidden(#[source] io::Error),
    /// `user.max_user_namespaces` is reached, or zero (`ENOSPC`).
    #[error("no more user namespaces are allowed here (`user.max_user_namespaces`)")]
    TooMany(#[source] io::Error),
    /// The kernel was built without them (`EINVAL`).
    #[error("this kernel has no user namespaces")]
    Missing(#[source] io::Error),
    /// The namespace is there, but its root may do nothing: Ubuntu's `apparmor_restrict_unprivileged_userns`.
    #[error("the root of a new user namespace has no rights here (AppArmor)")]
    Powerless(#[source] io::Error),
    /// IDs could not be mapped.
    #[error("cannot map IDs into the user namespace: {reason}")]
    Map {
        /// What the program or the kernel said.
        reason: String,
    },
    /// The file that says who is in the namespace.
    #[error("cannot {action} the list of processes in the user namespace")]
    Members {
        /// What was being done.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Whether this process may mount, chown and so on as it is (`CAP_SYS_ADMIN` in its own user namespace).
#[must_use]
pub fn is_privileged() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Whether this process, which may not mount, may at least act for all users and change its root: uid 0 in a container
/// as docker, podman and Kubernetes make it by default.
#[must_use]
pub fn may_change_root() -> bool {
    let wanted = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FOWNER
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::SYS_CHROOT;
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(wanted))
}

/// Whether this is the machine's first user namespace, whose inode has a fixed number (`PROC_USER_INIT_INO`).
#[must_use]
pub fn is_initial() -> bool {
    rustix::fs::stat("/proc/self/ns/user").is_ok_and(|stat| stat.st_ino == 0xefff_fffd)
}

/// The user namespace that this process has entered.
#[derive(Debug)]
pub struct UserNamespace {
    /// Where the list of its processes is.
    folder: OwnedFd,
    /// Still waiting to map IDs.
    mapper: Mutex<Option<Mapper>>,
    /// Why only one ID could be mapped.
    shortage: OnceLock<String>,
}

/// Which IDs a user namespace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identities {
    /// None yet: nobody has needed any.
    NotYet,
    /// The user alone, as root.
    Single,
    /// So many, root included.
    Many(u32),
}

impl UserNamespace {
    /// Enters the namespace of the processes listed in `folder`, or a new one, with a mount namespace of our own in it, and
    /// lists this process there.
    ///
    /// # Errors
    /// When there is no such right; nothing has changed then. The process must have one thread (`EINVAL` otherwise).
    pub fn enter(folder: BorrowedFd<'_>) -> Result<Self, UserNamespaceError> {
        let mut members = Members::lock(folder)?;
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let outer = IdMap::read().unwrap_or_default();
        let live = members.live()?;
        let joinable = live.iter().find_map(|pid| Some((open_namespace(*pid)?, IdMap::of(*pid).ok()?)));
        let mapper = match joinable {
            Some((namespace, map)) => {
                let mapper = if map.is_empty() { Some(Mapper::start(owner, &outer)?) } else { None };
                rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::User))
                    .map_err(refused)?;
                mapper
            }
            None => {
                let mapper = Mapper::start(owner, &outer)?;
                sys::unshare(libc::CLONE_NEWUSER).map_err(refused)?;
                Some(mapper)
            }
        };
        sys::unshare(libc::CLONE_NEWNS).map_err(|errno| match errno {
            Errno::PERM | Errno::ACCESS => UserNamespaceError::Powerless(errno.into()),
            errno => refused(errno),
        })?;
        members.write(&live)?;
        let folder = folder.try_clone_to_owned();
        let folder = folder.map_err(|source| UserNamespaceError::Members { action: "open", source })?;
        Ok(Self { folder, mapper: Mutex::new(mapper), shortage: OnceLock::new() })
    }

    /// For a process that a member has started, and that is in the namespace from the beginning: lists it as well. `None` if none
    /// of those listed in `folder` is in our namespace: then it is none of this store's.
    ///
    /// # Errors
    /// When the list cannot be read or written.
    pub fn stay(folder: BorrowedFd<'_>) -> Result<Option<Self>, UserNamespaceError> {
        let mut members = Members::lock(folder)?;
        let live = members.live()?;
        let own = namespace_number("self");
        if own.is_none() || !live.iter().any(|pid| namespace_number(&pid.to_string()) == own) {
            return Ok(None);
        }
        members.write(&live)?;
        let folder = folder.try_clone_to_owned();
        let folder = folder.map_err(|source| UserNamespaceError::Members { action: "open", source })?;
        Ok(Some(Self { folder, mapper: Mutex::new(None), shortage: OnceLock::new() }))
    }

    /// Gives the namespace its IDs, unless it has them: those of `/etc/subuid` and `/etc/subgid`, or only the user's own where
    /// there are none. From then on this process is root.
    ///
    /// # Errors
    /// When not even the user's own ID can be mapped.
    pub fn map(&self) -> Result<(), UserNamespaceError> {
        let mut mapper = self.mapper.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = mapper.take() else { return Ok(()) };
        // One of all the processes in it does so.
        let _members = Members::lock(self.folder.as_fd())?;
        if IdMap::read().is_ok_and(|map| !map.is_empty()) {
            return Ok(());
        }
        let owner = waiting.owner;
        let Err(reason) = waiting.map() else { return Ok(()) };
        map_own(owner).map_err(|error| UserNamespaceError::Map { reason: format!("{reason}; {error}") })?;
        // Nobody has set it before: the mapper is asked once.
        self.shortage.set(reason).ok();
        Ok(())
    }

    /// Why only the user's own ID could be mapped, if this process had to content itself with that.
    #[must_use]
    pub fn shortage(&self) -> Option<&str> {
        self.shortage.get().map(String::as_str)
    }
}

/// The user alone, which the kernel lets anybody do (`user_namespaces(7)`, "Defining user and group ID mappings").
fn map_own((uid, gid): (u32, u32)) -> Result<(), String> {
    let write = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text).map_err(|error| format!("{file}: {error}"))
    };
    // The first of the two programs may have done its part.
    if IdMap::read().unwrap_or_default().is_empty() {
        write("uid_map", format!("0 {uid} 1\n"))?;
    }
    write("setgroups", "deny".to_owned())?;
    write("gid_map", format!("0 {gid} 1\n"))
}

/// Who this process's user is outside of its user namespace.
#[must_use]
pub fn user_outside() -> u32 {
    let own = rustix::process::geteuid().as_raw();
    IdMap::read().ok().and_then(|map| map.outside(own)).unwrap_or(own)
}

/// The IDs that this process's namespace has, if it is not the first.
#[must_use]
pub fn identities() -> Identities {
    let count = IdMap::read().map_or(0, |map| map.count());
    match count {
        0 => Identities::NotYet,
        1 => Identities::Single,
        many => Identities::Many(many),
    }
}

/// IDs below this number exist in this process's namespace, of users and of groups; `None` where all do.
#[must_use]
pub fn mapped_ids() -> Option<u32> {
    if is_initial() {
        return None;
    }
    let users = IdMap::read().map_or(0, |map| map.count());
    let groups = IdMap::read_groups().map_or(0, |map| map.count());
    // 4294967295 is no ID.
    Some(users.min(groups)).filter(|count| *count < u32::MAX)
}

fn refused(errno: Errno) -> UserNamespaceError {
    let source = io::Error::from(errno);
    match errno {
        Errno::NOSPC | Errno::USERS => UserNamespaceError::TooMany(source),
        Errno::INVAL | Errno::NOSYS => UserNamespaceError::Missing(source),
        _ => UserNamespaceError::Forbidden(source),
    }
}

/// The inode of a process's user namespace.
fn namespace_number(process: &str) -> Option<u64> {
    rustix::fs::stat(format!("/proc/{process}/ns/user")).ok().map(|stat| stat.st_ino)
}

fn open_namespace(pid: u32) -> Option<File> {
    File::open(format!("/proc/{pid}/ns/user")).ok()
}

/// Who is in the namespace; the lock is held as long as this value lives.
struct Members {
    file: File,
}

impl Members {
    fn lock(folder: BorrowedFd<'_>) -> Result<Self, UserNamespaceError> {
        let failed = |action| move |errno: Errno| UserNamespaceError::Members { action, source: errno.into() };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(folder, MEMBERS, flags, Mode::RUSR | Mode::WUSR).map_err(failed("open"))?;
        loop {
            match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { file: file.into() }),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed("lock")(errno)),
            }
        }
    }

    /// The listed processes that live, oldest first.
    fn live(&self) -> Result<Vec<u32>, UserNamespaceError> {
        let mut text = String::new();
        (&self.file)
            .read_to_string(&mut text)
            .map_err(|source| UserNamespaceError::Members { action: "read", source })?;
        let member = |line: &str| {
            let (pid, start) = line.split_once(' ')?;
            let (pid, start) = (pid.parse().ok()?, start.parse().ok()?);
            (start_time(pid) == Some(start)).then_some(pid)
        };
        Ok(text.lines().filter_map(member).collect())
    }

    /// Lists those who live, and us.
    fn write(&mut self, live: &[u32]) -> Result<(), UserNamespaceError> {
        let text: String = live
            .iter()
            .copied()
            .chain([std::process::id()])
            .filter_map(|pid| Some(format!("{pid} {}\n", start_time(pid)?)))
            .collect();
        // No reader sees the moment between: all of them hold the lock.
        self.file
            .rewind()
            .and_then(|()| self.file.set_len(0))
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(|source| UserNamespaceError::Members { action: "write", source })
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        // Closing is not enough: the mapper was made while we held the lock, and has the file open too.
        rustix::fs::flock(&self.file, FlockOperation::Unlock).ok();
    }
}

/// In clock ticks since boot (proc(5), `/proc/PID/stat`, field 22): with the process ID it names a process for good.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // Counted behind the last `)`: the command before it may hold anything.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace().nth(19)?.parse().ok()
}
