//! `doctor`: what it finds on this machine, and what it says where one piece of it is taken away (N050).
//!
//! The command that needs a piece says the same line as `doctor`. Pieces are taken away in a mount namespace that ends with the command: other users, an empty `/etc/subuid`, a newuidmap that is
//! `/dev/null`. The machine itself is never changed.

use std::time::Duration;

use serde_json::Value;
use testkit::{Output, Sandbox};

fn point<'r>(report: &'r Value, name: &str) -> &'r Value {
    let points = report["Points"].as_array().unwrap();
    points.iter().find(|point| point["Name"] == name).unwrap_or_else(|| panic!("no point `{name}`: {report:#}"))
}

#[test]
fn n050_doctor_makes_nothing_and_says_the_same_twice() {
    let sandbox = Sandbox::new();
    let shown = sandbox.onggi(["doctor"]).run();
    let data = sandbox.onggi(["doctor", "--json"]).run();
    assert!(!sandbox.root().exists(), "a store was made");
    assert_eq!(std::fs::read_dir(sandbox.path()).unwrap().count(), 3, "something was left behind");
    assert_eq!(shown.code, data.code);
    let report: Value = serde_json::from_str(&data.stdout).unwrap();
    assert_eq!(report["CanRun"], data.code == 0);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(point(&report, "kernel")["Found"].as_str().unwrap().starts_with(release.trim_end()), "{report:#}");
    for point in report["Points"].as_array().unwrap() {
        let text = |field: &str| point[field].as_str().unwrap().to_owned();
        let line = shown.stdout.lines().find(|line| line.split(' ').next() == Some(&text("Name")));
        let line = line.unwrap_or_else(|| panic!("no line for {point}:\n{}", shown.stdout));
        assert!(line.contains(&text("State")) && line.ends_with(&text("Found")), "{line}\n{point}");
    }
    let verdict = if data.code == 0 { "\ncontainers can run here\n" } else { "\ncontainers cannot run here\n" };
    assert!(shown.stdout.contains(verdict) && shown.stderr.is_empty(), "{}{}", shown.stdout, shown.stderr);
}

#[test]
fn n050_doctor_judges_a_store_that_is_there_and_leaves_it_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.onggi(["system", "limits", "--max-size", "3GiB"]).run().success();
    let entries = || std::fs::read_dir(sandbox.root().join("ingest")).unwrap().count();
    let before = entries();
    let report: Value = serde_json::from_str(&sandbox.onggi(["doctor", "--json"]).run().stdout).unwrap();
    let found = point(&report, "disk")["Found"].as_str().unwrap();
    assert!(found.contains(&sandbox.root().display().to_string()) && found.contains("may take 3.0GiB"), "{found}");
    assert_eq!(entries(), before);
}

/// Somebody whom this machine does not know, in a mount namespace where she is known and granted IDs.
pub(crate) struct Stranger {
    pub(crate) sandbox: Sandbox,
}

const UID: u32 = 54_321;

/// A sandbox that is somebody else's than that of the tests' user, who then cannot save what is in it.
fn sandbox_of(uid: u32) -> Sandbox {
    let mut sandbox = Sandbox::new();
    if testkit::TestUser::current().is_some() {
        sandbox.without_check();
    }
    for folder in ["", "home", "run", "work"] {
        std::os::unix::fs::chown(sandbox.path().join(folder), Some(uid), Some(uid)).unwrap();
    }
    sandbox
}

impl Stranger {
    pub(crate) fn new() -> Self {
        let sandbox = sandbox_of(UID);
        let etc = sandbox.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        for (name, text) in [
            ("passwd", format!("{users}mina:x:{UID}:{UID}::/:/bin/sh\n")),
            ("subuid", "mina:700000:65536\n".to_owned()),
            ("subgid", "mina:700000:65536\n".to_owned()),
            ("os-release", "ID=debian\n".to_owned()),
            ("empty", String::new()),
        ] {
            std::fs::write(etc.join(name), text).unwrap();
        }
        Self { sandbox }
    }

