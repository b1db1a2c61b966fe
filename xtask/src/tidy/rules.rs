//! Rules about single files: names, sizes, headers, and words that have no place in the code.

use super::SourceFile;

type Rule = fn(&SourceFile) -> Vec<String>;

/// Every rule.
pub(super) const ALL: &[Rule] = &[name, size, header, words, errors, confined, comment_of_expect];

/// A file of such a name has not been thought through.
const EMPTY_NAMES: [&str; 5] = ["utils", "util", "common", "helpers", "misc"];

const MAXIMUM_LINES: usize = 800;
const MAXIMUM_BYTES: usize = 256 * 1024;

/// Files that may be longer than the others, with the reason.
const LONG_FILES: [(&str, &str); 1] = [("Cargo.lock", "written by cargo")];

/// Words that must not occur in code, cut in two so that this file does not contain them, with the reason.
const BANNED: [(&str, &str, &str); 5] = [
    ("#[al", "low", "a lint that does not apply is expected with `#[expect(…, reason = \"…\")]`"),
    ("#![al", "low", "a lint that does not apply is expected with `#[expect(…, reason = \"…\")]`"),
    ("to", "do!(", "what is not there is an honest, typed error"),
    ("unimpl", "emented!(", "what is not there is an honest, typed error"),
    ("#[from] std::", "io::Error", "an input/output error without a path is a bug"),
];

fn name(file: &SourceFile) -> Vec<String> {
    let mut complaints = Vec::new();
    for part in file.path.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        if EMPTY_NAMES.contains(&stem) {
            complaints.push(format!("{}: `{stem}` says nothing about what is in it", file.path));
        }
    }
    if file.path.ends_with("/mod.rs") {
        complaints.push(format!("{}: modules are `name.rs` beside `name/`, so that file names are unique", file.path));
    }
    complaints
}

fn size(file: &SourceFile) -> Vec<String> {
    if file.size > MAXIMUM_BYTES {
        return vec![format!("{}: {} bytes; large files are made by the tests, not kept", file.path, file.size)];
    }
    let is_source = file.path.ends_with(".rs");
    let allowed = is_test(&file.path) || LONG_FILES.iter().any(|(path, _)| *path == file.path);
    let lines = file.text.lines().count();
    if is_source && !allowed && lines > MAXIMUM_LINES {
        return vec![format!("{}: {lines} lines; the limit is {MAXIMUM_LINES}", file.path)];
    }
    Vec::new()
}

fn header(file: &SourceFile) -> Vec<String> {
    // A `tests.rs` stands beside the file that it tests, whose header speaks for both.
    if !file.path.ends_with(".rs") || file.path.ends_with("/tests.rs") || file.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![format!("{}: does not begin with a `//!` paragraph that says what it is", file.path)]
}

fn words(file: &SourceFile) -> Vec<String> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (number, line) in code_lines(&file.text) {
        for (start, end, reason) in BANNED {
            if line.contains(&format!("{start}{end}")) {
                complaints.push(format!("{}:{number}: `{start}{end}`: {reason}", file.path));
            }
        }
    }
    complaints
}

/// An error says what went wrong: none of its variants is for everything else.
fn errors(file: &SourceFile) -> Vec<String> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    let mut inside = false;
    for (number, line) in code_lines(&file.text) {
        if let Some((_, name)) = line.split_once("enum ") {
            inside =
                name.split(|c: char| !c.is_ascii_alphanumeric()).next().is_some_and(|name| name.ends_with("Error"));
        } else if line.starts_with('}') {
            inside = false;
        }
        let variant = line.trim_start().split(|c: char| !c.is_ascii_alphanumeric()).next();
        if inside && matches!(variant, Some("Other" | "Misc")) {
            complaints.push(format!("{}:{number}: an error variant says what went wrong", file.path));
        }
    }
    complaints
}

/// Code that the compiler does not check lives in one place.
fn confined(file: &SourceFile) -> Vec<String> {
    let word = concat!("un", "safe");
    if !file.path.ends_with(".rs") || file.path.starts_with("crates/runtime/src/sys") {
        return Vec::new();
    }
    code_lines(&file.text)
        .filter(|(_, line)| {
            [" {", " fn", " impl", " extern", "_code"].iter().any(|next| line.contains(&format!("{word}{next}")))
        })
        .map(|(number, _)| format!("{}:{number}: `{word}` belongs into crates/runtime/src/sys*", file.path))
        .collect()
}

/// `expect` on a result names the invariant that makes it impossible.
fn comment_of_expect(file: &SourceFile) -> Vec<String> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    code_lines(&file.text)
        .filter(|(_, line)| line.contains(concat!(".expect(", "\"\")")))
        .map(|(number, _)| format!("{}:{number}: an `expect` without its reason", file.path))
        .collect()
}

/// The lines with their numbers, without comments. A `//` inside a text ends the line early, which loses nothing here.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or(line)))
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}
