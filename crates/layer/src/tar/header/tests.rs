use super::*;

#[test]
fn numbers_in_both_notations() {
    let cases: &[(&[u8], Option<i64>)] = &[
        (b"0000644\0", Some(0o644)),
        (b"  644 \0\0", Some(0o644)),
        (b"\0\0\0\0\0\0\0\0", Some(0)),
        (b"        ", Some(0)),
        (b"777777777777", Some(0o777_777_777_777)),
        (b"0000648\0", None),
        (b"-1\0\0\0\0\0\0", None),
        (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", Some(256)),
        (b"\x80\0\0\0\x02\0\0\0\0\0\0\0", Some(1 << 57)),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", Some(-256)),
        (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
        (b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
    ];
    for (field, expected) in cases {
        assert_eq!(number(field), *expected, "{field:?}");
    }
}
