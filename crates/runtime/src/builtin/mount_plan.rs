//! Mounts and devices, prepared: trees of the host are cloned here, where they can still be seen.
//!
//! A tree that has been cloned is detached: it belongs to no namespace, nothing on the host shows it, and it vanishes
//! with its descriptor.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use rustix::process::{Gid, Uid};

use super::plan::{c_string, invalid, root_path};
use super::root_path::{Missing, RootPath, Symlinks};
use crate::StartError;
use crate::spec::{BindMount, BindSource, ContainerSpec, FileMount, Mount, TmpfsMount};
use crate::sys::{MountAttributes, STAGE, mount_setattr};

/// Where `--init` puts its program: below `/dev`, so that no file appears in the image.
const INIT_TARGET: &str = "/dev/.init";

/// Names and numbers of the devices that every container has.
const STANDARD_DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Parts of procfs that people replace on purpose (lxcfs), the same that runc allows.
const REPLACEABLE_IN_PROC: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// A [`Mount`] with its descriptors and strings.
#[derive(Debug)]
pub(super) enum PlannedMount {
    Proc {
        target: RootPath,
    },
    Dev {
        target: RootPath,
    },
    Sys {
        target: RootPath,
        read_only: bool,
    },
    /// The sysfs or procfs of our surroundings, where a new one may not be mounted.
    Surrounding {
        target: RootPath,
        tree: OwnedFd,
    },
    MessageQueue {
        target: RootPath,
    },
    CgroupV2 {
        target: RootPath,
        read_only: bool,
    },
    /// Controllers with their folders.
    CgroupV1 {
        target: RootPath,
        read_only: bool,
        controllers: Vec<(CString, OwnedFd)>,
    },
    Tmpfs {
        target: RootPath,
        size: Option<CString>,
        mode: CString,
        no_exec: bool,
        read_only: bool,
    },
    Tree {
        target: RootPath,
        tree: OwnedFd,
        missing: Missing,
        may_be_in_proc: bool,
        /// Only what this leads to within `tree`.
        within: Option<RootPath>,
    },
    File {
        target: RootPath,
        file: PlannedFile,
    },
    /// Nothing to mount on this machine.
    Nothing,
}

/// A file that exists in memory only.
#[derive(Debug)]
pub(super) struct PlannedFile {
    pub(super) content: Secret,
    pub(super) mode: Mode,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// Of its mount.
    pub(super) attributes: MountAttributes,
}

