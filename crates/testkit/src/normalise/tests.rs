//! What is replaced in a snapshot, and what is left alone.

use super::{Normaliser, normalise};

fn check(input: &str, expected: &str) {
    assert_eq!(normalise(input), expected, "for {input:?}");
}

#[test]
fn identifiers_and_times_become_names() {
    let long = "0123456789ab".to_owned() + &"c".repeat(52);
    check(&format!("sha256:{long} and 0123456789ab"), "sha256:<id-1> and <id-1>");
    check("0123456789ab ffffffffffff", "<id-1> <id-2>");
    check("[+] Building 2.5s (7/7) FINISHED", "[+] Building <time> (7/7) FINISHED");
    check("#4 DONE 0.25s", "#4 DONE <time>");
}

#[test]
fn everything_else_stays() {
    for text in ["1.2.3", "0123456789AB", "12s", "2.69MB / 2.69MB", "a1b2", "v1.25", "deadbeef", ""] {
        check(text, text);
    }
}

#[test]
fn paths_are_hidden() {
    let mut normaliser = Normaliser::default();
    normaliser.hide(std::path::Path::new("/tmp/onggi-test-Xy"), "<sandbox>");
    assert_eq!(normaliser.apply("open /tmp/onggi-test-Xy/work/a"), "open <sandbox>/work/a");
}
