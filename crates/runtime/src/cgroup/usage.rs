//! What a running container uses, and its limits while it runs.
//!
//! Where the container has a control group of its own that counts, that is asked; most have none, and then what its
//! processes use is added up. A container without a group gets one when it is limited later.

use std::path::{Path, PathBuf};

use super::running::{RunningContainer, group};
use super::{CgroupError, Layout, ROOT, delegation, v1, v2};
use crate::spec::Cgroup;

/// What a container uses now, or has used since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time.
    pub cpu_nanos: u64,
    /// Bytes of memory, without what could be given back at once.
    pub memory: u64,
    /// The limit of that, if there is one.
    pub memory_limit: Option<u64>,
    /// Tasks.
    pub tasks: u64,
    /// Bytes received and sent by interfaces of its own.
    pub network: (u64, u64),
    /// Bytes read from and written to block devices.
    pub block: (u64, u64),
}

impl RunningContainer<'_> {
    /// What it uses. What cannot be read counts as nothing: its processes come and go.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = Usage { network: network(self.pid), ..Usage::default() };
        for pid in self.processes() {
            let Some((ticks, tasks)) = times(pid) else { continue };
            usage.cpu_nanos += ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second().max(1));
            usage.tasks += tasks;
            usage.memory += memory(pid);
            let (read, written) = block(pid);
            usage.block = (usage.block.0 + read, usage.block.1 + written);
        }
        if let Some(folder) = self.own_folder("memory") {
            self.memory_of_group(&folder, &mut usage);
        }
        usage
    }

    fn memory_of_group(&self, folder: &Path, usage: &mut Usage) {
        let number = |names: [&str; 2]| names.iter().find_map(|name| read_number(&folder.join(name)));
        let Some(used) = number(["memory.usage_in_bytes", "memory.current"]) else { return };
        let statistics = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let field = |name: &str| {
            let value = statistics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.and_then(|value| value.trim().parse::<u64>().ok())
        };
        let inactive = field("total_inactive_file").or_else(|| field("inactive_file")).unwrap_or(0);
        usage.memory = used.saturating_sub(inactive);
        usage.memory_limit = number(["memory.limit_in_bytes", "memory.max"]);
    }

    /// The folder of the group that is its own in the hierarchy of a controller.
    fn own_folder(&self, controller: &str) -> Option<PathBuf> {
        let text = std::fs::read_to_string(format!("/proc/{}/cgroup", self.pid)).ok()?;
        let (root, path) = match group(&text, controller) {
            Some(path) => (Path::new(ROOT).join(controller), path),
            None => (PathBuf::from(ROOT), group(&text, "")?),
        };
        path.split('/').any(|name| name.contains(self.id)).then(|| root.join(path.trim_start_matches('/')))
    }

    /// Gives it other limits; those that are not named stay. What the machine does not allow comes back as warnings.
    ///
    /// # Errors
    /// When no group can be made, or the container's processes cannot be moved into it.
    pub fn limit(&self, cgroup: &Cgroup) -> Result<Vec<String>, CgroupError> {
        match Layout::of_this_machine() {
            Layout::V2 => self.limit_on_v2(cgroup),
            Layout::V1 { .. } => self.limit_on_v1(cgroup),
            Layout::None => Ok(vec!["no control groups are mounted: nothing is limited".to_owned()]),
        }
    }

    fn limit_on_v2(&self, cgroup: &Cgroup) -> Result<Vec<String>, CgroupError> {
        let root = &delegation::place(Path::new(ROOT));
        let mut settings = v2::settings(cgroup);
        let mut warnings = v2::leave_out_unavailable(root, &mut settings);
        warnings.extend(v2::enable_controllers(root, &cgroup.name, &settings).err());
        let folder = self.folder_for(root, "", &cgroup.name)?;
        warnings.extend(settings.iter().filter_map(|(file, value)| super::write(&folder, file, value).err()));
        Ok(warnings)
    }

    fn limit_on_v1(&self, cgroup: &Cgroup) -> Result<Vec<String>, CgroupError> {
        let mut warnings = Vec::new();
        for (controller, settings) in v1::settings(cgroup) {
            if settings.is_empty() {
                continue;
            }
            let root = Path::new(ROOT).join(controller);
            if !root.is_dir() {
                warnings.push(format!("no {controller} limits: the controller is not mounted"));
                continue;
            }
            let is_new = self.own_folder(controller).is_none();
            if is_new && controller == "cpuset" {
                std::fs::create_dir_all(root.join(&cgroup.name)).ok();
                v1::inherit_cpuset(&root, &cgroup.name, &mut warnings);
            }
            let folder = self.folder_for(&root, controller, &cgroup.name)?;
            // Neither of two limits may pass the other: what fails at first may do so no more after the other one.
            let write = |settings: &[(&'static str, String)]| {
                let failed = settings.iter().map(|(file, value)| super::write(&folder, file, value));
                failed.filter_map(Result::err).collect::<Vec<_>>()
            };
            if !write(&settings).is_empty() {
                warnings.extend(write(&settings));
            }
        }
        Ok(warnings)
    }

    fn folder_for(&self, root: &Path, controller: &str, name: &str) -> Result<PathBuf, CgroupError> {
        let own = if controller.is_empty() { self.own_folder("\0") } else { self.own_folder(controller) };
        if let Some(folder) = own {
            return Ok(folder);
        }
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).map_err(|source| CgroupError::Io {
            action: "make",
            path: folder.clone(),
            source,
        })?;
        self.gather(&folder)?;
        Ok(folder)
    }
}

fn read_number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Ticks of a process and of its children that have ended, and its number of threads (proc(5), `stat`).
fn times(pid: u32) -> Option<(u64, u64)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok());
    Some((number(11)? + number(12)? + number(13)? + number(14)?, number(17)?))
}

/// Its share of the memory that it has in common with others.
fn memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let share =
        text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    share.unwrap_or(0) << 10
}

fn block(pid: u32) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0);
    (field("read_bytes:"), field("write_bytes:"))
}

/// Interfaces of the host are not the container's.
fn network(pid: u32) -> (u64, u64) {
    let namespace = |pid: &dyn std::fmt::Display| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    if namespace(&pid) == namespace(&"self") {
        return (0, 0);
    }
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    let rows = text.lines().skip(2).filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    rows.fold((0, 0), |(received, sent), (_, numbers)| {
        let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        (received + numbers.first().unwrap_or(&0), sent + numbers.get(8).unwrap_or(&0))
    })
}
