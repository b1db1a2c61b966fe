use std::io::Write;
use std::os::unix::fs::FileExt;

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("store")).unwrap();
    (home, store)
}

fn partial(store: &Store, digest: Digest) -> PartialBlob<'_> {
    match store.want_blob(digest).unwrap() {
        WantedBlob::Partial(partial) => partial,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_there_is_of_a_blob_outlives_its_writer() {
    let (_home, store) = store();
    let digest = Digest::of(b"onggi");
    let first = partial(&store, digest);
    first.file().write_all_at(b"ong", 0).unwrap();
    drop(first);
    assert_eq!(store.partial_blobs().unwrap(), [(digest, 3)]);
    let second = partial(&store, digest);
    assert_eq!(second.length(), 3);
    second.file().write_all_at(b"gi", 3).unwrap();
    second.finish().unwrap();
    assert_eq!(store.document(digest).unwrap().unwrap(), b"onggi");
    assert!(store.partial_blobs().unwrap().is_empty());
    assert_eq!(store.blobs().unwrap(), [(digest, 5)]);
}

#[test]
fn one_at_a_time_fetches_a_blob() {
    let (_home, store) = store();
    let digest = Digest::of(b"onggi");
    let first = partial(&store, digest);
    assert!(matches!(store.want_blob(digest).unwrap(), WantedBlob::Busy));
    assert!(!store.remove_partial_blob(digest).unwrap());
    first.file().write_all_at(b"onggi", 0).unwrap();
    first.finish().unwrap();
    assert!(matches!(store.want_blob(digest).unwrap(), WantedBlob::Busy), "who finished it is not done with it");
    drop(first);
    assert!(matches!(store.want_blob(digest).unwrap(), WantedBlob::Complete(_)));
}

#[test]
fn a_blob_on_its_way_can_be_begun_anew_or_thrown_away() {
    let (_home, store) = store();
    let digest = Digest::of(b"onggi");
    let mut first = partial(&store, digest);
    first.file().write_all_at(b"other", 0).unwrap();
    first.restart().unwrap();
    drop(first);
    assert_eq!(partial(&store, digest).length(), 0);
    assert!(store.remove_partial_blob(digest).unwrap());
    assert!(!store.remove_partial_blob(digest).unwrap());
    partial(&store, digest).discard().unwrap();
    assert!(store.partial_blobs().unwrap().is_empty());
}

#[test]
fn a_damaged_document_counts_as_absent() {
    let (_home, store) = store();
    let digest = store.put_document(b"{}").unwrap();
    std::fs::write(store.path().join("blobs").join(digest.hex()), "{").unwrap();
    assert_eq!(store.document(digest).unwrap(), None);
    store.put_document(b"{}").unwrap();
    assert_eq!(store.document(digest).unwrap().unwrap(), b"{}");
    assert!(store.has_blob(digest, 2).unwrap() && !store.has_blob(digest, 3).unwrap());
    assert!(store.remove_blob(digest).unwrap());
    assert!(!store.remove_blob(digest).unwrap());
}

#[test]
fn a_file_without_a_name_becomes_a_blob() {
    let (_home, store) = store();
    for _ in 0..2 {
        let sink = store.layer_sink().unwrap();
        sink.file().unwrap().write_all(b"onggi").unwrap();
        store.add_blob(Digest::of(b"onggi"), &sink).unwrap();
    }
    assert_eq!(store.blobs().unwrap(), [(Digest::of(b"onggi"), 5)]);
}

#[test]
fn a_store_of_an_older_version_gets_its_folders_when_they_are_needed() {
    let (_home, store) = store();
    for folder in ["blobs", "partial", "transports"] {
        std::fs::remove_dir(store.path().join(folder)).unwrap();
    }
    assert!(store.blobs().unwrap().is_empty());
    assert!(store.records(crate::RecordKind::Transport).unwrap().is_empty());
    let digest = store.put_document(b"{}").unwrap();
    assert!(store.remove_blob(digest).unwrap());
    partial(&store, digest).discard().unwrap();
    store.put_record(crate::RecordKind::Transport, digest, b"[]").unwrap();
    assert_eq!(store.records(crate::RecordKind::Transport).unwrap().len(), 1);
}

#[test]
fn n039_who_makes_room_is_not_asked_for_room() {
    let (_home, store) = store();
    let digest = Digest::of(b"a blob on its way");
    drop(store.want_blob(digest).unwrap());
    store.put_settings(b"{}").unwrap();
    // What makes room removes parts of blobs; asked for room then, it would begin again.
    let store = store.with_admission(|_, _| Err(StoreError::NoRoom { reason: "for a test".to_owned() }));
    assert!(matches!(store.want_blob(digest), Err(StoreError::NoRoom { .. })));
    assert!(store.remove_partial_blob(digest).unwrap());
    assert!(store.partial_blobs().unwrap().is_empty());
}
