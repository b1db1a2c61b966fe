//! Real lines of `cargo test`, and what is counted from them.

use super::{Reader, Shown, Summary};

const FIRST: &str = "\
     Running unittests src/lib.rs (target/debug/deps/layer-0123456789abcdef)

running 4 tests
test diff::whiteouts ... ok
test mount::erofs_requires_root ... ignored, requires root
test tar::long_names ... FAILED
test tar::odd - should panic ... ok

successes:

---- diff::whiteouts stdout ----
test inside ... ok
skipped: requires overlay: diff::whiteouts

failures:

---- tar::long_names stdout ----
left: 1
right: 2

failures:
    tar::long_names

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s
   Doc-tests layer

running 1 test
test crates/layer/src/lib.rs - Tree (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";

fn read(text: &str, summary: &mut Summary) -> Vec<String> {
    let mut reader = Reader::default();
    let shown = text.lines().filter_map(|line| match reader.line(line, summary) {
        Shown::AsIs => Some(line.to_owned()),
        Shown::Finished(text) => Some(text),
        Shown::Nothing => None,
    });
    shown.collect()
}

#[test]
fn outcomes_are_counted_by_name() {
    let mut summary = Summary::default();
    let shown = read(FIRST, &mut summary);
    assert_eq!(summary.counts(), (2, 1, 2));
    assert_eq!(summary.skipped["layer: mount::erofs_requires_root"], "requires root");
    assert_eq!(summary.skipped["layer: diff::whiteouts"], "requires overlay");
    assert!(shown.iter().any(|line| line == "right: 2"), "{shown:?}");
    assert!(!shown.iter().any(|line| line.contains("inside")), "{shown:?}");
    assert!(summary.verdict().is_err());
}

#[test]
fn a_second_run_turns_skipped_into_passed() {
    let mut summary = Summary::default();
    read(FIRST, &mut summary);
    read(
        "     Running unittests src/lib.rs (target/debug/deps/layer-ff)\n\
         test mount::erofs_requires_root ... ok\n",
        &mut summary,
    );
    assert_eq!(summary.counts(), (3, 1, 1));
}

#[test]
fn nothing_run_is_a_failure() {
    assert_eq!(Summary::default().verdict(), Err("no test ran".to_owned()));
}
