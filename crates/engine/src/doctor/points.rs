//! From facts to the report: pure, so that every machine can be had in a test.

use super::machine::{Helper, Refusal};
use super::remedies::{self, ENOUGH_IDS};
use super::surroundings::Network;
use super::{Facts, Point, PointState, Remedy, Report};

/// `mount_setattr`, which the executor sets up every container with.
const LEAST_KERNEL: (u32, u32) = (5, 12);
/// EROFS whose data is in a file.
const EROFS_KERNEL: (u32, u32) = (6, 12);
/// Bytes below which a disk is as good as full: a distribution's image and what a build of it writes.
const LITTLE_SPACE: u64 = 1 << 30;
/// Open files that a container's programs may want; systems give half a million.
const FEW_FILES: u64 = 4096;
const FEW_PROCESSES: u64 = 1024;

/// What the facts mean.
pub(super) fn report(facts: &Facts) -> Report {
    let mut points = vec![kernel(facts), rights(facts), user_namespaces(facts)];
    // Root outside of all containers gives away IDs as it likes.
    if !facts.machine.is_privileged && facts.machine.uid != 0 {
        points.extend([id_helpers(facts), subordinate_ids(facts)]);
    }
    points.extend([proc(facts), disk(facts), overlay(facts), xattrs(facts), erofs(facts), reflink(facts)]);
    points.extend([network(facts), control_groups(facts), confinement(facts), apparmor(facts), limits(facts)]);
    let blocks = |point: &Point| point.is_required && point.state == PointState::Missing;
    Report { can_run: !points.iter().any(blocks), points }
}

fn point(name: &'static str, needed_for: &'static str, state: PointState, found: impl Into<String>) -> Point {
    Point { name, state, is_required: false, found: found.into(), needed_for, remedy: None }
}

impl Point {
    fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    fn with_remedy(self, remedy: impl Into<Option<Remedy>>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }
}

fn state_if(is_ok: bool, otherwise: PointState) -> PointState {
    if is_ok { PointState::Ok } else { otherwise }
}

fn kernel(facts: &Facts) -> Point {
    let (version, release) = (facts.machine.kernel_version(), &facts.machine.kernel);
    let make =
        |state, found| point("kernel", "containers (5.12), layers that root mounts as they are (6.12)", state, found);
    if version < LEAST_KERNEL {
        let text = "boot Linux 5.12 or later: it has `mount_setattr`, which every container needs";
        let remedy = Remedy { command: None, text: text.to_owned() };
        return make(PointState::Missing, format!("{release} is before 5.12")).required().with_remedy(remedy);
    }
    if version < EROFS_KERNEL && facts.machine.is_privileged {
        return make(PointState::Limited, format!("{release} is before 6.12: layers are extracted")).required();
    }
    make(PointState::Ok, release.clone()).required()
}

fn rights(facts: &Facts) -> Point {
    let machine = &facts.machine;
    let who = match machine.name.as_deref() {
        Some(name) => format!("{name} ({})", machine.uid),
        None => format!("user {}", machine.uid),
    };
    let (state, found) = match (machine.is_privileged, machine.is_initial, &facts.trial) {
        (true, true, _) => (PointState::Ok, who),
        (true, false, _) => (PointState::Ok, format!("{who}, in a user namespace")),
        (false, _, Some(trial)) if trial.namespace.is_ok() => {
            (PointState::Ok, format!("{who}, by a user namespace of its own"))
        }
        (false, ..) => (PointState::Missing, format!("{who}, without a right to mount")),
    };
    point("rights", "mounts and namespaces of containers", state, found).required()
}

