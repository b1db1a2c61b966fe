//! Each rule on a small repository that breaks it, and this repository itself.

use super::{SourceFile, dependencies, rules};

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned(), size: text.len() }
}

fn complaints(path: &str, text: &str) -> String {
    let file = file(path, text);
    rules::ALL.iter().flat_map(|rule| rule(&file)).collect::<Vec<_>>().join("\n")
}

#[test]
fn rules_find_what_they_are_for() {
    let long = "//! x\n".to_owned() + &"\n".repeat(900);
    let cases = [
        ("crates/a/src/utils.rs", "//! x\n", "says nothing"),
        ("crates/a/src/common/x.rs", "//! x\n", "says nothing"),
        ("crates/a/src/x/mod.rs", "//! x\n", "unique"),
        ("crates/a/src/x.rs", &long, "901 lines"),
        ("crates/a/src/x.rs", "use std;\n", "does not begin"),
        ("crates/a/src/x.rs", concat!("//! x\n#[al", "low(dead_code)]\n"), "x.rs:2"),
        ("crates/a/src/x.rs", "//! x\npub enum XError {\n    Other(String),\n}\n", "x.rs:3"),
        ("crates/a/src/x.rs", concat!("//! x\nlet x = un", "safe { 1 };\n"), "belongs into"),
        ("crates/a/src/x.rs", concat!("//! x\nto", "do!()\n"), "honest"),
    ];
    for (path, text, expected) in cases {
        assert!(complaints(path, text).contains(expected), "{path}: {}", complaints(path, text));
    }
}

#[test]
fn rules_leave_good_files_alone() {
    let cases = [
        ("crates/a/src/common_name.rs", "//! x\n"),
        ("crates/a/src/x/tests.rs", &("//! x\n".to_owned() + &"\n".repeat(900))),
        ("crates/runtime/src/sys.rs", concat!("//! x\nlet x = un", "safe { 1 };\n")),
        ("crates/a/src/x.rs", "//! x\n// a comment may say to\u{64}o!()\n"),
        ("crates/a/src/x.rs", "//! x\nenum XError {\n    A,\n}\nenum Reference {\n    Other(String),\n}\n"),
        ("docs/x.md", "no header\n"),
    ];
    for (path, text) in cases {
        assert_eq!(complaints(path, text), "", "{path}");
    }
}

const TABLE: &str = "## Code map\n\n| crate | uses |\n|---|---|\n| `a` | nothing of ours | x |\n| `b` | `a` | y |\n\n## Next\n| `c` | `b` |\n";

fn dependency_complaints(b: &str, root: &str) -> String {
    let files = [
        file("ARCHITECTURE.md", TABLE),
        file("Cargo.toml", root),
        file("crates/a/Cargo.toml", "[dependencies]\nserde = \"1\"\n"),
        file("crates/b/Cargo.toml", b),
    ];
    dependencies::check(&files).join("\n")
}

#[test]
fn the_table_equals_the_manifests() {
    let root = "[workspace.dependencies]\na = { path = \"crates/a\" }\nserde = \"1\" # JSON\n";
    assert_eq!(dependency_complaints("[dependencies]\na.workspace = true\n", root), "");
    assert!(dependency_complaints("[dependencies]\n", root).contains("`b` does not use `a`"));
    let wrong = "[dependencies]\na.workspace = true\nb.workspace = true\n";
    assert!(dependency_complaints(wrong, root).contains("does not allow"));
    let reason =
        dependency_complaints("[dependencies]\na.workspace = true\n", "[workspace.dependencies]\nserde = \"1\"\n");
    assert!(reason.contains("no reason"), "{reason}");
}
