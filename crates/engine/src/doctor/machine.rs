//! What can be read without trying anything: who the caller is, what is granted to whom, what switches forbid, and in what kind
//! of container all that is. Some twenty small files, so that a command that fails can afford it too.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use runtime::user_namespace::{self, IdKind, IdRange, UserNamespaceError};
use rustix::fs::{Access, StatVfsMountFlags};

/// The caller and the machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) uid: u32,
    /// As in `/etc/passwd`; `None` for users whom only a directory service knows.
    pub(crate) name: Option<String>,
    pub(crate) is_privileged: bool,
    /// Whether we are outside of all user namespaces.
    pub(crate) is_initial: bool,
    pub(crate) kernel: String,
    pub(crate) container: Option<Container>,
    pub(crate) confinement: Confinement,
    pub(crate) switches: Switches,
    pub(crate) ids: Ids,
    pub(crate) packages: Packages,
}

/// Which engine made the container that we are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Docker,
    Podman,
    Kubernetes,
    Onggi,
    /// Something that shows an overlay as the root.
    Unknown,
}

/// What holds for this process from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Confinement {
    /// A seccomp filter is loaded.
    pub(crate) has_filter: bool,
    /// Programs that are set-user-ID are not heeded (`PR_SET_NO_NEW_PRIVS`).
    pub(crate) no_new_privileges: bool,
    /// The AppArmor profile, unless `unconfined`.
    pub(crate) apparmor_profile: Option<String>,
    pub(crate) has_apparmor: bool,
}

/// Switches of the kernel; `None` where it has no such switch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switches {
    /// `kernel.unprivileged_userns_clone` (Debian, Arch).
    pub(crate) unprivileged_clone: Option<u64>,
    /// `user.max_user_namespaces`.
    pub(crate) most_namespaces: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu from 23.10).
    pub(crate) apparmor_restricts: Option<u64>,
}

/// IDs that the caller may give to others, and the programs that do so.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub(crate) users: Granted,
    pub(crate) groups: Granted,
    pub(crate) newuidmap: Helper,
    pub(crate) newgidmap: Helper,
    pub(crate) has_usermod: bool,
}

/// What `/etc/subuid` or `/etc/subgid` say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Granted {
    pub(crate) file_exists: bool,
    /// The caller's.
    pub(crate) own: Vec<IdRange>,
    /// Everybody's.
    pub(crate) all: Vec<IdRange>,
}

impl Granted {
    pub(crate) fn count(&self) -> u64 {
        self.own.iter().map(|range| u64::from(range.count)).sum()
    }
}

/// A program that has more rights than its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Helper {
    Absent,
    /// Neither set-user-ID of root nor with file capabilities.
    Powerless(PathBuf),
    /// On a mount where that is not heeded: the file, and where that is mounted.
    NoSuid(PathBuf, PathBuf),
    Ready(PathBuf),
}

/// What installs programs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packages {
    Apt,
    Dnf,
    Pacman,
    Zypper,
    Apk,
    Unknown,
}

/// Why there is no user namespace, or none of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Forbidden,
    TooMany,
    Missing,
    Powerless,
    /// Anything else, in words.
    Failed(String),
}

impl From<&UserNamespaceError> for Refusal {
    fn from(error: &UserNamespaceError) -> Self {
        match error {
            UserNamespaceError::Forbidden(_) => Self::Forbidden,
            UserNamespaceError::TooMany(_) => Self::TooMany,
            UserNamespaceError::Missing(_) => Self::Missing,
            UserNamespaceError::Powerless(_) => Self::Powerless,
            UserNamespaceError::Map { .. } | UserNamespaceError::Members { .. } => Self::Failed(error.to_string()),
        }
    }
}

impl Machine {
    /// Reads all of it for a user, who may be somebody else by now in a user namespace.
    pub(crate) fn look(uid: u32, path: &OsStr) -> Self {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            uid,
            name: user_name(&users, uid),
            is_privileged: user_namespace::is_privileged(),
            is_initial: user_namespace::is_initial(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            container: Container::around(),
            confinement: Confinement::read(&status),
            switches: Switches::read(),
            ids: Ids::look(uid, path),
            packages: Packages::of(&std::fs::read_to_string("/etc/os-release").unwrap_or_default()),
        }
    }

