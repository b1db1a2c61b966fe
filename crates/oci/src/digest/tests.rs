use super::*;

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn digest_of_nothing_is_the_known_one() {
    assert_eq!(Digest::of(b"").to_string(), EMPTY);
    assert_eq!(Hasher::new().finish().to_string(), EMPTY);
}

#[test]
fn text_round_trips() {
    let digest: Digest = EMPTY.parse().unwrap();
    assert_eq!(digest.to_string(), EMPTY);
    assert_eq!(digest.short(), "e3b0c44298fc");
}

#[test]
fn hostile_texts_are_refused() {
    let upper = EMPTY.to_uppercase();
    let long = format!("{EMPTY}0");
    for text in ["", "sha256:", "sha256:../../x", "md5:abc", &upper, &EMPTY[..70], &long, "sha256", &EMPTY[7..]] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}

/// S301: one space between, both with their algorithm.
#[test]
fn s301_chain_id_is_computed_as_the_spec_says() {
    let a = DiffId(Digest::of(b"a"));
    let b = DiffId(Digest::of(b"b"));
    assert_eq!(ChainId::of(&[]), None);
    assert_eq!(ChainId::of(&[a]), Some(ChainId(a.0)));
    let expected = Digest::of(format!("{a} {b}").as_bytes());
    assert_eq!(ChainId::of(&[a, b]), Some(ChainId(expected)));
}

/// S302: a change low in the stack changes every chain above it.
#[test]
fn s302_low_change_changes_all_chains_above() {
    let layer = |name: &str| DiffId(Digest::of(name.as_bytes()));
    let one = [layer("1"), layer("2"), layer("3")];
    let other = [layer("x"), layer("2"), layer("3")];
    for n in 1..=3 {
        assert_ne!(ChainId::of(&one[..n]), ChainId::of(&other[..n]));
    }
}