    /// Runs a command as her, where `removal`, a line of shell, has taken something away.
    pub(crate) fn run(&self, removal: &str, words: &[&str]) -> Output {
        let binary = testkit::binary();
        // Tests may lie where only root may go; a copy is hers.
        let copy = self.sandbox.path().join("onggi");
        if !copy.exists() {
            std::fs::copy(binary, &copy).unwrap();
        }
        let script = format!(
            "set -e\ncd {etc}\n\
             mount -t overlay -o lowerdir=$PWD:/etc overlay /etc\n\
             hide() {{ for file in \"$@\"; do [ ! -e $file ] || mount --bind /dev/null $file; done; }}\n\
             {removal}\n\
             cd {work}\nexec setpriv --reuid {UID} --regid {UID} --clear-groups $PRIVILEGES -- \"$@\"\n",
            etc = self.sandbox.path().join("etc").display(),
            work = self.sandbox.work().display(),
        );
        let arguments = ["--mount", "--propagation", "private", "sh", "-c", &script, "sh", copy.to_str().unwrap()];
        let arguments = arguments.iter().copied().chain(words.iter().copied());
        self.sandbox.command("unshare").arguments(arguments).limit(Duration::from_secs(60)).run()
    }

    /// The same with an image.
    pub(crate) fn with_busybox() -> Self {
        let stranger = Self::new();
        let tar = stranger.sandbox.write("busybox.tar", testkit::busybox_root_tar());
        stranger.run("true", &["import", tar.to_str().unwrap(), "busybox"]).success();
        stranger
    }

    fn report(&self, removal: &str) -> (Value, Output) {
        let shown = self.run(removal, &["doctor"]);
        let data = self.run(removal, &["doctor", "--json"]);
        let report = serde_json::from_str(&data.stdout).unwrap_or_else(|error| panic!("{error}: {data:?}"));
        assert_eq!(shown.code, data.code, "{}{}", shown.stdout, shown.stderr);
        (report, shown)
    }
}

/// What is taken away how, the point that says so, how it is then, and the line.
const PIECES: [(&str, &str, &str, &str); 8] = [
    (
        "hide /usr/bin/newuidmap",
        "id-helpers",
        "missing",
        "hint: `sudo apt-get install uidmap` installs newuidmap and newgidmap, which map a user's IDs",
    ),
    (
        "hide /usr/bin/newgidmap",
        "id-helpers",
        "missing",
        "hint: `sudo apt-get install uidmap` installs newuidmap and newgidmap, which map a user's IDs",
    ),
    (
        "cp /usr/bin/newuidmap plain; chmod 755 plain; mount --bind plain /usr/bin/newuidmap",
        "id-helpers",
        "missing",
        "hint: `sudo chmod u+s /usr/bin/newuidmap` lets newuidmap map IDs",
    ),
    (
        "mount --bind /usr/bin/newuidmap /usr/bin/newuidmap; mount -o remount,bind,nosuid /usr/bin/newuidmap",
        "id-helpers",
        "missing",
        "hint: `sudo mount -o remount,suid /usr/bin/newuidmap` lets newuidmap map IDs: its mount is `nosuid`",
    ),
    (
        "PRIVILEGES=--no-new-privs",
        "id-helpers",
        "missing",
        "hint: start this without `no_new_privs` (systemd: `NoNewPrivileges=no`), so that newuidmap can map IDs",
    ),
    (
        "mount --bind empty /etc/subuid",
        "subordinate-ids",
        "missing",
        "hint: `sudo usermod --add-subuids 100000-165535 mina` grants 65536 IDs for the users of containers",
    ),
    (
        "echo mina:700000:1000 >few; mount --bind few /etc/subgid",
        "subordinate-ids",
        "limited",
        "hint: `sudo usermod --add-subgids 100000-165535 mina` grants 65536 IDs for the users of containers",
    ),
    (
        "hide /usr/bin/pasta /usr/bin/slirp4netns",
        "network",
        "missing",
        "hint: `sudo apt-get install passt` installs pasta, which connects the containers of users",
    ),
];

