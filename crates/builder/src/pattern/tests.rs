use super::*;

/// Folders end in a slash.
const TREE: [&str; 9] = ["a.txt", "b.txt", "[x]", "d1/", "d1/f", "d1/sub/", "d1/sub/f", "d2/", "d2/g"];

fn names_in(folder: &[u8]) -> Result<Vec<Name>, CopyError> {
    let names = TREE.iter().filter_map(|path| {
        let is_folder = path.ends_with('/');
        let path = path.trim_end_matches('/').as_bytes();
        (crate::path::parent(path) == folder).then(|| (crate::path::name(path).to_vec(), is_folder))
    });
    Ok(names.collect())
}

fn expanded(pattern: &str) -> String {
    match expand(pattern, &names_in) {
        Ok(paths) => paths.iter().map(|path| String::from_utf8_lossy(path)).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn d071_patterns_match_one_component_at_a_time() {
    let table = [
        ("*.txt", "a.txt b.txt"),
        ("*", "a.txt b.txt [x] d1 d2"),
        ("d*/f", "d1/f d2/f"),
        ("d?/*", "d1/f d1/sub d2/g"),
        ("*/*/f", "d1/sub/f"),
        ("/d1/../[ab].txt", "a.txt b.txt"),
        ("./*.txt", "a.txt b.txt"),
        ("[[]x]", "[x]"),
        ("\\[x]", "[x]"),
        ("d[^1]", "d2"),
        ("none*", ""),
        ("[", "`[` is not a valid pattern"),
    ];
    for (pattern, paths) in table {
        assert_eq!(expanded(pattern), paths, "{pattern}");
    }
}

#[test]
fn words_without_wildcards_need_no_matching() {
    for word in ["a", "a/b.c", "..", "a b", "{a,b}"] {
        assert!(!has_wildcard(word), "{word}");
    }
    for word in ["*", "a?", "[a]", "a\\b"] {
        assert!(has_wildcard(word), "{word}");
    }
}