    /// How the caller is called on a command line.
    pub(crate) fn user(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.uid.to_string())
    }

    /// Major and minor number of the kernel's version.
    pub(crate) fn kernel_version(&self) -> (u32, u32) {
        let mut numbers = self.kernel.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

fn user_name(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

impl Container {
    fn around() -> Option<Self> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        // Virtual machines that were made from an image have these files too.
        let is_within = has_overlay_root(&mounts) || !has_first_processes();
        let exists = |path: &str| is_within && Path::new(path).exists();
        if exists("/var/run/secrets/kubernetes.io") || groups.contains("/kubepods") {
            return Some(Self::Kubernetes);
        }
        if exists("/run/.containerenv") || groups.contains("/libpod-") {
            return Some(Self::Podman);
        }
        if exists("/.dockerenv") || groups.contains("/docker") {
            return Some(Self::Docker);
        }
        if groups.contains("/onggi/") {
            return Some(Self::Onggi);
        }
        has_overlay_root(&mounts).then_some(Self::Unknown)
    }

    /// How the engine is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Kubernetes => "kubernetes",
            Self::Onggi => "onggi",
            Self::Unknown => "an unknown engine",
        }
    }

    /// What starts a container such as ours; it ends where a flag may follow.
    pub(crate) fn run(self) -> &'static str {
        match self {
            Self::Podman => "podman run",
            Self::Onggi => "onggi run",
            Self::Docker | Self::Kubernetes | Self::Unknown => "docker run",
        }
    }
}

/// Whether this is the machine's first PID namespace, whose inode has a fixed number (`PROC_PID_INIT_INO`).
fn has_first_processes() -> bool {
    rustix::fs::stat("/proc/self/ns/pid").is_ok_and(|stat| stat.st_ino == 0xefff_fffc)
}

/// proc(5), `/proc/PID/mountinfo`: the mount point is the fifth field, the file system follows the dash.
fn has_overlay_root(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let is_root = line.split(' ').nth(4) == Some("/");
        is_root && line.split_once(" - ").is_some_and(|(_, end)| end.starts_with("overlay "))
    })
}

impl Confinement {
    fn read(status: &str) -> Self {
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let has_apparmor =
            std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.trim() == "Y");
        // Other security modules answer in `current` too.
        let files = ["/proc/self/attr/apparmor/current", "/proc/self/attr/current"];
        let profile = files.iter().filter(|_| has_apparmor).find_map(|file| std::fs::read_to_string(file).ok());
        let profile = profile.map(|text| text.trim_end_matches(['\n', '\0']).to_owned());
        Self {
            has_filter: field("Seccomp") == Some("2"),
            no_new_privileges: field("NoNewPrivs") == Some("1"),
            apparmor_profile: profile.filter(|profile| !profile.is_empty() && profile != "unconfined"),
            has_apparmor,
        }
    }
}

impl Switches {
    fn read() -> Self {
        let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
        Self {
            unprivileged_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            most_namespaces: number("/proc/sys/user/max_user_namespaces"),
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        }
    }
}

impl Ids {
    fn look(uid: u32, path: &OsStr) -> Self {
        let granted = |kind: IdKind| Granted {
            file_exists: Path::new(kind.file()).is_file(),
            own: user_namespace::subordinate_ids(kind, uid),
            all: all_ranges(&std::fs::read_to_string(kind.file()).unwrap_or_default()),
        };
        let usermod = ["/usr/sbin/usermod", "/sbin/usermod", "/usr/bin/usermod"];
        Self {
            users: granted(IdKind::User),
            groups: granted(IdKind::Group),
            newuidmap: Helper::find("newuidmap", path),
            newgidmap: Helper::find("newgidmap", path),
            has_usermod: usermod.iter().any(|file| Path::new(file).exists()),
        }
    }
}

fn all_ranges(text: &str) -> Vec<IdRange> {
    let range = |line: &str| {
        let mut fields = line.trim().split(':').skip(1);
        Some(IdRange { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? })
    };
    text.lines().filter_map(range).collect()
}

/// `/proc/sys/kernel/overflowuid`, which nobody changes.
const OVERFLOW_UID: u32 = 65534;

