use std::path::PathBuf;

use runtime::ControlGroups;
use runtime::user_namespace::IdRange;

use super::disk::{Attempts, Disk};
use super::machine::{Confinement, Container, Granted, Helper, Ids, Machine, Packages, Refusal, Switches};
use super::surroundings::{Limits, Network};
use super::{Facts, PointState, Report, Trial, points};

/// A Debian on which an ordinary user lacks nothing.
fn user() -> Facts {
    let range = IdRange { first: 100_000, count: 65536 };
    let granted = || Granted { file_exists: true, own: vec![range], all: vec![range] };
    Facts {
        machine: Machine {
            uid: 1000,
            name: Some("mina".to_owned()),
            is_privileged: false,
            is_initial: true,
            kernel: "6.12.1-amd64".to_owned(),
            container: None,
            confinement: Confinement::default(),
            switches: Switches { most_namespaces: Some(15000), ..Switches::default() },
            ids: Ids {
                users: granted(),
                groups: granted(),
                newuidmap: Helper::Ready("/usr/bin/newuidmap".into()),
                newgidmap: Helper::Ready("/usr/bin/newgidmap".into()),
                has_usermod: true,
            },
            packages: Packages::Apt,
        },
        trial: Some(Trial { namespace: Ok(()), identities: Some(Ok(65537)), proc: Some(Ok(())) }),
        disk: Disk {
            root: PathBuf::from("/home/mina/.local/share/onggi"),
            store_exists: true,
            file_system: "ext4".to_owned(),
            bytes: (50 << 30, 100 << 30),
            inodes: (5_000_000, 6_000_000),
            limits: None,
            unwritable: None,
            attempts: Some(Attempts {
                erofs: Some("not permitted".to_owned()),
                reflink: Some("not supported".to_owned()),
                ..Attempts::default()
            }),
        },
        control_groups: ControlGroups {
            version: "2",
            own: Some("/sys/fs/cgroup/user.slice".into()),
            controllers: ["cpu", "memory", "pids"].map(str::to_owned).to_vec(),
        },
        network: Network::Program { name: Some("pasta"), tun: Ok(()) },
        limits: Limits { files: Some(1_048_576), processes: None },
    }
}

fn root() -> Facts {
    let mut facts = user();
    facts.machine.uid = 0;
    facts.machine.name = Some("root".to_owned());
    facts.machine.is_privileged = true;
    facts.trial = Some(Trial { namespace: Ok(()), identities: None, proc: Some(Ok(())) });
    facts.disk.root = PathBuf::from("/var/lib/onggi");
    facts.disk.attempts = Some(Attempts::default());
    facts.network = Network::PacketFilter { nftables: Ok(()), has_iptables: true };
    facts
}

fn refused(facts: &mut Facts, refusal: Refusal) {
    facts.trial = Some(Trial { namespace: Err(refusal), identities: None, proc: None });
    facts.disk.attempts = None;
}

fn table(report: &Report) -> String {
    let line = |point: &super::Point| {
        format!("{} {}{}: {}\n", point.name, point.state.name(), if point.is_required { "!" } else { "" }, point.found)
    };
    let mut text: String = report.points.iter().map(line).collect();
    text.push_str(&format!("can run: {}, {}\n", report.can_run, hint(report)));
    text
}

fn hint(report: &Report) -> String {
    report.first_remedy().map_or_else(|| "nothing to do".to_owned(), ToString::to_string)
}

#[test]
fn the_report_of_a_user_who_lacks_nothing() {
    let expected = "\
kernel ok!: 6.12.1-amd64
rights ok!: mina (1000), by a user namespace of its own
user-namespaces ok!: one was made
id-helpers ok: /usr/bin/newuidmap, /usr/bin/newgidmap
subordinate-ids ok: 65536 users, 65536 groups
proc ok: a new one can be mounted
disk ok!: /home/mina/.local/share/onggi: ext4, 50GiB of 100GiB free
overlay ok: two folders were stacked
extended-attributes ok: `user.*` can be set
erofs limited: for root only
reflink limited: not on ext4: files are copied
network ok: pasta
control-groups ok: version 2: cpu, memory, pids
confinement ok: none
apparmor ok: not in use
limits ok: 1048576 open files, any number of processes
can run: true, nothing to do
";
    assert_eq!(table(&points::report(&user())), expected);
}

