//! One line for each thing that may be missing: the command that mends it, and what that does.
//!
//! Commands are for whoever asked: with `sudo` unless that is root, with the user's name and free IDs, for the packages of the
//! distribution. In a container, where only the engine around can help, it is that engine's flag.

use std::path::Path;

use runtime::user_namespace::IdRange;

use super::machine::{Container, Granted, Helper, Machine, Packages, Refusal};
use super::surroundings::Network;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// To be typed; `None` where no command does it.
    pub command: Option<String>,
    /// What it does, or what is to be done instead of it.
    pub text: String,
}

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.command {
            Some(command) => write!(f, "`{command}` {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Where no single thing is known to be missing.
pub(crate) const DOCTOR: &str = "`onggi doctor` says what is missing on this machine, and how to mend it";

/// As many IDs as images use: those of `nobody` (65534) and of apt's `_apt` are among them.
pub(crate) const ENOUGH_IDS: u32 = 65536;

/// A command for root.
fn as_root(machine: &Machine, command: &str, text: &str) -> Remedy {
    let command = if machine.uid == 0 { command.to_owned() } else { format!("sudo {command}") };
    Remedy { command: Some(command), text: text.to_owned() }
}

/// A flag of the engine that made the container around us.
fn of_engine(container: Container, flag: &str, pod: &str, text: &str) -> Remedy {
    match container {
        Container::Kubernetes => Remedy { command: None, text: format!("set `{pod}` in the pod: it {text}") },
        container => Remedy { command: Some(format!("{} {flag} …", container.run())), text: text.to_owned() },
    }
}

fn in_words(text: &str) -> Remedy {
    Remedy { command: None, text: text.to_owned() }
}

fn set_switch(machine: &Machine, setting: &str, text: &str) -> Remedy {
    match machine.container {
        // Read-only there, or not this container's business.
        Some(_) => Remedy {
            command: Some(format!("sudo sysctl -w {setting}")),
            text: format!("on the host, outside of this container, {text}"),
        },
        None => as_root(machine, &format!("sysctl -w {setting}"), text),
    }
}

/// Without a user namespace, nothing runs but as root.
pub(crate) fn user_namespace(machine: &Machine, refusal: &Refusal) -> Remedy {
    const LETS: &str = "lets users make user namespaces";
    let restricts = machine.switches.apparmor_restricts == Some(1);
    let by_apparmor = || {
        set_switch(machine, "kernel.apparmor_restrict_unprivileged_userns=0", "lifts AppArmor's restriction of them")
    };
    match (refusal, machine.container) {
        _ if machine.switches.most_namespaces == Some(0) => set_switch(machine, "user.max_user_namespaces=15000", LETS),
        (Refusal::TooMany, _) => set_switch(machine, "user.max_user_namespaces=15000", "allows more of them"),
        (Refusal::Failed(_), _) => in_words(DOCTOR),
        (Refusal::Missing, _) => in_words("run as root, or boot a kernel that was built with `CONFIG_USER_NS=y`"),
        _ if machine.switches.unprivileged_clone == Some(0) => {
            set_switch(machine, "kernel.unprivileged_userns_clone=1", LETS)
        }
        (Refusal::Powerless, _) if restricts => by_apparmor(),
        (Refusal::Powerless, Some(container)) => apparmor_of_engine(container),
        (Refusal::Forbidden, _) if restricts && !machine.confinement.has_filter => by_apparmor(),
        (Refusal::Forbidden, Some(container)) => seccomp_of_engine(container),
        (Refusal::Forbidden, None) if machine.confinement.has_filter => in_words(
            "start this from a login shell: a seccomp filter of the process that started it forbids user namespaces",
        ),
        _ => in_words("run as root: something forbids user namespaces here (a chroot, or a security module)"),
    }
}

fn seccomp_of_engine(container: Container) -> Remedy {
    let pod = "securityContext.seccompProfile.type: Unconfined";
    of_engine(container, "--security-opt seccomp=unconfined", pod, "lets this container make user namespaces")
}

fn apparmor_of_engine(container: Container) -> Remedy {
    let pod = "securityContext.appArmorProfile.type: Unconfined";
    of_engine(container, "--security-opt apparmor=unconfined", pod, "lets this container mount in a user namespace")
}

/// The helper programs: not there, or without the right to help.
pub(crate) fn id_helpers(machine: &Machine) -> Option<Remedy> {
    let helpers = [("newuidmap", &machine.ids.newuidmap), ("newgidmap", &machine.ids.newgidmap)];
    let text = "installs newuidmap and newgidmap, which map a user's IDs";
    for (name, helper) in helpers {
        match helper {
            Helper::Absent => return Some(install(machine, [name; 5], ID_PACKAGES, text)),
            Helper::Powerless(path) => {
                let command = format!("chmod u+s {}", path.display());
                return Some(as_root(machine, &command, &format!("lets {name} map IDs")));
            }
            Helper::NoSuid(_, mount) => {
                let command = format!("mount -o remount,suid {}", mount.display());
                return Some(as_root(machine, &command, &format!("lets {name} map IDs: its mount is `nosuid`")));
            }
            Helper::Ready(_) => {}
        }
    }
    if !machine.confinement.no_new_privileges {
        return None;
    }
    Some(match machine.container {
        Some(container) => of_engine(
            container,
            "--security-opt no-new-privileges=false",
            "securityContext.allowPrivilegeEscalation: true",
            "lets newuidmap map IDs",
        ),
        None => {
            in_words("start this without `no_new_privs` (systemd: `NoNewPrivileges=no`), so that newuidmap can map IDs")
        }
    })
}

/// By [`Packages`]: what has newuidmap and newgidmap.
const ID_PACKAGES: [&str; 5] = ["uidmap", "shadow-utils", "shadow", "shadow", "shadow-uidmap"];
const PASTA_PACKAGES: [&str; 5] = ["passt"; 5];

/// `names` for packages in the order of [`Packages`]; `programs` is what is to be installed where those are unknown.
fn install(machine: &Machine, programs: [&str; 5], packages: [&str; 5], text: &str) -> Remedy {
    let (command, package) = match machine.packages {
        Packages::Apt => ("apt-get install", packages[0]),
        Packages::Dnf => ("dnf install", packages[1]),
        Packages::Pacman => ("pacman -S", packages[2]),
        Packages::Zypper => ("zypper install", packages[3]),
        Packages::Apk => ("apk add", packages[4]),
        Packages::Unknown => {
            return Remedy { command: None, text: format!("install `{}`: it {text}", programs[0]) };
        }
    };
    as_root(machine, &format!("{command} {package}"), text)
}

/// IDs for the caller's containers: none, too few, or wrong ones.
pub(crate) fn subordinate_ids(machine: &Machine) -> Option<Remedy> {
    // Root in a container maps what it has.
    if machine.uid == 0 {
        return None;
    }
    let ids = &machine.ids;
    let lacks = |granted: &Granted| granted.count() < u64::from(ENOUGH_IDS);
    let (users, groups) = (lacks(&ids.users), lacks(&ids.groups));
    if let Some(range) = covering_own(machine) {
        let last = range.first.saturating_add(range.count - 1);
        let free = free_range(machine);
        let command = format!("usermod --del-subuids {}-{last} --add-subuids {free} {}", range.first, machine.user());
        return Some(as_root(machine, &command, "grants IDs other than the user's own, which cannot be mapped twice"));
    }
    if !users && !groups {
        return None;
    }
    let free = free_range(machine);
    let text = format!("grants {} IDs for the users of containers", free.count());
    if ids.has_usermod && machine.name.is_some() && ids.users.file_exists && ids.groups.file_exists {
        let flags = [(users, "--add-subuids"), (groups, "--add-subgids")];
        let flags: String =
            flags.iter().filter(|(lacks, _)| *lacks).map(|(_, flag)| format!("{flag} {free} ")).collect();
        return Some(as_root(machine, &format!("usermod {flags}{}", machine.user()), &text));
    }
    let files = [(users, "/etc/subuid"), (groups, "/etc/subgid")];
    let files: Vec<&str> = files.iter().filter(|(lacks, _)| *lacks).map(|(_, file)| *file).collect();
    let line = format!("{}:{}:{}", machine.user(), free.first, free.count());
    let command = format!("echo {line} | sudo tee -a {}", files.join(" "));
    Some(Remedy { command: Some(command), text })
}

/// The granted range that the user is in: newuidmap would map that ID twice, which the kernel refuses.
pub(crate) fn covering_own(machine: &Machine) -> Option<IdRange> {
    let covers = |range: &&IdRange| range.first <= machine.uid && machine.uid - range.first < range.count;
    machine.ids.users.own.iter().find(covers).copied()
}

/// IDs that nobody has been granted, as users or as groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FreeRange {
    first: u32,
}

impl FreeRange {
    fn count(self) -> u32 {
        ENOUGH_IDS
    }
}

impl std::fmt::Display for FreeRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.first + (ENOUGH_IDS - 1))
    }
}

