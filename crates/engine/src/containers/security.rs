//! What keeps a container apart from the host, and what is given up of that on request.
//!
//! Only the command line says these things, never an image: annotations and labels change nothing here.

use std::collections::BTreeMap;
use std::fs::FileType;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use image::Stack;
use runtime::{BindMount, BindSource, Capabilities, ContainerSpec, Device, Mount, Namespace, Seccomp, SeccompProfile};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::container::Container;
use crate::network::NetworkMode;
use crate::{Engine, Error, ErrorKind};

/// `--cap-add`, `--privileged`, `--security-opt`, `--device`, `--pid` and their like, as typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Capabilities to give, or `ALL`.
    pub cap_add: Vec<String>,
    /// Capabilities to take, or `ALL`.
    pub cap_drop: Vec<String>,
    /// Nearly everything that root of the host may do.
    pub privileged: bool,
    /// `no-new-privileges`, `seccomp=unconfined`, `systempaths=unconfined` …
    pub options: Vec<String>,
    /// A profile of `seccomp=FILE`, whole.
    pub seccomp_profile: Option<String>,
    /// `HOST[:CONTAINER][:rwm]`.
    pub devices: Vec<String>,
    /// `c 42:* rwm`.
    pub device_rules: Vec<String>,
    /// Further groups, names or numbers.
    pub groups: Vec<String>,
    /// `host` or `container:NAME`.
    pub pid: Option<String>,
    /// `none`, `private`, `shareable`, `host` or `container:NAME`.
    pub ipc: Option<String>,
    /// `host`.
    pub uts: Option<String>,
    /// `host`.
    pub userns: Option<String>,
    /// Kernel settings of the container's own namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// A small init is process 1.
    pub init: bool,
    /// Notes for runtimes, kept and shown.
    pub annotations: BTreeMap<String, String>,
}

