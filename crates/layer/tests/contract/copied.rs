//! Roots that are copies: the same changes, made in a copy and through overlayfs, give the same layer, byte for byte.

use std::cell::RefCell;
use std::fs::{self, File, Permissions};
use std::io::{Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{PermissionsExt, chown, symlink as make_symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use layer::{
    Change, DiffOptions, FinishedLayer, LayerWriter, PopulateOptions, Snapshot, Timestamp, adopt, changes, diff,
    populate, prepare_upper, select,
};

use crate::random::{Chance, change_by_chance, layer_by_chance};
use crate::stack::{Stack, both, file, folder, hard_link, open_folder, symlink, with};
use crate::view::{assert_same, path_of, tree_view};

/// Earlier than whatever a test writes, later than what its layers hold.
const CEILING: Timestamp = Timestamp { secs: 1_700_000_000, nanos: 0 };

struct Copy {
    root: std::os::fd::OwnedFd,
    beside: std::os::fd::OwnedFd,
    snapshot: Snapshot,
}

impl Copy {
    fn of(stack: &Stack, name: &str) -> Self {
        let (root, beside) = (open_folder(stack.folder(name)), open_folder(stack.folder(&format!("{name}.beside"))));
        let options = PopulateOptions { keeps_owners: true, removes_others: false, leaves_out: false };
        populate(&stack.tree(), root.as_fd(), options).unwrap();
        let top = stack.tree().entry(&stack.tree().root().unwrap().unwrap(), b"").unwrap();
        prepare_upper(root.as_fd(), &top.metadata).unwrap();
        let snapshot = Snapshot::take(root.as_fd(), beside.as_fd()).unwrap();
        Self { root, beside, snapshot }
    }

    fn layer(&self, stack: &Stack) -> FinishedLayer {
        let selection = select(self.root.as_fd(), &self.snapshot, &stack.tree()).unwrap();
        let options = DiffOptions { selection: Some(&selection), ..DiffOptions::default() };
        layer_of(stack, self.root.as_fd(), options).0
    }

    fn changes(&self, stack: &Stack) -> Vec<Change> {
        let selection = select(self.root.as_fd(), &self.snapshot, &stack.tree()).unwrap();
        changes(self.root.as_fd(), &stack.tree(), Some(&selection), false).unwrap()
    }
}

fn layer_of(stack: &Stack, folder: BorrowedFd<'_>, options: DiffOptions<'_>) -> (FinishedLayer, File) {
    let tree = stack.tree();
    let root = tree.entry(&tree.root().unwrap().unwrap(), b"").unwrap().metadata;
    let tar = tempfile::tempfile().unwrap();
    let mut writer = LayerWriter::new(tar.try_clone().unwrap()).with_ceiling(Some(CEILING));
    diff(folder, &DiffOptions { base: Some(&tree), root: Some(&root), ..options }, &mut writer).unwrap();
    (writer.finish_over(Some(&tree)).unwrap(), tar)
}

/// What a finished layer is, alone, for messages.
fn view_of(finished: &FinishedLayer, tar: &File) -> crate::view::View {
    let mut index = tempfile::tempfile().unwrap();
    index.write_all(&finished.index).unwrap();
    index.rewind().unwrap();
    let index = std::sync::Arc::new(layer::Index::open(index).unwrap());
    tree_view(&layer::Tree::new(vec![layer::Layer { index, tar: std::sync::Arc::new(tar.try_clone().unwrap()) }]))
}

/// Makes changes both ways; gives the layer, and what a list of changes says, which is the same too.
fn same_layer(stack: &mut Stack, name: &str, change: impl Fn(BorrowedFd<'_>, bool)) -> FinishedLayer {
    let writable = stack.mount_writable();
    change(writable.root.as_fd(), false);
    let (expected, tar) = layer_of(stack, writable.upper.as_fd(), DiffOptions::default());
    let copy = Copy::of(stack, name);
    change(copy.root.as_fd(), true);
    let selection = select(copy.root.as_fd(), &copy.snapshot, &stack.tree()).unwrap();
    let options = DiffOptions { selection: Some(&selection), ..DiffOptions::default() };
    let (found, found_tar) = layer_of(stack, copy.root.as_fd(), options);
    assert_same(&view_of(&expected, &tar), &view_of(&found, &found_tar), "overlay (left) and copy");
    let names = |tar: &File| {
        let text = |path| String::from_utf8_lossy(path).into_owned();
        let mut tar = tar.try_clone().unwrap();
        tar.rewind().unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut tar, &mut bytes).unwrap();
        bytes
            .chunks(512)
            .filter(|block| &block[257..262] == b"ustar")
            .map(|block| text(block.split(|byte| *byte == 0).next().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&tar), names(&found_tar), "names in the tar");
    assert_eq!(
        (expected.diff_id, expected.tar_size),
        (found.diff_id, found.tar_size),
        "the same, but not in all bytes"
    );
    let sizeless =
        |changes: Vec<Change>| changes.into_iter().map(|change| (change.path, change.kind)).collect::<Vec<_>>();
    let listed = sizeless(changes(writable.upper.as_fd(), &stack.tree(), None, false).unwrap());
    assert_eq!(listed, sizeless(copy.changes(stack)), "list of changes");
    found
}

fn base(stack: &mut Stack) {
    stack.push(&[
        folder(""),
        folder("a"),
        file("a/edit", "before"),
        file("a/keep", "kept"),
        file("a/remove", "x"),
        file("a/rename", "moves"),
        folder("a/tree"),
        file("a/tree/inner", "x"),
        folder("b"),
        file("b/one", "alone"),
        symlink("b/link", "one"),
        folder("c"),
        file("c/was", "x"),
        folder("c/below"),
        file("was-file", "x"),
        with(folder("tmp"), |folder| folder.mode = 0o1777),
    ]);
    stack.push(&[folder("a"), file("a/upper", "from the second layer"), hard_link("d", "a/upper")]);
}

#[test]
#[ignore = "requires root"]
fn every_kind_of_change_in_a_copy_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        let finished = same_layer(&mut stack, "copy", |root, _| {
            let at = |path: &str| path_of(root).join(path);
            fs::write(at("a/edit"), "after").unwrap();
            fs::remove_file(at("a/remove")).unwrap();
            fs::rename(at("a/rename"), at("b/renamed")).unwrap();
            fs::remove_dir_all(at("a/tree")).unwrap();
            fs::create_dir(at("a/tree")).unwrap();
            fs::write(at("a/tree/new"), "opaque now").unwrap();
            fs::remove_dir_all(at("c")).unwrap();
            fs::write(at("c"), "file in place of a folder").unwrap();
            fs::remove_file(at("was-file")).unwrap();
            fs::create_dir(at("was-file")).unwrap();
            fs::create_dir_all(at("new/deep/er")).unwrap();
            fs::create_dir(at("moved.tmp")).unwrap();
            fs::write(at("moved.tmp/x"), "x").unwrap();
            fs::rename(at("moved.tmp"), at("moved")).unwrap();
            fs::write(at("tmp/x"), "x").unwrap();
            chown(at("tmp/x"), Some(1000), Some(1001)).unwrap();
            fs::set_permissions(at("tmp/x"), Permissions::from_mode(0o4755)).unwrap();
            make_symlink("/etc/nowhere", at("tmp/link")).unwrap();
            fs::set_permissions(at("b"), Permissions::from_mode(0o2700)).unwrap();
            fs::hard_link(at("b/one"), at("tmp/one")).unwrap();
            let _socket = UnixListener::bind(at("tmp/socket")).unwrap();
            fs::set_permissions(root_itself(root), Permissions::from_mode(0o750)).unwrap();
        });
        assert!(finished.tar_size > 0);
    });
}