/// `SUB_UID_MIN` of login.defs(5), where `usermod` and `useradd` begin too.
const FIRST_FREE: u32 = 100_000;

fn free_range(machine: &Machine) -> FreeRange {
    let mut taken: Vec<IdRange> = machine.ids.users.all.iter().chain(&machine.ids.groups.all).copied().collect();
    taken.push(IdRange { first: machine.uid, count: 1 });
    taken.sort_by_key(|range| range.first);
    let mut first = FIRST_FREE;
    for range in taken {
        let end = range.first.saturating_add(range.count);
        let is_before = first.saturating_add(ENOUGH_IDS) <= range.first;
        if !is_before && end > first {
            first = end;
        }
    }
    FreeRange { first: first.min(u32::MAX - ENOUGH_IDS) }
}

/// Why layers cannot be stacked on this file system, by what the kernel said.
pub(crate) fn overlay(machine: &Machine, file_system: &str, root: &Path, reason: &str) -> Remedy {
    if reason.contains("no file system") {
        return as_root(machine, "modprobe overlay", "loads the file system that stacks layers");
    }
    if !machine.is_initial && machine.kernel_version() < (5, 11) {
        return in_words("run as root, or boot Linux 5.11 or later: older ones stack no layers in a user namespace");
    }
    let unfit = ["overlay", "nfs", "nfs4", "cifs", "fuse.sshfs", "vfat", "exfat", "9p", "ecryptfs"];
    if let (Some(container), true) = (machine.container, file_system == "overlay") {
        let volume = format!("-v onggi:{}", root.display());
        let pod = format!("an `emptyDir` volume at {}", root.display());
        let text = "keeps the store outside of the container's own layers, which cannot be stacked upon";
        return match container {
            Container::Kubernetes => Remedy { command: None, text: format!("mount {pod}: it {text}") },
            container => of_engine(container, &volume, &pod, text),
        };
    }
    if unfit.contains(&file_system) {
        return Remedy {
            command: Some("onggi --root DIR …".to_owned()),
            text: format!(
                "keeps the store in a folder of a local disk: {file_system} cannot hold what containers write"
            ),
        };
    }
    match machine.container {
        Some(container) if reason.contains("not permitted") || reason.contains("denied") => {
            apparmor_of_engine(container)
        }
        _ => Remedy {
            command: Some("onggi --root DIR …".to_owned()),
            text: "keeps the store on another disk, on which layers can be stacked".to_owned(),
        },
    }
}

