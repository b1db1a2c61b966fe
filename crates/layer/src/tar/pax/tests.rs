use super::*;

#[test]
fn times_with_sign_and_fraction() {
    let cases: &[(&str, Option<(i64, u32)>)] = &[
        ("0", Some((0, 0))),
        ("12.5", Some((12, 500_000_000))),
        ("12.1234567899", Some((12, 123_456_789))),
        ("12.", Some((12, 0))),
        ("-1", Some((-1, 0))),
        ("-1.25", Some((-2, 750_000_000))),
        ("", None),
        (".5", None),
        ("1.x", None),
        ("--1", None),
        ("99999999999999999999", None),
    ];
    for (text, expected) in cases {
        let expected = expected.map(|(secs, nanos)| Timestamp { secs, nanos });
        assert_eq!(time(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn records_are_taken_only_whole() {
    let read = |records: &[u8]| {
        let mut pax = Pax::default();
        pax.read(records).map(|()| pax)
    };
    let pax = read(b"12 path=a\nb\n12 uid=1234\n7 uid=\n30 SCHILY.xattr.user.k=v\n\0=\x00\xff\n").unwrap();
    assert_eq!(pax.path.as_deref(), Some(&b"a\nb"[..]));
    assert_eq!(pax.uid, None, "an empty value takes the earlier one back");
    assert_eq!(pax.xattrs, [Xattr { name: b"user.k".to_vec(), value: b"v\n\0=\x00\xff".to_vec() }]);
    for malformed in [
        &b"11 path=a\nb\n"[..],
        b"13 path=a\nb\n",
        b"9 path=ab",
        b" 9 path=a\n",
        b"0 path=a\n",
        b"6 uid=\n\0",
        b"5 =a\n",
        b"6 abc\n",
        b"9 uid=+1\n",
        b"99999999999999999999999 a=b\n",
        b"\0\0\0\0",
    ] {
        assert!(read(malformed).is_err(), "{}", String::from_utf8_lossy(malformed));
    }
}

#[test]
fn sparse_maps_come_in_pairs() {
    assert_eq!(map(b"1,2,30,4").unwrap().len(), 2);
    assert_eq!(map(b""), Some(Vec::new()));
    for malformed in [&b"1"[..], b"1,2,3", b"1,", b"a,b", b"1,,2"] {
        assert_eq!(map(malformed), None);
    }
}
