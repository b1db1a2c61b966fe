use super::{DetachKeys, DetachWatch};

#[test]
fn c207_keys_are_written_as_dockers() {
    for (text, keys) in [
        ("", &[16, 17][..]),
        ("ctrl-p,ctrl-q", &[16, 17]),
        ("a", b"a"),
        ("a,b,c", b"abc"),
        ("ctrl-a,a", &[1, b'a']),
        ("ctrl-@", &[0]),
        ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", &[27, 28, 29, 30, 31]),
    ] {
        assert_eq!(text.parse::<DetachKeys>().unwrap().keys, keys, "{text}");
    }
    for text in ["ctrl-", "ctrl-A", "ctrl-aa", "alt-a", "ab", "a,,b", "ctrl-p,", "shift-ctrl-p"] {
        let error = text.parse::<DetachKeys>().unwrap_err();
        assert_eq!(error.message, format!("invalid detach keys ({text})"));
    }
}

#[test]
fn s051_keys_are_found_however_they_are_typed() {
    let sifted = |pieces: &[&[u8]]| {
        let mut watch = DetachWatch::new(&DetachKeys::default());
        let mut passed = Vec::new();
        for piece in pieces {
            let (more, found) = watch.sift(piece);
            passed.extend_from_slice(&more);
            if found {
                return (passed, true);
            }
        }
        (passed, false)
    };
    for (pieces, passed, found) in [
        (&[&b"ls\n"[..]][..], &b"ls\n"[..], false),
        (&[b"ab\x10\x11cd"], b"ab", true),
        (&[b"\x10", b"\x11"], b"", true),
        // A key that was the beginning of nothing goes on to the container.
        (&[b"\x10", b"x"], b"\x10x", false),
        (&[b"\x10\x10\x11"], b"\x10", true),
        (&[b"\x11\x10"], b"\x11", false),
    ] {
        assert_eq!(sifted(pieces), (passed.to_vec(), found), "{pieces:?}");
    }
}
