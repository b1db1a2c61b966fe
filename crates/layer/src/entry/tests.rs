use super::*;

#[test]
fn names_come_to_normal_form() {
    let long = vec![b'x'; 255];
    type Case<'a> = (&'a [u8], Result<&'a [u8], PathError>);
    let cases: &[Case<'_>] = &[
        (b"", Ok(b"")),
        (b".", Ok(b"")),
        (b"./", Ok(b"")),
        (b"/", Ok(b"")),
        (b"./usr/", Ok(b"usr")),
        (b"/usr//bin/./sh", Ok(b"usr/bin/sh")),
        (b"a/...", Ok(b"a/...")),
        (b"\xff\n", Ok(b"\xff\n")),
        (&long, Ok(&long)),
        (b"..", Err(PathError::Parent)),
        (b"a/../b", Err(PathError::Parent)),
        (b"a\0b", Err(PathError::Zero)),
        (&[b'x'; 256], Err(PathError::Component)),
        (&b"a/".repeat(2049), Err(PathError::TooLong)),
    ];
    for (name, expected) in cases {
        assert_eq!(normalize(name), expected.map(<[u8]>::to_vec), "{}", Shown(name));
    }
}

#[test]
fn hostile_names_are_shown_inert() {
    assert_eq!(Shown(b"a\x1b[2J\n\xff").to_string(), "a\\u{1b}[2J\\n\u{fffd}");
    assert!(Shown(&[b'x'; 1000]).to_string().ends_with('…'));
}

#[test]
fn paths_split_at_the_last_slash() {
    assert_eq!(split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
    assert_eq!(split(b"c"), (&b""[..], &b"c"[..]));
}
