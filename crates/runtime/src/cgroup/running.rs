//! The control group of a container that already runs: found, or made around it; frozen and thawed.
//!
//! Most containers have none, because joining one costs as much as starting. A group that is wanted later is made then:
//! frozen first, so that whoever is moved into it stops there, and filled until nobody of the container is outside. Who
//! belongs to the container follows from its PID namespace and from who is whose child, never from what it says.
//! Whether it is frozen is asked of the kernel alone, so it is true whoever was killed meanwhile.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::{CGROUP2_MAGIC, Layout, ROOT, delegation, remove_parents};

/// Where groups are that are made around a running container.
const PARENT: &str = "onggi";

/// A control group that does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// Neither cgroup v2 nor v1's `freezer` is mounted.
    #[error("no control groups that can freeze are mounted below {ROOT}")]
    NoFreezer,
    /// A file or folder of it.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was done to it.
        action: &'static str,
        /// Which one.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// New processes appeared faster than they could be caught, or one does not stop.
    #[error("the processes of the container do not stop")]
    Restless,
}

/// A running container, by its ID and its first process.
#[derive(Debug, Clone, Copy)]
pub struct RunningContainer<'a> {
    /// Its ID, which is part of the name of its control group.
    pub id: &'a str,
    /// Its first process, which the caller knows to be that.
    pub pid: u32,
}

/// A hierarchy that freezes.
#[derive(Debug)]
pub(super) struct Freezer {
    root: PathBuf,
    is_v2: bool,
}

impl Freezer {
    /// v2 where it is mounted: there even a frozen process can be killed.
    fn of_this_machine() -> Option<Self> {
        let is_v2 = |path: &Path| rustix::fs::statfs(path).is_ok_and(|statistics| statistics.f_type == CGROUP2_MAGIC);
        let root = Path::new(ROOT);
        let unified = [root.to_owned(), root.join("unified")].into_iter().find(|path| is_v2(path));
        if let Some(root) = unified {
            return Some(Self { root, is_v2: true });
        }
        Some(root.join("freezer")).filter(|root| root.is_dir()).map(|root| Self { root, is_v2: false })
    }

    /// The folder of the group that a process is in, if that is a container's own.
    fn folder(&self, id: &str, pid: u32) -> Option<PathBuf> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = group(&text, if self.is_v2 { "" } else { "freezer" })?;
        path.split('/').any(|name| name.contains(id)).then(|| self.root.join(path.trim_start_matches('/')))
    }

    pub(super) fn is_frozen(&self, folder: &Path) -> bool {
        let (file, frozen) = if self.is_v2 { ("cgroup.freeze", "1") } else { ("freezer.state", "THAWED") };
        let state = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        // `FREEZING` is on its way to `FROZEN`.
        (state.trim() == frozen) == self.is_v2 && !state.is_empty()
    }

    /// Whether everybody has stopped.
    fn has_settled(&self, folder: &Path) -> bool {
        let (file, frozen) = if self.is_v2 { ("cgroup.events", "frozen 1") } else { ("freezer.state", "FROZEN") };
        let state = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        state.lines().any(|line| line == frozen)
    }

    pub(super) fn set(&self, folder: &Path, frozen: bool) -> Result<(), CgroupError> {
        let (file, value) = match (self.is_v2, frozen) {
            (true, true) => ("cgroup.freeze", "1"),
            (true, false) => ("cgroup.freeze", "0"),
            (false, true) => ("freezer.state", "FROZEN"),
            (false, false) => ("freezer.state", "THAWED"),
        };
        write(&folder.join(file), value)
    }
}

