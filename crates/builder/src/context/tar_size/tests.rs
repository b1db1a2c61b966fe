use layer::{EntryKind, Metadata};

use super::tar_size;
use crate::source::{Content, SourceEntry};

fn entry(path: &str, kind: EntryKind, identity: Option<(u64, u64)>) -> SourceEntry {
    let path = path.as_bytes().to_vec();
    SourceEntry {
        path,
        kind,
        metadata: Metadata::default(),
        digest: None,
        identity,
        content: Content::None,
        is_way: false,
    }
}

fn file(path: &str, size: u64) -> SourceEntry {
    entry(path, EntryKind::File { size }, None)
}

fn folder(path: &str) -> SourceEntry {
    entry(path, EntryKind::Directory, None)
}

fn blocks(entries: Vec<SourceEntry>) -> u64 {
    let mut all = vec![folder("")];
    all.extend(entries);
    let size = tar_size(&all, &[]);
    assert_eq!(size % 512, 0);
    size / 512 - 2
}

/// S120: as Docker 20.10's client counts.
#[test]
fn s120_the_size_is_that_of_dockers_tar() {
    assert_eq!(blocks(vec![]), 0);
    assert_eq!(blocks(vec![file("a", 0), file("b", 1), file("c", 512), file("d", 513)]), 1 + 2 + 2 + 3);
    assert_eq!(blocks(vec![folder("d"), folder("d/e"), entry("p", EntryKind::Fifo, None)]), 3);
    let link = |target: &str| entry("l", EntryKind::Symlink { target: target.as_bytes().to_vec() }, None);
    assert_eq!(blocks(vec![link("f")]), 1);
    assert_eq!(blocks(vec![link(&"z".repeat(101))]), 3, "a long target takes a pax header");
    // Further names of a file are links.
    let named = |path: &str| entry(path, EntryKind::File { size: 5000 }, Some((1, 2)));
    assert_eq!(blocks(vec![named("g"), named("g2"), named("g3")]), 11 + 1 + 1);
    let n = |count: usize| "n".repeat(count);
    assert_eq!(blocks(vec![file(&n(99), 0), file(&n(100), 0)]), 2);
    assert_eq!(blocks(vec![file(&n(101), 0)]), 3);
    assert_eq!(blocks(vec![folder(&n(99))]), 1);
    assert_eq!(blocks(vec![folder(&n(100))]), 3, "with its slash it is too long, and has nothing to be cut at");
    let long = n(102);
    assert_eq!(blocks(vec![file(&format!("{long}/x"), 0), folder(&format!("{long}/y"))]), 2, "cut at the slash");
    assert_eq!(blocks(vec![file(&format!("{long}/{}", n(99)), 0)]), 1);
    assert_eq!(blocks(vec![file(&format!("{}/{}", n(156), n(9)), 0)]), 3, "the first part is too long");
    assert_eq!(blocks(vec![file(&format!("{}/x", n(99).repeat(10)), 0)]), 1 + 1 + 2, "more than a block of pax");
    assert_eq!(blocks(vec![file("\u{d55c}", 0)]), 3);
    assert_eq!(blocks(vec![file("big", 8 << 30)]), 3 + (8 << 30) / 512);
    assert_eq!(blocks(vec![file("big", (8 << 30) - 1)]), 1 + (8 << 30) / 512);
}

/// The Dockerfile is sent even if it is ignored, and once.
#[test]
fn s120_what_is_always_sent_is_counted_once() {
    let entries = vec![folder(""), file("Dockerfile", 20)];
    assert_eq!(tar_size(&entries, &[("Dockerfile", 20)]), 2048);
    assert_eq!(tar_size(&entries, &[("Dockerfile", 20), (".dockerignore", 2)]), 3072);
}