/// What `--security-opt` can say, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecurityOption<'a> {
    NoNewPrivileges(bool),
    Seccomp(&'a str),
    AppArmor(&'a str),
    Label,
    SystemPathsUnconfined,
    WritableCgroups(bool),
}

impl Security {
    /// Refuses what cannot be, in Docker's words.
    pub(crate) fn check(&self, network: &NetworkMode) -> Result<(), Error> {
        self.capabilities()?;
        for text in &self.options {
            match parse_option(text)? {
                SecurityOption::AppArmor(profile) if profile != "unconfined" => {
                    let message = format!("this version of onggi has no AppArmor profiles: `--security-opt {text}`");
                    let error = Error::new(ErrorKind::Unsupported, message);
                    return Err(error.with_hint("leave it out, or use `--security-opt apparmor=unconfined`"));
                }
                _ => {}
            }
        }
        self.seccomp()?;
        self.devices.iter().try_for_each(|text| parse_device(text).map(drop))?;
        for rule in &self.device_rules {
            if !is_device_rule(rule) {
                return Err(invalid(format!("invalid device cgroup format '{rule}'")));
            }
        }
        let modes = [
            ("--pid: invalid PID mode", &self.pid, &["host"][..], true),
            ("--ipc: invalid IPC mode", &self.ipc, &["none", "private", "shareable", "host"][..], true),
            ("--uts: invalid UTS mode", &self.uts, &["host"][..], false),
            ("--userns: invalid USER mode", &self.userns, &["host"][..], false),
        ];
        for (message, mode, known, may_join) in modes {
            let mode = mode.as_deref().unwrap_or_default();
            let joins = may_join && mode.strip_prefix("container:").is_some_and(|name| !name.is_empty());
            if !mode.is_empty() && !known.contains(&mode) && !joins {
                return Err(invalid(message.to_owned()).with_hint(format!("use {}", known.join(", "))));
            }
        }
        self.sysctls.keys().try_for_each(|name| self.check_sysctl(name, network))
    }

    /// Settings of the whole machine are not a container's to change.
    fn check_sysctl(&self, name: &str, network: &NetworkMode) -> Result<(), Error> {
        const IPC: [&str; 8] = [
            "kernel.msgmax",
            "kernel.msgmnb",
            "kernel.msgmni",
            "kernel.sem",
            "kernel.shmall",
            "kernel.shmmax",
            "kernel.shmmni",
            "kernel.shm_rmid_forced",
        ];
        let is_ipc = IPC.contains(&name) || name.starts_with("fs.mqueue.");
        let is_net = name.starts_with("net.");
        if !is_ipc && !is_net {
            return Err(invalid(format!("sysctl '{name}' is not allowed")));
        }
        if is_net && *network == NetworkMode::Host {
            return Err(invalid(format!("sysctl '{name}' is not allowed in the host's network namespace")));
        }
        if is_ipc && self.ipc.as_deref() == Some("host") {
            return Err(invalid(format!("sysctl '{name}' is not allowed in the host's IPC namespace")));
        }
        Ok(())
    }

    /// Docker's fourteen with what was added and dropped; dropping wins for single ones.
    fn capabilities(&self) -> Result<Capabilities, Error> {
        if self.privileged {
            return Ok(Capabilities::ALL);
        }
        let read = |what: &str, names: &[String]| -> Result<(bool, Capabilities), Error> {
            let mut set = Capabilities::NONE;
            let mut all = false;
            for name in names {
                if name.eq_ignore_ascii_case("ALL") {
                    all = true;
                    continue;
                }
                let full = name.to_ascii_uppercase();
                let full = if full.starts_with("CAP_") { full } else { format!("CAP_{full}") };
                let unknown = |_| invalid(format!("invalid {what}: unknown capability: \"{full}\""));
                set = set.with(Capabilities::named(name).map_err(unknown)?);
            }
            Ok((all, set))
        };
        let (add_all, added) = read("CapAdd", &self.cap_add)?;
        let (drop_all, dropped) = read("CapDrop", &self.cap_drop)?;
        Ok(match (add_all, drop_all) {
            (true, _) => Capabilities::ALL.without(dropped),
            (false, true) => added,
            (false, false) => Capabilities::DOCKER.without(dropped).with(added),
        })
    }

    fn option(&self, pick: impl Fn(SecurityOption<'_>) -> bool) -> bool {
        self.options.iter().any(|text| parse_option(text).is_ok_and(&pick))
    }

    fn seccomp(&self) -> Result<Seccomp, Error> {
        if let Some(profile) = &self.seccomp_profile {
            let profile = SeccompProfile::parse(profile).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, "the profile of `--security-opt seccomp` cannot be used")
                    .because(&error)
            })?;
            return Ok(Seccomp::Profile(Box::new(profile)));
        }
        let is_off = self.privileged || self.option(|option| option == SecurityOption::Seccomp("unconfined"));
        Ok(if is_off { Seccomp::Unconfined } else { Seccomp::Default })
    }

    fn has_no_new_privileges(&self) -> bool {
        self.option(|option| option == SecurityOption::NoNewPrivileges(true))
    }

    /// Tells the container's start.
    pub(crate) fn apply(&self, engine: &Engine, stack: &Stack, spec: &mut ContainerSpec) -> Result<(), Error> {
        if self.privileged {
            spec.make_privileged();
            spec.devices.extend(devices_below(Path::new("/dev"), Path::new("/dev"), "rwm"));
        }
        spec.capabilities = self.capabilities()?;
        spec.seccomp = self.seccomp()?;
        spec.no_new_privileges = self.has_no_new_privileges();
        if self.option(|option| option == SecurityOption::SystemPathsUnconfined) {
            spec.masked_paths.clear();
            spec.readonly_paths.clear();
        }
        if self.option(|option| option == SecurityOption::WritableCgroups(true)) {
            for mount in &mut spec.mounts {
                if let Mount::Cgroup { read_only } = mount {
                    *read_only = false;
                }
            }
        }
        for text in &self.devices {
            let device = parse_device(text)?;
            let found = find_devices(&device)?;
            spec.devices.retain(|known| !found.iter().any(|new| new.target == known.target));
            spec.devices.extend(found);
        }
        spec.device_rules.clone_from(&self.device_rules);
        for group in &self.groups {
            let gid = image::users::resolve_group(&stack.tree(), group).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, format!("cannot find the group {group}")).because(&error)
            })?;
            if !spec.user.additional_gids.contains(&gid) {
                spec.user.additional_gids.push(gid);
            }
        }
        spec.sysctls.retain(|(name, _)| !self.sysctls.contains_key(name));
        spec.sysctls.extend(self.sysctls.iter().map(|(name, value)| (name.clone(), value.clone())));
        spec.init = self.init;
        self.namespaces(engine, spec)?;
        // Processes that do not end with the first one are found by their group; rules for devices need one too.
        let needs_cgroup = !matches!(spec.pid, Namespace::New) || !self.device_rules.is_empty();
        if needs_cgroup && spec.cgroup.is_none() {
            spec.cgroup =
                Some(super::limits::Limits::default().cgroup(format!("{}/{}", crate::executor::PARENT, spec.id)));
        }
        Ok(())
    }

    fn namespaces(&self, engine: &Engine, spec: &mut ContainerSpec) -> Result<(), Error> {
        match self.pid.as_deref().unwrap_or_default() {
            "" => {}
            "host" => spec.pid = Namespace::Host,
            other => spec.pid = Namespace::Join(joined(engine, other, "PID", "pid")?.namespace),
        }
        if self.uts.as_deref() == Some("host") {
            spec.uts = Namespace::Host;
        }
        let shared_memory = match self.ipc.as_deref().unwrap_or_default() {
            "" | "private" | "shareable" => return Ok(()),
            "none" => None,
            "host" => {
                spec.ipc = Namespace::Host;
                Some(BindSource::Path(PathBuf::from("/dev/shm")))
            }
            other => {
                let Joined { namespace, pid, container } = joined(engine, other, "IPC", "ipc")?;
                spec.ipc = Namespace::Join(namespace);
                let alive = || container.state().is_ok_and(|state| state.is_process_alive());
                let shared = runtime::mount_of_process(pid, Path::new("/dev/shm"), alive);
                shared.map_err(|error| unreachable(other, &error))?.map(BindSource::Mount)
            }
        };
        let target = PathBuf::from("/dev/shm");
        spec.mounts.retain(|mount| mount.target() != target);
        if let Some(source) = shared_memory {
            spec.mounts.push(Mount::Bind(BindMount { source, target, read_only: false, recursive: false }));
        }
        Ok(())
    }

    /// What a further process of the container may do.
    pub(crate) fn process(&self, privileged: bool) -> Result<(Capabilities, Seccomp, bool), Error> {
        let capabilities = if privileged { Capabilities::ALL } else { self.capabilities()? };
        Ok((capabilities, self.seccomp()?, self.has_no_new_privileges()))
    }

    /// Its part of `HostConfig`.
    pub(crate) fn describe(&self, host_config: &mut Map<String, Value>) {
        let list = |texts: &[String]| if texts.is_empty() { Value::Null } else { json!(texts) };
        let devices: Vec<Value> = self.devices.iter().filter_map(|text| parse_device(text).ok()).map(|device| {
            json!({"PathOnHost": device.source, "PathInContainer": device.target, "CgroupPermissions": device.access})
        }).collect();
        let mode = |mode: &Option<String>| json!(mode.clone().unwrap_or_default());
        let rows = [
            ("CapAdd", list(&self.cap_add)),
            ("CapDrop", list(&self.cap_drop)),
            ("Privileged", json!(self.privileged)),
            ("SecurityOpt", list(&self.options)),
            ("Devices", json!(devices)),
            ("DeviceCgroupRules", list(&self.device_rules)),
            ("GroupAdd", list(&self.groups)),
            ("PidMode", mode(&self.pid)),
            ("IpcMode", json!(self.ipc.clone().unwrap_or_else(|| "private".to_owned()))),
            ("UTSMode", mode(&self.uts)),
            ("UsernsMode", mode(&self.userns)),
        ];
        host_config.extend(rows.map(|(name, value)| (name.to_owned(), value)));
        if !self.sysctls.is_empty() {
            host_config.insert("Sysctls".to_owned(), json!(self.sysctls));
        }
        if self.init {
            host_config.insert("Init".to_owned(), json!(true));
        }
        if !self.annotations.is_empty() {
            host_config.insert("Annotations".to_owned(), json!(self.annotations));
        }
    }
}

