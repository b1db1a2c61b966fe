//! A [`ContainerSpec`] as an OCI bundle: a folder, and mounts that wait to be attached in it, `config.json` among them.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use serde_json::{Map, Value, json};

use super::memory_files::MemoryFiles;
use super::{Attachment, External, c_path};
use crate::builtin::{
    HostDevice, add_init, available_capabilities, bind_tree, lowered_limit, path_within, type_of_tree,
};
use crate::cgroup::device_rules;
use crate::seccomp::{OCI_ARCHITECTURES, OciRule, oci_rules};
use crate::spec::{BindMount, BindSource, Cgroup, ContainerSpec, Mount, Namespace, NetworkNamespace, PING_GROUPS};
use crate::{Seccomp, StartError, user_namespace};

/// A bundle that is written and not yet in use. Its folder is removed with it unless it is to be kept.
#[derive(Debug)]
pub(super) struct Bundle {
    folder: PathBuf,
    mounts: Vec<Attachment>,
    files: MemoryFiles,
    /// Kept open while the runtime opens them through `/proc`.
    namespaces: Vec<OwnedFd>,
    in_use: bool,
}

impl Bundle {
    pub(super) fn write(state: &Path, mut spec: ContainerSpec, runtime: &str) -> Result<Self, StartError> {
        add_init(&mut spec);
        if !user_namespace::is_initial() {
            spec.sysctls.retain(|(name, value)| (name.as_str(), value.as_str()) != PING_GROUPS);
        }
        spec.capabilities = spec.capabilities.intersection(available_capabilities()?);
        let folder = state.join("bundles").join(&spec.id);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| External::setup("write", &path, source)
        };
        if spec.id.contains('/') || spec.id.starts_with('.') {
            return Err(StartError::InvalidSpec { reason: format!("id {:?} is not a file name", spec.id) });
        }
        // What is mounted here is nobody else's business.
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&folder).and_then(|()| private.create(folder.join("rootfs"))).map_err(failed(&folder))?;
        let files = MemoryFiles::default();
        let mut bundle = Self { folder, mounts: Vec::new(), files, namespaces: Vec::new(), in_use: false };
        let config = config(&mut spec, &mut bundle, runtime)?;
        // It has the environment, and so values of secrets: it is a link to memory that only the runtime can reach.
        let name = bundle.files.add_private(config.to_string().as_bytes(), Path::new("config.json"))?;
        let file = bundle.folder.join("config.json");
        std::os::unix::fs::symlink(bundle.files_folder().join(name), &file).map_err(failed(&file))?;
        if let Some(files) = std::mem::take(&mut bundle.files).into_mount() {
            let folder = bundle.files_folder();
            std::fs::create_dir(&folder).map_err(failed(&folder))?;
            bundle.mounts.push(Attachment::new(&folder, files)?);
        }
        bundle.mounts.insert(0, Attachment::new(&bundle.folder.join("rootfs"), spec.rootfs)?);
        if let NetworkNamespace::Join(namespace) = spec.network {
            bundle.namespaces.push(namespace);
        }
        for namespace in [spec.pid, spec.ipc, spec.uts] {
            if let Namespace::Join(namespace) = namespace {
                bundle.namespaces.push(namespace);
            }
        }
        Ok(bundle)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log.json")
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// What has to be attached where.
    pub(super) fn take_mounts(&mut self) -> Vec<Attachment> {
        std::mem::take(&mut self.mounts)
    }

    /// Where files in memory are attached.
    fn files_folder(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// From now on somebody else removes the folder.
    pub(super) fn keep(&mut self) {
        self.in_use = true;
    }

    /// A place in the bundle for a tree that the runtime will bind into the container.
    fn place(&mut self, target: &Path, bind: BindMount) -> Result<PathBuf, StartError> {
        let within = path_within(&bind.source)?;
        let tree = bind_tree(target, bind, false)?;
        let is_folder = type_of_tree(&tree, within.as_ref())? == FileType::Directory;
        let number = self.mounts.len();
        let path = self.folder.join(format!("mount{number}"));
        let make = |path: &Path, is_folder| {
            let made = if is_folder { std::fs::create_dir(path) } else { std::fs::write(path, "") };
            made.map_err(|source| External::setup("make", path, source))
        };
        make(&path, is_folder)?;
        let mut attachment = Attachment::new(&path, tree)?;
        if let Some(within) = within {
            let whole = self.folder.join(format!("whole{number}"));
            make(&whole, true)?;
            attachment.within = Some((c_path(&whole)?, within));
        }
        self.mounts.push(attachment);
        Ok(path)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if !self.in_use {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}

fn config(spec: &mut ContainerSpec, bundle: &mut Bundle, runtime: &str) -> Result<Value, StartError> {
    let text = |what, text: &OsString| {
        let unsupported = || StartError::Unsupported { executor: runtime.to_owned(), what };
        text.to_str().map(str::to_owned).ok_or_else(unsupported)
    };
    let args = spec.args.iter().map(|arg| text("arguments that are not UTF-8", arg)).collect::<Result<Vec<_>, _>>()?;
    let env = spec.env.iter().map(|one| text("variables that are not UTF-8", one)).collect::<Result<Vec<_>, _>>()?;
    if args.is_empty() {
        return Err(StartError::InvalidSpec { reason: "args must not be empty".to_owned() });
    }
    let capabilities: Vec<&str> = spec.capabilities.names().collect();
    let mut process = json!({
        "terminal": spec.terminal.is_some(),
        "user": {"uid": spec.user.uid, "gid": spec.user.gid, "additionalGids": spec.user.additional_gids, "umask": 0o022},
        "args": args,
        "env": env,
        "cwd": spec.cwd,
        "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities, "inheritable": []},
        "rlimits": rlimits(spec)?,
        "noNewPrivileges": spec.no_new_privileges,
    });
    if let (Some(size), Some(process)) = (spec.terminal, process.as_object_mut()) {
        process.insert("consoleSize".to_owned(), json!({"width": size.columns, "height": size.rows}));
    }
    if let (Some(score), Some(process)) = (spec.oom_score_adj, process.as_object_mut()) {
        process.insert("oomScoreAdj".to_owned(), json!(score));
    }
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": "rootfs", "readonly": spec.readonly_rootfs},
        "hostname": if matches!(spec.uts, Namespace::New) { spec.hostname.as_str() } else { "" },
        "mounts": mounts(std::mem::take(&mut spec.mounts), bundle)?,
        "linux": linux(spec)?,
    }))
}

