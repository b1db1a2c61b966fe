use std::io::Cursor;

use crate::tar::forge::{Forged, Tarball};
use crate::tree::tests::{Fixture, walk};

use super::*;

fn refused(tar: &[u8]) -> String {
    let error = ingest(Cursor::new(tar), tempfile::tempfile().unwrap(), None).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[test]
fn an_empty_layer_has_the_well_known_digest() {
    let tar = vec![0; 1024];
    let layer = ingest(Cursor::new(&tar), tempfile::tempfile().unwrap(), None).unwrap();
    let known = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    assert_eq!(layer.diff_id.to_string(), known);
    assert_eq!((layer.tar_size, layer.content_size), (1024, 0));
}

/// A stream that gives a few bytes at a time and is interrupted now and then.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = buffer.len().min(self.1 * 977 % 70_000);
        self.0.read(&mut buffer[..length.max(1)])
    }
}

#[test]
fn layers_of_any_length_are_hashed_and_indexed_the_same() {
    for size in [0, 1, BUFFER - 2048, BUFFER - 1536, BUFFER - 512, BUFFER, 3 * BUFFER + 7, 9 * BUFFER] {
        let content: Vec<u8> = (0..size).map(|at| (at / 3) as u8).collect();
        let tar = Tarball::new().file(b"f", &content).file(b"g", b"behind").end();
        let whole = ingest(Cursor::new(&tar), tempfile::tempfile().unwrap(), None).unwrap();
        let dripped = ingest(Drip(&tar, 0), tempfile::tempfile().unwrap(), None).unwrap();
        assert_eq!(whole, dripped);
        assert_eq!(whole.diff_id.0, oci::Digest::of(&tar));
        let found = walk(&Fixture::new(&[&tar]).tree);
        assert!(found[0].1 == content && found[1].1 == b"behind");
    }
}

#[test]
fn sparse_files_are_read_whole() {
    for (map, stored) in [("4096,512,8192,4096", 4608), ("1,2,5,700,3000,1", 703), ("0,512", 512), ("0,0", 0)] {
        let data: Vec<u8> = (0..stored).map(|at| at as u8 | 1).collect();
        let records: &[(&str, &[u8])] = &[("GNU.sparse.size", b"12345"), ("GNU.sparse.map", map.as_bytes())];
        let tar = Tarball::new().pax(b'x', records).file(b"f", &data).file(b"next", b"n").end();
        let mut expected = vec![0; 12_345];
        let numbers: Vec<usize> = map.split(',').map(|number| number.parse().unwrap()).collect();
        let mut at = 0;
        for pair in numbers.chunks(2) {
            expected[pair[0]..pair[0] + pair[1]].copy_from_slice(&data[at..at + pair[1]]);
            at += pair[1];
        }
        let found = walk(&Fixture::new(&[&tar]).tree);
        assert!(found[0].1 == expected, "{map}");
        assert_eq!(found[1].1, b"n");
    }
}

#[test]
fn what_cannot_be_mounted_is_refused() {
    let link = "cannot index layer: target `b` of hard link `a` does not exist";
    assert_eq!(refused(&Tarball::new().link(b"a", b"b").file(b"b", b"").end()), link);
    let folder = "cannot index layer: target `b` of hard link `a` is a folder";
    assert_eq!(refused(&Tarball::new().directory(b"b/").link(b"a", b"b").end()), folder);
    let root = "cannot index layer: the root of a layer must be a folder";
    assert_eq!(refused(&Tarball::new().file(b".", b"").end()), root);
    let name = format!("SCHILY.xattr.user.{}", "x".repeat(300));
    let xattr = "cannot index layer: cannot keep extended attributes of `f`: \
        name of an extended attribute is empty or longer than 255 bytes";
    assert_eq!(refused(&Tarball::new().pax(b'x', &[(&name, b"")]).file(b"f", b"").end()), xattr);
    let truncated = Tarball::new().file(b"f", &[0; 3000]).0[..2000].to_vec();
    assert_eq!(refused(&truncated), "not a valid layer: tar ends at byte 2000, within content of `f`");
}

#[test]
fn a_small_tar_cannot_ask_for_much_memory() {
    let sparse = |size: &str, map: &str, data: &[u8]| {
        let records: &[(&str, &[u8])] = &[("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", map.as_bytes())];
        Tarball::new().pax(b'x', records).file(b"f", data).0
    };
    let huge = sparse("9223372036854775807", "", b"");
    assert_eq!(refused(&huge), "cannot index layer: `f` has a size beyond what can be mounted");
    // One byte in the middle of a petabyte: the chunk around it would be copied.
    let petabyte = sparse("1125899906842624", "562949953421313,1", b"x");
    assert_eq!(refused(&petabyte), "cannot index layer: `f` would copy more than 256 MiB into the layer's index");
    // A terabyte of zeros is one chunk.
    let terabyte = sparse("1099511627776", "", b"");
    let layer = ingest(Cursor::new(&terabyte), tempfile::tempfile().unwrap(), None).unwrap();
    assert!(layer.index.len() < 4096);
    assert_eq!(layer.content_size, 1 << 40);
    // Many maps of many chunks.
    let many = sparse("67108864", "512,1", b"x").repeat(70);
    let expected = "cannot index layer: `f` has a number of sparse chunks beyond what can be mounted";
    assert_eq!(refused(&many), expected);
    let header = Forged::new(b"f", b'0', 0).set(124, b"\x80\0\0\0\x40\0\0\0\0\0\0\0");
    assert!(refused(&Tarball::new().header(&header).0).contains("beyond what can be mounted"));
}

/// An index made without the layers below is the right one above them, unless the tar has folders that it does not list.
#[test]
fn a_layer_says_whether_it_implies_folders() {
    let implies =
        |tar: Tarball| ingest(Cursor::new(tar.end()), tempfile::tempfile().unwrap(), None).unwrap().implies_folders;
    let tar = Tarball::new;
    assert!(!implies(tar()));
    assert!(!implies(tar().file(b"name", b"at the root, which need not be listed")));
    assert!(!implies(tar().directory(b"etc").file(b"etc/name", b"")));
    assert!(implies(tar().file(b"etc/name", b"")));
    assert!(implies(tar().directory(b"etc").directory(b"etc/a/b")));
    // What is below is hidden all the same.
    assert!(!implies(tar().directory(b"etc").file(b"etc/.wh..wh..opq", b"").directory(b"etc/a/b")));
}
