use super::*;

fn xattr(name: &str, value: &[u8]) -> Xattr {
    Xattr { name: name.as_bytes().to_vec(), value: value.to_vec() }
}

#[test]
fn what_goes_in_comes_out() {
    let kept = [
        xattr("security.capability", b"\x01\0\0\x02\0"),
        xattr("system.posix_acl_access", b"acl"),
        xattr("system.posix_acl_default", b""),
        xattr("trusted.x", &[7; 65_535]),
        xattr("user.", b""),
        xattr("user.name", b"value"),
    ];
    // `user.` has nothing behind its prefix, which no file system takes.
    let expected: Vec<_> = kept.iter().filter(|kept| kept.name != b"user.").cloned().collect();
    let entries = encode(&kept).unwrap();
    let mut body = vec![0; body_size(entries.len()).0 as usize];
    write(&mut body, &entries);
    assert_eq!(decode(&body), Some(expected));
}

#[test]
fn attributes_that_overlayfs_obeys_are_dropped() {
    let hostile = ["trusted.overlay.opaque", "trusted.overlay.redirect", "user.overlay.metacopy", "system.nfs4_acl"];
    assert_eq!(encode(&hostile.map(|name| xattr(name, b"y"))), Ok(Vec::new()));
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(encode(&[xattr("", b"")]), Err(XattrError::Name));
    assert_eq!(encode(&[xattr(&format!("user.{}", "x".repeat(251)), b"")]), Err(XattrError::Name));
    assert_eq!(encode(&[xattr("user.x", &[0; 65_536])]), Err(XattrError::Value));
    let many: Vec<_> = (0..5).map(|number| xattr(&format!("user.{number}"), &[0; 60_000])).collect();
    assert_eq!(encode(&many), Err(XattrError::Total));
}

#[test]
fn damage_is_noticed() {
    for damaged in [&[0; 13][..], &[0; 16], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 1, 0, 0]] {
        assert_eq!(decode(damaged), None);
    }
}