#[test]
fn the_report_of_root() {
    let expected = "\
kernel ok!: 6.12.1-amd64
rights ok!: root (0)
user-namespaces ok: not needed by root
proc ok: a new one can be mounted
disk ok!: /var/lib/onggi: ext4, 50GiB of 100GiB free
overlay ok: two folders were stacked
extended-attributes ok: `user.*` can be set
erofs ok: a layer was mounted
reflink ok: files can share bytes
network ok: nftables
control-groups ok: version 2: cpu, memory, pids
confinement ok: none
apparmor ok: not in use
limits ok: 1048576 open files, any number of processes
can run: true, nothing to do
";
    assert_eq!(table(&points::report(&root())), expected);
}

/// What is missing, how that is done to the facts, the point that says so, whether containers can run, the line.
type Case = (&'static str, fn(&mut Facts), (&'static str, PointState), bool, &'static str);

fn check(base: fn() -> Facts, cases: &[Case]) {
    for (what, remove, (name, state), can_run, line) in cases {
        let mut facts = base();
        remove(&mut facts);
        let report = points::report(&facts);
        let point = report.points.iter().find(|point| point.name == *name).unwrap();
        assert_eq!((point.state, report.can_run, hint(&report).as_str()), (*state, *can_run, *line), "{what}");
    }
}

use PointState::{Limited, Missing};

const OF_A_USER: &[Case] = &[
    (
        "an old kernel",
        |facts| facts.machine.kernel = "5.10.0-9".to_owned(),
        ("kernel", Missing),
        false,
        "boot Linux 5.12 or later: it has `mount_setattr`, which every container needs",
    ),
    (
        "user namespaces switched off by number",
        |facts| {
            refused(facts, Refusal::TooMany);
            facts.machine.switches.most_namespaces = Some(0);
        },
        ("user-namespaces", Missing),
        false,
        "`sudo sysctl -w user.max_user_namespaces=15000` lets users make user namespaces",
    ),
    (
        "user namespaces switched off as Debian did",
        |facts| {
            refused(facts, Refusal::Forbidden);
            facts.machine.switches.unprivileged_clone = Some(0);
        },
        ("user-namespaces", Missing),
        false,
        "`sudo sysctl -w kernel.unprivileged_userns_clone=1` lets users make user namespaces",
    ),
    (
        "Ubuntu's restriction",
        |facts| {
            refused(facts, Refusal::Powerless);
            facts.machine.switches.apparmor_restricts = Some(1);
        },
        ("user-namespaces", Missing),
        false,
        "`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` lifts AppArmor's restriction of them",
    ),
    (
        "a seccomp filter",
        |facts| {
            refused(facts, Refusal::Forbidden);
            facts.machine.confinement.has_filter = true;
        },
        ("user-namespaces", Missing),
        false,
        "start this from a login shell: a seccomp filter of the process that started it forbids user namespaces",
    ),
    (
        "a kernel without user namespaces",
        |facts| refused(facts, Refusal::Missing),
        ("user-namespaces", Missing),
        false,
        "run as root, or boot a kernel that was built with `CONFIG_USER_NS=y`",
    ),
    (
        "newuidmap",
        |facts| facts.machine.ids.newuidmap = Helper::Absent,
        ("id-helpers", Missing),
        true,
        "`sudo apt-get install uidmap` installs newuidmap and newgidmap, which map a user's IDs",
    ),
    (
        "newgidmap on Alpine",
        |facts| {
            facts.machine.ids.newgidmap = Helper::Absent;
            facts.machine.packages = Packages::Apk;
        },
        ("id-helpers", Missing),
        true,
        "`sudo apk add shadow-uidmap` installs newuidmap and newgidmap, which map a user's IDs",
    ),
    (
        "the right of newuidmap",
        |facts| facts.machine.ids.newuidmap = Helper::Powerless("/usr/bin/newuidmap".into()),
        ("id-helpers", Missing),
        true,
        "`sudo chmod u+s /usr/bin/newuidmap` lets newuidmap map IDs",
    ),
    (
        "new privileges",
        |facts| facts.machine.confinement.no_new_privileges = true,
        ("id-helpers", Missing),
        true,
        "start this without `no_new_privs` (systemd: `NoNewPrivileges=no`), so that newuidmap can map IDs",
    ),
    (
        "attributes of files",
        |facts| facts.disk.attempts = Some(Attempts { xattrs: Some("no".to_owned()), ..Attempts::default() }),
        ("extended-attributes", Missing),
        true,
        "nothing to do",
    ),
    (
        "pasta",
        |facts| facts.network = Network::Program { name: None, tun: Ok(()) },
        ("network", Missing),
        true,
        "`sudo apt-get install passt` installs pasta, which connects the containers of users",
    ),
    (
        "delegated control groups",
        |facts| facts.control_groups.controllers.clear(),
        ("control-groups", Limited),
        true,
        "`systemd-run --user --scope -p Delegate=yes onggi …` runs it in a control group of the user's own",
    ),
    (
        "version 2 of control groups",
        |facts| facts.control_groups = ControlGroups { version: "1", own: None, controllers: Vec::new() },
        ("control-groups", Limited),
        true,
        "boot with `systemd.unified_cgroup_hierarchy=1`: only control groups of version 2 are handed to users",
    ),
    (
        "space",
        |facts| facts.disk.bytes.0 = 1 << 20,
        ("disk", Limited),
        true,
        "`onggi system prune` removes what nothing uses",
    ),
    (
        "inodes",
        |facts| facts.disk.inodes.0 = 100,
        ("disk", Limited),
        true,
        "`onggi system prune` removes what nothing uses",
    ),
    (
        "a disk that can be written to",
        |facts| {
            facts.disk.unwritable = Some("/var/lib: Permission denied".to_owned());
            facts.disk.attempts = None;
        },
        ("disk", Missing),
        false,
        "`onggi --root DIR …` keeps the store in a folder that is yours",
    ),
    (
        "a disk to stack on",
        |facts| {
            facts.disk.file_system = "nfs4".to_owned();
            facts.disk.attempts = Some(Attempts { overlay: Some("kernel refuses".to_owned()), ..Attempts::default() });
        },
        ("overlay", Missing),
        true,
        "`onggi --root DIR …` keeps the store in a folder of a local disk: nfs4 cannot hold what containers write",
    ),
    (
        "files",
        |facts| facts.limits.files = Some(1024),
        ("limits", Limited),
        true,
        "raise the hard limits of files and processes (`nofile`, `nproc`) in /etc/security/limits.conf, and log in again",
    ),
];