impl RunningContainer<'_> {
    /// Whether its processes are frozen, or about to be.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        let Some(freezer) = Freezer::of_this_machine() else { return false };
        freezer.folder(self.id, self.pid).is_some_and(|folder| freezer.is_frozen(&folder))
    }

    /// Stops all its processes until [`RunningContainer::thaw`]; returns when they have stopped.
    ///
    /// # Errors
    /// When the machine cannot; then none is stopped.
    pub fn freeze(&self) -> Result<(), CgroupError> {
        let freezer = Freezer::of_this_machine().ok_or(CgroupError::NoFreezer)?;
        let folder = match freezer.folder(self.id, self.pid) {
            Some(folder) => folder,
            None if freezer.is_v2 => make(&delegation::place(&freezer.root), self.id)?,
            None => make(&freezer.root, self.id)?,
        };
        let frozen = self.freeze_in(&freezer, &folder);
        if frozen.is_err() {
            freezer.set(&folder, false)?;
        }
        frozen
    }

    fn freeze_in(&self, freezer: &Freezer, folder: &Path) -> Result<(), CgroupError> {
        const LOOKS: u32 = 2000;
        const PAUSE: Duration = Duration::from_micros(500);
        freezer.set(folder, true)?;
        self.gather(folder)?;
        for _ in 0..LOOKS {
            if freezer.has_settled(folder) {
                return Ok(());
            }
            if !freezer.is_v2 {
                // v1 tries again whenever it is asked.
                freezer.set(folder, true)?;
            }
            std::thread::sleep(PAUSE);
        }
        Err(CgroupError::Restless)
    }

    /// Moves every process of the container into the group, until none is outside.
    pub(super) fn gather(&self, folder: &Path) -> Result<(), CgroupError> {
        const ROUNDS: u32 = 200;
        let procs = folder.join("cgroup.procs");
        for _ in 0..ROUNDS {
            let inside: HashSet<u32> = read_pids(&procs).into_iter().collect();
            let outside: Vec<u32> = self.processes().into_iter().filter(|pid| !inside.contains(pid)).collect();
            if outside.is_empty() {
                return Ok(());
            }
            for pid in outside {
                match write(&procs, &pid.to_string()) {
                    // It has ended meanwhile.
                    Err(CgroupError::Io { source, .. }) if source.raw_os_error() == Some(libc::ESRCH) => {}
                    written => written?,
                }
            }
        }
        Err(CgroupError::Restless)
    }

    /// Lets its processes go on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn thaw(&self) -> Result<(), CgroupError> {
        let Some(freezer) = Freezer::of_this_machine() else { return Ok(()) };
        match freezer.folder(self.id, self.pid) {
            Some(folder) => freezer.set(&folder, false),
            None => Ok(()),
        }
    }

    /// All its processes that have not ended, in our numbers: those of its PID namespace, and their descendants.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let own = self.has_own_namespace().then(|| namespace_of(self.pid)).flatten();
        let mut members: HashSet<u32> = HashSet::from([self.pid]);
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut ended = HashSet::new();
        for pid in all_processes() {
            let Some((parent, has_ended)) = parent_and_end(pid) else { continue };
            children.entry(parent).or_default().push(pid);
            if has_ended {
                ended.insert(pid);
            }
            if own.is_some() && namespace_of(pid) == own {
                members.insert(pid);
            }
        }
        let mut new: Vec<u32> = members.iter().copied().collect();
        while let Some(pid) = new.pop() {
            for child in children.get(&pid).into_iter().flatten() {
                if members.insert(*child) {
                    new.push(*child);
                }
            }
        }
        let mut members: Vec<u32> = members.into_iter().filter(|pid| !ended.contains(pid)).collect();
        members.sort_unstable();
        members
    }

    /// It is process 1 of its PID namespace, which nobody else has any business in.
    fn has_own_namespace(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        numbers
            .and_then(|numbers| numbers.split_whitespace().nth(1).map(|_| numbers))
            .is_some_and(|numbers| numbers.split_whitespace().next_back() == Some("1"))
    }
}

/// What a process needs to enter the groups that are a container's own.
#[derive(Debug, Default)]
pub(crate) struct GroupsToJoin {
    /// Clone into this one.
    pub(crate) into: Option<OwnedFd>,
    /// The child writes `0` into these.
    pub(crate) tasks: Vec<OwnedFd>,
}

