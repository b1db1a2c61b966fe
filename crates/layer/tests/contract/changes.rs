//! Upper folder to tar to view: what a step changes through an overlay comes back from its layer.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, PermissionsExt, chown, lchown, symlink as make_symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use layer::{DiffOptions, EntryKind, LayerWriter, Metadata, Timestamp, diff};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev};

use crate::stack::{Stack, both, entry, file, folder, hard_link, symlink, with};
use crate::view::path_of;

const PLAIN: DiffOptions<'_> =
    DiffOptions { skip: None, base: None, root: None, user_xattrs: false, owners: None, selection: None };

fn base(stack: &mut Stack) {
    stack.push(&[
        folder(""),
        folder("a"),
        file("a/edit", "before"),
        file("a/remove", "x"),
        file("a/rename", "moves"),
        folder("a/tree"),
        file("a/tree/inner", "x"),
        folder("b"),
        file("b/one", "shared"),
        hard_link("b/two", "b/one"),
        symlink("b/link", "one"),
        folder("c"),
        file("c/was", "x"),
        with(folder("tmp"), |folder| folder.mode = 0o1777),
    ]);
}

fn at(root: BorrowedFd<'_>) -> impl Fn(&str) -> PathBuf {
    let root = path_of(root);
    move |path| root.join(path)
}

#[test]
#[ignore = "requires root"]
fn every_kind_of_change_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        stack.change(&PLAIN, |root| {
            let at = at(root);
            fs::write(at("a/edit"), "after").unwrap();
            fs::remove_file(at("a/remove")).unwrap();
            fs::rename(at("a/rename"), at("b/renamed")).unwrap();
            fs::remove_dir_all(at("a/tree")).unwrap();
            fs::create_dir(at("a/tree")).unwrap();
            fs::write(at("a/tree/new"), "opaque now").unwrap();
            fs::remove_dir_all(at("c")).unwrap();
            fs::write(at("c"), "file in place of a folder").unwrap();
            fs::write(at("tmp/x"), "x").unwrap();
            chown(at("tmp/x"), Some(1000), Some(1001)).unwrap();
            fs::set_permissions(at("tmp/x"), Permissions::from_mode(0o4755)).unwrap();
            make_symlink("/etc/nowhere", at("tmp/link")).unwrap();
            lchown(at("tmp/link"), Some(5), Some(6)).unwrap();
            rustix::fs::mknodat(CWD, at("tmp/null"), FileType::CharacterDevice, Mode::RUSR, makedev(1, 3)).unwrap();
            rustix::fs::mknodat(CWD, at("tmp/fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
            fs::set_permissions(at("b"), Permissions::from_mode(0o2700)).unwrap();
        });
        let view = stack.view();
        assert!(!view.contains_key(&b"a/tree/inner"[..]));
        assert_eq!(view[&b"b/renamed"[..]].content, b"moves");
    });
}

#[test]
#[ignore = "requires root"]
fn hard_links_and_attributes_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        stack.change(&PLAIN, |root| {
            let at = at(root);
            fs::write(at("tmp/first"), "linked").unwrap();
            fs::hard_link(at("tmp/first"), at("a/sorts-before")).unwrap();
            fs::hard_link(at("tmp/first"), at("tmp/second")).unwrap();
            make_symlink("x", at("tmp/symlink")).unwrap();
            fs::hard_link(at("tmp/symlink"), at("tmp/symlink2")).unwrap();
            let set = |path, name: &str, value: &[u8]| {
                rustix::fs::lsetxattr(at(path), name, value, XattrFlags::empty()).unwrap();
            };
            let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            set("a/edit", "security.capability", &capability);
            set("a/edit", "user.long", &[b'v'; 3000]);
            set("a", "user.folder", b"");
            set("tmp/symlink", "trusted.on-a-link", b"1");
            let sparse = File::create(at("tmp/sparse")).unwrap();
            sparse.write_at(b"end", 1 << 20).unwrap();
        });
        let view = stack.view();
        assert_eq!(view[&b"tmp/second"[..]].link.as_deref(), Some(&b"a/sorts-before"[..]));
        assert_eq!(view[&b"tmp/sparse"[..]].content.len(), (1 << 20) + 3);
    });
}

