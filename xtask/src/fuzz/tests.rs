use super::{IGNORE_FILES, SECONDS, TARGETS, options};

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn targets_and_times() {
    assert_eq!(options(&[]), Ok((TARGETS.to_vec(), SECONDS)));
    assert_eq!(options(&words("ignore_file --seconds 5")), Ok((vec!["ignore_file"], 5)));
    assert_eq!(options(&words("--seconds 5 dockerfile")), Ok((vec!["dockerfile"], 5)));
    assert_eq!(
        options(&words("parser")),
        Err("`parser` is no target; there are dockerfile and ignore_file".to_owned())
    );
    assert!(options(&words("--seconds soon")).is_err() && options(&words("--seconds")).is_err());
}

/// Every target is one that cargo-fuzz knows, and every seed gets past the first checks.
#[test]
fn targets_are_those_of_the_fuzz_crate() {
    let manifest = std::fs::read_to_string(crate::machine::repository().join("fuzz/Cargo.toml")).expect("a manifest");
    for target in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"")), "{target}");
    }
    for seed in IGNORE_FILES {
        let (path, text) = seed.split_once('\n').expect("a path and a file");
        assert!(!path.is_empty() && dockerfile::IgnoreFile::parse(text.as_bytes()).is_ok(), "{seed}");
    }
}