fn root_itself(root: BorrowedFd<'_>) -> PathBuf {
    path_of(root).join(".")
}

/// Overlayfs would have all of it in its upper folder.
#[test]
#[ignore = "requires root"]
fn what_was_only_touched_is_left_out_requires_root() {
    both(|mut stack| {
        base(&mut stack);
        let empty = {
            let copy = Copy::of(&stack, "untouched");
            copy.layer(&stack)
        };
        let copy = Copy::of(&stack, "touched");
        let at = |path: &str| path_of(copy.root.as_fd()).join(path);
        let mode = fs::metadata(at("a/edit")).unwrap().permissions();
        fs::set_permissions(at("a/edit"), Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(at("a/edit"), mode).unwrap();
        let times = fs::metadata(at("a/keep")).unwrap().modified().unwrap();
        fs::write(at("a/keep"), "kept").unwrap();
        File::options().write(true).open(at("a/keep")).unwrap().set_modified(times).unwrap();
        chown(at("b/link"), None, None).unwrap();
        assert_eq!(copy.layer(&stack), empty);
        assert_eq!(copy.changes(&stack), []);
        // Another content of the same length and time is a change.
        fs::write(at("a/keep"), "KEPT").unwrap();
        File::options().write(true).open(at("a/keep")).unwrap().set_modified(times).unwrap();
        let changed: Vec<_> = copy.changes(&stack).into_iter().map(|change| change.path).collect();
        assert_eq!(changed, [b"a".to_vec(), b"a/keep".to_vec()]);
    });
}

/// A file with several names stays one: overlayfs would have the written name alone.
#[test]
#[ignore = "requires root"]
fn all_names_of_a_file_change_together_requires_root() {
    let mut stack = Stack::new(layer::Backend::Erofs);
    base(&mut stack);
    let copy = Copy::of(&stack, "copy");
    fs::write(path_of(copy.root.as_fd()).join("d"), "through one name").unwrap();
    let changed: Vec<_> = copy.changes(&stack).into_iter().map(|change| change.path).collect();
    assert_eq!(changed, [b"a".to_vec(), b"a/upper".to_vec(), b"d".to_vec()]);
}

/// A snapshot survives being written down; one of a file that is cut short is refused.
#[test]
#[ignore = "requires root"]
fn a_snapshot_is_read_as_it_was_written_requires_root() {
    let mut stack = Stack::new(layer::Backend::Erofs);
    base(&mut stack);
    let copy = Copy::of(&stack, "copy");
    let mut bytes = Vec::new();
    copy.snapshot.write_to(&mut bytes).unwrap();
    assert_eq!(Snapshot::read_from(&mut bytes.as_slice()).unwrap(), copy.snapshot);
    for length in [0, 5, 20, bytes.len() - 1] {
        assert!(Snapshot::read_from(&mut &bytes[..length]).is_err(), "{length} bytes");
    }
}

/// The next step goes on in the copy, and sees what it would in a new one.
#[test]
#[ignore = "requires root"]
fn a_copy_goes_on_as_if_new_requires_root() {
    let mut stack = Stack::new(layer::Backend::Erofs);
    base(&mut stack);
    let mut copy = Copy::of(&stack, "copy");
    let at = |path: &str| path_of(copy.root.as_fd()).join(path);
    fs::write(at("a/new"), "later than is allowed").unwrap();
    let _socket = UnixListener::bind(at("a/socket")).unwrap();
    let finished = stack.push_copy(copy.root.as_fd(), &copy.snapshot, CEILING);
    assert!(finished.tar_size > 0);
    adopt(&layer::Tree::new(vec![stack.tree().layers().last().unwrap().clone()]), copy.root.as_fd()).unwrap();
    assert!(!at("a/socket").exists());
    let fresh = Copy::of(&stack, "fresh");
    let mut views = [&copy.root, &fresh.root].map(|root| crate::view::kernel_view(root.as_fd()));
    for view in &mut views {
        view.get_mut(&b""[..]).unwrap().metadata.mtime = Timestamp::default();
    }
    assert_same(&views[0], &views[1], "continued (left) and new");
    copy.snapshot = Snapshot::take(copy.root.as_fd(), copy.beside.as_fd()).unwrap();
    assert_eq!(copy.changes(&stack), []);
}

/// What overlayfs refuses, to rename a folder of the layers, is left out of the copy as well.
#[test]
#[ignore = "requires root"]
fn changes_by_chance_in_copies_requires_root() {
    for seed in 1..=60 {
        both(|mut stack| {
            println!("seed {seed}");
            let mut chance = Chance::new(seed + 5000);
            stack.push(&[folder("")]);
            stack.push(&layer_by_chance(&mut chance));
            stack.push(&layer_by_chance(&mut chance));
            let refused = RefCell::new(Vec::new());
            same_layer(&mut stack, "copy", |root, is_copy| {
                let mut chance = Chance::new(seed + 9000);
                for number in 0..14 {
                    if is_copy && refused.borrow().contains(&number) {
                        chance.skip(root);
                    } else if change_by_chance(&mut chance, root)
                        .is_err_and(|error| error.kind() == std::io::ErrorKind::CrossesDevices)
                    {
                        refused.borrow_mut().push(number);
                    }
                }
            });
        });
    }
}