#[test]
#[ignore = "requires root"]
fn renaming_a_lower_folder_is_refused_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        let writable = stack.mount_writable();
        let at = at(writable.root.as_fd());
        let error = fs::rename(at("a"), at("z")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::CrossesDevices);
    });
}

#[test]
#[ignore = "requires root"]
fn one_device_number_requires_root() {
    both(|mut stack| {
        use std::os::unix::fs::MetadataExt;
        base(&mut stack);
        stack.push(&[file("other-layer", "x")]);
        let writable = stack.mount_writable();
        let at = at(writable.root.as_fd());
        fs::write(at("new"), "n").unwrap();
        let device = |path: &str| fs::symlink_metadata(at(path)).unwrap().dev();
        for path in ["a", "a/edit", "b/link", "new", "other-layer"] {
            assert_eq!(device(path), device("."), "{path}");
        }
    });
}

#[test]
#[ignore = "requires root"]
fn nothing_changed_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        let finished = stack.change(&PLAIN, |root| {
            let at = at(root);
            fs::read(at("a/edit")).unwrap();
            let _socket = UnixListener::bind(at("tmp/socket")).unwrap();
            fs::remove_file(at("tmp/socket")).unwrap();
        });
        // The copied-up `tmp` is all there is.
        assert_eq!(finished.content_size, 0);
    });
}

#[test]
#[ignore = "requires root"]
fn sockets_and_mount_stubs_stay_out_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        let writable = stack.mount_writable();
        let at = at(writable.root.as_fd());
        let _socket = UnixListener::bind(at("b/socket")).unwrap();
        fs::write(at("a/stub"), "").unwrap();
        fs::create_dir(at("tmp/stub")).unwrap();
        fs::write(at("tmp/stub/below"), "").unwrap();
        fs::set_permissions(at("tmp"), Permissions::from_mode(0o700)).unwrap();
        let skip = HashSet::from([b"a/stub".to_vec(), b"tmp/stub".to_vec()]);
        let tree = stack.tree();
        let options = DiffOptions { skip: Some(&skip), base: Some(&tree), ..PLAIN };
        let mut writer = LayerWriter::new(tempfile::tempfile().unwrap());
        let statistics = diff(writable.upper.as_fd(), &options, &mut writer).unwrap();
        stack.push_upper(writable.upper.as_fd(), &options);
        let top = layer::Tree::new(stack.tree().layers()[1..].to_vec());
        let names: Vec<_> = top.read_dir(&top.root().unwrap().unwrap()).unwrap().into_iter().map(|(n, _)| n).collect();
        // `a` held nothing but a stub; `b` was copied up for the socket; `tmp` has another mode.
        assert_eq!(names, [b"b".to_vec(), b"tmp".to_vec()]);
        assert_eq!(statistics.entries, 2);
    });
}

#[test]
#[ignore = "requires root"]
fn times_are_clamped_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        let ceiling = Timestamp { secs: 1_000_000_000, nanos: 0 };
        let layers: Vec<_> = (0..2)
            .map(|_| {
                let writable = stack.mount_writable();
                let at = at(writable.root.as_fd());
                fs::write(at("a/edit"), "after").unwrap();
                fs::remove_file(at("b/one")).unwrap();
                let tar = tempfile::tempfile().unwrap();
                let mut writer = LayerWriter::new(tar).with_ceiling(Some(ceiling));
                diff(writable.upper.as_fd(), &PLAIN, &mut writer).unwrap();
                writer.finish().unwrap()
            })
            .collect();
        assert_eq!(layers[0], layers[1], "the same step twice");
    });
}

