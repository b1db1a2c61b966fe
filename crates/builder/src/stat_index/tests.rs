use super::*;

fn row(path: &str, inode: u64) -> (Vec<u8>, Remembered) {
    let stamp = Stamp { device: 1, inode, size: 3, mtime: -4, ctime: 5 };
    let xattrs = vec![Xattr { name: b"user.x".to_vec(), value: vec![0, 255] }];
    (path.as_bytes().to_vec(), Remembered { stamp, digest: Digest::of(path.as_bytes()), xattrs })
}

#[test]
fn rows_survive_writing_and_reading() {
    let mut index = StatIndex::default();
    index.update(vec![row("b", 1), row("a/b", 2), row("a.txt", 3), row("b", 4)]);
    let again = StatIndex::parse(&index.to_bytes());
    assert_eq!(again.rows, index.rows);
    let (_, newest) = row("b", 4);
    assert_eq!(again.get(b"b", newest.stamp), Some(&newest));
    assert_eq!(again.get(b"b", row("b", 1).1.stamp), None);
    assert_eq!(again.get(b"c", newest.stamp), None);
}

#[test]
fn damage_is_forgetting() {
    let mut index = StatIndex::default();
    index.update(vec![row("a", 1), row("b", 2)]);
    let bytes = index.to_bytes();
    for length in 0..bytes.len() {
        // A cut at the end of a row leaves fewer rows, any other none; never a panic.
        assert!(StatIndex::parse(&bytes[..length]).rows.len() < 2);
    }
    assert!(StatIndex::parse(b"something else").rows.is_empty());
}

/// A file that changed in the tick in which it was read may change once more without showing it.
#[test]
fn what_is_too_young_is_not_trusted() {
    let stamp = Stamp { device: 1, inode: 2, size: 3, mtime: i64::MAX, ctime: 1_000_000_000 };
    assert_eq!(stamp.if_trusted(1_000_000_000 + CLOCK_GRAIN_NS + 1), stamp, "a time of the future is no hindrance");
    assert_ne!(stamp.if_trusted(1_000_000_000 + CLOCK_GRAIN_NS), stamp);
    assert_ne!(stamp.if_trusted(0), stamp);
}
