use super::*;

fn run(command: &str, env: &[&str]) -> CacheKey {
    let key = CacheKey::new("run", None).with(Field::Command, command);
    env.iter().fold(key, |key, value| key.with(Field::Env, *value))
}

#[test]
fn a_key_prints_and_reads_back() {
    let key = run("echo a\nb\\n", &["A=1", "B=\r"]);
    assert_eq!(
        key.to_string(),
        "step: run\nparent layers: none\ncommand: echo a\\nb\\\\n\nenvironment: A=1\nenvironment: B=\\r\n"
    );
    assert_eq!(CacheKey::parse(&key.to_string()), Some(key));
    assert_eq!(CacheKey::parse("what: ever\n"), None);
}

/// S185: nothing but the parent, the command and what is in scope makes the key; equal values make equal keys.
#[test]
fn s185_equal_values_equal_keys() {
    assert_eq!(run("x", &["A=1"]).digest(), run("x", &["A=1"]).digest());
    assert_ne!(run("x", &["A=1"]).digest(), run("x", &["A=2"]).digest());
    assert_ne!(run("x\nenvironment: A=1", &[]).digest(), run("x", &["A=1"]).digest());
}

#[test]
fn a_miss_names_the_old_and_the_new_value() {
    let table = [
        (run("a", &[]), run("b", &[]), "command changed: was `a`, is `b`"),
        (run("a", &["A=1"]), run("a", &["A=2"]), "environment changed: was `A=1`, is `A=2`"),
        (run("a", &[]), run("a", &["A=2"]), "environment changed: new is `A=2`"),
        (run("a", &["A=1"]), run("a", &[]), "environment changed: `A=1` is gone"),
    ];
    for (old, new, reason) in table {
        assert_eq!(new.difference(&old).unwrap().to_string(), reason);
    }
    assert_eq!(run("a", &[]).difference(&run("a", &[])), None);
}