#[test]
#[ignore = "requires root"]
fn the_root_is_written_when_it_changed_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        let root = stack.tree().entry(&stack.tree().root().unwrap().unwrap(), b"").unwrap().metadata;
        let count = |stack: &mut Stack, before: Option<&Metadata>, mode: u32| {
            let writable = stack.mount_writable();
            fs::set_permissions(at(writable.root.as_fd())("."), Permissions::from_mode(mode)).unwrap();
            let mut writer = LayerWriter::new(tempfile::tempfile().unwrap());
            let options = DiffOptions { root: before, ..PLAIN };
            diff(writable.upper.as_fd(), &options, &mut writer).unwrap().entries
        };
        assert_eq!(count(&mut stack, Some(&root), 0o755), 0);
        assert_eq!(count(&mut stack, Some(&root), 0o700), 1);
        assert_eq!(count(&mut stack, None, 0o700), 0);
    });
}

#[test]
#[ignore = "requires root"]
fn deep_trees_are_walked_with_few_descriptors_requires_root() {
    let mut stack = Stack::new(layer::Backend::Erofs);
    base(&mut stack);
    let writable = stack.mount_writable();
    // Deeper than a process may have descriptors open, and sorted so that the walk comes back up to do more.
    let mut folder = rustix::fs::openat(&writable.upper, ".", rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..1400 {
        rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
        rustix::fs::mkdirat(&folder, "z", Mode::RWXU).unwrap();
        folder = rustix::fs::openat(&folder, "d", rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
    }
    let finished = stack.push_upper(writable.upper.as_fd(), &PLAIN);
    assert!(finished.tar_size > 2800 * 512);
    let top = layer::Tree::new(stack.tree().layers()[1..].to_vec());
    assert!(top.lookup("d/".repeat(1399).as_bytes()).unwrap().is_some());
}

#[test]
#[ignore = "requires root"]
fn overlay_marks_of_either_family_requires_root() {
    for (user_xattrs, family) in [(false, "trusted"), (true, "user")] {
        let stack = Stack::new(layer::Backend::Erofs);
        let upper = stack.folder("upper");
        let set = |path: &str, name: &str, value: &[u8]| {
            rustix::fs::lsetxattr(upper.join(path), name, value, XattrFlags::empty()).unwrap();
        };
        fs::create_dir(upper.join("opaque")).unwrap();
        set("opaque", &format!("{family}.overlay.opaque"), b"y");
        set("opaque", "user.overlay.origin", b"dropped");
        fs::create_dir(upper.join("plain")).unwrap();
        set("plain", &format!("{family}.overlay.opaque"), b"x");
        fs::write(upper.join("plain/gone"), "").unwrap();
        set("plain/gone", &format!("{family}.overlay.whiteout"), b"");
        fs::write(upper.join("plain/other"), "").unwrap();
        let other = if user_xattrs { "trusted" } else { "user" };
        set("plain/other", &format!("{other}.overlay.whiteout"), b"");
        set("plain/other", "user.mine", b"kept");
        let folder = crate::stack::open_folder(&upper);
        let mut target = Stack::new(layer::Backend::Erofs);
        target.push(&[folder_entry("opaque"), file("opaque/x", ""), folder_entry("plain"), file("plain/gone", "")]);
        target.push_upper(folder.as_fd(), &DiffOptions { user_xattrs, ..PLAIN });
        let view = target.view();
        let names: Vec<_> = view.keys().map(|name| String::from_utf8_lossy(name)).collect();
        assert_eq!(names, ["", "opaque", "plain", "plain/other"]);
        assert_eq!(view[&b"plain/other"[..]].metadata.xattrs.len(), 1);
        set("plain/other", &format!("{family}.overlay.metacopy"), b"");
        let mut writer = LayerWriter::new(tempfile::tempfile().unwrap());
        let error = diff(folder.as_fd(), &DiffOptions { user_xattrs, ..PLAIN }, &mut writer).unwrap_err();
        assert!(matches!(error, layer::DiffError::Partial { path } if path == b"plain/other"));
    }
}

fn folder_entry(path: &str) -> (layer::Entry, Vec<u8>) {
    entry(path, EntryKind::Directory)
}