impl Helper {
    fn find(name: &str, path: &OsStr) -> Self {
        let Some(file) = find_program(name, path) else { return Self::Absent };
        // In a user namespace that has not all IDs, root's files are nobody's.
        let is_roots = |uid: u32| uid == 0 || (uid == OVERFLOW_UID && !user_namespace::is_initial());
        let is_set_user_id =
            rustix::fs::stat(&file).is_ok_and(|stat| stat.st_mode & 0o4000 != 0 && is_roots(stat.st_uid));
        let has_capabilities = rustix::fs::getxattr(&file, "security.capability", &mut [0; 64]).is_ok();
        if !is_set_user_id && !has_capabilities {
            return Self::Powerless(file);
        }
        match rustix::fs::statvfs(&file) {
            Ok(mount) if mount.f_flag.contains(StatVfsMountFlags::NOSUID) => {
                let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
                let point = mount_of(&mounts, &file.canonicalize().unwrap_or_else(|_| file.clone()));
                Self::NoSuid(file, point.map_or_else(|| "/".into(), |(point, _)| point))
            }
            _ => Self::Ready(file),
        }
    }
}

/// Where a path's mount is, and its file system: the last one with the longest mount point above it. The mount point is the fifth
/// field, the file system follows the dash (proc(5), `/proc/PID/mountinfo`).
pub(super) fn mount_of(mounts: &str, path: &Path) -> Option<(PathBuf, String)> {
    let mount = |line: &str| {
        let (start, end) = line.split_once(" - ")?;
        let point = PathBuf::from(start.split(' ').nth(4)?.replace("\\040", " "));
        path.starts_with(&point).then_some((point, end.split(' ').next()?.to_owned()))
    };
    // Of several equal ones, `max_by_key` gives the last: it covers the others.
    mounts.lines().filter_map(mount).max_by_key(|(point, _)| point.components().count())
}

/// The first file of that name in the folders of `PATH` that may be executed.
pub(super) fn find_program(name: &str, path: &OsStr) -> Option<PathBuf> {
    let folders = path.as_bytes().split(|byte| *byte == b':').filter(|folder| !folder.is_empty());
    folders
        .map(|folder| Path::new(OsStr::from_bytes(folder)).join(name))
        .find(|file| file.is_file() && rustix::fs::access(file, Access::EXEC_OK).is_ok())
}

impl Packages {
    /// By os-release(5): the distribution itself, then what it is like.
    fn of(release: &str) -> Self {
        let value = |name: &str| {
            let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        let known = |id: &str| match id {
            "debian" | "ubuntu" => Some(Self::Apt),
            "fedora" | "rhel" | "centos" => Some(Self::Dnf),
            "arch" => Some(Self::Pacman),
            "suse" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" | "sles" => Some(Self::Zypper),
            "alpine" => Some(Self::Apk),
            _ => None,
        };
        let ids = [value("ID"), value("ID_LIKE")].join(" ");
        ids.split(' ').find_map(known).unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_known_by_what_they_are_like() {
        for (release, expected) in [
            ("ID=debian\n", Packages::Apt),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Packages::Apt),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Packages::Dnf),
            ("ID=arch\n", Packages::Pacman),
            ("ID=\"opensuse-leap\"\n", Packages::Zypper),
            ("ID=alpine\nVERSION_ID=3.20\n", Packages::Apk),
            ("ID=nixos\n", Packages::Unknown),
            ("", Packages::Unknown),
        ] {
            assert_eq!(Packages::of(release), expected, "{release:?}");
        }
    }

    #[test]
    fn an_overlay_as_the_root_is_a_container() {
        let line = "22 1 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/a\n";
        assert!(has_overlay_root(line));
        assert!(!has_overlay_root("22 1 8:1 / / rw - ext4 /dev/vda rw\n23 22 0:3 / /mnt rw - overlay overlay rw\n"));
    }

    #[test]
    fn a_path_is_on_the_deepest_mount_above_it() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/vda rw\n23 22 0:3 / /a\\040b rw shared:1 - xfs /dev/vdb rw\n\
                      24 23 0:4 / /a\\040b rw - btrfs /dev/vdc rw\n25 22 0:5 / /a rw - tmpfs none rw\n";
        for (path, point, file_system) in
            [("/x", "/", "ext4"), ("/a b/c", "/a b", "btrfs"), ("/a/c", "/a", "tmpfs"), ("/ab", "/", "ext4")]
        {
            let found = mount_of(mounts, Path::new(path));
            assert_eq!(found, Some((point.into(), file_system.to_owned())), "{path}");
        }
    }

    #[test]
    fn seccomp_and_privileges_are_read_from_the_status() {
        let found = Confinement::read("Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n");
        assert!(found.has_filter && found.no_new_privileges);
        let found = Confinement::read("NoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n");
        assert!(!found.has_filter && !found.no_new_privileges);
    }
}