fn user_namespaces(facts: &Facts) -> Point {
    let make = |state, found: &str| point("user-namespaces", "everything without root", state, found);
    if facts.machine.is_privileged {
        return make(PointState::Ok, "not needed by root");
    }
    let refusal = match &facts.trial {
        Some(trial) => match &trial.namespace {
            Ok(()) => return make(PointState::Ok, "one was made").required(),
            Err(refusal) => refusal.clone(),
        },
        None => Refusal::Failed("no process could be made to try it".to_owned()),
    };
    let switches = &facts.machine.switches;
    let reason = match &refusal {
        _ if switches.most_namespaces == Some(0) => "`user.max_user_namespaces` is 0",
        Refusal::TooMany => "no more are allowed (`user.max_user_namespaces`)",
        Refusal::Missing => "the kernel was built without them",
        _ if switches.unprivileged_clone == Some(0) => "`kernel.unprivileged_userns_clone` is 0",
        Refusal::Powerless if switches.apparmor_restricts == Some(1) => {
            "AppArmor takes their root's rights (`kernel.apparmor_restrict_unprivileged_userns` is 1)"
        }
        Refusal::Powerless => "their root has no rights here (a security module)",
        Refusal::Forbidden if facts.machine.confinement.has_filter => "forbidden, most likely by the seccomp filter",
        Refusal::Forbidden => "forbidden",
        Refusal::Failed(reason) => reason,
    };
    let remedy = remedies::user_namespace(&facts.machine, &refusal);
    make(PointState::Missing, reason).required().with_remedy(remedy)
}

fn id_helpers(facts: &Facts) -> Point {
    let ids = &facts.machine.ids;
    let describe = |name: &str, helper: &Helper| match helper {
        Helper::Absent => format!("no {name}"),
        Helper::Powerless(path) => format!("{} is not set-user-ID", path.display()),
        Helper::NoSuid(path, _) => format!("{} is on a `nosuid` mount", path.display()),
        Helper::Ready(path) => path.display().to_string(),
    };
    let is_ready = |helper: &Helper| matches!(helper, Helper::Ready(_));
    let all = [describe("newuidmap", &ids.newuidmap), describe("newgidmap", &ids.newgidmap)];
    let make = |state, found| point("id-helpers", "more than one user in a container", state, found);
    if !is_ready(&ids.newuidmap) || !is_ready(&ids.newgidmap) {
        return make(PointState::Missing, all.join(", ")).with_remedy(remedies::id_helpers(&facts.machine));
    }
    if facts.machine.confinement.no_new_privileges {
        let found = format!("{}, of no effect under `no_new_privs`", all.join(", "));
        return make(PointState::Missing, found).with_remedy(remedies::id_helpers(&facts.machine));
    }
    make(PointState::Ok, all.join(", "))
}

fn subordinate_ids(facts: &Facts) -> Point {
    let ids = &facts.machine.ids;
    let (users, groups) = (ids.users.count(), ids.groups.count());
    let make =
        |state, found| point("subordinate-ids", "more than one user in a container: apt, dpkg, `USER`", state, found);
    let remedy = || remedies::subordinate_ids(&facts.machine);
    if users == 0 || groups == 0 {
        let files = [("/etc/subuid", users), ("/etc/subgid", groups)];
        let files: Vec<&str> = files.iter().filter(|(_, count)| *count == 0).map(|(file, _)| *file).collect();
        let found = format!("none for {} in {}", facts.machine.user(), files.join(" and "));
        return make(PointState::Missing, found).with_remedy(remedy());
    }
    let found = format!("{users} users, {groups} groups");
    if remedies::covering_own(&facts.machine).is_some() {
        return make(PointState::Missing, format!("{found}, with the user's own among them")).with_remedy(remedy());
    }
    if users.min(groups) < u64::from(ENOUGH_IDS) {
        let found = format!("{found}; images use up to {ENOUGH_IDS}");
        return make(PointState::Limited, found).with_remedy(remedy());
    }
    match facts.trial.as_ref().and_then(|trial| trial.identities.as_ref()) {
        // What the helpers' own points say already is not said twice.
        Some(Err(reason)) if id_helpers(facts).state == PointState::Ok => {
            make(PointState::Missing, format!("{found}, which could not be mapped: {reason}"))
        }
        _ => make(PointState::Ok, found),
    }
}

fn proc(facts: &Facts) -> Point {
    let make =
        |state, found: &str| point("proc", "a /proc of each container's own, also within containers", state, found);
    match facts.trial.as_ref().and_then(|trial| trial.proc.as_ref()) {
        Some(Ok(())) => make(PointState::Ok, "a new one can be mounted"),
        Some(Err(reason)) => {
            let found = format!("the one around is shown, for a new one cannot be mounted: {reason}");
            make(PointState::Limited, &found).with_remedy(remedies::proc(&facts.machine))
        }
        None => make(PointState::Missing, "not tried: there is no namespace to try it in"),
    }
}

