//! Options, figures and inputs of the benchmarks, without running any.

use std::time::Duration;

use super::meter::Sample;
use super::options::Options;
use super::report::{Entry, RowResult};
use super::{inputs, meter};

fn options(words: &[&str]) -> crate::Result<Options> {
    Options::parse(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
}

#[test]
fn rows_are_chosen_by_number_or_name() {
    let all = options(&[]).expect("nothing is chosen");
    assert!(all.wants_row("10b") && all.wants("podman") && all.files == 10_000);
    let some = options(&["--rows", "1,5b,10", "--tools=onggi,buildkit", "--rounds", "3"]).expect("well formed");
    let wanted = ["1", "2", "5a", "5b", "10a", "10c"].map(|row| some.wants_row(row));
    assert_eq!(wanted, [true, false, false, true, true, true]);
    assert!(some.wants("onggi") && !some.wants("podman"));
    for wrong in [&["--rounds", "0"][..], &["--rounds", "x"], &["--rounds"], &["--row", "1"]] {
        assert!(options(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn ratios_are_those_of_the_same_round() {
    let entry = |tool, walls: &[u64]| {
        let sample = |&ms: &u64| Sample { wall: Duration::from_millis(ms), cpu: Duration::from_millis(2 * ms) };
        Entry { tool, samples: walls.iter().map(sample).collect() }
    };
    let entries = vec![entry("onggi", &[10, 20, 40]), entry("slow", &[100, 100, 100]), entry("near", &[50, 50, 50])];
    let row = RowResult { name: "1", title: "test", entries };
    assert_eq!(row.best_peer(), Some(("near", 2.5, 5.0)));
    let alone = RowResult { name: "1", title: "test", entries: vec![entry("slow", &[1])] };
    assert_eq!(alone.best_peer(), None);
}

#[test]
fn trees_come_out_the_same_from_the_same_seed() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let make = |name: &str, seed| {
        let folder = folder.path().join(name);
        inputs::many_files(&folder, 30, seed).expect("the temporary folder is writable");
        std::fs::read(folder.join("tree/package-0/lib-1/file-29.js")).expect("30 files were made")
    };
    let first = make("a", 1);
    assert_eq!(first, make("b", 1));
    assert_ne!(first, make("c", 3));
}

#[test]
fn a_failing_command_has_no_time() {
    let shell = |script: &str| {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    };
    let sample = meter::measure(&mut [shell("sleep 0.1"), shell("sleep 0.1")], None, false).expect("sleeping works");
    assert!(sample.wall >= Duration::from_millis(100));
    let problem = meter::measure(&mut [shell("true"), shell("exit 3")], None, false).expect_err("one of them fails");
    assert!(problem.contains("exit 3"), "{problem}");
}
