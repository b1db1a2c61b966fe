//! Tar to view: every kind of entry, alone and over other layers.

use std::os::fd::AsFd;

use layer::{EntryKind, Timestamp, Xattr};

use crate::raw_tar;
use crate::stack::{both, entry, file, folder, hard_link, symlink, with};
use crate::view::read;

#[test]
#[ignore = "requires root"]
fn every_kind_of_entry_requires_root() {
    both(|mut stack| {
        let xattr = |name: &str, value: &[u8]| Xattr { name: name.as_bytes().to_vec(), value: value.to_vec() };
        let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let big: Vec<u8> = (0..3_000_001u32).map(|number| (number * 7 / 3) as u8).collect();
        stack.push(&[
            with(folder(""), |root| root.mode = 0o711),
            folder("a"),
            with(file("a/setuid", "s"), |file| {
                file.mode = 0o6755;
                file.uid = 70_000;
                file.gid = 4_000_000_000;
            }),
            file("a/empty", ""),
            file("a/one", "1"),
            file("a/block", [7; 512]),
            file("a/block-and-one", [8; 513]),
            file("a/big", &big),
            with(file("a/ping", "p"), |file| file.xattrs = vec![xattr("security.capability", &capability)]),
            with(file("a/xattrs", "x"), |file| {
                file.xattrs =
                    vec![xattr("trusted.mine", b"\0\xff"), xattr("user.empty", b""), xattr("user.name", b"v")];
            }),
            symlink("a/link", "../b/nowhere"),
            symlink("a/long", &"x/".repeat(1500)),
            entry("a/fifo", EntryKind::Fifo),
            entry("a/null", EntryKind::CharDevice { major: 1, minor: 3 }),
            entry("a/high", EntryKind::BlockDevice { major: 259, minor: 70_000 }),
            hard_link("a/second", "a/big"),
            with(folder("a/sticky"), |folder| {
                folder.mode = 0o1777;
                folder.xattrs = vec![xattr("user.folder", b"f")];
                folder.mtime = Timestamp { secs: -5, nanos: 0 };
            }),
            with(file("old", ""), |file| file.mtime = Timestamp { secs: 0, nanos: 0 }),
            with(file("late", ""), |file| file.mtime = Timestamp { secs: 7_000_000_000, nanos: 0 }),
        ]);
        let view = stack.view();
        assert_eq!(view.len(), 19);
        assert_eq!(view[&b"a/second"[..]].link.as_deref(), Some(&b"a/big"[..]));
        assert_eq!(view[&b"a/ping"[..]].metadata.xattrs[0].value, capability);
        assert!(view[&b"a/big"[..]].content == big);
    });
}

#[test]
#[ignore = "requires root"]
fn names_are_any_bytes_requires_root() {
    both(|mut stack| {
        let mut entries = Vec::new();
        for byte in (1..=255u8).filter(|byte| *byte != b'/' && *byte != b'.') {
            entries.push(file([b'n', byte], [byte]));
        }
        let longest = [b'l'; 255];
        entries.push(folder(longest));
        entries.push(file([&longest[..], b"/", &[0xff; 255]].concat(), "deep"));
        for name in ["...", "..x", "wh.", " ", "-"] {
            entries.push(file(name, name));
        }
        stack.push(&entries);
        assert_eq!(stack.view().len(), 1 + 253 + 2 + 5);
    });
}

#[test]
#[ignore = "requires root"]
fn large_folders_are_found_in_requires_root() {
    both(|mut stack| {
        let mut entries = vec![folder("d")];
        entries.extend((0..3000).map(|number| file(format!("d/{number:05}-{}", "n".repeat(number % 60)), "")));
        stack.push(&entries);
        assert_eq!(stack.view().len(), 3002);
    });
}

#[test]
#[ignore = "requires root"]
fn whiteouts_and_opaque_folders_requires_root() {
    both(|mut stack| {
        stack.push(&[
            folder("a"),
            file("a/gone", "1"),
            file("a/kept", "1"),
            folder("a/sub"),
            file("a/sub/x", "1"),
            folder("b"),
            file("b/hidden", "1"),
            folder("b/also"),
            file("b/also/hidden", "1"),
            file("c", "file becomes folder"),
            folder("d"),
            file("d/x", "folder becomes file"),
        ]);
        stack.push(&[
            entry("a/gone", EntryKind::Whiteout),
            entry("a/never-was", EntryKind::Whiteout),
            entry("a/sub", EntryKind::Whiteout),
            folder("b"),
            entry("b", EntryKind::Opaque),
            file("b/new", "2"),
            folder("c"),
            file("c/x", "2"),
            file("d", "2"),
            folder("only-here"),
            entry("only-here/never-was", EntryKind::Whiteout),
            file("only-here/kept", "2"),
        ]);
        let view = stack.view();
        let names: Vec<_> = view.keys().map(|name| String::from_utf8_lossy(name)).collect();
        assert_eq!(names, ["", "a", "a/kept", "b", "b/new", "c", "c/x", "d", "only-here", "only-here/kept"]);
        stack.push(&[folder("a"), folder("a/sub"), file("a/sub/y", "3"), folder("b"), file("b/hidden", "3")]);
        let view = stack.view();
        assert!(!view.contains_key(&b"a/sub/x"[..]), "what was removed stays removed");
        assert!(!view.contains_key(&b"b/also"[..]));
        assert_eq!(read(stack.mount().as_fd(), "b/hidden"), b"3");
    });
}

