use std::io::{Read, Write};
use std::sync::Arc;

use proptest::prelude::*;

use crate::tar::forge::{Forged, Tarball};
use crate::tree::tests::Fixture;
use crate::tree::{Layer, Tree};

use super::*;

/// One of everything.
fn tarball() -> Vec<u8> {
    let mut tar = Tarball::new()
        .pax(b'x', &[("SCHILY.xattr.user.x", b"1")])
        .directory(b"folder/")
        .file(b"folder/.wh..wh..opq", b"")
        .file(b"folder/file", &[7; 3000])
        .link(b"folder/link", b"folder/file")
        .file(b".wh.gone", b"")
        .pax(b'x', &[("linkpath", &[b't'; 1500])])
        .symlink(b"long", b"")
        .pax(b'x', &[("GNU.sparse.size", b"20000"), ("GNU.sparse.map", b"4096,512,10000,5")])
        .file(b"sparse", &[9; 517])
        .header(&Forged::new(b"null", b'3', 0).set(329, b"0000001\x000000003\0"));
    for number in 0..100 {
        tar = tar.file(format!("many/{number}").as_bytes(), b"");
    }
    tar.end()
}

/// Reads everything there is; counts what could be read.
fn read_all(index: Index, tar: &std::fs::File) -> usize {
    let tree = Tree::new(vec![Layer { index: Arc::new(index), tar: Arc::new(tar.try_clone().unwrap()) }]);
    let mut waiting: Vec<_> = tree.root().ok().flatten().into_iter().collect();
    let mut count = 0;
    // A damaged folder may contain itself.
    while let Some(node) = waiting.pop().filter(|_| count < 1000) {
        count += usize::from(tree.entry(&node, b"x").is_ok());
        drop(tree.child(&node, b"file"));
        drop(tree.read_link(&node));
        if let Ok(reader) = tree.open(&node) {
            drop(reader.take(1 << 20).read_to_end(&mut Vec::new()));
        }
        waiting.extend(tree.read_dir(&node).into_iter().flatten().map(|(_, node)| node));
    }
    count
}

#[test]
fn files_are_read_as_memory_is() {
    let fixture = Fixture::new(&[&tarball()]);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&fixture.indexes[0]).unwrap();
    let tar = &fixture.tree.layers()[0].tar;
    let index = Index::open(file).unwrap();
    assert_eq!(index.content_size(), 3000 + 20_000);
    assert_eq!(index.tar_size(), tarball().len() as u64);
    assert_eq!(index.inodes(), 108);
    assert_eq!(read_all(index, tar), 108);
}

#[test]
fn large_indexes_span_pages() {
    let mut tar = Tarball::new();
    for number in 0..3000 {
        tar = tar.file(format!("folder/file-with-a-name-{number:04}").as_bytes(), b"x");
    }
    let fixture = Fixture::new(&[&tar.end()]);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&fixture.indexes[0]).unwrap();
    assert!(fixture.indexes[0].len() > 3 * (64 << 10));
    let layer = Layer { index: Arc::new(Index::open(file).unwrap()), tar: fixture.tree.layers()[0].tar.clone() };
    let tree = Tree::new(vec![layer]);
    let folder = tree.lookup(b"folder").unwrap().unwrap();
    let names = tree.read_dir(&folder).unwrap();
    assert_eq!(names.len(), 3000);
    for (name, node) in names {
        assert_eq!(tree.child(&folder, &name).unwrap(), Some(node));
    }
    for missing in [&b""[..], b"a", b"file-with-a-name-1500x", b"zzz"] {
        assert_eq!(tree.child(&folder, missing).unwrap(), None);
    }
}

#[test]
fn what_is_no_index_is_refused() {
    let index = Fixture::new(&[&tarball()]).indexes.remove(0);
    let refused = |bytes: &[u8]| Index::from_bytes(bytes.to_vec()).unwrap_err().to_string();
    assert_eq!(refused(b""), "layer index is damaged: shorter than its trailer");
    assert_eq!(refused(&[0; 64]), "layer index is damaged: not a layer index");
    assert_eq!(refused(&index[512..]), "layer index is damaged: length differs from the trailer's");
    assert_eq!(refused(&index[..index.len() - 1]), "layer index is damaged: not a layer index");
    let mut flipped = index.clone();
    let end = flipped.len();
    flipped[end - 40] ^= 1;
    assert_eq!(refused(&flipped), "layer index is damaged: checksum of the trailer is wrong");
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let fixture = Fixture::new(&[&tarball()]);
        let mut bytes = fixture.indexes[0].clone();
        let end = bytes.len() - 64;
        for (at, byte) in changes {
            // Mostly inodes and folders.
            let at = 1536 + at.index((end - 1536).min(12_000));
            bytes[at] = byte;
        }
        read_all(Index::from_bytes(bytes).unwrap(), &fixture.tree.layers()[0].tar);
    }
}
