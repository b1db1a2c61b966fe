//! Tars made to reach outside (field-notes, section 2, rows 1 to 6): refused, or kept inside, and the folder next door
//! stays as it was.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::raw_tar::{Member, file, folder, hard_link, member, symlink, tar};
use crate::stack::{Stack, both};
use crate::view::kernel_view;

/// A folder beside the layers, and everything about it.
struct Sentinel {
    folder: PathBuf,
    before: Vec<Look>,
}

/// The change time tells of any change of metadata, extended attributes too.
#[derive(PartialEq)]
struct Look {
    place: PathBuf,
    mode: u32,
    owner: u32,
    mtime: i64,
    ctime: (i64, i64),
    content: Vec<u8>,
}

impl Sentinel {
    fn new(stack: &Stack) -> Self {
        let folder = stack.folder("sentinel");
        fs::write(folder.join("s"), "untouched").unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        let before = Self::look(&folder);
        Self { folder, before }
    }

    fn look(folder: &Path) -> Vec<Look> {
        let mut places: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        places.push(folder.to_owned());
        places.sort();
        let look = |place: PathBuf| {
            let status = fs::symlink_metadata(&place).unwrap();
            let content = if status.is_file() { fs::read(&place).unwrap() } else { Vec::new() };
            let (mode, owner, mtime) = (status.mode(), status.uid(), status.mtime());
            Look { place, mode, owner, mtime, ctime: (status.ctime(), status.ctime_nsec()), content }
        };
        places.into_iter().map(look).collect()
    }

    fn assert_untouched(&self, what: &str) {
        assert!(Self::look(&self.folder) == self.before, "{what}: reached the folder outside");
    }
}

/// Pushes tars one above the other, in both backends; gives whether each was taken. What was taken is looked at.
fn check(what: &str, make: impl Fn(&str) -> Vec<Vec<Member<'_>>>, refused: &[bool]) {
    both(|mut stack| {
        let sentinel = Sentinel::new(&stack);
        let outside = sentinel.folder.to_str().unwrap().to_owned();
        assert!(outside.len() < 90, "fits into a tar header");
        let results: Vec<bool> = make(&outside).iter().map(|members| stack.push_tar(&tar(members)).is_err()).collect();
        sentinel.assert_untouched(what);
        assert_eq!(results, refused, "{what}: which tars were refused");
        if refused.contains(&false) {
            stack.view();
            let writable = stack.mount_writable();
            kernel_view(writable.root.as_fd());
        }
        sentinel.assert_untouched(what);
    });
}

#[test]
#[ignore = "requires root"]
fn names_that_lead_outside_requires_root() {
    for name in ["../s", "a/../../s", "./../s", "a//..//../s", "..", "a/.."] {
        check(name, |_| vec![vec![file(name)]], &[true]);
    }
    check("absolute name", |_| vec![vec![file("/abs/s")]], &[false]);
}

#[test]
#[ignore = "requires root"]
fn writing_through_links_requires_root() {
    check("one layer", |outside| vec![vec![symlink("d", outside), file("d/x")]], &[false]);
    check(
        "chain",
        |_| vec![vec![folder("a/b"), symlink("a/b/up", "../../.."), symlink("a/esc", "b/up/../.."), file("a/esc/x")]],
        &[false],
    );
    check("two layers", |outside| vec![vec![symlink("d", outside)], vec![file("d/x")]], &[false, false]);
    check(
        "whiteout below a link",
        |outside| vec![vec![symlink("d", outside)], vec![file("d/.wh.s"), folder("d/.wh..wh..opq")]],
        &[false, false],
    );
}

#[test]
#[ignore = "requires root"]
fn hard_links_outside_requires_root() {
    check("parent", |_| vec![vec![hard_link("h", "../sentinel/s")]], &[true]);
    check("absolute", |_| vec![vec![hard_link("h", "/etc/hostname")]], &[true]);
    check(
        "to a link",
        |_| vec![vec![folder("deep/er"), symlink("deep/er/l", "../../../sentinel/s"), hard_link("h", "deep/er/l")]],
        &[false],
    );
    check("through a link", |outside| vec![vec![symlink("d", outside)], vec![hard_link("h", "d/s")]], &[false, true]);
}

#[test]
#[ignore = "requires root"]
fn the_root_stays_a_folder_requires_root() {
    for name in [".", "/", "./"] {
        check(name, |outside| vec![vec![symlink(name, outside), file("x")]], &[true]);
    }
}

#[test]
#[ignore = "requires root"]
fn metadata_through_links_requires_root() {
    check(
        "mode",
        |outside| {
            vec![vec![symlink("sub", outside), folder("sub/")], vec![symlink("sub2", outside)], vec![folder("sub2")]]
        },
        &[false, false, false],
    );
    check(
        "attributes",
        |outside| {
            let bad = Member { xattr: Some(("user.bad", "1")), ..folder("sub") };
            vec![vec![symlink("sub", outside)], vec![bad], vec![symlink("sub", outside)]]
        },
        &[false, false, false],
    );
}

#[test]
#[ignore = "requires root"]
fn overlay_marks_in_tars_are_not_obeyed_requires_root() {
    both(|mut stack| {
        stack.push_tar(&tar(&[folder("d"), file("d/kept"), file("kept")])).unwrap();
        let marked = |name, mark| Member { xattr: Some((mark, "y")), ..folder(name) };
        let top = tar(&[
            marked("d", "trusted.overlay.opaque"),
            marked("e", "user.overlay.opaque"),
            marked("f", "trusted.overlay.redirect"),
            Member { xattr: Some(("trusted.overlay.metacopy", "y")), ..file("g") },
        ]);
        stack.push_tar(&top).unwrap();
        let view = stack.view();
        assert!(view.contains_key(&b"d/kept"[..]), "only whiteout members hide");
        assert!(view.values().all(|seen| seen.metadata.xattrs.is_empty()));
        assert_eq!(view[&b"g"[..]].content, b"written by the tar");
    });
}

#[test]
#[ignore = "requires root"]
fn a_whiteout_device_in_a_tar_is_no_surprise_requires_root() {
    both(|mut stack| {
        stack.push_tar(&tar(&[file("kept"), file("other")])).unwrap();
        // Taken or refused; the views must agree either way.
        let taken = stack.push_tar(&tar(&[member("kept", b'3')]));
        println!("character device 0:0 in a tar: {taken:?}");
        stack.view();
    });
}

#[test]
#[ignore = "requires root"]
fn the_last_of_two_members_wins_requires_root() {
    both(|mut stack| {
        stack
            .push_tar(&tar(&[
                folder("becomes-file"),
                file("becomes-file/inner"),
                file("becomes-folder"),
                file("becomes-file"),
                folder("becomes-folder"),
                file("becomes-folder/inner"),
                symlink("becomes-real", "becomes-folder"),
                folder("becomes-real"),
                file("becomes-real/inner"),
                file("twice"),
                Member { data: "second", ..member("twice", b'0') },
            ]))
            .unwrap();
        let view = stack.view();
        let names: Vec<_> = view.keys().map(|name| String::from_utf8_lossy(name)).collect();
        let expected = ["", "becomes-file", "becomes-folder", "becomes-folder/inner", "becomes-real"];
        assert_eq!(names, [&expected[..], &["becomes-real/inner", "twice"]].concat());
        assert_eq!(view[&b"twice"[..]].content, b"second");
    });
}