/// Bytes that are not shown.
pub(super) struct Secret(pub(super) Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The nodes of `/dev`, standard ones first.
#[derive(Debug)]
pub(super) struct PlannedDevices {
    pub(super) nodes: Vec<DeviceNode>,
    /// In a user namespace nodes cannot be made: these, of the host, are mounted on empty files instead.
    pub(super) trees: Option<Vec<OwnedFd>>,
}

#[derive(Debug)]
pub(super) struct DeviceNode {
    /// Relative to `/dev`.
    pub(super) target: RootPath,
    pub(super) file_type: FileType,
    pub(super) device: rustix::fs::Dev,
    pub(super) mode: Mode,
}

/// What a device node of the host is.
#[derive(Debug)]
pub(crate) struct HostDevice {
    node: OwnedFd,
    pub(crate) file_type: FileType,
    pub(crate) device: rustix::fs::Dev,
    pub(crate) mode: Mode,
}

impl HostDevice {
    /// Opens a device node and nothing else.
    pub(crate) fn open(source: &Path) -> Result<Self, StartError> {
        let failed = |errno: Errno| setup(format!("open device {}", source.display()), errno);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let node = rustix::fs::open(source, flags, Mode::empty()).map_err(failed)?;
        let stat = rustix::fs::fstat(&node).map_err(failed)?;
        let file_type = FileType::from_raw_mode(stat.st_mode);
        if !matches!(file_type, FileType::CharacterDevice | FileType::BlockDevice) {
            return Err(invalid(format!("{} is not a device node", source.display())));
        }
        Ok(Self { node, file_type, device: stat.st_rdev, mode: Mode::from_raw_mode(stat.st_mode & 0o777) })
    }

    fn tree(&self, source: &Path) -> Result<OwnedFd, StartError> {
        clone_tree(self.node.as_fd(), false).map_err(|errno| setup(format!("clone {}", source.display()), errno))
    }
}

impl PlannedDevices {
    pub(super) fn new(spec: &ContainerSpec, may_make_nodes: bool) -> Result<Self, StartError> {
        let (mut nodes, mut trees) = (Vec::new(), Vec::new());
        for (name, major, minor) in STANDARD_DEVICES {
            let device = rustix::fs::makedev(major, minor);
            let (file_type, mode) = (FileType::CharacterDevice, Mode::from_raw_mode(0o666));
            let source = Path::new("/dev").join(name);
            if !may_make_nodes {
                let host = HostDevice::open(&source)?;
                if (host.file_type, host.device) != (file_type, device) {
                    return Err(invalid(format!("{} of the host is not the device of that name", source.display())));
                }
                trees.push(host.tree(&source)?);
            }
            nodes.push(DeviceNode { target: below_dev(&source)?, file_type, device, mode });
        }
        for device in &spec.devices {
            let host = HostDevice::open(&device.source)?;
            if !may_make_nodes {
                trees.push(host.tree(&device.source)?);
            }
            let HostDevice { file_type, device: number, mode, .. } = host;
            nodes.push(DeviceNode { target: below_dev(&device.target)?, file_type, device: number, mode });
        }
        Ok(Self { nodes, trees: (!may_make_nodes).then_some(trees) })
    }
}

/// A device's path, relative to `/dev`, the only place where devices may be.
fn below_dev(target: &Path) -> Result<RootPath, StartError> {
    let below = target.strip_prefix("/dev").ok().map(|below| root_path("devices", &Path::new("/").join(below)));
    match below {
        Some(Ok(path)) if !path.is_root() => Ok(path),
        _ => Err(invalid(format!("devices: {} is not below /dev", target.display()))),
    }
}

/// Makes our own small program the first process, which starts the container's program.
pub(crate) fn add_init(spec: &mut ContainerSpec) {
    if !std::mem::take(&mut spec.init) {
        return;
    }
    spec.mounts.push(Mount::File(FileMount {
        target: PathBuf::from(INIT_TARGET),
        content: STAGE.to_vec(),
        mode: 0o555,
        uid: 0,
        gid: 0,
        executable: true,
    }));
    spec.args.splice(0..0, [INIT_TARGET.into(), "--".into()]);
}

/// What decides how mounts are made.
#[derive(Debug)]
pub(super) struct MountConditions {
    pub(super) cgroup_folders: Vec<(CString, OwnedFd)>,
    pub(super) has_cgroup_v2: bool,
    pub(super) no_devices: bool,
    /// A network namespace that is not ours to describe: sysfs shows it, so a new sysfs is refused.
    pub(super) is_network_foreign: bool,
    /// The same of a PID namespace and procfs.
    pub(super) is_pid_foreign: bool,
    /// The same of an IPC namespace and its message queues.
    pub(super) is_ipc_foreign: bool,
}

/// Prepares the mounts of a specification, one for one.
pub(super) fn plan(mounts: Vec<Mount>, conditions: MountConditions) -> Result<Vec<PlannedMount>, StartError> {
    let mut cgroup_folders = Some(conditions.cgroup_folders).filter(|folders| !folders.is_empty());
    let planned = mounts.into_iter().map(|mount| {
        let target = root_path("mounts", mount.target())?;
        if target.is_root() {
            return Err(invalid("a mount must not replace the root"));
        }
        Ok(match mount {
            Mount::Proc if conditions.is_pid_foreign => {
                PlannedMount::Surrounding { target, tree: surrounding("/proc", false)? }
            }
            Mount::Proc => PlannedMount::Proc { target },
            Mount::Dev => PlannedMount::Dev { target },
            Mount::Sys { read_only } if conditions.is_network_foreign => {
                PlannedMount::Surrounding { target, tree: surrounding("/sys", read_only)? }
            }
            Mount::Sys { read_only } => PlannedMount::Sys { target, read_only },
            Mount::MessageQueue if conditions.is_ipc_foreign => match Path::new("/dev/mqueue").is_dir() {
                true => PlannedMount::Surrounding { target, tree: surrounding("/dev/mqueue", false)? },
                false => PlannedMount::Nothing,
            },
            Mount::MessageQueue => PlannedMount::MessageQueue { target },
            Mount::Cgroup { read_only } if conditions.has_cgroup_v2 => PlannedMount::CgroupV2 { target, read_only },
            Mount::Cgroup { read_only } => match cgroup_folders.take() {
                Some(controllers) => PlannedMount::CgroupV1 { target, read_only, controllers },
                None => PlannedMount::Nothing,
            },
            Mount::Tmpfs(tmpfs) => plan_tmpfs(target, &tmpfs)?,
            Mount::Bind(bind) => plan_bind(target, bind, conditions.no_devices)?,
            Mount::File(file) => PlannedMount::File { target, file: plan_file(file) },
        })
    });
    planned.collect()
}

/// With all that is mounted below: what is hidden there stays so.
fn surrounding(path: &str, read_only: bool) -> Result<OwnedFd, StartError> {
    let (source, target) = (BindSource::Path(path.into()), PathBuf::from(path));
    bind_tree(&target.clone(), BindMount { source, target, read_only, recursive: true }, false)
}

impl PlannedMount {
    /// What to mount in place of a file system of the kernel that may not be mounted anew; `None` for all others.
    /// The kernel refuses a new procfs or sysfs to a user namespace in which something hides parts of the old one, as in
    /// every container (`mount_too_revealing`).
    pub(super) fn in_its_place(&self) -> Result<Option<Self>, StartError> {
        let (path, target, read_only) = match self {
            Self::Proc { target } => ("/proc", target, false),
            Self::Sys { target, read_only } => ("/sys", target, *read_only),
            _ => return Ok(None),
        };
        let target = target.clone();
        Ok(Some(Self::Surrounding { target, tree: surrounding(path, read_only)? }))
    }
}

fn plan_tmpfs(target: RootPath, tmpfs: &TmpfsMount) -> Result<PlannedMount, StartError> {
    let size = tmpfs.size.map(|size| c_string("size", size.to_string().as_ref())).transpose()?;
    let mode = c_string("mode", format!("{:o}", tmpfs.mode & 0o7777).as_ref())?;
    let (no_exec, read_only) = (tmpfs.no_exec, tmpfs.read_only);
    Ok(PlannedMount::Tmpfs { target, size, mode, no_exec, read_only })
}

fn plan_bind(target: RootPath, bind: BindMount, no_devices: bool) -> Result<PlannedMount, StartError> {
    let may_be_in_proc = REPLACEABLE_IN_PROC.iter().any(|path| bind.target == Path::new(path));
    let within = path_within(&bind.source)?;
    let tree = bind_tree(&bind.target.clone(), bind, no_devices)?;
    let file_type = type_of_tree(&tree, within.as_ref())?;
    let missing = if file_type == FileType::Directory { Missing::Directory } else { Missing::File };
    Ok(PlannedMount::Tree { target, tree, missing, may_be_in_proc, within })
}

/// The path of [`BindSource::Within`], unless it is the root itself.
pub(crate) fn path_within(source: &BindSource) -> Result<Option<RootPath>, StartError> {
    let BindSource::Within { path, .. } = source else { return Ok(None) };
    Ok(Some(root_path("mounts", path)?).filter(|path| !path.is_root()))
}

/// Whether a tree, or what a path leads to within it, is a folder or a file.
pub(crate) fn type_of_tree(tree: &OwnedFd, within: Option<&RootPath>) -> Result<FileType, StartError> {
    let stat = match within {
        None => rustix::fs::fstat(tree),
        Some(path) => path.open(tree.as_fd(), Symlinks::Follow).and_then(rustix::fs::fstat),
    };
    let stat = stat.map_err(|errno| match within {
        None => setup("inspect a bind mount".to_owned(), errno),
        Some(path) => setup(format!("find /{} in what is to be mounted", path.as_c_str().to_string_lossy()), errno),
    })?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

fn plan_file(file: FileMount) -> PlannedFile {
    let mut attributes = MountAttributes::default();
    attributes.set |= MountAttributes::READ_ONLY | MountAttributes::NO_SET_USER_ID | MountAttributes::NO_DEVICES;
    if !file.executable {
        attributes.set |= MountAttributes::NO_EXECUTION;
    }
    PlannedFile {
        content: Secret(file.content),
        mode: Mode::from_raw_mode(file.mode & 0o777),
        uid: Uid::from_raw(file.uid),
        gid: Gid::from_raw(file.gid),
        attributes,
    }
}

/// A detached, private tree for a bind mount, with its attributes set.
pub(crate) fn bind_tree(target: &Path, bind: BindMount, no_devices: bool) -> Result<OwnedFd, StartError> {
    let tree = match bind.source {
        BindSource::Prepared { tree, .. } => {
            if no_devices {
                let attributes = MountAttributes { set: MountAttributes::NO_DEVICES, ..MountAttributes::default() };
                mount_setattr(tree.as_fd(), &attributes, true).map_err(|errno| {
                    setup(format!("set the attributes of the mount for {}", target.display()), errno)
                })?;
            }
            return Ok(tree);
        }
        BindSource::Path(path) => {
            let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            if bind.recursive {
                flags |= OpenTreeFlags::AT_RECURSIVE;
            }
            rustix::mount::open_tree(CWD, &path, flags)
                .map_err(|errno| setup(format!("bind mount {}", path.display()), errno))?
        }
        BindSource::File(file) => clone_tree(file.as_fd(), bind.recursive)
            .map_err(|errno| setup(format!("bind mount on {}", target.display()), errno))?,
        BindSource::Mount(mount) | BindSource::Within { mount, .. } => mount,
    };
    let mut attributes = MountAttributes { propagation: libc::MS_PRIVATE, ..MountAttributes::default() };
    if bind.read_only {
        attributes.set |= MountAttributes::READ_ONLY;
    }
    if no_devices {
        attributes.set |= MountAttributes::NO_DEVICES;
    }
    mount_setattr(tree.as_fd(), &attributes, true)
        .map_err(|errno| setup(format!("set the attributes of the mount for {}", target.display()), errno))?;
    Ok(tree)
}

/// A detached copy of the tree that a descriptor refers to.
pub(super) fn clone_tree(file: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(file, c"", flags)
}

pub(super) fn setup(action: String, errno: Errno) -> StartError {
    StartError::Setup { action, source: io::Error::from(errno) }
}
