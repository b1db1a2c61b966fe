//! `kill -9` at any moment of a build: what is listed is whole, nothing is left running or mounted, and every later
//! command works (decision D2).

use std::fs;
use std::time::{Duration, Instant};

use testkit::Command;

use crate::build_project::Project;

const ROUNDS: u64 = 40;

/// Small and reproducible: which moments were hit can be found again from the number of the round.
pub(crate) struct Moments {
    state: u64,
    rounds: u64,
}

impl Moments {
    pub(crate) fn new(seed: u64, rounds: u64) -> Self {
        Self { state: seed, rounds }
    }

    /// Evenly spread over the time that the whole takes, with some noise from a linear congruential generator.
    pub(crate) fn next(&mut self, round: u64, whole: Duration) -> Duration {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (self.state >> 33) % 1000;
        let part = (round * 1000 + noise) % (self.rounds * 1000);
        whole.mul_f64(part as f64 / (self.rounds * 1000) as f64)
    }
}

/// Starts the command and kills it after `delay`; false when it was over before.
fn kill_after(command: &Command, delay: Duration) -> bool {
    let start = Instant::now();
    let mut child = command.spawn();
    while start.elapsed() < delay {
        std::thread::sleep(Duration::from_micros(200));
    }
    let was_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_running
}

/// Kills builds of ever new files at ever other moments; after each, the store is read by the independent checker and
/// a whole build succeeds.
#[track_caller]
fn survive(project: &Project, files: &dyn Fn(u64)) {
    files(ROUNDS);
    let start = Instant::now();
    project.build(&["-q", "-t", "whole"]).run().success();
    let whole = start.elapsed();
    let mut moments = Moments::new(42, ROUNDS);
    let mut killed = 0;
    for round in 0..ROUNDS {
        files(round);
        let delay = moments.next(round, whole);
        killed += u64::from(kill_after(&project.build(&["-q", "-t", "app"]), delay));
        if round % 8 == 0 {
            project.sandbox.check();
        }
        // Every later command works, also one that removes.
        project.ask(&["images", "-a"]);
        let built = project.build(&["-q", "-t", "app"]).run();
        assert_eq!(built.code, 0, "round {round}, killed after {delay:?}:\n{}", built.stderr);
        if round % 10 == 9 {
            project.ask(&["rmi", "app"]);
        }
    }
    assert!(killed >= ROUNDS / 4, "only {killed} of {ROUNDS} builds were still running when they were killed");
    project.nothing_runs();
    // The next command that writes sweeps what the dead have left.
    files(ROUNDS + 1);
    project.build(&["-q", "-t", "app"]).run().success();
    let left = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(project.sandbox.root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(left("ingest"), [""; 0]);
    assert_eq!(left("leases"), [""; 0]);
    project.sandbox.check();
}

#[test]
fn a_killed_build_leaves_a_store_that_works() {
    let project = Project::with(
        "FROM busybox AS one\nCOPY a /a\nWORKDIR /w\nCOPY big /b\nFROM one\nCOPY a big /two/\nLABEL x=y\n",
    );
    survive(&project, &|round| {
        project.file("a", format!("round {round}"));
        project.file("big", format!("round {round}").repeat(40_000));
    });
}

#[test]
#[ignore = "requires root"]
fn a_killed_build_leaves_no_container_mount_or_cgroup_requires_root() {
    let cgroups = cgroups();
    let project =
        Project::with("FROM busybox\nCOPY a /a\nRUN cat /a > /b; (sleep 0.01; echo x > /c) & wait\nRUN rm /b\n");
    survive(&project, &|round| {
        project.file("a", format!("round {round}"));
    });
    let left: Vec<String> = self::cgroups().into_iter().filter(|name| !cgroups.contains(name)).collect();
    assert_eq!(left, [""; 0], "control groups");
}

/// Names of all control groups of builds, in whichever hierarchy.
fn cgroups() -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.contains("build-") {
                    names.push(entry.path().display().to_string());
                }
                folders.push(entry.path());
            }
        }
    }
    names
}
