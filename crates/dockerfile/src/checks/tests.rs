use super::*;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn d003_options_of_checks() {
    let checks = Checks::parse(" skip = A , B ; error=true; experimental=C,D ").expect("good");
    assert_eq!((checks.skip, checks.experimental), (names(&["A", "B"]), names(&["C", "D"])));
    assert!(checks.warnings_are_errors && !checks.skip_all && !checks.experimental_all);
    assert_eq!(Checks::parse(""), Ok(Checks::default()));
    assert!(Checks::parse("skip=all;experimental=all").is_ok_and(|checks| checks.skip_all && checks.experimental_all));
    // Names are case-sensitive, `all` among them.
    assert!(Checks::parse("skip=ALL").is_ok_and(|checks| !checks.skip_all && checks.skip == ["ALL"]));
    assert!(Checks::parse("error=0").is_ok_and(|checks| !checks.warnings_are_errors));
    for (value, part) in [
        ("skp=all", "skp=all"),
        ("skip", "skip"),
        ("error=yes", "error=yes"),
        ("Skip=A", "Skip=A"),
        ("skip=A;x=", "x="),
    ] {
        assert_eq!(Checks::parse(value), Err(ChecksError(part.to_owned())), "{value}");
    }
}

#[test]
fn d177_experimental_rules_run_when_asked_for_whatever_is_skipped() {
    let runs =
        |value: &str, name: &str, experimental: bool| Checks::parse(value).expect("good").runs(name, experimental);
    assert!(runs("", "A", false) && !runs("", "A", true));
    assert!(!runs("skip=A", "A", false) && runs("skip=a", "A", false) && !runs("skip=all", "A", false));
    assert!(runs("skip=all;experimental=A", "A", true) && !runs("experimental=B", "A", true));
    assert!(runs("skip=A;experimental=all", "A", true));
}

#[test]
fn d178_comments_above_an_instruction_skip_rules_there() {
    let comment = |lines: &[&str]| Comment { lines: names(lines), is_adjacent: true };
    let checks = Checks::of_comment(&comment(&["why", "check=skip=A", "CHECK = skip=B;error=true", "check=nonsense"]));
    assert!(checks.skips("A") && checks.skips("B") && !checks.skips("C") && !checks.warnings_are_errors);
    assert!(Checks::of_comment(&comment(&["check=skip=all"])).skips("A"));
    assert!(!Checks::of_comment(&comment(&["checks skip=A", "checked=skip=A"])).skips("A"));
}
