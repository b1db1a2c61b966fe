use std::io::{Cursor, Seek, SeekFrom, Write};

use proptest::prelude::*;

use crate::entry::{Metadata, Timestamp, Xattr};
use crate::tree::tests::{Fixture, walk};

use super::*;

fn entry(path: &str, kind: EntryKind) -> Entry {
    let metadata = Metadata { mode: 0o644, ..Metadata::default() };
    Entry { path: path.into(), kind, metadata }
}

fn file(path: &str, size: usize) -> Entry {
    entry(path, EntryKind::File { size: size as u64 })
}

/// Writes entries with their content; the layer and the bytes of its tar.
fn write(entries: &[(Entry, Vec<u8>)]) -> (FinishedLayer, Vec<u8>) {
    let mut tar = tempfile::tempfile().unwrap();
    let mut writer = LayerWriter::new(tar.try_clone().unwrap());
    for (entry, content) in entries {
        writer.append(entry, &mut Cursor::new(content)).unwrap();
    }
    let layer = writer.finish().unwrap();
    let mut bytes = Vec::new();
    tar.seek(SeekFrom::Start(0)).unwrap();
    tar.read_to_end(&mut bytes).unwrap();
    assert_eq!(layer.tar_size, bytes.len() as u64);
    assert_eq!(layer.diff_id.0, oci::Digest::of(&bytes));
    (layer, bytes)
}

fn header_of(entry: Entry) -> Vec<u8> {
    let (_, mut bytes) = write(&[(entry, Vec::new())]);
    bytes.truncate(bytes.len() - 1024);
    bytes
}

/// In the tar and in the index, of every kind; what is earlier stays.
#[test]
fn b094_later_times_become_the_ceiling() {
    let kinds = [
        EntryKind::Directory,
        EntryKind::File { size: 0 },
        EntryKind::Symlink { target: b"x".to_vec() },
        EntryKind::Fifo,
    ];
    let written = |secs: i64, nanos: u32, ceiling: Option<i64>| {
        let ceiling = ceiling.map(|secs| Timestamp { secs, nanos: 0 });
        let mut writer = LayerWriter::new(tempfile::tempfile().unwrap()).with_ceiling(ceiling);
        for (number, kind) in kinds.iter().enumerate() {
            let mut entry = entry(&number.to_string(), kind.clone());
            entry.metadata.mtime = Timestamp { secs, nanos };
            writer.append(&entry, &mut std::io::empty()).unwrap();
        }
        writer.finish().unwrap()
    };
    assert_eq!(written(1001, 0, Some(1000)), written(1000, 0, None));
    assert_eq!(written(1000, 999, Some(1000)), written(1000, 0, None));
    assert_eq!(written(-5, 0, Some(0)), written(-5, 0, None));
    assert_ne!(written(1001, 0, Some(1000)).index, written(1001, 0, None).index);
}

#[test]
fn a_simple_file_takes_one_header() {
    let mut hello = file("usr/hello", 5);
    hello.metadata = Metadata {
        mode: 0o4755,
        uid: 1000,
        gid: 100,
        mtime: Timestamp { secs: 1_700_000_000, nanos: 999_999_999 },
        xattrs: Vec::new(),
    };
    let (layer, bytes) = write(&[(hello, b"world".to_vec())]);
    assert_eq!(bytes.len(), 512 + 512 + 1024);
    assert_eq!(layer.content_size, 5);
    let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&bytes[range]).replace('\0', "$");
    assert_eq!(text(0..10), "usr/hello$");
    assert_eq!(text(100..156), "0004755$0001750$0000144$00000000005$14524770400$011136$ ");
    assert_eq!(text(156..158), "0$");
    assert_eq!(text(257..265), "ustar$00");
    assert_eq!(text(265..345), format!("{}0000000$0000000$", "$".repeat(64)));
    assert_eq!(text(512..518), "world$");
}