#[test]
#[ignore = "requires root: takes pieces of the machine away in a mount namespace"]
fn n050_each_missing_piece_has_one_line_requires_root() {
    let stranger = Stranger::new();
    let (whole, shown) = stranger.report("true");
    assert_eq!(whole["CanRun"], true, "{}", shown.stdout);
    for name in ["rights", "user-namespaces", "id-helpers", "subordinate-ids", "overlay", "proc", "disk"] {
        assert_eq!(point(&whole, name)["State"], "ok", "{}", shown.stdout);
    }
    for (removal, name, state, line) in PIECES {
        let (report, shown) = stranger.report(removal);
        assert_eq!(point(&report, name)["State"], state, "{removal}: {}", shown.stdout);
        let hints: Vec<&str> = shown.stdout.lines().filter(|line| line.starts_with("hint: ")).collect();
        assert!(hints.len() == 1 && hints[0] == line, "{removal}: {}", shown.stdout);
        assert_eq!(report["CanRun"], true, "{removal}: one user is enough to run something");
    }
    assert!(!stranger.sandbox.root().exists());
}

/// Runs a command as a root without rights, where no user namespace can be made. The switch is that of the user namespace in which
/// it is written: the machine's stays.
fn without_namespaces(sandbox: &Sandbox, words: &[&str]) -> Output {
    let script = "echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all -- \"$@\"";
    let arguments = ["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"];
    let binary = testkit::binary();
    let arguments = arguments.iter().copied().chain([binary.to_str().unwrap()]).chain(words.iter().copied());
    sandbox.command("unshare").arguments(arguments).run()
}

#[test]
#[ignore = "requires root: takes pieces of the machine away in a namespace"]
fn n050_without_user_namespaces_nothing_runs_requires_root() {
    let sandbox = sandbox_of(0);
    let shown = without_namespaces(&sandbox, &["doctor"]).exits(1);
    let line = "hint: `sysctl -w user.max_user_namespaces=15000` lets users make user namespaces\n";
    assert!(shown.stdout.ends_with(&format!("\ncontainers cannot run here\n{line}")), "{}", shown.stdout);
    // Who needs one says the same; who needs none does not care.
    let tar = sandbox.write("busybox.tar", testkit::busybox_root_tar());
    without_namespaces(&sandbox, &["import", tar.to_str().unwrap(), "busybox"]).success();
    let refused = without_namespaces(&sandbox, &["run", "--rm", "--network", "none", "busybox", "true"]).exits(125);
    assert!(refused.stderr.ends_with(line), "{}", refused.stderr);
}

#[test]
#[ignore = "requires root: takes pieces of the machine away in a mount namespace"]
fn n050_without_pasta_the_command_that_needs_a_network_says_so_requires_root() {
    let stranger = Stranger::with_busybox();
    let removal = "hide /usr/bin/pasta /usr/bin/slirp4netns";
    let line = "hint: `sudo apt-get install passt` installs pasta, which connects the containers of users\n";
    let refused = stranger.run(removal, &["run", "--rm", "busybox", "true"]).exits(125);
    assert!(refused.stderr.ends_with(line), "{}", refused.stderr);
    stranger.sandbox.write("Dockerfile", "FROM busybox\nRUN true\n");
    let refused = stranger.run(removal, &["build", "."]).exits(1);
    assert!(refused.stderr.contains(line), "{}", refused.stderr);
    stranger.run(removal, &["run", "--rm", "--network", "none", "busybox", "true"]).success();
}

#[test]
#[ignore = "requires root: takes pieces of the machine away in a mount namespace"]
fn n050_a_user_that_cannot_be_had_is_told_with_what_is_missing_requires_root() {
    let stranger = Stranger::with_busybox();
    stranger.sandbox.write("Dockerfile", "FROM busybox\nUSER 1000:1000\nRUN id -u >/dev/null\n");
    let run = ["run", "--rm", "--network", "none", "-u", "1000:1000", "busybox", "true"];
    for (removal, _, _, line) in PIECES.iter().filter(|(_, name, state, _)| *name != "network" && *state == "missing") {
        let ran = stranger.run(removal, &run).success();
        let warning =
            "warning: no user 1000:1000 can be had here: root runs the program in its place, without capabilities";
        assert_eq!(ran.stderr, format!("{warning}\n{line}\n"), "{removal}");
        let as_root = stranger.run(removal, &["run", "--rm", "--network", "none", "busybox", "true"]).success();
        assert_eq!(as_root.stderr, "", "{removal}: root is there");
    }
    let whole = stranger.run("true", &run).success();
    assert_eq!(whole.stderr, "");
    let (removal, .., line) = PIECES[0];
    let words = ["build", "--no-cache", "--network", "none", "--progress", "plain", "."];
    let built = stranger.run(removal, &words).success();
    assert!(built.stderr.lines().any(|shown| shown.ends_with(line)), "{}", built.stderr);
}