/// A namespace of another container.
struct Joined {
    namespace: OwnedFd,
    pid: u32,
    container: Container,
}

/// `container:NAME`.
fn joined(engine: &Engine, mode: &str, what: &str, kind: &str) -> Result<Joined, Error> {
    let name = mode.strip_prefix("container:").unwrap_or(mode);
    let container = Container::find(engine, name)?;
    let id = &container.record.id;
    let gone = || {
        let message = format!("cannot join the {what} namespace of a non running container: {id}");
        Error::new(ErrorKind::Conflict, message).with_hint(format!("start it first: `onggi start {name}`"))
    };
    let (pid, _) = container.state()?.process.ok_or_else(gone)?;
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/{kind}")).map_err(|_| gone())?;
    // The number could have been another process's until now.
    if !container.state()?.is_process_alive() {
        return Err(gone());
    }
    Ok(Joined { namespace: namespace.into(), pid, container })
}

fn unreachable(mode: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot share the memory of {mode}")).because(error)
}

fn parse_option(text: &str) -> Result<SecurityOption<'_>, Error> {
    let (name, value) = text.split_once('=').or_else(|| text.split_once(':')).unwrap_or((text, ""));
    let is_true = |value: &str| match value {
        "" | "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    let known = match name {
        "no-new-privileges" => is_true(value).map(SecurityOption::NoNewPrivileges),
        "seccomp" if !value.is_empty() => Some(SecurityOption::Seccomp(value)),
        "apparmor" if !value.is_empty() => Some(SecurityOption::AppArmor(value)),
        "label" if !value.is_empty() => Some(SecurityOption::Label),
        "systempaths" if value == "unconfined" => Some(SecurityOption::SystemPathsUnconfined),
        "writable-cgroups" => is_true(value).map(SecurityOption::WritableCgroups),
        _ => None,
    };
    known.ok_or_else(|| {
        invalid(format!("invalid --security-opt: {text:?}")).with_hint(
            "use `no-new-privileges`, `seccomp=unconfined`, `seccomp=FILE`, `systempaths=unconfined` or `writable-cgroups=true`",
        )
    })
}