#[test]
fn records_only_where_ustar_has_no_room() {
    let xattr = Xattr { name: b"user.x".to_vec(), value: b"a\0b".to_vec() };
    let overlay = Xattr { name: b"trusted.overlay.opaque".to_vec(), value: b"y".to_vec() };
    let metadata = |metadata: Metadata| Entry { metadata, ..file("f", 0) };
    let time = |secs| metadata(Metadata { mtime: Timestamp { secs, nanos: 0 }, ..Metadata::default() });
    let cases: Vec<(Entry, &[u8])> = vec![
        (file(&"n".repeat(100), 0), b""),
        (file(&"n".repeat(101), 0), b"111 path=nnn"),
        (file(&format!("{}/{}", "p".repeat(155), "n".repeat(100)), 0), b""),
        (file(&format!("{}/{}", "p".repeat(156), "n".repeat(99)), 0), b"266 path=ppp"),
        (file("é", 0), "11 path=é\n".as_bytes()),
        (entry("s", EntryKind::Symlink { target: vec![b't'; 100] }), b""),
        (entry("s", EntryKind::Symlink { target: vec![b't'; 101] }), b"115 linkpath=tt"),
        (metadata(Metadata { uid: 2_097_151, gid: 2_097_151, ..Metadata::default() }), b""),
        (
            metadata(Metadata { uid: 2_097_152, gid: 2_097_152, ..Metadata::default() }),
            b"15 gid=2097152\n15 uid=2097152\n",
        ),
        (time(-1), b"12 mtime=-1\n"),
        (time(0o77_777_777_777), b""),
        (time(0o100_000_000_000), b"20 mtime=8589934592\n"),
        (metadata(Metadata { xattrs: vec![xattr, overlay], ..Metadata::default() }), b"27 SCHILY.xattr.user.x=a\0b\n"),
    ];
    for (entry, records) in cases {
        let path = entry.path.clone();
        let bytes = header_of(entry);
        if records.is_empty() {
            assert_eq!(bytes.len(), 512, "{}", Shown(&path));
        } else {
            assert_eq!(bytes[156], b'x');
            assert!(bytes[512..].starts_with(records), "{}", Shown(&bytes[512..600]));
        }
    }
}

#[test]
fn whiteouts_and_folders_have_their_names() {
    let name = |entry: Entry| {
        let bytes = header_of(entry);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        assert_eq!(
            &bytes[148..156],
            &{
                let sum: u32 = bytes[..148].iter().chain(&bytes[156..512]).map(|byte| u32::from(*byte)).sum();
                format!("{:06o}\0 ", sum + 256).into_bytes()
            }[..]
        );
        (String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes[156])
    };
    assert_eq!(name(entry("a/b", EntryKind::Whiteout)), ("a/.wh.b".into(), b'0'));
    assert_eq!(name(entry("b", EntryKind::Whiteout)), (".wh.b".into(), b'0'));
    assert_eq!(name(entry("a", EntryKind::Opaque)), ("a/.wh..wh..opq".into(), b'0'));
    assert_eq!(name(entry("", EntryKind::Opaque)), (".wh..wh..opq".into(), b'0'));
    assert_eq!(name(entry("a/b", EntryKind::Directory)), ("a/b/".into(), b'5'));
    assert_eq!(name(entry("", EntryKind::Directory)), ("./".into(), b'5'));
    let bytes = header_of(Entry {
        metadata: Metadata { mode: 0o777, uid: 5, ..Metadata::default() },
        ..entry("b", EntryKind::Whiteout)
    });
    assert_eq!(&bytes[100..116], b"0000000\x000000000\0");
}

