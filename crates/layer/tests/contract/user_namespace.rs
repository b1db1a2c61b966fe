//! The second backend without root: extracted folders and overlayfs inside a user namespace.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;

use layer::{
    Backend, DiffOptions, EntryKind, ExtractOptions, Index, Layer, LayerWriter, MountError, OverlayOptions, Tree,
    Upper, diff, erofs_supported, extract, mount_overlay,
};
use tempfile::TempDir;

use crate::stack::{entry, file, folder, open_folder, with};
use crate::view::path_of;

#[test]
#[ignore = "requires root"]
fn all_of_it_in_a_user_namespace_requires_root() {
    // The namespace's root is its only user, so this is all that a user without subordinate IDs has.
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "user_namespace::layers_in_place_requires_root", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert!(text.contains("left out: 1"), "devices cannot be made there: {text}");
}

/// Runs in a user namespace by the test above, and as it is by itself.
#[test]
#[ignore = "requires root"]
fn layers_in_place_requires_root() {
    let scratch = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let make = |name: &str| {
        fs::create_dir(scratch.path().join(name)).unwrap();
        open_folder(scratch.path().join(name))
    };
    let support = erofs_supported(make("probe").as_fd());
    assert!(matches!(support, Ok(()) | Err(MountError::NotPermitted { .. })), "{support:?}");
    assert_eq!(Backend::detect(make("probe2").as_fd()).0 == Backend::Erofs, support.is_ok());

    let mine = |made| with(made, |metadata| (metadata.uid, metadata.gid) = (0, 0));
    let layer = |entries: Vec<_>| {
        let tar = tempfile::tempfile().unwrap();
        let mut writer = LayerWriter::new(tar.try_clone().unwrap());
        for (entry, content) in entries.into_iter().map(mine) {
            writer.append(&entry, &mut &content[..]).unwrap();
        }
        Layer { index: Arc::new(Index::from_bytes(writer.finish().unwrap().index).unwrap()), tar: Arc::new(tar) }
    };
    let layers = vec![
        layer(vec![
            folder(""),
            folder("d"),
            file("d/gone", "1"),
            entry("null", EntryKind::CharDevice { major: 1, minor: 3 }),
            folder("o"),
            file("o/hidden", "1"),
        ]),
        layer(vec![
            folder(""),
            folder("d"),
            entry("d/gone", EntryKind::Whiteout),
            folder("o"),
            entry("o", EntryKind::Opaque),
            file("o/new", "2"),
        ]),
    ];
    let options = ExtractOptions { user_xattrs: true };
    let (bottom, top) = (make("bottom"), make("top"));
    let left_out = extract(&layers[0], bottom.as_fd(), &options).unwrap().left_out;
    println!("left out: {left_out}");
    extract(&layers[1], top.as_fd(), &options).unwrap();

    let (upper, work) = (make("upper"), make("work"));
    let root = mount_overlay(&OverlayOptions {
        upper: Some(Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: true }),
        user_xattrs: true,
        ..OverlayOptions::new(&[top.as_fd(), bottom.as_fd()])
    })
    .unwrap();
    let at = |path: &str| path_of(root.as_fd()).join(path);
    assert!(!at("d/gone").exists() && !at("o/hidden").exists());
    assert_eq!(fs::read(at("o/new")).unwrap(), b"2");
    fs::remove_dir_all(at("o")).unwrap();
    fs::create_dir(at("o")).unwrap();
    fs::remove_dir(at("d")).unwrap();

    let mut writer = LayerWriter::new(File::create_new(scratch.path().join("tar")).unwrap());
    let options = DiffOptions { user_xattrs: true, ..DiffOptions::default() };
    let statistics = diff(upper.as_fd(), &options, &mut writer).unwrap();
    assert_eq!((statistics.entries, statistics.removals), (3, 2));
    let index = Arc::new(Index::from_bytes(writer.finish().unwrap().index).unwrap());
    let tar = Arc::new(File::open(scratch.path().join("tar")).unwrap());
    let tree = Tree::new([layers, vec![Layer { index, tar }]].concat());
    assert!(tree.lookup(b"d").unwrap().is_none() && tree.lookup(b"o/new").unwrap().is_none());
    assert!(tree.lookup(b"o").unwrap().is_some());
}
