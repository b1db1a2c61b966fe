//! Several builds on one store: they share what is done, survive what others remove, and may die at any moment.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use builder::{Event, StepOutcome};

use crate::kitchen::Kitchen;

/// Names the folder in which [`killed_again_and_again`] lets its child build.
const FOLDER: &str = "ONGGI_TEST_FOLDER";

#[test]
fn the_same_step_wanted_by_two_builds_runs_once() {
    let one = Kitchen::new();
    let two = Kitchen::open(one.folder());
    let file = "FROM base\nRUN write /a b && hold";
    let is_waiting = AtomicBool::new(false);
    let request = two.request(file);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one.build(file).id());
        while one.recorder.calls().is_empty() {
            std::thread::yield_now();
        }
        let second = scope.spawn(|| {
            two.run_watched(&request, &|event| {
                if let Event::StepStatus { text, .. } = event
                    && text.contains("waiting for another build")
                {
                    is_waiting.store(true, Ordering::Relaxed);
                    one.recorder.let_go();
                }
            })
            .id()
        });
        assert_eq!(first.join().unwrap(), second.join().unwrap());
        assert!(is_waiting.load(Ordering::Relaxed));
    });
    assert_eq!(two.recorder.calls(), "");
}

#[test]
fn a_build_that_waits_for_another_can_be_cancelled() {
    let one = Kitchen::new();
    let two = Kitchen::open(one.folder());
    let file = "FROM base\nRUN write /a b && hold";
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one.build(file).id());
        while one.recorder.calls().is_empty() {
            std::thread::yield_now();
        }
        let request = two.request(file);
        let second = two.run_watched(&request, &|event| {
            if matches!(event, Event::StepStatus { text, .. } if text.contains("waiting")) {
                two.cancelled.store(true, Ordering::Relaxed);
            }
        });
        assert!(matches!(second.result, Err(builder::BuildError::Cancelled)));
        one.recorder.let_go();
        first.join().unwrap();
    });
}

#[test]
fn a_step_that_another_build_failed_at_is_tried_again() {
    let one = Kitchen::new();
    let two = Kitchen::open(one.folder());
    let file = "FROM base\nRUN hold && exit 9";
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one.build(file).result.is_err());
        while one.recorder.calls().is_empty() {
            std::thread::yield_now();
        }
        two.recorder.let_go();
        let second = scope.spawn(|| two.build(file).result.is_err());
        one.recorder.let_go();
        assert!(first.join().unwrap() && second.join().unwrap());
    });
    assert_eq!(two.recorder.calls(), "/bin/sh -c hold && exit 9");
}

/// Runs a build, and lets somebody remove the layer of the second step as soon as that was found.
#[track_caller]
fn removed_under_its_hands(first: &str, second: &str, calls: &str, changes: &str) {
    let kitchen = Kitchen::new();
    let layer = kitchen.build(first).layers()[1];
    let hits = AtomicUsize::new(0);
    let outcome = kitchen.run_watched(&kitchen.request(second), &|event| {
        let is_hit = matches!(event, Event::StepFinished { outcome: StepOutcome::Cached, .. });
        // The first hit is FROM.
        if is_hit && hits.fetch_add(1, Ordering::Relaxed) == 1 {
            kitchen.remove_layer(layer);
        }
    });
    assert_eq!(outcome.changes(), changes);
    assert_eq!(outcome.calls(), calls);
}

#[test]
fn a_layer_that_is_removed_meanwhile_is_made_again() {
    removed_under_its_hands(
        "FROM base\nRUN write /a b",
        "FROM base\nRUN write /a b\nRUN write /c d",
        "/bin/sh -c write /a b\n/bin/sh -c write /c d",
        "/a 644 \"b\"\n/c 644 \"d\"",
    );
    // Nothing is left to run, but the image cannot be published.
    removed_under_its_hands(
        "FROM base\nRUN write /a b",
        "FROM base\nRUN write /a b\nCMD x",
        "/bin/sh -c write /a b",
        "/a 644 \"b\"",
    );
}

