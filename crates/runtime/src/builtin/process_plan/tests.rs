use super::*;

fn os(texts: &[&str]) -> Vec<OsString> {
    texts.iter().map(OsString::from).collect()
}

#[test]
fn programs_are_searched_in_the_containers_path() {
    let table: [(&str, &[&str], &[&str]); 6] = [
        ("sh", &["PATH=/bin:/usr/bin"], &["/bin/sh", "/usr/bin/sh"]),
        ("sh", &["PATH=/x", "PATH=/y"], &["/y/sh"]),
        ("sh", &["PATH=:/bin"], &["./sh", "/bin/sh"]),
        ("sh", &["A=b"], &[]),
        ("sh", &["XPATH=/bin"], &[]),
        ("", &["PATH=/bin"], &[]),
    ];
    for (name, env, expected) in table {
        let Program::Search(candidates) = program(&os(&[name]), &os(env)).unwrap() else { panic!("{name}") };
        let candidates: Vec<_> = candidates.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(candidates, expected, "{name} in {env:?}");
    }
    assert!(matches!(program(&os(&["./a"]), &[]).unwrap(), Program::Path(path) if path.as_c_str() == c"./a"));
}

#[test]
fn limits_are_never_raised() {
    let own = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = |soft, hard| lowered_limit(&crate::Rlimit { name: "nofile".to_owned(), soft, hard }).unwrap().1;
    assert_eq!(limit(u64::MAX, u64::MAX).maximum, own);
    assert_eq!(limit(10, 20), Rlimit { current: Some(10), maximum: Some(20) });
    assert_eq!(limit(30, 20), Rlimit { current: Some(20), maximum: Some(20) });
    assert!(lowered_limit(&crate::Rlimit { name: "NOFILE".to_owned(), soft: 1, hard: 1 }).is_err());
}
