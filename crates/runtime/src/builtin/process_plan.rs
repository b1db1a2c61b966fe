//! What a process needs from the moment when it stands in its namespaces: streams, limits, privileges, program.
//!
//! It is the same for a container's first process and for one that joins it later.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

use rustix::process::{Gid, Resource, Rlimit, Uid};

use super::plan::{c_string, invalid};
use super::terminal::Terminal;
use crate::owners::OwnerPlan;
use crate::spec::User;
use crate::spec::{Capabilities, ProcessSpec};
use crate::sys::{CStringArray, FilterInstruction};
use crate::{Seccomp, StartError, Stdio, StdioStream};

/// A process, ready for the clone.
#[derive(Debug)]
pub(super) struct ProcessPlan {
    pub(super) stdio: [Option<OwnedFd>; 3],
    pub(super) terminal: Option<Terminal>,
    pub(super) rlimits: Vec<(Resource, Rlimit)>,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
    /// The user namespace may deny `setgroups`; then there is nothing to be dropped that it would give.
    pub(super) may_keep_groups: bool,
    pub(super) capabilities: Capabilities,
    pub(super) no_new_privileges: bool,
    pub(super) filter: Option<Arc<[FilterInstruction]>>,
    /// Owners whom the user namespace does not have are kept for it.
    pub(super) owners: Option<OwnerPlan>,
    /// Another user than asked for.
    pub(super) warning: Option<String>,
    pub(super) oom_score_adj: Option<Vec<u8>>,
    /// The number of this process in procfs, if the child is to die with the thread that makes it.
    pub(super) dies_with: Option<u32>,
    pub(super) program: Program,
    pub(super) arguments: CStringArray,
    pub(super) environment: CStringArray,
}

/// Where the program may be.
#[derive(Debug)]
pub(super) enum Program {
    /// The first argument has a slash: this file.
    Path(CString),
    /// The first that can be executed of these.
    Search(Vec<CString>),
}

impl ProcessPlan {
    pub(super) fn new(
        spec: ProcessSpec,
        stdio: Stdio,
        terminal: Option<Terminal>,
        rights: Rights,
        filter: impl FnOnce(Capabilities) -> Arc<[FilterInstruction]>,
    ) -> Result<Self, StartError> {
        check(&spec)?;
        let stdio = if terminal.is_some() { [None, None, None] } else { open_stdio(stdio)? };
        let program = program(&spec.args, &spec.env)?;
        let identity = Identity::new(&spec.user, rights.mapped);
        let wanted = if identity.is_powerless { Capabilities::NONE } else { spec.capabilities };
        let keep = |mapped| OwnerPlan::new(mapped, identity.stands_for.then(|| spec.user.clone()));
        let owners = rights
            .mapped
            .filter(|_| spec.is_attended)
            // Whoever asks for no filter gets none.
            .filter(|_| !matches!(spec.seccomp, Seccomp::Unconfined))
            .map(keep)
            .transpose()
            .map_err(|source| StartError::Setup { action: "open a pair of sockets".to_owned(), source })?;
        Ok(Self {
            stdio,
            terminal,
            rlimits: spec.rlimits.iter().map(lowered_limit).collect::<Result<_, _>>()?,
            uid: Uid::from_raw(identity.uid),
            gid: Gid::from_raw(identity.gid),
            may_keep_groups: rights.in_user_namespace && identity.groups.iter().all(|group| *group == identity.gid),
            groups: identity.groups.into_iter().map(Gid::from_raw).collect(),
            capabilities: wanted.intersection(rights.available),
            no_new_privileges: spec.no_new_privileges,
            filter: match &spec.seccomp {
                Seccomp::Default => Some(filter(spec.capabilities)),
                Seccomp::Unconfined => None,
                Seccomp::Profile(profile) => {
                    let filter = profile.compile(spec.capabilities);
                    Some(filter.map_err(|error| invalid(error.to_string()))?.into())
                }
            },
            owners: owners.flatten(),
            warning: identity.warning,
            oom_score_adj: spec.oom_score_adj.map(|value| value.to_string().into_bytes()),
            dies_with: if spec.die_with_parent { Some(own_number()?) } else { None },
            program,
            arguments: CStringArray::new(c_strings("args", spec.args)?),
            environment: CStringArray::new(c_strings("env", spec.env)?),
        })
    }
}

/// What the executor may do, for the processes that it makes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    /// It is not in the first user namespace.
    pub(super) in_user_namespace: bool,
    /// A container can have no others.
    pub(super) available: Capabilities,
    /// IDs below this number exist; `None` where all do.
    pub(super) mapped: Option<u32>,
}