/// A procfs that is covered in part cannot be mounted again in a user namespace.
pub(crate) fn proc(machine: &Machine) -> Remedy {
    match machine.container {
        Some(Container::Podman) => of_engine(Container::Podman, "--security-opt unmask=ALL", "", PROC),
        Some(container) => {
            of_engine(container, "--security-opt systempaths=unconfined", "securityContext.procMount: Unmasked", PROC)
        }
        None => in_words("run as root: /proc is covered in part here, which forbids a new one in a user namespace"),
    }
}

const PROC: &str = "uncovers /proc, without which no new one can be mounted";

/// What networks lack.
pub(crate) fn network(machine: &Machine, network: &Network) -> Option<Remedy> {
    match network {
        Network::PacketFilter { nftables: Err(_), has_iptables: false } => Some(packet_filter(machine)),
        Network::Program { name: None, .. } => Some(network_program(machine)),
        Network::Program { tun: Err(_), .. } => Some(tun(machine)),
        Network::PacketFilter { .. } | Network::Program { .. } => None,
    }
}

/// Who carries packets for users.
fn network_program(machine: &Machine) -> Remedy {
    let text = "installs pasta, which connects the containers of users";
    install(machine, ["pasta"; 5], PASTA_PACKAGES, text)
}

/// The device that pasta needs.
fn tun(machine: &Machine) -> Remedy {
    match machine.container {
        Some(container) => of_engine(
            container,
            "--device /dev/net/tun",
            "a `hostPath` volume of /dev/net/tun",
            "gives this container the device that connects others",
        ),
        None if !Path::new("/dev/net/tun").exists() => as_root(machine, "modprobe tun", "makes /dev/net/tun"),
        None => as_root(machine, "chmod 0666 /dev/net/tun", "lets users connect containers"),
    }
}

/// Nothing filters packets.
fn packet_filter(machine: &Machine) -> Remedy {
    as_root(machine, "modprobe nf_tables", "loads the packet filter that networks are made with")
}

/// `-m`, `--cpus` and the like, without root.
pub(crate) fn control_groups(machine: &Machine, version: &str) -> Option<Remedy> {
    match (version, machine.container) {
        (_, Some(_)) => None,
        ("2", None) if machine.uid != 0 => Some(Remedy {
            command: Some("systemd-run --user --scope -p Delegate=yes onggi …".to_owned()),
            text: "runs it in a control group of the user's own".to_owned(),
        }),
        ("1" | "1 (hybrid)", None) if machine.uid != 0 => Some(in_words(
            "boot with `systemd.unified_cgroup_hierarchy=1`: only control groups of version 2 are handed to users",
        )),
        _ => None,
    }
}
