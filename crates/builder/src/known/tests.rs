use layer::{EntryKind, Metadata};
use oci::Digest;

use super::*;
use crate::key::Field;
use crate::source::Content;

fn file(path: &str, text: &str, mode: u32) -> SourceEntry {
    let digest = Some(Digest::of(text.as_bytes()));
    let (kind, metadata) = (EntryKind::File { size: 1 }, Metadata { mode, ..Metadata::default() });
    SourceEntry { path: path.into(), kind, metadata, digest, identity: None, content: Content::None, is_way: false }
}

fn link(path: &str, target: &str) -> SourceEntry {
    let kind = EntryKind::Symlink { target: target.into() };
    SourceEntry { kind, ..file(path, "", 0o777) }
}

fn step(entries: Vec<SourceEntry>) -> KnownStep {
    let folder = SourceEntry { kind: EntryKind::Directory, ..file("", "", 0o755) };
    let entries = std::iter::once(folder).chain(entries).collect();
    let selection =
        Selection { context: None, name: b"src".to_vec(), root: b"src".to_vec(), is_unpacked: false, entries };
    let key = CacheKey::new("copy", None).with(Field::Destination, "/a\\b\nc");
    KnownStep::new(key, "node:18@sha256:00".to_owned(), &[Arc::new(selection)], None)
}

fn changes(new: &KnownStep, old: &KnownStep) -> String {
    let changes = new.changed_files(old).unwrap_or_default();
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[test]
fn n001_a_step_is_read_back_as_it_was_written() {
    let step = step(vec![file("a b", "1", 0o644), file("odd\nname", "1", 0o644), link("l", "a b")]);
    assert_eq!(KnownStep::parse(&step.to_string()), Some(step));
    // As an earlier version wrote it.
    let key = CacheKey::new("run", None);
    let known = KnownStep::parse(&key.to_string()).unwrap();
    assert_eq!((known.key, known.base.as_str(), known.files.len()), (key, "", 0));
    for damaged in ["", "base: x", "step: run\nparent layers: none\nfile: zz", "step: run\nfile: 1 2"] {
        assert_eq!(KnownStep::parse(damaged), None, "{damaged}");
    }
}

#[test]
fn n001_files_are_named_with_what_happened_to_them() {
    let old = step(vec![
        file("changed", "1", 0o644),
        file("gone", "1", 0o644),
        link("link", "one"),
        file("mode", "1", 0o644),
        file("same", "1", 0o644),
    ]);
    let new = step(vec![
        file("changed", "2", 0o644),
        link("link", "two"),
        file("mode", "1", 0o755),
        file("new", "1", 0o644),
        file("same", "1", 0o644),
    ]);
    assert_eq!(
        changes(&new, &old),
        "src/changed, src/gone (gone), src/link, src/mode (mode, owner or attributes), src/new (new)"
    );
    assert_eq!(changes(&old, &old), "");
}

#[test]
fn n001_very_many_files_are_not_named() {
    let many = |text: &str| step((0..MOST_FILES).map(|number| file(&number.to_string(), text, 0o644)).collect());
    assert_eq!((many("1").files.len(), many("2").changed_files(&many("1"))), (0, None));
    assert_eq!(
        step((1..MOST_FILES).map(|number| file(&number.to_string(), "", 0)).collect()).files.len(),
        MOST_FILES - 1
    );
}