#[test]
fn each_missing_piece_of_a_user_has_its_line() {
    check(user, OF_A_USER);
}

const OTHER: IdRange = IdRange { first: 100_000, count: 65536 };

const SUBORDINATE_IDS: &[Case] = &[
    (
        "none, and others have the first ones",
        |facts| {
            for granted in [&mut facts.machine.ids.users, &mut facts.machine.ids.groups] {
                *granted = Granted { file_exists: true, own: Vec::new(), all: vec![OTHER] };
            }
        },
        ("subordinate-ids", Missing),
        true,
        "`sudo usermod --add-subuids 165536-231071 --add-subgids 165536-231071 mina` grants 65536 IDs for the users of containers",
    ),
    (
        "none for groups",
        |facts| facts.machine.ids.groups = Granted { file_exists: true, ..Granted::default() },
        ("subordinate-ids", Missing),
        true,
        "`sudo usermod --add-subgids 165536-231071 mina` grants 65536 IDs for the users of containers",
    ),
    (
        "no such files, which usermod wants",
        |facts| (facts.machine.ids.users, facts.machine.ids.groups) = Default::default(),
        ("subordinate-ids", Missing),
        true,
        "`echo mina:100000:65536 | sudo tee -a /etc/subuid /etc/subgid` grants 65536 IDs for the users of containers",
    ),
    (
        "a user of a directory service",
        |facts| {
            facts.machine.name = None;
            facts.machine.ids.users = Granted { file_exists: true, ..Granted::default() };
        },
        ("subordinate-ids", Missing),
        true,
        "`echo 1000:165536:65536 | sudo tee -a /etc/subuid` grants 65536 IDs for the users of containers",
    ),
    (
        "too few for apt",
        |facts| facts.machine.ids.users.own = vec![IdRange { first: 100_000, count: 1000 }],
        ("subordinate-ids", Limited),
        true,
        "`sudo usermod --add-subuids 165536-231071 mina` grants 65536 IDs for the users of containers",
    ),
    (
        "the user's own among them",
        |facts| facts.machine.ids.users.own = vec![IdRange { first: 500, count: 65536 }],
        ("subordinate-ids", Missing),
        true,
        "`sudo usermod --del-subuids 500-66035 --add-subuids 165536-231071 mina` grants IDs other than the user's own, \
             which cannot be mapped twice",
    ),
];

