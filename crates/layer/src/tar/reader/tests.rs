use crate::entry::{EntryKind, Xattr};
use crate::tar::forge::{Forged, Tarball};

use super::*;

/// Reads a tar in pieces of the given size.
fn read_in(tar: &[u8], piece: usize) -> Result<Vec<Member>, TarError> {
    let mut reader = Reader::new();
    let mut members = Vec::new();
    for mut input in tar.chunks(piece) {
        while let Some(event) = reader.next(&mut input)? {
            if let Event::Member(member) = event {
                members.push(*member);
            }
        }
    }
    reader.finish()?;
    assert_eq!(reader.position(), tar.len() as u64);
    Ok(members)
}

/// Reads a tar; in pieces of whatever size the result is the same.
fn read(tar: &[u8]) -> Result<Vec<Member>, TarError> {
    let whole = read_in(tar, tar.len().max(1));
    for piece in [1, 7, 512, 513, 1024] {
        assert_eq!(format!("{:?}", read_in(tar, piece)), format!("{whole:?}"), "pieces of {piece}");
    }
    whole
}

fn one(tar: Tarball) -> Member {
    let mut members = read(&tar.end()).unwrap();
    assert_eq!(members.len(), 1);
    members.remove(0)
}

/// Path, kind and place of the stored bytes, as text.
fn listed(tar: &[u8]) -> Vec<String> {
    let members = read(tar).unwrap();
    let line = |member: &Member| {
        let path = String::from_utf8_lossy(&member.entry.path);
        let kind = match &member.entry.kind {
            EntryKind::Symlink { target } => format!("Symlink {}", String::from_utf8_lossy(target)),
            EntryKind::HardLink { target } => format!("HardLink {}", String::from_utf8_lossy(target)),
            kind => format!("{kind:?}"),
        };
        format!("{path}: {kind} at {}+{}", member.data, member.stored)
    };
    members.iter().map(line).collect()
}

#[test]
fn all_types_of_members() {
    let tar = Tarball::new()
        .directory(b"./")
        .file(b"./a", b"hello")
        .header(&Forged::new(b"old", 0, 0))
        .header(&Forged::new(b"oldfolder/", 0, 0))
        .header(&Forged::new(b"contiguous", b'7', 3))
        .data(b"abc")
        .link(b"/hard", b"/a")
        .symlink(b"soft", b"../../etc/passwd")
        .header(&Forged::new(b"null", b'3', 0).set(329, b"0000001\x000000003\0"))
        .header(&Forged::new(b"disk", b'4', 0).set(329, b"0000010\x000000001\0"))
        .header(&Forged::new(b"pipe", b'6', 0))
        .end();
    assert_eq!(
        listed(&tar),
        [
            ": Directory at 512+0",
            "a: File { size: 5 } at 1024+5",
            "old: File { size: 0 } at 2048+0",
            "oldfolder: Directory at 2560+0",
            "contiguous: File { size: 3 } at 3072+3",
            "hard: HardLink a at 4096+0",
            "soft: Symlink ../../etc/passwd at 4608+0",
            "null: CharDevice { major: 1, minor: 3 } at 5120+0",
            "disk: BlockDevice { major: 8, minor: 1 } at 5632+0",
            "pipe: Fifo at 6144+0",
        ]
    );
}

#[test]
fn sizes_count_for_regular_files_only() {
    // Go, Python and GNU tar ignore the size of these, so the next header follows at once.
    let tar = Tarball::new()
        .header(&Forged::new(b"soft", b'2', 700).link(b"x"))
        .header(&Forged::new(b"hard", b'1', 700).link(b"x"))
        .header(&Forged::new(b"folder", b'5', 700))
        .file(b"x", b"1")
        .end();
    assert_eq!(listed(&tar).last().unwrap(), "x: File { size: 1 } at 2048+1");
}

