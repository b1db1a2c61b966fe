//! Control groups: folders with limits, made before the container and removed after it.
//!
//! Three layouts exist: v2 alone, v1 alone, and both ("hybrid": limits in v1, the v2 tree without controllers beside
//! it). On v2 the child is cloned into its folder; on v1 it writes `0` to `tasks` itself, because moving a process
//! through `cgroup.procs` waits milliseconds for RCU. Devices are guarded by a program on any v2 tree, else by v1's
//! `devices`. What the machine does not allow becomes a warning, never a failed start.

mod delegation;
mod device_program;
mod running;
mod usage;
mod v1;
mod v2;

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::process::Cleanup;
use crate::spec::Cgroup;

pub use delegation::ControlGroups;
pub(crate) use device_program::{DeviceRule, device_rules};
pub(crate) use running::groups_to_join;
pub use running::{CgroupError, RunningContainer, remove_control_group};
pub use usage::Usage;

/// Where the hierarchies are mounted, everywhere.
const ROOT: &str = "/sys/fs/cgroup";
/// `CGROUP2_SUPER_MAGIC` of `statfs`.
const CGROUP2_MAGIC: i64 = 0x6367_7270;

/// How this machine has its control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    V2,
    /// With the v2 tree, if there is one.
    V1 {
        unified: Option<PathBuf>,
    },
    None,
}

/// A container's folders.
#[derive(Debug, Default)]
pub(crate) struct CgroupFolders {
    /// Folders to remove, each with the root of its hierarchy.
    folders: Vec<(PathBuf, PathBuf)>,
}

/// What the start of a container needs of its control group.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) folders: CgroupFolders,
    /// Clone into this one.
    pub(crate) into: Option<OwnedFd>,
    /// The child writes `0` into these.
    pub(crate) tasks: Vec<OwnedFd>,
    /// v1 folders to show inside the container, by controller.
    pub(crate) shown: Vec<(CString, OwnedFd)>,
    pub(crate) devices_are_guarded: bool,
    pub(crate) warnings: Vec<String>,
}

impl Layout {
    /// Looks at what is mounted; two system calls.
    pub(crate) fn of_this_machine() -> Self {
        let is_v2 = |path: &Path| rustix::fs::statfs(path).is_ok_and(|statistics| statistics.f_type == CGROUP2_MAGIC);
        let root = Path::new(ROOT);
        if is_v2(root) {
            return Self::V2;
        }
        let unified = Some(root.join("unified")).filter(|path| is_v2(path));
        if unified.is_some() || root.join("devices").exists() { Self::V1 { unified } } else { Self::None }
    }
}

/// Makes the folders of a container and sets its limits.
pub(crate) fn prepare(layout: &Layout, cgroup: &Cgroup, rules: &[DeviceRule]) -> Prepared {
    let mut prepared = Prepared::default();
    if let Err(reason) = check_name(&cgroup.name) {
        prepared.warnings.push(reason);
        return prepared;
    }
    match layout {
        Layout::None => prepared.warnings.push("no control groups are mounted: the container has no limits".to_owned()),
        Layout::V2 => v2::prepare(&delegation::place(Path::new(ROOT)), cgroup, rules, &mut prepared),
        Layout::V1 { unified } => {
            v1::prepare(Path::new(ROOT), cgroup, &mut prepared);
            if let Some(unified) = unified {
                let devices_only = Cgroup { name: cgroup.name.clone(), ..Cgroup::default() };
                v2::prepare(&delegation::place(unified), &devices_only, rules, &mut prepared);
            }
            if !prepared.devices_are_guarded {
                v1::guard_devices(Path::new(ROOT), &cgroup.name, rules, &mut prepared);
            }
        }
    }
    prepared
}

/// The name becomes part of paths of the host.
fn check_name(name: &str) -> Result<(), String> {
    let is_good = |component: &str| !matches!(component, "" | "." | "..") && !component.contains('\0');
    if name.split('/').all(is_good) { Ok(()) } else { Err(format!("{name:?} cannot name a control group")) }
}

