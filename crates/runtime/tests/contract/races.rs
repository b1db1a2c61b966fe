//! An image's files that change while the container is being made.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use runtime::{BindMount, BindSource, Mount};
use rustix::fs::{CWD, RenameFlags};

use super::harness::*;

/// Swaps a folder and a symlink to the outside for as long as the closure runs.
fn while_swapping(bed: &Bed, folder: &str, body: impl FnOnce()) {
    let (real, link) = (bed.root().join(folder), bed.root().join("swapped"));
    symlink("../outside", &link).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, &real, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        body();
        is_done.store(true, Ordering::Relaxed);
    });
}

fn swap_while_starting(folder: &str, target: &str, cwd: &str) {
    let bed = Bed::new();
    let source = tempfile::NamedTempFile::new().unwrap();
    let executor = built_in();
    while_swapping(&bed, folder, || {
        for _ in 0..100 {
            let mut spec = bed.spec(&["true"]);
            spec.cwd = cwd.into();
            let source = BindSource::Path(source.path().to_owned());
            spec.mounts.push(Mount::Bind(BindMount {
                source,
                target: target.into(),
                read_only: false,
                recursive: false,
            }));
            // May start or not, depending on who was faster; the host must stay as it is.
            drop(run_with_input(&executor, spec, b""));
        }
    });
    bed.assert_untouched();
}

#[test]
#[ignore = "requires root"]
fn swapped_bind_targets_stay_inside_requires_root() {
    swap_while_starting("etc", "/etc/made", "/");
}

#[test]
#[ignore = "requires root"]
fn swapped_working_directories_stay_inside_requires_root() {
    swap_while_starting("tmp", "/etc/hosts", "/tmp/work/here");
}

#[test]
#[ignore = "requires root"]
fn swapped_kernel_mounts_stay_inside_requires_root() {
    swap_while_starting("dev", "/etc/hosts", "/");
    swap_while_starting("proc", "/etc/hosts", "/");
}

#[test]
#[ignore = "requires root"]
fn a_container_ends_with_the_thread_that_started_it_requires_root() {
    let bed = Bed::new();
    let (pid, process) = std::thread::scope(|scope| {
        let started = scope.spawn(|| {
            let mut spec = bed.spec(&["sleep", "1000"]);
            spec.die_with_parent = true;
            let (process, _streams) = start(&built_in(), spec);
            (process.pid(), process)
        });
        started.join().unwrap()
    });
    assert_eq!(process.wait().unwrap().docker_code(), 137, "{pid}");
}
