//! Everything the child will need, made before the clone: C strings, descriptors, filters, lists.
//!
//! A [`Plan`] is a [`ContainerSpec`] that has been checked and turned into what system calls take. Whatever can be
//! refused without the kernel is refused here.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Gid, Resource, Rlimit, Uid};

use super::mount_plan::{self, MountConditions, PlannedDevices, PlannedMount};
use super::root_path::RootPath;
use super::terminal::Terminal;
use crate::process::{Stdio, StdioStream};
use crate::spec::{Capabilities, ContainerSpec, NetworkNamespace, PING_GROUPS};
use crate::sys::{CStringArray, FilterInstruction};
use crate::{Seccomp, StartError};

/// A container, ready for the clone.
#[derive(Debug)]
pub(super) struct Plan {
    /// Ask the parent to look at the program before its first instruction.
    pub(super) traced: bool,
    pub(super) cgroup_tasks: Vec<OwnedFd>,
    pub(super) new_cgroup_namespace: bool,
    pub(super) network: NetworkNamespace,
    pub(super) keyring: CString,
    pub(super) hostname: Vec<u8>,
    pub(super) rootfs: OwnedFd,
    pub(super) readonly_rootfs: bool,
    /// No control group guards the devices: no mount but those of single nodes may have any.
    pub(super) no_devices: bool,
    pub(super) mounts: Vec<PlannedMount>,
    pub(super) devices: PlannedDevices,
    pub(super) sysctls: Vec<(CString, Vec<u8>)>,
    pub(super) oom_score_adj: Option<Vec<u8>>,
    pub(super) masked_paths: Vec<RootPath>,
    pub(super) readonly_paths: Vec<RootPath>,
    pub(super) cwd: RootPath,
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
    pub(super) die_with_parent: bool,
    pub(super) program: Program,
    pub(super) arguments: CStringArray,
    pub(super) environment: CStringArray,
    pub(super) words: Words,
}

/// Where the program may be.
#[derive(Debug)]
pub(super) enum Program {
    /// The first argument has a slash: this file.
    Path(CString),
    /// The first that can be executed of these.
    Search(Vec<CString>),
}

/// The specification's own words, for messages.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) program: String,
    pub(super) cwd: PathBuf,
    pub(super) mounts: Vec<PathBuf>,
    pub(super) devices: Vec<PathBuf>,
    pub(super) sysctls: Vec<String>,
    pub(super) masked_paths: Vec<PathBuf>,
    pub(super) readonly_paths: Vec<PathBuf>,
    pub(super) rlimits: Vec<String>,
}

/// What the executor knows besides the specification.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) cgroup_tasks: Vec<OwnedFd>,
    pub(super) cgroup_folders: Vec<(CString, OwnedFd)>,
    pub(super) has_cgroup_v2: bool,
    pub(super) devices_are_guarded: bool,
    /// Rootless: no device nodes, perhaps no say over supplementary groups.
    pub(super) in_user_namespace: bool,
    /// Capabilities of this process, which a container cannot exceed.
    pub(super) available: Capabilities,
}

impl Plan {
    pub(super) fn new(
        mut spec: ContainerSpec,
        stdio: Stdio,
        surroundings: Surroundings,
        filter: impl FnOnce(Capabilities) -> Arc<[FilterInstruction]>,
    ) -> Result<Self, StartError> {
        check(&spec)?;
        if surroundings.in_user_namespace {
            // Docker's default names groups that a user namespace does not have, and leaves it out there too.
            spec.sysctls.retain(|(name, value)| (name.as_str(), value.as_str()) != PING_GROUPS);
        }
        mount_plan::add_init(&mut spec);
        let words = words(&spec);
        let terminal = spec.terminal.map(Terminal::open).transpose()?;
        let no_devices = !surroundings.devices_are_guarded && !spec.all_devices;
        let capabilities = spec.capabilities.intersection(surroundings.available);
        let devices = PlannedDevices::new(&spec, !surroundings.in_user_namespace)?;
        let conditions = MountConditions {
            cgroup_folders: surroundings.cgroup_folders,
            has_cgroup_v2: surroundings.has_cgroup_v2,
            no_devices,
            is_network_foreign: surroundings.in_user_namespace && matches!(spec.network, NetworkNamespace::Host),
        };
        let mounts = mount_plan::plan(spec.mounts, conditions)?;
        let stdio = if terminal.is_some() { [None, None, None] } else { open_stdio(stdio)? };
        Ok(Self {
            traced: true,
            cgroup_tasks: surroundings.cgroup_tasks,
            new_cgroup_namespace: surroundings.has_cgroup_v2,
            network: spec.network,
            keyring: c_string("id", spec.id.as_ref())?,
            hostname: spec.hostname.into_bytes(),
            rootfs: spec.rootfs,
            readonly_rootfs: spec.readonly_rootfs,
            no_devices,
            mounts,
            devices,
            sysctls: spec.sysctls.iter().map(sysctl).collect::<Result<_, _>>()?,
            oom_score_adj: spec.oom_score_adj.map(|value| value.to_string().into_bytes()),
            masked_paths: root_paths("masked_paths", &spec.masked_paths)?,
            readonly_paths: root_paths("readonly_paths", &spec.readonly_paths)?,
            cwd: root_path("cwd", &spec.cwd)?,
            stdio,
            terminal,
            rlimits: spec.rlimits.iter().map(lowered_limit).collect::<Result<_, _>>()?,
            uid: Uid::from_raw(spec.user.uid),
            gid: Gid::from_raw(spec.user.gid),
            groups: spec.user.additional_gids.iter().map(|gid| Gid::from_raw(*gid)).collect(),
            may_keep_groups: surroundings.in_user_namespace && spec.user.additional_gids.is_empty(),
            capabilities,
            no_new_privileges: spec.no_new_privileges,
            filter: (spec.seccomp == Seccomp::Default).then(|| filter(spec.capabilities)),
            die_with_parent: spec.die_with_parent,
            program: program(&spec.args, &spec.env)?,
            arguments: CStringArray::new(c_strings("args", spec.args)?),
            environment: CStringArray::new(c_strings("env", spec.env)?),
            words,
        })
    }
}