#[test]
#[ignore = "requires root"]
fn a_layer_of_whiteouts_alone_shows_nothing_requires_root() {
    both(|mut stack| {
        stack.push(&[entry("x", EntryKind::Whiteout), folder("d"), entry("d/y", EntryKind::Whiteout)]);
        assert_eq!(stack.view().len(), 2);
    });
}

#[test]
#[ignore = "requires root"]
fn implied_folders_keep_the_metadata_below_requires_root() {
    both(|mut stack| {
        let xattr = Xattr { name: b"user.kept".to_vec(), value: b"yes".to_vec() };
        stack.push(&[
            with(folder(""), |root| root.mode = 0o700),
            with(folder("tmp"), |folder| folder.mode = 0o1777),
            with(folder("tmp/private"), |folder| {
                (folder.mode, folder.uid, folder.gid) = (0o2750, 33, 34);
                folder.mtime.secs = 99;
                folder.xattrs = vec![xattr.clone()];
            }),
        ]);
        stack.push(&[file("tmp/private/x", "x"), file("new/y", "y")]);
        let view = stack.view();
        assert_eq!(crate::view::tree_view(&stack.tree())[&b""[..]].metadata.mode, 0o700);
        let private = &view[&b"tmp/private"[..]].metadata;
        assert_eq!((private.mode, private.uid, private.gid, private.mtime.secs), (0o2750, 33, 34, 99));
        assert_eq!(private.xattrs, [xattr]);
        assert_eq!(view[&b"new"[..]].metadata.mode, 0o755);
    });
}

#[test]
#[ignore = "requires root"]
fn hard_links_reach_into_lower_layers_requires_root() {
    both(|mut stack| {
        let content = [&[1; 700][..], &[2; 900]].concat();
        stack
            .push(&[with(file("target", &content), |file| (file.mode, file.uid) = (0o4711, 9)), symlink("link", "to")]);
        let links = [raw_tar::hard_link("dir/other", "target"), raw_tar::hard_link("link2", "link")];
        stack.push_tar(&raw_tar::tar(&links)).unwrap();
        let view = stack.view();
        assert!(view[&b"dir/other"[..]].content == content);
        assert_eq!((view[&b"dir/other"[..]].metadata.mode, view[&b"dir/other"[..]].metadata.uid), (0o4711, 9));
        assert_eq!(view[&b"link2"[..]].kind, EntryKind::Symlink { target: b"to".to_vec() });
    });
}

#[test]
#[ignore = "requires root"]
fn hard_links_between_folders_requires_root() {
    both(|mut stack| {
        stack.push(&[
            folder("a"),
            folder("a/deep"),
            file("a/deep/first", "content"),
            hard_link("a/second", "a/deep/first"),
            symlink("a/symlink", "anywhere"),
            hard_link("a/symlink2", "a/symlink"),
            folder("b"),
            hard_link("b/third", "a/second"),
            file("top", "t"),
            hard_link("top2", "top"),
        ]);
        let view = stack.view();
        for name in ["a/deep/first", "a/second", "b/third"] {
            assert_eq!(view[name.as_bytes()].link.as_deref(), Some(&b"a/deep/first"[..]));
        }
        assert_eq!(view[&b"a/symlink2"[..]].link.as_deref(), Some(&b"a/symlink"[..]));
    });
}

#[test]
#[ignore = "requires root"]
fn empty_layers_requires_root() {
    both(|mut stack| {
        let finished = stack.push(&[]);
        assert_eq!(finished.tar_size, 1024);
        assert_eq!(stack.view().len(), 1);
        stack.push(&[]);
        stack.push(&[file("f", "f")]);
        stack.push(&[]);
        assert_eq!(stack.view().len(), 2);
    });
}

#[test]
#[ignore = "requires root"]
fn no_layers_at_all_requires_root() {
    both(|mut stack| {
        let writable = stack.mount_writable();
        std::fs::write(crate::view::path_of(writable.root.as_fd()).join("f"), "first").unwrap();
        stack.push_upper(writable.upper.as_fd(), &layer::DiffOptions::default());
        assert_eq!(read(stack.mount().as_fd(), "f"), b"first");
    });
}

#[test]
#[ignore = "requires root"]
fn stacks_of_sixty_and_more_requires_root() {
    both(|mut stack| {
        for number in 0..130u32 {
            stack.push(&[
                folder("d"),
                file(format!("d/{number}"), number.to_string()),
                file("d/last", number.to_string()),
                entry(format!("d/{}", number / 2), EntryKind::Whiteout),
            ]);
            if number == 60 || number == 129 {
                assert_eq!(stack.view()[&b"d/last"[..]].content, number.to_string().as_bytes());
            }
        }
    });
}

#[test]
#[ignore = "requires root"]
fn deep_trees_requires_root() {
    both(|mut stack| {
        let mut entries = Vec::new();
        let mut path = String::new();
        for depth in 0..1500 {
            path.push_str(if depth == 0 { "d" } else { "/d" });
            entries.push(folder(&path));
        }
        entries.push(file(format!("{path}/f"), "bottom"));
        stack.push(&entries);
        let tree = stack.tree();
        assert!(tree.lookup(format!("{path}/f").as_bytes()).unwrap().is_some());
    });
}