#[test]
fn whiteouts_are_told_apart() {
    let tar = Tarball::new()
        .file(b"a/.wh.gone", b"")
        .file(b"a/.wh..wh..opq", b"")
        .file(b".wh..wh..opq", b"")
        .file(b".wh..wh.plnk/1.2", b"data")
        .file(b".wh..wh.aufs", b"")
        .file(b"a/.wh.x.wh.y", b"content of a whiteout")
        .end();
    let lines = listed(&tar);
    let lines: Vec<_> = lines.iter().map(|line| line.split(" at").next().unwrap()).collect();
    assert_eq!(lines, ["a/gone: Whiteout", "a: Opaque", ": Opaque", "a/x.wh.y: Whiteout"]);
    for name in [&b".wh."[..], b"a/.wh..", b"a/.wh..."] {
        let error = read(&Tarball::new().file(name, b"").end()).unwrap_err();
        assert!(matches!(error, TarError::Whiteout { offset: 0, .. }), "{error}");
    }
}

#[test]
fn long_names_in_every_dialect() {
    let long = [&b"folder/"[..], &[b'n'; 200]].concat();
    let expected = format!("{}: File {{ size: 2 }}", String::from_utf8_lossy(&long));
    let prefix = Forged::new(&[b'n'; 100], b'0', 2).set(345, &[b'p'; 155]);
    let dialects = [
        Tarball::new().long(b'L', &long).file(b"short", b"hi"),
        Tarball::new().pax(b'x', &[("path", &long)]).file(b"short", b"hi"),
        Tarball::new().pax(b'x', &[("path", b"other"), ("path", &long)]).file(b"short", b"hi"),
        Tarball::new().pax(b'x', &[("path", &long)]).long(b'L', &long).file(b"short", b"hi"),
    ];
    for tar in dialects {
        assert!(listed(&tar.end())[0].starts_with(&expected));
    }
    let member = one(Tarball::new().header(&prefix).data(b"hi"));
    assert_eq!(member.entry.path, [&[b'p'; 155][..], b"/", &[b'n'; 100]].concat());
    let member = one(Tarball::new().header(&prefix.gnu()).data(b"hi"));
    assert_eq!(member.entry.path, [b'n'; 100], "GNU uses the place of the prefix for other things");
    let target = [b't'; 300];
    for tar in [Tarball::new().long(b'K', &target), Tarball::new().pax(b'x', &[("linkpath", &target)])] {
        let member = one(tar.symlink(b"soft", b"short"));
        assert_eq!(member.entry.kind, EntryKind::Symlink { target: target.to_vec() });
    }
}

#[test]
fn records_override_fields() {
    let records: &[(&str, &[u8])] = &[
        ("uid", b"4000000000"),
        ("gid", b"65536"),
        ("mtime", b"-1.5"),
        ("size", b"3"),
        ("atime", b"nonsense is ignored where it does not count"),
        ("SCHILY.xattr.user.b", b"2\n"),
        ("SCHILY.xattr.security.capability", b"\x01\0=\xff"),
        ("LIBARCHIVE.xattr.user.b", b"Mg"),
    ];
    let member = one(Tarball::new().pax(b'x', records).header(&Forged::new(b"f", b'0', 0)).data(b"abc"));
    assert_eq!(member.stored, 3);
    let metadata = member.entry.metadata;
    assert_eq!((metadata.uid, metadata.gid), (4_000_000_000, 65_536));
    assert_eq!(metadata.mtime, Timestamp { secs: -2, nanos: 500_000_000 });
    let xattr = |name: &str, value: &[u8]| Xattr { name: name.into(), value: value.to_vec() };
    assert_eq!(metadata.xattrs, [xattr("security.capability", b"\x01\0=\xff"), xattr("user.b", b"2\n")]);
}