/// Refuses what makes no sense before anything is made.
fn check(spec: &ContainerSpec) -> Result<(), StartError> {
    if spec.args.is_empty() {
        return Err(invalid("args must not be empty"));
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    if spec.id.is_empty() || !spec.id.as_bytes().iter().all(is_plain) {
        return Err(invalid(format!("id {:?} has characters other than letters, digits, `_`, `.` and `-`", spec.id)));
    }
    if spec.hostname.len() > 64 {
        return Err(invalid(format!("hostname {:?} is longer than 64 bytes", spec.hostname)));
    }
    let user = &spec.user;
    if [user.uid, user.gid].iter().chain(&user.additional_gids).any(|id| *id == u32::MAX) {
        return Err(invalid("4294967295 is no user or group"));
    }
    Ok(())
}

pub(super) fn invalid(reason: impl Into<String>) -> StartError {
    StartError::InvalidSpec { reason: reason.into() }
}

fn words(spec: &ContainerSpec) -> Words {
    Words {
        program: spec.args.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default(),
        cwd: spec.cwd.clone(),
        mounts: spec.mounts.iter().map(|mount| mount.target().to_owned()).collect(),
        devices: spec.devices.iter().map(|device| device.target.clone()).collect(),
        sysctls: spec.sysctls.iter().map(|(name, _)| name.clone()).collect(),
        masked_paths: spec.masked_paths.clone(),
        readonly_paths: spec.readonly_paths.clone(),
        rlimits: spec.rlimits.iter().map(|limit| limit.name.clone()).collect(),
    }
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

/// `net.ipv4.ip_forward` is `sys/net/ipv4/ip_forward` in procfs; slashes in names keep dots, as sysctl(8) has it.
fn sysctl((name, value): &(String, String)) -> Result<(CString, Vec<u8>), StartError> {
    let path = if name.contains('/') { name.clone() } else { name.replace('.', "/") };
    if path.split('/').any(|component| matches!(component, "" | "." | "..")) {
        return Err(invalid(format!("sysctl {name:?} is not a name")));
    }
    Ok((c_string("sysctls", format!("sys/{path}").as_ref())?, value.clone().into_bytes()))
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

pub(super) fn root_path(field: &str, path: &Path) -> Result<RootPath, StartError> {
    RootPath::new(path).ok_or_else(|| invalid(format!("{field}: {path:?} is not an absolute path")))
}

fn root_paths(field: &str, paths: &[PathBuf]) -> Result<Vec<RootPath>, StartError> {
    paths.iter().map(|path| root_path(field, path)).collect()
}

pub(super) fn c_string(field: &str, text: &OsStr) -> Result<CString, StartError> {
    CString::new(text.as_bytes()).map_err(|_| invalid(format!("{field}: {text:?} contains a NUL byte")))
}

fn c_strings(field: &str, texts: Vec<OsString>) -> Result<Vec<CString>, StartError> {
    let convert = |text: OsString| CString::new(text.into_vec());
    let strings: Result<_, _> = texts.into_iter().map(convert).collect();
    strings.map_err(|_| invalid(format!("{field} contains a NUL byte")))
}

#[cfg(test)]
mod tests;
