use super::*;

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
    let reason_of = |key: &CacheKey, planned: &[&str]| {
        let planned = planned.iter().map(|command| run("", command, &[]).subject()).collect();
        reason(key, &older, &planned).to_string()
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
    assert_eq!(reason_of(&older[0], &["apt-get install curl"]), "the result of the same step has been removed");
    let copy = CacheKey::new("copy", None).with(Field::Destination, "app");
    assert_eq!(reason_of(&copy, &[]), "no earlier build of this context had this step");
}

#[test]
fn files_are_listed_up_to_a_point() {
    let changed = |paths: &[&str], count| {
        CacheMiss::FilesChanged { paths: paths.iter().map(|path| (*path).to_owned()).collect(), count }.to_string()
    };
    assert_eq!(changed(&["a"], 1), "a file changed: a");
    assert_eq!(changed(&["a", "b (new)"], 2), "files changed: a, b (new)");
    assert_eq!(changed(&["a", "b"], 7), "files changed: a, b and 5 more");
}