/// The groups that are the container's own; those that it shares with others, its first process was born in.
pub(crate) fn groups_to_join(layout: &Layout, id: &str, pid: u32) -> io::Result<GroupsToJoin> {
    let mut groups = GroupsToJoin::default();
    let text = match std::fs::read_to_string(format!("/proc/{pid}/cgroup")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(groups),
        text => text?,
    };
    let rows = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?, fields.next()?.trim_start_matches('/')))
    });
    for (controllers, path) in rows.filter(|(_, path)| path.split('/').any(|name| name.contains(id))) {
        let root = match (layout, controllers) {
            (Layout::V2, "") => PathBuf::from(ROOT),
            (Layout::V1 { unified: Some(unified) }, "") => unified.clone(),
            (_, "") | (Layout::V2 | Layout::None, _) => continue,
            (Layout::V1 { .. }, controllers) => Path::new(ROOT).join(controllers.trim_start_matches("name=")),
        };
        let (file, flags) = match controllers {
            "" => (root.join(path), OFlags::RDONLY | OFlags::DIRECTORY),
            _ => (root.join(path).join("tasks"), OFlags::WRONLY),
        };
        let opened = rustix::fs::open(file, flags | OFlags::CLOEXEC, Mode::empty())?;
        match controllers {
            "" => groups.into = Some(opened),
            _ => groups.tasks.push(opened),
        }
    }
    Ok(groups)
}

/// Removes what was made around a container that has ended. Costs next to nothing where there is nothing.
pub fn remove_control_group(id: &str) {
    let root = Path::new(ROOT);
    let hierarchies = ["unified", "freezer", "memory", "cpu", "cpuset", "pids", "blkio"].map(|name| root.join(name));
    let handed_over = [root.to_owned(), root.join("unified")].map(|root| delegation::place(&root));
    for hierarchy in hierarchies.into_iter().chain([root.to_owned()]).chain(handed_over) {
        let folder = hierarchy.join(PARENT).join(id);
        if std::fs::remove_dir(&folder).is_ok() {
            remove_parents(&hierarchy, &folder);
        }
    }
}

/// A new group; another container may remove the folder above at any moment.
fn make(root: &Path, id: &str) -> Result<PathBuf, CgroupError> {
    const ATTEMPTS: usize = 100;
    let folder = root.join(PARENT).join(id);
    let mut made = Ok(());
    for _ in 0..ATTEMPTS {
        made = std::fs::create_dir_all(&folder);
        if made.is_ok() {
            break;
        }
    }
    match made {
        Ok(()) => Ok(folder),
        Err(source) => Err(CgroupError::Io { action: "make", path: folder, source }),
    }
}

fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    use std::io::Write as _;
    let written = std::fs::OpenOptions::new().write(true).open(path);
    written.and_then(|mut file| file.write_all(value.as_bytes())).map_err(|source| CgroupError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

/// The path of a process's group in a hierarchy: the one with this controller, or v2 for none (cgroups(7)).
pub(super) fn group<'a>(text: &'a str, controller: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        controllers.split(',').any(|one| one == controller).then_some(path)
    })
}

fn read_pids(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn all_processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn namespace_of(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// The parent, and whether it has ended without having been waited for (proc(5), `stat`).
fn parent_and_end(pid: u32) -> Option<(u32, bool)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may have anything in it, brackets too.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    Some((fields.next()?.parse().ok()?, matches!(state, "Z" | "X")))
}

#[cfg(test)]
mod tests {
    use super::group;

    #[test]
    fn c220_the_group_of_a_hierarchy_is_found_by_its_controller() {
        let text = "9:name=systemd:/s\n5:cpu,cpuacct:/a:b\n6:freezer:/f\n0::/u\n";
        for (controller, path) in [("cpuacct", "/a:b"), ("freezer", "/f"), ("", "/u"), ("name=systemd", "/s")] {
            assert_eq!(group(text, controller), Some(path), "{controller}");
        }
        assert_eq!(group(text, "cp"), None);
    }
}
