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

/// How sources were written names nothing: what they stand for is in the digest of the files.
#[test]
fn the_wording_of_sources_is_not_part_of_the_name() {
    let copy =
        |source: &str, files: &str| CacheKey::new("copy", None).with(Field::Sources, source).with(Field::Files, files);
    assert_eq!(copy("./a", "x").digest(), copy("a", "x").digest());
    assert_ne!(copy("a", "x").digest(), copy("a", "y").digest());
    assert_ne!(copy("a", "x").to_string(), copy("./a", "x").to_string());
}