#[test]
fn subordinate_ids_that_are_free_are_proposed() {
    check(user, SUBORDINATE_IDS);
}

const IN_A_CONTAINER: &[Case] = &[
    (
        "docker's seccomp filter",
        |facts| {
            refused(facts, Refusal::Forbidden);
            facts.machine.container = Some(Container::Docker);
            facts.machine.confinement.has_filter = true;
        },
        ("user-namespaces", Missing),
        false,
        "`docker run --security-opt seccomp=unconfined …` lets this container make user namespaces",
    ),
    (
        "a pod's",
        |facts| {
            refused(facts, Refusal::Forbidden);
            facts.machine.container = Some(Container::Kubernetes);
        },
        ("user-namespaces", Missing),
        false,
        "set `securityContext.seccompProfile.type: Unconfined` in the pod: it lets this container make user namespaces",
    ),
    (
        "AppArmor around docker",
        |facts| {
            refused(facts, Refusal::Powerless);
            facts.machine.container = Some(Container::Docker);
        },
        ("user-namespaces", Missing),
        false,
        "`docker run --security-opt apparmor=unconfined …` lets this container mount in a user namespace",
    ),
    (
        "a /proc that podman covers",
        |facts| {
            facts.machine.container = Some(Container::Podman);
            facts.trial.as_mut().unwrap().proc = Some(Err("Operation not permitted".to_owned()));
        },
        ("proc", Limited),
        true,
        "`podman run --security-opt unmask=ALL …` uncovers /proc, without which no new one can be mounted",
    ),
    (
        "a store in the container's own layers",
        |facts| {
            facts.machine.container = Some(Container::Docker);
            facts.machine.uid = 0;
            facts.disk.root = "/var/lib/onggi".into();
            facts.disk.file_system = "overlay".to_owned();
            facts.disk.attempts = Some(Attempts { overlay: Some("kernel refuses".to_owned()), ..Attempts::default() });
        },
        ("overlay", Missing),
        true,
        "`docker run -v onggi:/var/lib/onggi …` keeps the store outside of the container's own layers, which cannot be \
             stacked upon",
    ),
    (
        "the device of pasta",
        |facts| {
            facts.machine.container = Some(Container::Docker);
            facts.network = Network::Program { name: Some("pasta"), tun: Err("no such file".to_owned()) };
        },
        ("network", Missing),
        true,
        "`docker run --device /dev/net/tun …` gives this container the device that connects others",
    ),
];

#[test]
fn in_a_container_only_the_engine_around_can_help() {
    check(user, IN_A_CONTAINER);
}

const OF_ROOT: &[Case] = &[
    (
        "overlayfs",
        |facts| {
            let reason = "kernel has no file system `overlay`".to_owned();
            facts.disk.attempts = Some(Attempts { overlay: Some(reason), ..Attempts::default() });
        },
        ("overlay", Missing),
        true,
        "`modprobe overlay` loads the file system that stacks layers",
    ),
    (
        "a packet filter",
        |facts| {
            facts.network = Network::PacketFilter { nftables: Err("none".to_owned()), has_iptables: false };
        },
        ("network", Missing),
        true,
        "`modprobe nf_tables` loads the packet filter that networks are made with",
    ),
    (
        "nf_tables, with the old program there",
        |facts| facts.network = Network::PacketFilter { nftables: Err("none".to_owned()), has_iptables: true },
        ("network", Limited),
        true,
        "nothing to do",
    ),
    (
        "EROFS from files",
        |facts| {
            facts.machine.kernel = "6.8.0".to_owned();
            facts.disk.attempts = Some(Attempts { erofs: Some("no".to_owned()), ..Attempts::default() });
        },
        ("kernel", Limited),
        true,
        "nothing to do",
    ),
];

#[test]
fn each_missing_piece_of_root_has_its_line() {
    check(root, OF_ROOT);
}

#[test]
fn what_keeps_containers_from_running_comes_first() {
    let mut facts = user();
    facts.network = Network::Program { name: None, tun: Ok(()) };
    facts.machine.ids.newuidmap = Helper::Absent;
    facts.disk.unwritable = Some("/var/lib: Permission denied".to_owned());
    assert!(hint(&points::report(&facts)).contains("in a folder that is yours"));
    facts.disk.unwritable = None;
    assert!(hint(&points::report(&facts)).contains("apt-get install uidmap"));
}