#[test]
fn files_must_be_as_long_as_announced() {
    let mut source = tempfile::tempfile().unwrap();
    source.write_all(&vec![3; 3 << 20]).unwrap();
    let actual = 3u64 << 20;
    for announced in [0, 1, (1 << 20) - 512, (1 << 20) - 511, actual - 1, actual, actual + 1] {
        for by_file in [true, false] {
            let mut writer = LayerWriter::new(tempfile::tempfile().unwrap());
            source.seek(SeekFrom::Start(0)).unwrap();
            let entry = file("f", announced as usize);
            let result =
                if by_file { writer.append_file(&entry, &source) } else { writer.append(&entry, &mut &source) };
            match result {
                Ok(()) => assert_eq!(announced, actual),
                Err(WriteError::Longer { announced: told, path }) => {
                    assert!(announced < actual && told == announced && path == "f");
                }
                Err(WriteError::Shorter { announced: told, found, .. }) => {
                    assert!(announced > actual && told == announced && found == actual);
                }
                Err(other) => panic!("{other}"),
            }
            let finished = writer.finish();
            assert_eq!(finished.is_ok(), announced == actual);
            assert!(announced == actual || matches!(finished, Err(WriteError::Incomplete)));
        }
    }
}

#[test]
fn both_ways_to_give_content_make_the_same_layer() {
    let mut by_file = LayerWriter::new(tempfile::tempfile().unwrap());
    let mut by_reader = LayerWriter::new(tempfile::tempfile().unwrap());
    for (number, size) in [0, 1, 511, 512, 513, 700_000, (1 << 20) - 1024, 1 << 20, 2_500_001].into_iter().enumerate() {
        let content: Vec<u8> = (0..size).map(|at| (at * 7 + number) as u8).collect();
        let entry = file(&format!("f{number}"), size);
        let mut source = tempfile::tempfile().unwrap();
        source.write_all(&content).unwrap();
        source.seek(SeekFrom::Start(0)).unwrap();
        by_file.append_file(&entry, &source).unwrap();
        by_reader.append(&entry, &mut Cursor::new(content)).unwrap();
    }
    assert_eq!(by_file.finish().unwrap(), by_reader.finish().unwrap());
}

#[test]
fn what_cannot_be_an_entry_is_refused() {
    let cases = [
        (file("/a", 0), "`/a` cannot be the path of an entry"),
        (file("a/", 0), "`a/` cannot be the path of an entry"),
        (file("a//b", 0), "`a//b` cannot be the path of an entry"),
        (file("a/../b", 0), "`a/../b` cannot be the path of an entry"),
        (file("", 0), "cannot index layer"),
        (file("a/.wh.b", 0), "`a/.wh.b` has a name that means a whiteout in a layer"),
        (file(".wh..wh.x/b", 0), "`.wh..wh.x/b` has a name that means a whiteout in a layer"),
        (entry("a", EntryKind::HardLink { target: b"nowhere".to_vec() }), "cannot index layer"),
        (entry("a", EntryKind::HardLink { target: b"../x".to_vec() }), "`a` cannot be the path of an entry"),
        (entry("a", EntryKind::Symlink { target: Vec::new() }), "cannot index layer"),
        (entry("a", EntryKind::CharDevice { major: 4096, minor: 0 }), "cannot index layer"),
    ];
    for (entry, expected) in cases {
        let mut writer = LayerWriter::new(tempfile::tempfile().unwrap());
        assert_eq!(writer.append(&entry, &mut std::io::empty()).unwrap_err().to_string(), expected);
    }
}