fn disk(facts: &Facts) -> Point {
    let disk = &facts.disk;
    let make = |state, found| point("disk", "images, containers and volumes", state, found).required();
    let other = |text: &str| Remedy { command: Some("onggi --root DIR …".to_owned()), text: text.to_owned() };
    if let Some(reason) = &disk.unwritable {
        return make(PointState::Missing, format!("cannot write to {reason}"))
            .with_remedy(other("keeps the store in a folder that is yours"));
    }
    let limits = disk.limits.as_ref().and_then(|limits| limits.max_size);
    let limits = limits.map_or(String::new(), |most| format!(", the store may take {}", size(most)));
    let at = if disk.store_exists { "" } else { " (no store yet)" };
    let (free, all) = disk.bytes;
    let (free_inodes, inodes) = disk.inodes;
    let (root, kind) = (disk.root.display(), &disk.file_system);
    let found = format!("{root}{at}: {kind}, {} of {} free{limits}", size(free), size(all));
    let prune = || match disk.store_exists {
        true => Remedy { command: Some("onggi system prune".to_owned()), text: "removes what nothing uses".to_owned() },
        false => other("keeps the store on a disk with more space"),
    };
    if free < LITTLE_SPACE {
        return make(PointState::Limited, found).with_remedy(prune());
    }
    // Many small files: an extracted layer of a distribution has ten thousand.
    if inodes > 0 && free_inodes < 20_000 {
        return make(PointState::Limited, format!("{found}, {free_inodes} of {inodes} inodes free"))
            .with_remedy(prune());
    }
    make(PointState::Ok, found)
}

/// Powers of 1024 with one decimal at most.
#[expect(clippy::cast_precision_loss, reason = "only a few digits are shown")]
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if size < 10.0 { format!("{size:.1}{}", UNITS[unit]) } else { format!("{size:.0}{}", UNITS[unit]) }
}

fn overlay(facts: &Facts) -> Point {
    let make = |state, found| point("overlay", "layers stacked into a root file system", state, found);
    let disk = &facts.disk;
    match &disk.attempts {
        Some(attempts) => match &attempts.overlay {
            None => make(PointState::Ok, "two folders were stacked".to_owned()),
            Some(reason) => make(PointState::Missing, format!("{reason} (on {}): roots are copies", disk.file_system))
                .with_remedy(remedies::overlay(&facts.machine, &disk.file_system, &disk.root, reason)),
        },
        None => make(PointState::Missing, "not tried".to_owned()),
    }
}

fn xattrs(facts: &Facts) -> Point {
    let make =
        |state, found| point("extended-attributes", "layers stacked without root, capabilities of files", state, found);
    match facts.disk.attempts.as_ref().map(|attempts| &attempts.xattrs) {
        Some(None) => make(PointState::Ok, "`user.*` can be set".to_owned()),
        Some(Some(reason)) => make(PointState::Missing, format!("`user.*` on {}: {reason}", facts.disk.file_system)),
        None => make(PointState::Missing, "not tried".to_owned()),
    }
}

fn erofs(facts: &Facts) -> Point {
    let make = |state, found| point("erofs", "layers that are mounted as they are, not extracted", state, found);
    match facts.disk.attempts.as_ref().map(|attempts| &attempts.erofs) {
        Some(None) => make(PointState::Ok, "a layer was mounted".to_owned()),
        _ if !facts.machine.is_privileged => make(PointState::Limited, "for root only".to_owned()),
        Some(Some(reason)) => make(PointState::Limited, reason.clone()),
        None => make(PointState::Limited, "not tried".to_owned()),
    }
}

fn reflink(facts: &Facts) -> Point {
    let make = |state, found| point("reflink", "copies of files that share their bytes", state, found);
    match facts.disk.attempts.as_ref().map(|attempts| &attempts.reflink) {
        Some(None) => make(PointState::Ok, "files can share bytes".to_owned()),
        Some(Some(_)) => make(PointState::Limited, format!("not on {}: files are copied", facts.disk.file_system)),
        None => make(PointState::Limited, "not tried".to_owned()),
    }
}