fn rlimits(spec: &ContainerSpec) -> Result<Vec<Value>, StartError> {
    let limits = spec.rlimits.iter().map(|limit| {
        let (_, lowered) = lowered_limit(limit)?;
        let (soft, hard) = (lowered.current.unwrap_or(u64::MAX), lowered.maximum.unwrap_or(u64::MAX));
        Ok(json!({"type": format!("RLIMIT_{}", limit.name.to_uppercase()), "soft": soft, "hard": hard}))
    });
    limits.collect()
}

fn mounts(mounts: Vec<Mount>, bundle: &mut Bundle) -> Result<Vec<Value>, StartError> {
    let mut entries = Vec::new();
    for mount in mounts {
        let target = mount.target().to_owned();
        let mut push = |kind: &str, source: Value, options: Vec<String>| {
            entries.push(json!({"destination": target, "type": kind, "source": source, "options": options}));
        };
        let strict = |more: &[&str]| -> Vec<String> {
            ["nosuid", "noexec", "nodev"].iter().chain(more).map(|&option| option.to_owned()).collect()
        };
        let read = |read_only: bool| if read_only { "ro" } else { "rw" };
        match mount {
            Mount::Proc => push("proc", json!("proc"), strict(&[])),
            Mount::Sys { read_only } => push("sysfs", json!("sysfs"), strict(&[read(read_only)])),
            Mount::Cgroup { read_only } => push("cgroup", json!("cgroup"), strict(&["relatime", read(read_only)])),
            Mount::MessageQueue => push("mqueue", json!("mqueue"), strict(&[])),
            Mount::Dev => {
                let options = ["nosuid", "strictatime", "mode=755", "size=65536k"].map(str::to_owned);
                push("tmpfs", json!("tmpfs"), options.to_vec());
                let options = strict_devpts();
                entries
                    .push(json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": options}));
            }
            Mount::Tmpfs(tmpfs) => {
                let mut options =
                    vec!["nosuid".to_owned(), "nodev".to_owned(), format!("mode={:o}", tmpfs.mode & 0o7777)];
                options.extend(tmpfs.size.map(|size| format!("size={size}")));
                options.extend(tmpfs.no_exec.then(|| "noexec".to_owned()));
                options.extend(tmpfs.read_only.then(|| "ro".to_owned()));
                push("tmpfs", json!("tmpfs"), options);
            }
            Mount::Bind(bind) => {
                let read_only = bind.read_only;
                let propagation = match bind.source {
                    BindSource::Prepared { propagation, .. } => propagation.word(),
                    _ => "rprivate",
                };
                let place = bundle.place(&target, bind)?;
                push("bind", json!(place), ["rbind", propagation, read(read_only)].map(str::to_owned).to_vec());
            }
            Mount::File(file) => {
                let path = bundle.files_folder().join(bundle.files.add(&file)?);
                let execution = if file.executable { "exec" } else { "noexec" };
                let options = ["bind", "rprivate", "ro", "nosuid", "nodev", execution];
                push("bind", json!(path), options.map(str::to_owned).to_vec());
            }
        }
    }
    Ok(entries)
}

/// Group `tty` of every distribution; a user namespace may not have it.
fn strict_devpts() -> Vec<&'static str> {
    let mut options = vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
    options.extend(user_namespace::is_initial().then_some("gid=5"));
    options
}