#[test]
fn fields_of_all_notations() {
    let header = Forged::new(b"\xff\x01\n", b'0', 0)
        .set(100, b"0104755\0")
        .set(108, b"\x80\0\0\0\xee\x6b\x28\0")
        .set(116, b"  1750 \0")
        .set(136, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe");
    let member = one(Tarball::new().header(&header));
    let metadata = member.entry.metadata;
    assert_eq!(member.entry.path, b"\xff\x01\n");
    assert_eq!((metadata.mode, metadata.uid, metadata.gid), (0o4755, 4_000_000_000, 0o1750));
    assert_eq!(metadata.mtime, Timestamp { secs: -2, nanos: 0 });
}

#[test]
fn global_headers_apply_to_all_behind_them() {
    let tar = Tarball::new()
        .file(b"before", b"")
        .pax(b'g', &[("mtime", b"77"), ("comment", b"made by git")])
        .file(b"first", b"")
        .pax(b'x', &[("mtime", b"88")])
        .file(b"second", b"")
        .pax(b'g', &[("mtime", b"")])
        .file(b"third", b"")
        .end();
    let times: Vec<_> = read(&tar).unwrap().iter().map(|member| member.entry.metadata.mtime.secs).collect();
    assert_eq!(times, [0, 77, 88, 0]);
    for key in ["path", "linkpath", "size", "GNU.sparse.size", "SCHILY.xattr.user.x"] {
        let error = read(&Tarball::new().pax(b'g', &[(key, b"1")]).file(b"f", b"").end()).unwrap_err();
        assert!(matches!(error, TarError::Conflict { .. }), "{error}");
    }
}

#[test]
fn the_end_may_be_missing_or_followed_by_anything() {
    let tar = Tarball::new().file(b"f", b"content");
    let lone = [&tar.0[..], &[0; 512]].concat();
    let garbage = [&tar.clone().end()[..], &[0xff; 1234]].concat();
    for tar in [Vec::new(), vec![0; 512], tar.0.clone(), lone, tar.end(), garbage] {
        assert!(read(&tar).unwrap().len() <= 1);
    }
}

#[test]
fn sparse_files_in_every_dialect() {
    let number = |number: u64| format!("{number:011o}\0");
    let pair = |offset, length| number(offset) + &number(length);
    let gnu = Forged::new(b"sparse", b'S', 1024 + 5)
        .gnu()
        .set(386, (pair(4096, 1024) + &pair(10_000, 5)).as_bytes())
        .set(483, number(20_000).as_bytes());
    let many = Forged::new(b"sparse", b'S', 1024 + 5).gnu().set(386, pair(4096, 1024).as_bytes());
    let many = many.set(482, b"\x01").set(483, number(20_000).as_bytes());
    let mut more = pair(10_000, 5).into_bytes();
    more.resize(512, 0);
    let data = [7; 1024 + 5];
    let name: (&str, &[u8]) = ("GNU.sparse.name", b"sparse");
    let version_0: &[(&str, &[u8])] = &[
        ("GNU.sparse.size", b"20000"),
        ("GNU.sparse.numblocks", b"2"),
        ("GNU.sparse.offset", b"4096"),
        ("GNU.sparse.numbytes", b"1024"),
        ("GNU.sparse.offset", b"10000"),
        ("GNU.sparse.numbytes", b"5"),
    ];
    let version_1: &[(&str, &[u8])] = &[name, ("GNU.sparse.size", b"20000"), ("GNU.sparse.map", b"4096,1024,10000,5")];
    let version_2: &[(&str, &[u8])] =
        &[name, ("GNU.sparse.realsize", b"20000"), ("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")];
    let mut mapped = b"2\n4096\n1024\n10000\n5\n".to_vec();
    mapped.resize(512, 0);
    mapped.extend_from_slice(&data);
    let tars = [
        Tarball::new().header(&gnu).data(&data),
        Tarball::new().header(&many).data(&more).data(&data),
        Tarball::new().pax(b'x', version_0).file(b"sparse", &data),
        Tarball::new().pax(b'x', version_1).file(b"GNUSparseFile.0/x", &data),
        Tarball::new().pax(b'x', version_2).file(b"GNUSparseFile.0/x", &mapped),
        Tarball::new()
            .pax(b'x', &[version_2, &[("size", mapped.len().to_string().as_bytes())]].concat())
            .file(b"GNUSparseFile.0/x", &mapped),
    ];
    for tar in tars {
        let members = read(&tar.file(b"next", b"").end()).unwrap();
        let [sparse, next] = &members[..] else { panic!("two members") };
        assert_eq!(sparse.entry.path, b"sparse");
        assert_eq!(sparse.entry.kind, EntryKind::File { size: 20_000 });
        assert_eq!(sparse.stored, 1029);
        let segments = [Segment { offset: 4096, length: 1024 }, Segment { offset: 10_000, length: 5 }];
        assert_eq!(sparse.segments.as_deref(), Some(&segments[..]));
        assert_eq!(next.data, sparse.data + 1536 + 512);
    }
}

#[test]
fn malformed_sparse_files_are_refused() {
    let size: (&str, &[u8]) = ("GNU.sparse.size", b"100");
    let maps: &[&[u8]] = &[b"0,5,3,5", b"5,5,0,5", b"95,10", b"0,9", b"0,11", b"18446744073709551615,10", b""];
    for map in maps {
        let tar = Tarball::new().pax(b'x', &[size, ("GNU.sparse.map", map)]).file(b"f", &[1; 10]).end();
        let error = read(&tar).unwrap_err();
        assert!(matches!(error, TarError::Sparse { offset: 1024, .. }), "{error}");
    }
    let major: (&str, &[u8]) = ("GNU.sparse.major", b"1");
    let minor: (&str, &[u8]) = ("GNU.sparse.minor", b"0");
    let maps: &[&[u8]] = &[b"", b"1\n0\n", b"x\n", b"999999999\n", b"1\n0\n18446744073709551616\n"];
    for map in maps {
        let mut data = map.to_vec();
        data.resize(data.len().next_multiple_of(512), 0);
        let tar = Tarball::new().pax(b'x', &[size, major, minor]).file(b"f", &data).end();
        assert!(matches!(read(&tar), Err(TarError::Sparse { .. } | TarError::Truncated { .. })));
    }
    let tar = Tarball::new().header(&Forged::new(b"f", b'S', 0)).end();
    assert!(matches!(read(&tar), Err(TarError::Sparse { .. })), "not a GNU header");
}

#[test]
fn contradictions_are_refused() {
    let tars = [
        Tarball::new().pax(b'x', &[("size", b"0")]).file(b"f", b"x"),
        Tarball::new().pax(b'x', &[("size", b"1536")]).file(b"f", b"x"),
        Tarball::new().pax(b'x', &[("path", b"a")]).long(b'L', b"b").file(b"f", b""),
        Tarball::new().pax(b'x', &[("linkpath", b"a")]).long(b'K', b"b").symlink(b"f", b"c"),
        Tarball::new().pax(b'x', &[("uid", b"1")]).pax(b'x', &[("gid", b"1")]).file(b"f", b""),
        Tarball::new().long(b'L', b"a").long(b'L', b"a").file(b"f", b""),
    ];
    for tar in tars {
        let error = read(&tar.end()).unwrap_err();
        assert!(matches!(error, TarError::Conflict { .. }), "{error}");
    }
}

#[test]
fn malformed_input_is_an_error_with_its_place() {
    let file = || Tarball::new().file(b"first", b"x");
    let checksum = {
        let mut tar = file().file(b"second", b"").end();
        tar[1024] = b'S';
        tar
    };
    let lone = [&file().0[..], &[0; 512], &file().0[..]].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (checksum, "no tar header at byte 1024, behind `first`: checksum is wrong"),
        (lone, "block of zeros inside tar at byte 1024, behind `first`"),
        (vec![b'x'; 100], "tar ends at byte 100, within header of ``"),
        (file().0[..512].to_vec(), "tar ends at byte 512, within content of `first`"),
        (file().0[..600].to_vec(), "tar ends at byte 600, within padding of `first`"),
        (
            file().pax(b'x', &[("uid", b"1")]).0[..1024 + 515].to_vec(),
            "tar ends at byte 1539, within extended header of `first`",
        ),
        (file().pax(b'x', &[("uid", b"1")]).end(), "no tar header at byte 2048, behind `first`: checksum is wrong"),
        (
            file().header(&Forged::new(b"f", b'0', 0).set(108, b"99\0")).end(),
            "field `uid` is malformed in tar header of `f` at byte 1024",
        ),
        (
            file()
                .header(&Forged::new(b"f", b'0', 0).set(124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
                .end(),
            "field `size` is malformed in tar header of `f` at byte 1024",
        ),
        (
            Tarball::new().pax(b'x', &[("uid", b"4294967296")]).file(b"f", b"").end(),
            "field `uid` is malformed in tar header of `f` at byte 1024",
        ),
        (
            Tarball::new().pax(b'x', &[("size", b"9223372036854775807")]).header(&Forged::new(b"f", b'0', 0)).end(),
            "field `size` is malformed in tar header of `f` at byte 1024",
        ),
        (Tarball::new().raw_pax(b'x', b"junk").end(), "field `PAX record` is malformed in tar header of `` at byte 0"),
        (file().file(b"a/../../b", b"").end(), "cannot take member `a/../../b` at byte 1024"),
        (file().link(b"a", b"../b").end(), "cannot take member `a` at byte 1024"),
        (file().symlink(b"a", b"").end(), "field `linkname` is malformed in tar header of `a` at byte 1024"),
        (file().header(&Forged::new(b"f", b'M', 0)).end(), "`f` at byte 1024 has tar type `M`, which is not supported"),
        (
            Tarball::new().header(&Forged::new(b"x", b'x', 1 << 30)).end(),
            "extended header of `` at byte 0 is larger than 1048576",
        ),
        (
            Tarball::new().long(b'L', &[b'x'; 300]).file(b"f", b"").end(),
            &{ format!("cannot take member `{}…` at byte 1024", "x".repeat(256)) }.leak()[..],
        ),
    ];
    for (tar, expected) in cases {
        assert_eq!(read(&tar).map(|_| ()).unwrap_err().to_string(), expected);
    }
}

#[test]
fn stored_bytes_can_be_asked_for() {
    let tar = Tarball::new().file(b"a", b"first").file(b"b", &[9; 2000]).file(b"c", b"").end();
    for piece in [1, 100, 512, 4096] {
        let mut reader = Reader::new();
        let mut captured = Vec::new();
        for mut input in tar.chunks(piece) {
            while let Some(event) = reader.next(&mut input).unwrap() {
                match event {
                    Event::Member(member) if member.entry.path != b"a" => reader.capture(),
                    Event::Member(_) => {}
                    Event::Captured(bytes) => captured.push(bytes),
                }
            }
        }
        assert_eq!(captured, [vec![9; 2000], Vec::new()]);
    }
}

proptest::proptest! {
    #[test]
    fn no_input_makes_it_panic(
        changes in proptest::collection::vec((0usize..6000, proptest::prelude::any::<u8>()), 0..12),
        cut in 0usize..6000,
        repair in proptest::prelude::any::<bool>(),
    ) {
        let mut tar = Tarball::new()
            .pax(b'x', &[("path", b"long"), ("mtime", b"1.5"), ("SCHILY.xattr.user.x", b"1")])
            .file(b"a", b"content")
            .long(b'L', b"name")
            .symlink(b"b", b"a")
            .pax(b'x', &[("GNU.sparse.size", b"20"), ("GNU.sparse.map", b"1,2")])
            .file(b"c", b"ab")
            .directory(b"d/")
            .end();
        for (at, byte) in changes {
            let at = at % tar.len();
            tar[at] = byte;
        }
        if repair {
            // Most changes would else stop at the checksum.
            for block in tar.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
                block[148..156].fill(b' ');
                let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        tar.truncate(cut);
        let whole = read_in(&tar, 1 << 20).map_err(|error| error.to_string());
        let pieces = read_in(&tar, 300).map_err(|error| error.to_string());
        proptest::prop_assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
    }
}