/// Who a process really is. A user whom the namespace does not have is stood for by its root without any rights: what it
/// may do to files is then more than that user might, but never more than the one whose namespace it is.
struct Identity {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    stands_for: bool,
    is_powerless: bool,
    warning: Option<String>,
}

impl Identity {
    fn new(user: &User, mapped: Option<u32>) -> Self {
        let exists = |id: &u32| mapped.is_none_or(|mapped| *id < mapped);
        let groups = user.additional_gids.iter().copied().filter(exists).collect();
        if exists(&user.uid) && exists(&user.gid) {
            let (stands_for, is_powerless) = (false, false);
            return Self { uid: user.uid, gid: user.gid, groups, stands_for, is_powerless, warning: None };
        }
        let warning = format!(
            "this user namespace has no user {}:{}: root runs the program in that user's place, without capabilities",
            user.uid, user.gid
        );
        let (is_powerless, warning) = (user.uid != 0, Some(warning).filter(|_| user.uid != 0));
        Self { uid: 0, gid: 0, groups: Vec::new(), stands_for: true, is_powerless, warning }
    }
}

/// What procfs calls this process; that of another PID namespace may be mounted.
fn own_number() -> Result<u32, StartError> {
    let link = std::fs::read_link("/proc/self").map_err(|source| StartError::Setup {
        action: "read /proc/self, which must be there for children that die with their parent".to_owned(),
        source,
    })?;
    link.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| invalid("/proc/self names no process"))
}

/// Refuses what makes no sense before anything is made.
fn check(spec: &ProcessSpec) -> Result<(), StartError> {
    if spec.args.is_empty() {
        return Err(invalid("args must not be empty"));
    }
    let user = &spec.user;
    if [user.uid, user.gid].iter().chain(&user.additional_gids).any(|id| *id == u32::MAX) {
        return Err(invalid("4294967295 is no user or group"));
    }
    Ok(())
}

/// The candidates in the order of `PATH`; entries that are not absolute are taken from the working directory.
fn program(args: &[OsString], env: &[OsString]) -> Result<Program, StartError> {
    let name = args.first().map(OsString::as_os_str).unwrap_or_default();
    if name.as_bytes().contains(&b'/') {
        return Ok(Program::Path(c_string("args", name)?));
    }
    let path = env.iter().rev().find_map(|variable| variable.as_bytes().strip_prefix(b"PATH="));
    let folders = path.map(|path| path.split(|byte| *byte == b':')).into_iter().flatten();
    let candidates = folders.filter(|_| !name.is_empty()).map(|folder| {
        let folder: &[u8] = if folder.is_empty() { b"." } else { folder };
        c_string("args", OsStr::from_bytes(&[folder, b"/", name.as_bytes()].concat()))
    });
    Ok(Program::Search(candidates.collect::<Result<_, _>>()?))
}

/// Limits are lowered at most: raising needs `CAP_SYS_RESOURCE` and takes more than the caller has.
pub(crate) fn lowered_limit(limit: &crate::Rlimit) -> Result<(Resource, Rlimit), StartError> {
    let resource = match limit.name.as_str() {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        other => return Err(invalid(format!("unknown resource limit {other:?}"))),
    };
    let own = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let lowered = |value: u64| Some(value.min(own)).filter(|value| *value != u64::MAX);
    let (current, maximum) = (lowered(limit.soft.min(limit.hard)), lowered(limit.hard));
    Ok((resource, Rlimit { current, maximum }))
}

fn open_stdio(stdio: Stdio) -> Result<[Option<OwnedFd>; 3], StartError> {
    let open = |stream| match stream {
        StdioStream::Inherit => Ok(None),
        StdioStream::Fd(fd) => above_stdio(fd).map(Some),
        StdioStream::Null => std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map(|file| Some(file.into()))
            .map_err(|source| StartError::Setup { action: "open /dev/null".to_owned(), source }),
    };
    Ok([open(stdio.stdin)?, open(stdio.stdout)?, open(stdio.stderr)?])
}

/// Descriptors 0 to 2 are overwritten one after the other, so none of them may be a source.
fn above_stdio(fd: OwnedFd) -> Result<OwnedFd, StartError> {
    use std::os::fd::AsRawFd;
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    rustix::io::fcntl_dupfd_cloexec(&fd, 3)
        .map_err(|error| StartError::Setup { action: "duplicate a standard stream".to_owned(), source: error.into() })
}

pub(super) fn c_strings(field: &str, texts: Vec<OsString>) -> Result<Vec<CString>, StartError> {
    let convert = |text: OsString| CString::new(text.into_vec());
    let strings: Result<_, _> = texts.into_iter().map(convert).collect();
    strings.map_err(|_| invalid(format!("{field} contains a NUL byte")))
}

#[cfg(test)]
mod tests;