fn linux(spec: &ContainerSpec) -> Result<Value, StartError> {
    let mut linux = json!({
        "namespaces": namespaces(spec),
        "maskedPaths": spec.masked_paths,
        "readonlyPaths": spec.readonly_paths,
        "resources": resources(spec)?,
        "sysctl": spec.sysctls.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>(),
        "devices": devices(spec)?,
    });
    if let Some(linux) = linux.as_object_mut() {
        if let Some(cgroup) = &spec.cgroup {
            linux.insert("cgroupsPath".to_owned(), json!(format!("/{}", cgroup.name)));
        }
        match &spec.seccomp {
            Seccomp::Default => drop(linux.insert("seccomp".to_owned(), seccomp(spec))),
            Seccomp::Profile(profile) => drop(linux.insert("seccomp".to_owned(), profile.oci(spec.capabilities))),
            Seccomp::Unconfined => {}
        }
    }
    Ok(linux)
}

fn namespaces(spec: &ContainerSpec) -> Vec<Value> {
    let mut namespaces = vec![json!({"type": "mount"})];
    for (kind, namespace) in [("pid", &spec.pid), ("uts", &spec.uts), ("ipc", &spec.ipc)] {
        match namespace {
            Namespace::Host => {}
            Namespace::New => namespaces.push(json!({"type": kind})),
            Namespace::Join(namespace) => {
                let path = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd());
                namespaces.push(json!({"type": kind, "path": path}));
            }
        }
    }
    if spec.own_cgroup_namespace == Some(true) {
        namespaces.push(json!({"type": "cgroup"}));
    }
    match &spec.network {
        NetworkNamespace::Host => {}
        NetworkNamespace::New => namespaces.push(json!({"type": "network"})),
        NetworkNamespace::Join(namespace) => {
            let path = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd());
            namespaces.push(json!({"type": "network", "path": path}));
        }
    }
    namespaces
}

