//! Which limits this process may set: who owns the control groups that it could make folders in.
//!
//! On v1 each controller has a tree of its own, and a user owns none of it unless somebody arranged that. On v2 a user manager
//! (`Delegate=yes`, systemd.resource-control(5)) hands over a whole folder with some controllers; only below that may the user
//! make groups, and only processes from there may be put into them (`cgroups(7)`, "Delegation").

use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::{Layout, ROOT};

/// How control groups are laid out here, and what of them is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlGroups {
    /// `2`, `1`, `1 (hybrid)`, or `none`.
    pub version: &'static str,
    /// The folder of v2 that this process is in, where limits are in v2.
    pub own: Option<PathBuf>,
    /// Controllers whose limits this process may set, by name.
    pub controllers: Vec<String>,
}

/// The controllers behind the options that limit a container.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

impl ControlGroups {
    /// Looks at what is mounted, and at who may write there.
    #[must_use]
    pub fn of_this_process() -> Self {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::at(Path::new(ROOT), &Layout::of_this_machine(), &own)
    }

    fn at(root: &Path, layout: &Layout, own: &str) -> Self {
        match layout {
            Layout::None => Self { version: "none", own: None, controllers: Vec::new() },
            Layout::V1 { unified } => {
                let version = if unified.is_some() { "1 (hybrid)" } else { "1" };
                let of_v1 = |name: &&str| is_writable(&root.join(if *name == "io" { "blkio" } else { *name }));
                Self {
                    version,
                    own: None,
                    controllers: CONTROLLERS.into_iter().filter(of_v1).map(str::to_owned).collect(),
                }
            }
            Layout::V2 => {
                let own = own_folder(root, own);
                let place = place_of(root, own.as_deref());
                let text = std::fs::read_to_string(place.unwrap_or(root).join("cgroup.controllers"));
                let text = text.ok().filter(|_| place.is_some()).unwrap_or_default();
                let known = |name: &&str| CONTROLLERS.contains(name);
                let controllers = text.split_ascii_whitespace().filter(known).map(str::to_owned).collect();
                Self { version: "2", own, controllers }
            }
        }
    }
}

/// Where groups are made in a tree of v2: at its root for root, whatever group that is in, and in the own one for everybody who was
/// given that. The root, too, where there is no right to either; what is made there then fails and says so.
pub(super) fn place(root: &Path) -> PathBuf {
    if is_writable(root) {
        return root.to_owned();
    }
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own_folder(root, &own);
    place_of(root, own.as_deref()).unwrap_or(root).to_owned()
}

/// The same, if there is such a right.
fn place_of<'p>(root: &'p Path, own: Option<&'p Path>) -> Option<&'p Path> {
    if is_writable(root) {
        return Some(root);
    }
    // The processes that were in the folder were put aside once.
    let own = own?;
    let own = if own.ends_with(ASIDE) { own.parent()? } else { own };
    is_delegated(own).then_some(own)
}

/// The group of those who were in a folder when it had to be without processes.
const ASIDE: &str = "onggi-aside";

/// Moves the processes of a group that was handed over to us into one below it, so that others below it can be limited.
///
/// # Errors
/// When one cannot be moved.
pub(super) fn make_room(folder: &Path) -> Result<(), String> {
    const ROUNDS: u32 = 20;
    if !is_delegated(folder) {
        return Err(format!("{} is not ours", folder.display()));
    }
    let aside = folder.join(ASIDE);
    match std::fs::create_dir(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(format!("cannot make {}: {error}", aside.display()));
        }
        _ => {}
    }
    for _ in 0..ROUNDS {
        let text = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        if text.trim().is_empty() {
            return Ok(());
        }
        for pid in text.lines() {
            // One that has ended meanwhile is not there the next time.
            let moved = super::write(&aside, "cgroup.procs", pid);
            if moved.is_err() && Path::new("/proc").join(pid).exists() {
                return moved;
            }
        }
    }
    Err(format!("new processes appear in {} all the time", folder.display()))
}

/// The line `0::/PATH` of `/proc/self/cgroup` as a folder.
pub(super) fn own_folder(root: &Path, own: &str) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // A process from outside of our cgroup namespace is shown with `..`, and is in none of our folders.
    if path.split('/').any(|component| component == "..") {
        return None;
    }
    Some(if path.is_empty() { root.to_owned() } else { root.join(path) })
}

/// What a user needs of a folder to make limited groups below it (`cgroups(7)`).
pub(super) fn is_delegated(folder: &Path) -> bool {
    is_writable(folder) && ["cgroup.procs", "cgroup.subtree_control"].iter().all(|file| is_writable(&folder.join(file)))
}

fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a delegated group.
    fn group(root: &Path, path: &str, controllers: &str) -> PathBuf {
        let folder = root.join(path);
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in [("cgroup.controllers", controllers), ("cgroup.procs", ""), ("cgroup.subtree_control", "")]
        {
            std::fs::write(folder.join(file), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_own_group_is_found_by_its_line() {
        let root = Path::new("/c");
        for (text, expected) in [
            ("0::/user.slice/a.scope\n", Some("/c/user.slice/a.scope")),
            ("12:pids:/x\n1:name=systemd:/y\n0::/z\n", Some("/c/z")),
            ("0::/\n", Some("/c")),
            ("0::/../outside\n", None),
            ("12:pids:/x\n", None),
            ("", None),
        ] {
            assert_eq!(own_folder(root, text), expected.map(PathBuf::from), "{text:?}");
        }
    }

    #[test]
    fn a_group_without_the_files_to_write_is_not_delegated() {
        let root = tempfile::tempdir().unwrap();
        let folder = group(root.path(), "user.slice/a.scope", "cpu memory pids misc\n");
        assert!(is_delegated(&folder));
        std::fs::remove_file(folder.join("cgroup.subtree_control")).unwrap();
        assert!(!is_delegated(&folder));
    }

    #[test]
    fn groups_are_made_in_the_own_one_and_beside_those_that_were_put_aside() {
        // Nobody may write to a root that is not there.
        let outside = Path::new("/nowhere");
        let root = tempfile::tempdir().unwrap();
        let own = group(root.path(), "user.slice/a.scope", "cpu\n");
        assert_eq!(place_of(outside, Some(&own)), Some(own.as_path()));
        let aside = group(&own, ASIDE, "cpu\n");
        assert_eq!(place_of(outside, Some(&aside)), Some(own.as_path()));
        assert_eq!(place_of(outside, Some(&root.path().join("user.slice"))), None);
        assert_eq!(place_of(outside, None), None);
        assert_eq!(place_of(root.path(), Some(&own)), Some(root.path()));
    }

    #[test]
    fn controllers_of_v1_are_those_with_a_tree() {
        let root = tempfile::tempdir().unwrap();
        for name in ["memory", "blkio", "devices"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let found = ControlGroups::at(root.path(), &Layout::V1 { unified: None }, "");
        assert_eq!((found.version, found.controllers), ("1", vec!["io".to_owned(), "memory".to_owned()]));
    }

    #[test]
    fn controllers_of_v2_are_those_that_a_limit_uses() {
        let root = tempfile::tempdir().unwrap();
        group(root.path(), "", "cpuset cpu io memory hugetlb pids rdma\n");
        let found = ControlGroups::at(root.path(), &Layout::V2, "0::/\n");
        assert_eq!(found.controllers, ["cpuset", "cpu", "io", "memory", "pids"]);
        assert_eq!(found.own.as_deref(), Some(root.path()));
    }
}