/// `HOST[:CONTAINER][:rwm]`.
fn parse_device(text: &str) -> Result<Device, Error> {
    let is_access = |text: &str| !text.is_empty() && text.chars().all(|one| "rwm".contains(one));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, access) = match parts[..] {
        [source] => (source, source, "rwm"),
        [source, access] if is_access(access) => (source, source, access),
        [source, target] => (source, target, "rwm"),
        [source, target, access] if is_access(access) => (source, target, access),
        [_, _, access] => return Err(invalid(format!("invalid device mode: {access}"))),
        _ => return Err(invalid(format!("invalid device specification: {text}"))),
    };
    for path in [source, target] {
        if !path.starts_with('/') {
            return Err(invalid(format!("invalid device specification: {text}: '{path}' is not an absolute path")));
        }
    }
    if !Path::new(target).starts_with("/dev") || target.split('/').any(|part| part == "..") || target == "/dev" {
        let error =
            Error::new(ErrorKind::Unsupported, format!("devices are below /dev in a container, not at {target}"));
        return Err(error.with_hint(format!("use `--device {source}`")));
    }
    Ok(Device { source: source.into(), target: target.into(), access: access.to_owned() })
}

/// One device, or all those of a folder.
fn find_devices(device: &Device) -> Result<Vec<Device>, Error> {
    let source = device.source.display();
    let missing = |error: std::io::Error| {
        let message = format!("error gathering device information while adding custom device \"{source}\"");
        Error::new(ErrorKind::InvalidInput, message).because(&error)
    };
    let kind = std::fs::metadata(&device.source).map_err(missing)?.file_type();
    if is_device(kind) {
        return Ok(vec![device.clone()]);
    }
    let found = devices_below(&device.source, &device.target, &device.access);
    if found.is_empty() {
        return Err(missing(std::io::Error::other("not a device node")));
    }
    Ok(found)
}

/// Those that belong to one terminal or to a file system of their own are not handed on (as Docker has it).
fn devices_below(folder: &Path, target: &Path, access: &str) -> Vec<Device> {
    const LEFT_OUT: [&str; 7] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", "console"];
    const OWN: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "ptmx"];
    let mut devices = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_left_out = name
            .to_str()
            .is_none_or(|name| LEFT_OUT.contains(&name) || (folder == Path::new("/dev") && OWN.contains(&name)));
        let Ok(kind) = entry.file_type() else { continue };
        if is_left_out {
            continue;
        }
        let (source, target) = (entry.path(), target.join(&name));
        if is_device(kind) {
            devices.push(Device { source, target, access: access.to_owned() });
        } else if kind.is_dir() {
            devices.extend(devices_below(&source, &target, access));
        }
    }
    devices
}

fn is_device(kind: FileType) -> bool {
    kind.is_char_device() || kind.is_block_device()
}

/// As in `c 42:* rwm`.
fn is_device_rule(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [kind, numbers, access] = words[..] else { return false };
    let is_number = |text: &str| text == "*" || text.parse::<u32>().is_ok();
    ["a", "b", "c"].contains(&kind)
        && numbers.split_once(':').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
        && access.chars().all(|one| "rwm".contains(one))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message).with_exit_code(125)
}