impl CgroupFolders {
    /// Makes a folder with those above it. Another container may remove an empty one of those at any moment.
    fn create(&mut self, hierarchy: &Path, name: &str) -> io::Result<PathBuf> {
        const ATTEMPTS: usize = 100;
        let folder = hierarchy.join(name);
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            result = match std::fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if let Some(parent) = folder.parent() {
                        std::fs::create_dir_all(parent)?;
                    }
                    Err(error)
                }
                // Left over by a process that was killed: only an empty one can be removed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    std::fs::remove_dir(&folder)?;
                    Err(error)
                }
                other => other,
            };
            if result.is_ok() {
                break;
            }
        }
        result?;
        self.folders.push((hierarchy.to_owned(), folder.clone()));
        Ok(folder)
    }

    fn remove_all(&self) {
        for (hierarchy, folder) in &self.folders {
            remove(hierarchy, folder);
        }
    }
}

/// Removes a folder once its last process is gone, and the folders above it if they are empty.
fn remove(hierarchy: &Path, folder: &Path) {
    const ATTEMPTS: u32 = 60;
    for attempt in 0..ATTEMPTS {
        match std::fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                if attempt == 0 {
                    end_all(folder);
                }
                std::thread::sleep(Duration::from_micros(50 << attempt.min(8)));
            }
            _ => break,
        }
    }
    remove_parents(hierarchy, folder);
}

/// Ends processes that outlive the first one: those of a container without a PID namespace of its own.
fn end_all(folder: &Path) {
    if write(folder, "cgroup.kill", "1").is_ok() {
        return;
    }
    let text = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in text.lines().filter_map(|line| rustix::process::Pid::from_raw(line.parse().ok()?)) {
        // It may have ended meanwhile; while it is in this group, its number is nobody else's.
        match rustix::process::kill_process(pid, rustix::process::Signal::KILL) {
            Ok(()) | Err(_) => {}
        }
    }
}

fn remove_parents(hierarchy: &Path, folder: &Path) {
    let above = folder.ancestors().skip(1).take_while(|parent| *parent != hierarchy);
    for parent in above {
        if std::fs::remove_dir(parent).is_err() {
            break; // Others are in use.
        }
    }
}

/// Removes what another runtime leaves of a container's folders: those above its own.
pub(crate) fn remove_empty_parents(name: &str) {
    let root = Path::new(ROOT);
    let controllers = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in controllers.chain([root.to_owned()]) {
        remove_parents(&hierarchy, &hierarchy.join(name));
    }
}

impl Drop for CgroupFolders {
    fn drop(&mut self) {
        self.remove_all();
        self.folders.clear();
    }
}

/// Keeps the folders until the container has ended.
#[derive(Debug)]
pub(crate) struct CgroupCleanup {
    folders: std::sync::Mutex<Option<CgroupFolders>>,
    was_out_of_memory: AtomicBool,
}

impl CgroupCleanup {
    pub(crate) fn new(folders: CgroupFolders) -> Self {
        Self { folders: std::sync::Mutex::new(Some(folders)), was_out_of_memory: AtomicBool::new(false) }
    }
}

impl Cleanup for CgroupCleanup {
    fn clean_up(&self) {
        let folders = self.folders.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(folders) = folders else { return };
        let out_of_memory = folders.folders.iter().any(|(_, folder)| has_killed(folder));
        self.was_out_of_memory.store(out_of_memory, Ordering::Relaxed);
    }

    fn was_out_of_memory(&self) -> bool {
        self.was_out_of_memory.load(Ordering::Relaxed)
    }
}

/// Whether the kernel has counted a process that it killed for want of memory.
fn has_killed(folder: &Path) -> bool {
    ["memory.oom_control", "memory.events"].iter().any(|file| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
    })
}

/// Writes one setting; the kernel takes each with one `write`.
fn write(folder: &Path, file: &str, value: &str) -> Result<(), String> {
    let path = folder.join(file);
    let written = std::fs::OpenOptions::new().write(true).open(&path).and_then(|mut file| {
        use std::io::Write as _;
        file.write_all(value.as_bytes())
    });
    written.map_err(|error| format!("cannot write {value:?} to {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