fn network(facts: &Facts) -> Point {
    let make = |state, found: String| point("network", "containers with a network, published ports", state, found);
    let made = match &facts.network {
        Network::PacketFilter { nftables: Ok(()), .. } => make(PointState::Ok, "nftables".to_owned()),
        Network::PacketFilter { has_iptables: true, .. } => {
            make(PointState::Limited, "iptables, a program for each rule: the kernel has no nf_tables".to_owned())
        }
        Network::PacketFilter { nftables: Err(reason), .. } => {
            make(PointState::Missing, format!("no packet filter: {reason}"))
        }
        Network::Program { name: None, .. } => make(PointState::Missing, "neither pasta nor slirp4netns".to_owned()),
        Network::Program { name: Some(name), tun: Err(reason) } => {
            make(PointState::Missing, format!("{name}, but /dev/net/tun cannot be opened: {reason}"))
        }
        Network::Program { name: Some(name), tun: Ok(()) } => make(PointState::Ok, (*name).to_owned()),
    };
    made.with_remedy(remedies::network(&facts.machine, &facts.network))
}

fn control_groups(facts: &Facts) -> Point {
    let groups = &facts.control_groups;
    let make = |state, found| point("control-groups", "`-m`, `--cpus`, `--pids-limit`, `stats`", state, found);
    let version = groups.version;
    let remedy = || remedies::control_groups(&facts.machine, version);
    let lacking: Vec<&str> = ["cpu", "memory", "pids"]
        .into_iter()
        .filter(|name| !groups.controllers.iter().any(|one| one == name))
        .collect();
    match (version, lacking.is_empty()) {
        ("none", _) => make(PointState::Missing, "none are mounted".to_owned()),
        (_, true) => make(PointState::Ok, format!("version {version}: {}", groups.controllers.join(", "))),
        _ if groups.controllers.is_empty() => {
            make(PointState::Limited, format!("version {version}, none for {}: no limits", facts.machine.user()))
                .with_remedy(remedy())
        }
        _ => make(PointState::Limited, format!("version {version}, without {}", lacking.join(", ")))
            .with_remedy(remedy()),
    }
}

fn confinement(facts: &Facts) -> Point {
    let confinement = &facts.machine.confinement;
    let container = facts.machine.container.map(|container| format!("a container of {}", container.name()));
    let parts = [
        container,
        confinement.has_filter.then(|| "a seccomp filter".to_owned()),
        confinement.no_new_privileges.then(|| "`no_new_privs`".to_owned()),
    ];
    let found: Vec<String> = parts.into_iter().flatten().collect();
    let state = state_if(!confinement.has_filter && !confinement.no_new_privileges, PointState::Limited);
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    // What it forbids is said by the points that were tried.
    point("confinement", "containers within containers and services", state, found)
}

fn apparmor(facts: &Facts) -> Point {
    let confinement = &facts.machine.confinement;
    let make = |state, found| point("apparmor", "mounts in user namespaces", state, found);
    match (&confinement.apparmor_profile, confinement.has_apparmor) {
        (Some(profile), _) => make(PointState::Limited, format!("confined by {profile}")),
        (None, true) if facts.machine.switches.apparmor_restricts == Some(1) => {
            make(PointState::Limited, "unconfined, with user namespaces restricted".to_owned())
        }
        (None, true) => make(PointState::Ok, "unconfined".to_owned()),
        (None, false) => make(PointState::Ok, "not in use".to_owned()),
    }
}

fn limits(facts: &Facts) -> Point {
    let limits = &facts.limits;
    let words = |limit: Option<u64>| limit.map_or("any number of".to_owned(), |limit| limit.to_string());
    let enough = |limit: Option<u64>, few: u64| limit.is_none_or(|limit| limit >= few);
    let is_ok = enough(limits.files, FEW_FILES) && enough(limits.processes, FEW_PROCESSES);
    let found = format!("{} open files, {} processes", words(limits.files), words(limits.processes));
    let made = point("limits", "programs with many files and processes", state_if(is_ok, PointState::Limited), found);
    let text = "raise the hard limits of files and processes (`nofile`, `nproc`) in /etc/security/limits.conf, and log in again";
    if is_ok { made } else { made.with_remedy(Remedy { command: None, text: text.to_owned() }) }
}
