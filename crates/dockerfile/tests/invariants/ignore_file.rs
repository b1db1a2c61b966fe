//! What holds of every ignore file and every path. The property tests and the fuzzer look for a pair for which it does
//! not; this file is part of both.

use dockerfile::{IgnoreFile, PathPattern, Verdict};

/// Reads an ignore file and walks to a path; panics when something does not hold. Tells whether the file was good.
pub(crate) fn check_ignore_file(text: &[u8], path: &[u8]) -> bool {
    let Ok(file) = IgnoreFile::parse(text) else { return false };
    let Some(path) = normal(path) else { return true };
    let path = path.as_slice();
    // The walk that a build does: down from the root, folders that are skipped left out.
    let mut folder = file.root();
    let mut skipped_at = None;
    let mut is_left_out = Vec::new();
    for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let above = &path[..at];
        let verdict = file.check(&folder, above, true);
        assert_eq!(verdict, file.matches(above, true), "a walk and a look agree on folders");
        is_left_out.push(verdict != Verdict::Included);
        if verdict == Verdict::Skipped && skipped_at.is_none() {
            skipped_at = Some(at);
        }
        folder = file.enter(&folder, above);
    }
    let ignored = file.ignores(path);
    assert_eq!(file.check(&folder, path, false) != Verdict::Included, ignored, "a walk and a look agree on files");
    assert!(skipped_at.is_none() || ignored, "nothing below a folder that is skipped belongs to the context");
    // The line that is named as the reason decides.
    let reason = file.explain(path);
    assert_eq!(reason.is_some_and(|rule| !rule.exception), ignored);
    if let Some(rule) = reason {
        assert!(rule.line >= 1 && !rule.pattern.is_empty());
        assert!(file.rules().any(|known| known == rule));
    }
    // Without exceptions what is left out stays out further down, and the way to it is known to be worth a look.
    if file.rules().all(|rule| !rule.exception) {
        assert!(is_left_out.windows(2).all(|pair| !pair[0] || pair[1]), "{is_left_out:?}");
        assert!(is_left_out.last().is_none_or(|above| !above || ignored));
        if ignored && !is_left_out.contains(&true) {
            for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                assert!(file.may_match_below(&path[..at]), "{:?}", String::from_utf8_lossy(&path[..at]));
            }
        }
    }
    // A file of nothing but this path leaves it out, and takes it back in.
    if let Some(name) = plain(path) {
        let own = IgnoreFile::from_patterns([name]).expect("a plain name");
        assert!(own.ignores(path));
        let back = IgnoreFile::from_patterns(["**", &format!("!{name}")]).expect("a plain name");
        assert!(!back.ignores(path));
    }
    true
}

/// A pattern of COPY or ADD.
pub(crate) fn check_path_pattern(pattern: &str, path: &[u8]) {
    let Ok(compiled) = PathPattern::new(pattern) else { return };
    let matches = compiled.matches(path);
    if let Some(literal) = compiled.literal() {
        assert_eq!(matches, names(path) == names(&literal), "a pattern without wildcards is a path: {pattern}");
    }
}

fn names(path: &[u8]) -> Vec<&[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect()
}

/// A path as the context has them: no empty names, no `.` and `..`, no NUL.
fn normal(path: &[u8]) -> Option<Vec<u8>> {
    let names: Vec<&[u8]> = names(path).into_iter().filter(|name| !matches!(*name, b"." | b"..")).take(40).collect();
    let joined = names.join(&b'/');
    (!joined.is_empty() && !joined.contains(&0)).then_some(joined)
}

/// The path as a text, when no letter of it means anything in a pattern.
fn plain(path: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(path).ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    text.chars().all(is_plain).then_some(text)
}
