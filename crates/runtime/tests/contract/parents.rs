//! Parents that are killed or that ignore their children: the container goes with them, or is waited for all the same.
//!
//! Each case runs this test binary again as the parent, told so by a variable.

use std::process::{Command, Stdio as ProcessStdio};
use std::time::Duration;

use runtime::{Executor, ExitStatus, Stdio};

use super::harness::*;

const VARIABLE: &str = "ONGGI_RUNTIME_TEST";

#[expect(clippy::disallowed_methods, reason = "tells this process of the test from the first")]
fn argument() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

fn again(name: &str) -> Command {
    // A shell would not pass the ignored signal on.
    let mut command = Command::new("env");
    command
        .arg("--ignore-signal=CHLD")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("contract::parents::{name}"), "--include-ignored", "--nocapture"])
        .stdout(ProcessStdio::null());
    command
}

/// A parent that ignores SIGCHLD leaves that to its children, and the kernel then keeps no exit codes.
#[test]
#[ignore = "requires root"]
fn sigchld_may_be_ignored_requires_root() {
    if argument().is_none() {
        // This process must heed its own child.
        let status = again("sigchld_may_be_ignored_requires_root").env(VARIABLE, "1").status().unwrap();
        assert!(status.success());
        return;
    }
    let bed = Bed::new();
    let process = built_in().start(bed.spec(&["sh", "-c", "exit 7"]), Stdio::null()).unwrap();
    assert_eq!(process.wait().unwrap(), ExitStatus::Exited(7));
}

/// Killed at any moment of the start, also before the container has asked to die with it.
#[test]
#[ignore = "requires root"]
fn no_container_outlives_a_killed_parent_requires_root() {
    let marker = match argument() {
        None => format!("{}", 100_000_000 + std::process::id()),
        Some(marker) => {
            let bed = Bed::new();
            loop {
                let mut spec = bed.spec(&["sleep", &marker]);
                spec.die_with_parent = true;
                drop(built_in().start(spec, Stdio::null()).unwrap());
            }
        }
    };
    // What a killed parent leaves of its folders goes with this one.
    let home = tempfile::tempdir().unwrap();
    for round in 0..60 {
        let mut parent = again("no_container_outlives_a_killed_parent_requires_root");
        let mut parent = parent.env(VARIABLE, &marker).env("TMPDIR", home.path()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(60_000 + round * 373));
        parent.kill().unwrap();
        parent.wait().unwrap();
    }
    eventually("no container is left", || !is_anybody_called(&marker));
}

fn is_anybody_called(marker: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|word| word == marker.as_bytes())
    })
}
