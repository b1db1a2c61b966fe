use super::*;
use crate::key::CacheKey;

fn run(parent: &str, command: &str, env: &[&str]) -> CacheKey {
    let parent = oci::ChainId(oci::Digest::of(parent.as_bytes()));
    let key = CacheKey::new("run", Some(parent)).with(Field::Command, command);
    env.iter().fold(key, |key, value| key.with(Field::Env, *value))
}

#[test]
fn a_miss_names_the_old_and_the_new_value() {
    let table = [
        (run("p", "a", &[]), run("p", "b", &[]), "command changed: was `a`, is `b`"),
        (run("p", "a", &["A=1"]), run("p", "a", &["A=2"]), "environment changed: was `A=1`, is `A=2`"),
        (run("p", "a", &[]), run("p", "a", &["A=2"]), "environment changed: new is `A=2`"),
        (run("p", "a", &["A=1"]), run("p", "a", &[]), "environment changed: `A=1` is gone"),
        // Another variable is not a change of the one that is gone.
        (run("p", "a", &["A=1"]), run("p", "a", &["B=1"]), "environment changed: new is `B=1`"),
        (run("p", "a", &["A=1", "B=1"]), run("p", "a", &["A=1", "B=2"]), "environment changed: was `B=1`, is `B=2`"),
        // What stands below comes last: it says least.
        (run("p", "a", &[]), run("q", "a", &[]), "the layers below changed"),
        (run("p", "a", &[]), run("q", "b", &[]), "command changed: was `a`, is `b`"),
        (run("p", "a\tb", &[]), run("p", "a\nb", &[]), "command changed: was `a b`, is `a b`"),
    ];
    for (old, new, text) in table {
        assert_eq!(new.difference(&old).unwrap().to_string(), text);
    }
    assert_eq!(run("p", "a", &[]).difference(&run("p", "a", &[])), None);
}

/// Older keys, the commands of the plan, the key; and the reason.
#[test]
fn the_reason_speaks_of_the_step_that_was_there_before() {
    let older = [
        run("0", "apt-get install curl", &[]),
        run("1", "apt-get install git", &[]),
        run("2", "make all", &[]),
        CacheKey::new("workdir", None).with(Field::Destination, "app"),
    ];
    let known = |key: &CacheKey| KnownStep { key: key.clone(), base: "base".to_owned(), files: Vec::new() };
    let older: Vec<KnownStep> = older.iter().map(known).collect();
    let reason_of = |key: &CacheKey, planned: &[&str]| {
        let planned = planned.iter().map(|command| run("", command, &[]).subject()).collect();
        let reasons = reasons(&known(key), &older, &planned);
        reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let same = run("9", "make all", &[]);
    assert_eq!(reason_of(&same, &["make all"]), "the layers below changed");
    let changed = run("0", "apt-get install curl jq", &[]);
    assert_eq!(
        reason_of(&changed, &["apt-get install curl jq", "apt-get install git", "make all"]),
        "command changed: was `apt-get install curl`, is `apt-get install curl jq`"
    );
    // Of two that are gone, the one most alike, wherever it stood.
    let changed = run("9", "make all test", &[]);
    assert_eq!(reason_of(&changed, &["make all test"]), "command changed: was `make all`, is `make all test`");
    // All that was there is still there.
    let added = run("2", "make test", &[]);
    assert_eq!(
        reason_of(&added, &["apt-get install curl", "apt-get install git", "make all", "make test"]),
        "no earlier build of this context had this step"
    );
    assert_eq!(reason_of(&older[0].key, &["apt-get install curl"]), "the result of the same step has been removed");
    let copy = CacheKey::new("copy", None).with(Field::Destination, "app");
    assert_eq!(reason_of(&copy, &[]), "no earlier build of this context had this step");
}

/// N001: everything that changed, once each.
#[test]
fn n001_all_changes_are_told() {
    let all = |old: &CacheKey, new: &CacheKey| -> Vec<String> {
        new.differences(old).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        all(&run("p", "a", &["A=1", "B=1", "C=1", "D=1"]), &run("q", "b", &["A=2", "B=1", "D=2", "E=1"])),
        [
            "command changed: was `a`, is `b`",
            "environment changed: was `A=1`, is `A=2`",
            "environment changed: was `D=1`, is `D=2`",
            "environment changed: new is `E=1`",
            "environment changed: `C=1` is gone",
        ]
    );
    let key = |user: &str| CacheKey::new("run", None).with(Field::User, user).with(Field::Network, user);
    assert_eq!(all(&key("a"), &key("b")), ["user changed: was `a`, is `b`", "network changed: was `a`, is `b`"]);
    assert_eq!(all(&key("a"), &key("a")), [""; 0]);
}

/// N001: another base is called so, with its old and its new digest.
#[test]
fn n001_a_changed_base_is_told_by_its_digests() {
    let known = |parent: &str, base: &str| KnownStep {
        key: run(parent, "make", &[]),
        base: base.to_owned(),
        files: Vec::new(),
    };
    let told = |new: &KnownStep, old: &KnownStep| -> Vec<String> {
        reasons(new, std::slice::from_ref(old), &HashSet::new()).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(&known("q", "node:18@sha256:b"), &known("p", "node:18@sha256:a")),
        ["the base image changed: was `node:18@sha256:a`, is `node:18@sha256:b`"]
    );
    assert_eq!(told(&known("q", "node"), &known("p", "node")), ["the layers below changed"]);
    assert_eq!(told(&known("p", "node@1"), &known("p", "node@2")), ["the result of the same step has been removed"]);
}

#[test]
fn n001_files_are_listed_up_to_a_point() {
    use FileChangeKind::{Content, Gone, Metadata, New};
    let changed = |files: &[(&str, FileChangeKind)]| {
        let change = |(path, kind): &(&str, FileChangeKind)| FileChange { path: (*path).to_owned(), kind: *kind };
        CacheMiss::FilesChanged(files.iter().map(change).collect()).to_string()
    };
    assert_eq!(changed(&[("a", Content)]), "a file changed: a");
    assert_eq!(
        changed(&[("a", Content), ("b", New), ("c", Gone), ("d", Metadata)]),
        "files changed: a, b (new), c (gone), d (mode, owner or attributes)"
    );
    let many: Vec<_> = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b"].map(|path| (path, New)).to_vec();
    assert!(changed(&many).ends_with("8 (new), 9 (new) and 2 more"), "{}", changed(&many));
}