#[test]
#[ignore = "requires root: runs as somebody else"]
fn n050_limits_that_are_not_kept_are_told_once_requires_root() {
    let stranger = Stranger::with_busybox();
    let (report, _) = stranger.report("true");
    let groups = point(&report, "control-groups");
    assert_eq!(groups["State"], "limited", "nobody has handed a control group to a stranger: {report:#}");
    let (command, text) = (groups["Remedy"]["Command"].as_str(), groups["Remedy"]["Text"].as_str().unwrap());
    let hint = command.map_or_else(|| text.to_owned(), |command| format!("`{command}` {text}"));
    let words = ["run", "--rm", "--network", "none", "-m", "64m", "--cpus", "0.5", "busybox", "echo", "hello"];
    let ran = stranger.run("true", &words).success();
    assert_eq!(ran.stdout, "hello\n");
    let warning = "warning: the limits of memory, cpu are not kept: no such control group is ours";
    assert_eq!(ran.stderr, format!("{warning}\nhint: {hint}\n"));
    let ran = stranger.run("true", &["run", "--rm", "--network", "none", "busybox", "true"]).success();
    assert_eq!(ran.stderr, "", "nothing was to be limited");
}

#[test]
#[ignore = "requires root: hands a control group over"]
fn n050_a_group_that_is_handed_over_holds_the_containers_requires_root() {
    let stranger = Stranger::with_busybox();
    let name = format!("onggi-test-{}", std::process::id());
    // Only v2 is handed over; where v1 is mounted beside it, v2 is shown alone, without controllers.
    let hand_over = format!(
        "[ ! -d /sys/fs/cgroup/unified ] || mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup\n\
         mkdir -p /sys/fs/cgroup/{name}\n\
         chown {UID} /sys/fs/cgroup/{name} /sys/fs/cgroup/{name}/cgroup.procs /sys/fs/cgroup/{name}/cgroup.subtree_control\n\
         echo $$ >/sys/fs/cgroup/{name}/cgroup.procs"
    );
    let onggi = |words: &[&str]| stranger.run(&hand_over, words).success().stdout.trim().to_owned();
    let start = |limits: &[&str]| {
        let words = [&["run", "-d", "--network", "none"], limits, &["busybox", "sleep", "1000"]].concat();
        let id = onggi(&words);
        let pid = onggi(&["inspect", "-f", "{{.State.Pid}}", &id]);
        (id, std::path::Path::new("/proc").join(pid).join("cgroup"))
    };
    let group = |file: &std::path::Path| {
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned()
    };
    let (limited, file) = start(&["--pids-limit", "100"]);
    assert_eq!(group(&file), format!("/{name}/onggi/{limited}"));
    let (paused, file) = start(&[]);
    assert_eq!(group(&file), format!("/{name}"), "it needs none of its own");
    onggi(&["pause", &paused]);
    assert_eq!(group(&file), format!("/{name}/onggi/{paused}"));
    assert_eq!(onggi(&["inspect", "-f", "{{.State.Paused}}", &paused]), "true");
    onggi(&["unpause", &paused]);
    onggi(&["rm", "-f", &limited, &paused]);
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let folder = std::path::Path::new(root).join(&name);
        std::fs::remove_dir(folder.join("onggi-aside")).ok();
        std::fs::remove_dir(&folder).ok();
        assert!(!folder.exists(), "a group of a container is left behind");
    }
}