/// A tree as a caller would hand it in: sorted, folders before what is in them.
fn trees() -> impl Strategy<Value = Vec<(Entry, Vec<u8>)>> {
    let name = prop_oneof![
        "[a-c]{1,2}",
        "[a-z .!-]{1,12}".prop_filter("reserved", |name| name != "." && name != ".." && !name.starts_with(".wh.")),
        "[a-zé]{90,120}",
    ];
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/").into_bytes());
    let kind = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..1200).prop_map(|content| (EntryKind::File { size: content.len() as u64 }, content)),
        1 => "[a-z/.]{1,700}".prop_map(|target| (EntryKind::Symlink { target: target.into_bytes() }, Vec::new())),
        1 => (0u32..4096, 0u32..(1 << 20)).prop_filter("a whiteout", |numbers| *numbers != (0, 0))
            .prop_map(|(major, minor)| (EntryKind::CharDevice { major, minor }, Vec::new())),
        1 => (0u32..4096, 0u32..(1 << 20)).prop_map(|(major, minor)| (EntryKind::BlockDevice { major, minor }, Vec::new())),
        1 => Just((EntryKind::Fifo, Vec::new())),
        1 => Just((EntryKind::HardLink { target: Vec::new() }, Vec::new())),
    ];
    let numbers = prop_oneof![Just(0u32), any::<u32>().prop_map(|number| number % u32::MAX)];
    let time = prop_oneof![Just(0i64), Just(1_700_000_000), -(1i64 << 40)..(1i64 << 40)];
    let xattrs = prop::collection::btree_map("user\\.[a-z]{1,9}", prop::collection::vec(any::<u8>(), 0..600), 0..3);
    let metadata =
        (0u32..0o10000, numbers.clone(), numbers, time, xattrs).prop_map(|(mode, uid, gid, secs, xattrs)| {
            let xattrs = xattrs.into_iter().map(|(name, value)| Xattr { name: name.into_bytes(), value }).collect();
            Metadata { mode, uid, gid, mtime: Timestamp { secs, nanos: 0 }, xattrs }
        });
    prop::collection::btree_map(path, (kind, metadata.clone()), 0..24).prop_flat_map(move |leaves| {
        let mut tree = std::collections::BTreeMap::new();
        for (path, (kind, metadata)) in leaves {
            let folders = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| path[..at].to_vec());
            for folder in folders {
                tree.insert(
                    folder,
                    (EntryKind::Directory, Vec::new(), Metadata { mode: 0o755, ..Metadata::default() }),
                );
            }
            tree.entry(path).or_insert((kind.0, kind.1, metadata));
        }
        // Depth first: sorted by components, not by bytes.
        let mut sorted: Vec<_> = tree.into_iter().collect();
        sorted.sort_by(|left, right| left.0.split(|byte| *byte == b'/').cmp(right.0.split(|byte| *byte == b'/')));
        let mut last_file: Option<Vec<u8>> = None;
        let mut entries = Vec::new();
        for (path, (kind, content, metadata)) in sorted {
            let kind = match (kind, &last_file) {
                (EntryKind::HardLink { .. }, Some(target)) => EntryKind::HardLink { target: target.clone() },
                (EntryKind::HardLink { .. }, None) => EntryKind::Fifo,
                (kind, _) => kind,
            };
            if matches!(kind, EntryKind::File { .. }) {
                last_file = Some(path.clone());
            }
            entries.push((Entry { path, kind, metadata }, content));
        }
        Just(entries)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_what_is_read(entries in trees()) {
        let (layer, tar) = write(&entries);
        let again = crate::ingest(Cursor::new(&tar), tempfile::tempfile().unwrap(), None).unwrap();
        prop_assert_eq!(&again, &layer, "index made while writing and index made while reading are the same");

        let fixture = Fixture::new(&[&tar]);
        let found = walk(&fixture.tree);
        prop_assert_eq!(found.len(), entries.len());
        let contents: std::collections::BTreeMap<_, _> =
            entries.iter().map(|(entry, content)| (&entry.path, (entry, content))).collect();
        for (entry, content) in found {
            let (mut expected, mut bytes) = contents[&entry.path];
            if let EntryKind::HardLink { target } = &expected.kind {
                let (target, content) = contents[target];
                let node = fixture.tree.lookup(&entry.path).unwrap().unwrap();
                let other = fixture.tree.lookup(&target.path).unwrap().unwrap();
                prop_assert_eq!(node.identity(), other.identity());
                (expected, bytes) = (target, content);
            }
            prop_assert_eq!(&entry.kind, &expected.kind);
            prop_assert_eq!(&entry.metadata, &expected.metadata);
            prop_assert_eq!(&content, bytes);
        }
        let sizes: usize = entries.iter().map(|(_, content)| content.len()).sum();
        prop_assert_eq!(layer.content_size, sizes as u64);
    }
}
