//! Fifty containers at once: they come, they are told apart, they go, and the machine is as before (C203, C204, C320).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::build_project::Project;
use crate::containers::{processes_with, wait_until};

const NUMBER: usize = 50;

/// All that a container can leave on the machine, as far as it can be told apart from what other tests do meanwhile.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// Below the store, without what is there to be read later: logs of events.
    files: BTreeSet<String>,
    /// Members of the network's bridge.
    devices: Vec<String>,
    /// Lines of the packet filter with the bridge's name.
    rules: Vec<String>,
    /// Addresses that are taken.
    addresses: Vec<String>,
    mounts: Vec<String>,
    processes: Vec<u32>,
    groups: Vec<String>,
}

impl Left {
    fn look(project: &Project, bridge: &str, ids: &[String]) -> Self {
        let sandbox = project.sandbox.path().display().to_string();
        let lines =
            |text: &str, word: &str| text.lines().filter(|line| line.contains(word)).map(str::to_owned).collect();
        let mut files = BTreeSet::new();
        list(&project.sandbox.root(), "", &mut files);
        files.retain(|name| !name.starts_with("/events"));
        let ruleset = project.sandbox.command("nft").arguments(["list", "ruleset"]).run().success().stdout;
        let mut groups = BTreeSet::new();
        for hierarchy in names(Path::new("/sys/fs/cgroup")) {
            for group in names(&Path::new("/sys/fs/cgroup").join(hierarchy).join("onggi")) {
                groups.extend(ids.iter().filter(|id| group.contains(*id)).cloned());
            }
        }
        Self {
            files,
            devices: names(Path::new(&format!("/sys/class/net/{bridge}/brif"))),
            rules: lines(&without_counts(&ruleset), bridge),
            addresses: names(Path::new(&format!("/run/onggi/network/{bridge}"))),
            mounts: lines(&fs::read_to_string("/proc/self/mountinfo").unwrap(), &sandbox),
            processes: processes_with(&sandbox),
            groups: groups.into_iter().collect(),
        }
    }
}

/// What `iptables` counts goes up and up: `counter packets 3 bytes 180`.
fn without_counts(ruleset: &str) -> String {
    let mut counts = false;
    let words = ruleset.split_inclusive(char::is_whitespace).filter(|word| {
        let is_count = std::mem::replace(&mut counts, matches!(word.trim_end(), "packets" | "bytes"));
        !is_count
    });
    words.collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn list(folder: &Path, path: &str, all: &mut BTreeSet<String>) {
    for name in names(folder) {
        let inner = folder.join(&name);
        let path = format!("{path}/{name}");
        if fs::symlink_metadata(&inner).is_ok_and(|data| data.is_dir()) {
            list(&inner, &path, all);
        }
        all.insert(path);
    }
}

#[test]
#[ignore = "requires root"]
fn c203_c204_c320_fifty_containers_at_once_leave_nothing_requires_root() {
    let project = Project::new();
    let network = project.ask(&["network", "create", "crowd"]);
    let bridge = format!("br-{}", &network[..12]);
    // The first container makes what stays as long as the network: its bridge, and the store's places to mount on.
    project.ask(&["run", "--rm", "--network", "crowd", "-v", "/data", "busybox", "true"]);
    wait_until("its device is gone", || names(Path::new(&format!("/sys/class/net/{bridge}/brif"))).is_empty());
    let before = Left::look(&project, &bridge, &[]);

    let serve = "hostname > /index.html; exec httpd -f -p 80 -h /";
    let ids: Vec<String> = std::thread::scope(|scope| {
        let start = |number: usize| {
            let (project, name) = (&project, format!("one-{number}"));
            let flags = ["--network", "crowd", "-p", "127.0.0.1::80", "-m", "64m", "--pids-limit", "50", "-v", "/data"];
            // Half of them are to go by themselves.
            let rm: &[&str] = if number.is_multiple_of(2) { &["--rm"] } else { &[] };
            project.start(&[&["--name", &name, "-h", &name], rm, &flags, &["busybox", "sh", "-c", serve]].concat())
        };
        let all: Vec<_> = (0..NUMBER).map(|number| scope.spawn(move || start(number))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(project.ask(&["ps", "-q"]).lines().count(), NUMBER);
    // Three of them talk with each other by name.
    for (from, to) in [(1, 2), (2, 49), (49, 1)] {
        let (from, to) = (format!("one-{from}"), format!("one-{to}"));
        let url = format!("http://{to}/");
        wait_until("it answers", || {
            let answer = project.onggi(["exec", &from, "wget", "-qO-", &url]).run();
            answer.code == 0 && answer.stdout == format!("{to}\n")
        });
    }
    // Each has a port of its own.
    let ports = project.ask(&["ps", "--format", "{{.Ports}}"]);
    assert_eq!(ports.lines().collect::<BTreeSet<_>>().len(), NUMBER, "{ports}");

    let words: Vec<&str> = ids.iter().map(String::as_str).collect();
    project.ask(&[&["stop", "-t", "0"], &words[..]].concat());
    wait_until("those with --rm are gone", || project.ask(&["ps", "-aq"]).lines().count() == NUMBER / 2);
    let stopped = project.ask(&["ps", "-aq"]);
    project.ask(&[&["rm", "-v"], &stopped.lines().collect::<Vec<_>>()[..]].concat());
    wait_until("everything is as before", || Left::look(&project, &bridge, &ids) == before);
    project.ask(&["network", "rm", "crowd"]);
    let after = Left::look(&project, &bridge, &ids);
    assert!(after.rules.is_empty() && after.addresses.is_empty() && after.processes.is_empty(), "{after:?}");
    assert!(!Path::new(&format!("/sys/class/net/{bridge}")).exists());
}