/// A build that fails leaves the layer of its first step, which no image has.
fn unlisted_layer(kitchen: &Kitchen) -> (String, String) {
    assert!(kitchen.build("FROM base\nRUN write /a b\nRUN exit 1").result.is_err());
    let image = fs::read_dir(kitchen.store.path().join("images")).unwrap().count();
    assert_eq!(image, 1, "only the base is listed");
    let steps = kitchen.store.path().join("steps");
    let record = fs::read_dir(steps).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&record).unwrap();
    let boot = store::boot_id().unwrap();
    fs::write(&record, text.replace(&boot, "another-boot")).unwrap();
    let layer = text.split("\"layer\":\"sha256:").nth(1).unwrap()[..64].to_owned();
    (format!("layers/{layer}.tar"), format!("layers/{layer}.erofs"))
}

fn tear(path: &Path) {
    let mut torn = fs::read(path).unwrap();
    torn[100..].fill(0);
    fs::write(path, torn).unwrap();
}

#[test]
fn what_an_earlier_boot_left_is_used_only_when_it_is_whole() {
    let file = "FROM base\nRUN write /a b\nRUN write /c d";
    let only_second = "/bin/sh -c write /c d";
    let both = "/bin/sh -c write /a b\n/bin/sh -c write /c d";
    for (tear_tar, tear_index, calls) in
        [(false, false, only_second), (true, false, both), (false, true, only_second), (true, true, both)]
    {
        let kitchen = Kitchen::new();
        let (tar, index) = unlisted_layer(&kitchen);
        if tear_tar {
            tear(&kitchen.store.path().join(tar));
        }
        if tear_index {
            tear(&kitchen.store.path().join(index));
        }
        let outcome = kitchen.build(file);
        assert_eq!(outcome.changes(), "/a 644 \"b\"\n/c 644 \"d\"", "tar {tear_tar}, index {tear_index}");
        assert_eq!(outcome.calls(), calls, "tar {tear_tar}, index {tear_index}");
        // From then on it is as good as new.
        assert_eq!(kitchen.build(file).calls(), "");
    }
}

fn dockerfile(number: usize) -> String {
    format!(
        "FROM base AS one\nRUN write /one {number}\nCOPY big /\nFROM base\nRUN write /n {number}\nCOPY . /x/\n\
         COPY --from=one /one /\nWORKDIR /w{number}"
    )
}

/// The other half of [`killed_again_and_again`]: builds until it is killed. Without a folder there is nothing to do.
#[test]
#[expect(clippy::disallowed_methods, reason = "the parent test hands the folder over")]
fn child_that_builds() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let kitchen = Kitchen::open(Path::new(&folder));
    let start = usize::try_from(std::process::id()).unwrap() * 1000;
    for number in start.. {
        kitchen.build_as(&dockerfile(number), |request| request.tags = vec!["app".parse().unwrap()]).id();
    }
}

fn start_child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child_that_builds"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_again_and_again() {
    let words: Vec<String> = (0..40).map(|number| format!("d{}/f{number}={number}", number % 5)).collect();
    let kitchen = Kitchen::with(&words.join(" "));
    fs::write(kitchen.context().join("big"), vec![7; 300_000]).unwrap();
    let mut number = 0;
    for round in 0..24_u64 {
        let mut children = [start_child(kitchen.folder()), start_child(kitchen.folder())];
        // A little later each time, so that the children die everywhere.
        std::thread::sleep(Duration::from_micros(3_000 + round * 2_700));
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // The same as the children's next ones, and something new.
        number += 1;
        let outcome = kitchen.build(&dockerfile(number));
        let changes = outcome.changes();
        assert!(changes.contains(&format!("/n 644 \"{number}\"\n/one 644 \"{number}\"")), "{changes}");
        for layer in outcome.layers() {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut kitchen.store.layer_tar(layer).unwrap().unwrap(), &mut bytes).unwrap();
            assert_eq!(oci::Digest::of(&bytes), layer.0);
        }
        // What the dead left was swept.
        for folder in ["ingest", "leases"] {
            let left = fs::read_dir(kitchen.store.path().join(folder)).unwrap().count();
            assert_eq!(left, 0, "{folder} after round {round}");
        }
    }
    // Every image that is listed is whole, whoever made it.
    for id in kitchen.store.image_ids().unwrap() {
        let image = kitchen.store.image(id).unwrap();
        assert!(!kitchen.tree(&image.rootfs.diff_ids).is_empty());
    }
}