fn resources(spec: &ContainerSpec) -> Result<Value, StartError> {
    let mut devices = vec![json!({"allow": false, "access": "rwm"})];
    for rule in device_rules(spec)? {
        let mut entry = json!({"allow": true, "access": rule.access, "type": rule.kind.to_string()});
        if let Some(entry) = entry.as_object_mut() {
            entry.extend(rule.major.map(|major| ("major".to_owned(), json!(major))));
            entry.extend(rule.minor.map(|minor| ("minor".to_owned(), json!(minor))));
        }
        devices.push(entry);
    }
    let mut resources = Map::from_iter([("devices".to_owned(), Value::from(devices))]);
    if let Some(cgroup) = &spec.cgroup {
        resources.extend(limits(cgroup));
    }
    Ok(resources.into())
}

fn limits(cgroup: &Cgroup) -> Map<String, Value> {
    let object = |entries: &[(&str, Option<Value>)]| -> Map<String, Value> {
        entries.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?))).collect()
    };
    // The largest number stands for no limit, which OCI writes as -1.
    let number = |limit: u64| if limit == u64::MAX { json!(-1) } else { json!(limit) };
    let memory = object(&[
        ("limit", cgroup.memory.map(number)),
        ("reservation", cgroup.memory_reservation.map(number)),
        ("swappiness", cgroup.memory_swappiness.map(Value::from)),
        ("disableOOMKiller", cgroup.oom_kill_disable.then_some(Value::Bool(true))),
        ("swap", cgroup.memory_and_swap.map(number)),
    ]);
    let cpu = object(&[
        ("quota", cgroup.cpu_quota.map(|quota| number(quota.quota_usecs))),
        ("period", cgroup.cpu_quota.map(|quota| quota.period_usecs.into())),
        ("shares", cgroup.cpu_shares.map(Value::from)),
        ("cpus", cgroup.cpuset_cpus.clone().map(Value::from)),
        ("mems", cgroup.cpuset_mems.clone().map(Value::from)),
    ]);
    let pids = object(&[("limit", cgroup.pids.map(number))]);
    let block = object(&[("weight", cgroup.block_weight.map(Value::from))]);
    let parts = [("memory", memory), ("cpu", cpu), ("pids", pids), ("blockIO", block)];
    parts.into_iter().filter(|(_, part)| !part.is_empty()).map(|(key, part)| (key.to_owned(), part.into())).collect()
}

fn devices(spec: &ContainerSpec) -> Result<Vec<Value>, StartError> {
    let devices = spec.devices.iter().map(|device| {
        let host = HostDevice::open(&device.source)?;
        let kind = if host.file_type == FileType::BlockDevice { "b" } else { "c" };
        let (major, minor) = (rustix::fs::major(host.device), rustix::fs::minor(host.device));
        let mode = host.mode.as_raw_mode();
        Ok(json!({"path": device.target, "type": kind, "major": major, "minor": minor, "fileMode": mode, "uid": 0, "gid": 0}))
    });
    devices.collect()
}

fn seccomp(spec: &ContainerSpec) -> Value {
    let rules: Vec<Value> = oci_rules(spec.capabilities)
        .into_iter()
        .map(|OciRule { names, errno, argument }| {
            let mut rule = match errno {
                None => json!({"names": names, "action": "SCMP_ACT_ALLOW"}),
                Some(errno) => json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno}),
            };
            if let (Some((operator, value, second)), Some(rule)) = (argument, rule.as_object_mut()) {
                let argument = json!([{"index": 0, "value": value, "valueTwo": second, "op": operator}]);
                rule.insert("args".to_owned(), argument);
            }
            rule
        })
        .collect();
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": libc::EPERM,
        "architectures": OCI_ARCHITECTURES,
        "syscalls": rules,
    })
}
