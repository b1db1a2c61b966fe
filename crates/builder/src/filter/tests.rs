use super::*;

/// Paths that a walk of these takes; folders end in a slash.
fn taken(wanted: Option<&str>, excludes: &[&str], paths: &[&str]) -> Vec<String> {
    let excludes: Vec<String> = excludes.iter().map(|pattern| (*pattern).to_owned()).collect();
    let filter = Filter::new(wanted, &excludes).unwrap();
    let mut kept = Vec::new();
    for path in paths {
        let (name, is_folder) = path.strip_suffix('/').map_or((*path, false), |name| (name, true));
        let mut folder = filter.root();
        let mut reached = true;
        for (at, _) in name.match_indices('/') {
            reached &= filter.choose(&folder, &name.as_bytes()[..at], true) != Choice::Left;
            folder = filter.enter(&folder, &name.as_bytes()[..at]);
        }
        match filter.choose(&folder, name.as_bytes(), is_folder) {
            Choice::Left => {}
            Choice::Taken if reached => kept.push((*path).to_owned()),
            Choice::Way if reached => kept.push(format!("({path})")),
            choice => panic!("{path} is {choice:?} in a folder that is not entered"),
        }
    }
    kept
}

const TREE: [&str; 8] = ["a.md", "a.txt", "d/", "d/b.md", "d/b.txt", "d/e/", "d/e/c.txt", "x/"];

#[test]
fn d084_excluded_patterns_begin_at_the_source() {
    assert_eq!(taken(None, &["*.md"], &TREE), ["a.txt", "d/", "d/b.md", "d/b.txt", "d/e/", "d/e/c.txt", "x/"]);
    assert_eq!(taken(None, &["**/*.md", "x"], &TREE), ["a.txt", "d/", "d/b.txt", "d/e/", "d/e/c.txt"]);
    assert_eq!(taken(None, &["d/e"], &["d/", "d/e/", "d/f"]), ["d/", "d/f"]);
    assert_eq!(taken(None, &["*"], &["a", "b/"]), Vec::<String>::new());
    assert_eq!(
        taken(None, &["d", "!d/e/c.txt"], &["d/", "d/b.txt", "d/e/", "d/e/c.txt"]),
        ["(d/)", "(d/e/)", "d/e/c.txt"]
    );
    assert_eq!(taken(None, &["/a.md"], &["a.md", "a.txt"]), ["a.txt"]);
}

#[test]
fn d083_wanted_patterns_take_all_below_along() {
    assert_eq!(taken(Some("d/e"), &[], &TREE), ["(d/)", "d/e/", "d/e/c.txt"]);
    assert_eq!(taken(Some("d"), &[], &TREE), ["d/", "d/b.md", "d/b.txt", "d/e/", "d/e/c.txt"]);
    assert_eq!(taken(Some("**/*.txt"), &[], &TREE), ["a.txt", "(d/)", "d/b.txt", "(d/e/)", "d/e/c.txt", "(x/)"]);
    assert_eq!(taken(Some("d/*.md"), &[], &["a.md", "d/", "d/b.md"]), ["(d/)", "d/b.md"]);
    assert_eq!(taken(Some("d/**"), &["**/*.md"], &["d/", "d/b.md", "d/b.txt"]), ["(d/)", "d/b.txt"]);
    assert_eq!(taken(Some("!odd"), &[], &["!odd", "odd"]), ["!odd"]);
}

#[test]
fn a_file_is_matched_by_its_name() {
    let filter = Filter::new(None, &["*.md".to_owned()]).unwrap();
    assert!(!filter.takes_file(b"a.md") && filter.takes_file(b"a.txt"));
    assert!(!filter.takes_all() && Filter::default().takes_all() && Filter::default().takes_file(b"a"));
}

#[test]
fn what_is_no_pattern() {
    for wrong in ["[a", "[z-a]", "a\\"] {
        assert!(Filter::new(Some(wrong), &[]).is_err(), "{wrong}");
        assert!(Filter::new(None, &["good".to_owned(), wrong.to_owned()]).is_err(), "{wrong}");
    }
}
