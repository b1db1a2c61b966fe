//! What needs no overlay and no root: plain folders. The rest is the contract suite's (tests/contract.rs).

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use rustix::fs::Mode;
use tempfile::TempDir;

use super::{DiffError, DiffOptions, DiffStatistics, diff};
use crate::index::Index;
use crate::tree::{Layer, Tree};
use crate::writer::LayerWriter;

fn diffed(upper: &TempDir, options: &DiffOptions<'_>) -> Result<(DiffStatistics, Tree), DiffError> {
    let tar = tempfile::tempfile().unwrap();
    let mut writer = LayerWriter::new(tar.try_clone().unwrap());
    let statistics = diff(File::open(upper.path()).unwrap().as_fd(), options, &mut writer)?;
    let index = Arc::new(Index::from_bytes(writer.finish().unwrap().index).unwrap());
    Ok((statistics, Tree::new(vec![Layer { index, tar: Arc::new(tar) }])))
}

fn paths(tree: &Tree) -> Vec<String> {
    fn add(tree: &Tree, node: &crate::Node, path: &str, paths: &mut Vec<String>) {
        for (name, node) in tree.read_dir(node).unwrap() {
            let path = format!("{path}/{}", String::from_utf8(name).unwrap());
            paths.push(path.clone());
            if node.is_directory() {
                add(tree, &node, &path, paths);
            }
        }
    }
    let mut paths = Vec::new();
    add(tree, &tree.root().unwrap().unwrap(), "", &mut paths);
    paths
}

fn upper() -> TempDir {
    let upper = TempDir::new().unwrap();
    for folder in ["b/sub", "a", "a-z"] {
        fs::create_dir_all(upper.path().join(folder)).unwrap();
    }
    for file in ["b/sub/f", "b/f", "a/f", "a-z/f"] {
        fs::write(upper.path().join(file), file).unwrap();
    }
    upper
}

#[test]
fn folders_come_in_order_with_all_that_is_in_them() {
    let upper = upper();
    symlink("a", upper.path().join("link")).unwrap();
    fs::hard_link(upper.path().join("b/f"), upper.path().join("a/linked")).unwrap();
    let _socket = UnixListener::bind(upper.path().join("socket")).unwrap();
    let (statistics, tree) = diffed(&upper, &DiffOptions::default()).unwrap();
    let expected = ["/a", "/a/f", "/a/linked", "/a-z", "/a-z/f", "/b", "/b/f", "/b/sub", "/b/sub/f", "/link"];
    assert_eq!(paths(&tree), expected);
    assert_eq!(statistics, DiffStatistics { entries: 10, removals: 0, bytes: 3 + 5 + 3 + 7 });
}

#[test]
fn skipped_names_stay_out_with_all_below() {
    let upper = upper();
    let skip = HashSet::from([b"b/sub".to_vec(), b"a/f".to_vec(), b"f".to_vec()]);
    let (_, tree) = diffed(&upper, &DiffOptions { skip: Some(&skip), ..DiffOptions::default() }).unwrap();
    assert_eq!(paths(&tree), ["/a", "/a-z", "/a-z/f", "/b", "/b/f"]);
}

#[test]
fn folders_copied_up_for_mounts_alone_stay_out() {
    let upper = upper();
    let (_, below) = diffed(&upper, &DiffOptions::default()).unwrap();
    let skip = HashSet::from([b"b/sub/f".to_vec(), b"a/f".to_vec()]);
    let options = DiffOptions { skip: Some(&skip), base: Some(&below), ..DiffOptions::default() };
    let (_, tree) = diffed(&upper, &options).unwrap();
    assert_eq!(paths(&tree), ["/a-z", "/a-z/f", "/b", "/b/f"]);
    fs::set_permissions(upper.path().join("a"), fs::Permissions::from_mode(0o700)).unwrap();
    let (_, tree) = diffed(&upper, &options).unwrap();
    assert_eq!(paths(&tree), ["/a", "/a-z", "/a-z/f", "/b", "/b/f"], "what has another mode is a change");
}

#[test]
fn paths_longer_than_linux_takes_are_refused() {
    let upper = TempDir::new().unwrap();
    let mut folder = rustix::fs::open(upper.path(), rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
    let name = "n".repeat(200);
    for _ in 0..21 {
        rustix::fs::mkdirat(&folder, &name, Mode::RWXU).unwrap();
        folder = rustix::fs::openat(&folder, &name, rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
    }
    let error = diffed(&upper, &DiffOptions::default()).unwrap_err();
    assert!(matches!(error, DiffError::TooLong { length: 4220, .. }), "{error:?}");
    assert!(error.to_string().len() < 400, "{error}");
}

/// Marks count on what is root's only; a link that is as it was has the owner that it had; the rest is the author's.
#[test]
#[ignore = "requires root"]
fn n053_owners_come_from_marks_layers_and_the_author_requires_root() {
    let own = |tree: &Tree, path: &[u8]| {
        let metadata = tree.entry(&tree.lookup(path).unwrap().unwrap(), path).unwrap().metadata;
        assert_eq!(metadata.xattrs, [], "a mark is no attribute");
        (metadata.uid, metadata.gid)
    };
    let below = TempDir::new().unwrap();
    for (name, owner) in [("same", 1000), ("other", 1000), ("known", 5)] {
        let path = below.path().join(name);
        symlink("target", &path).unwrap();
        std::os::unix::fs::lchown(&path, Some(owner), Some(owner)).unwrap();
    }
    let (_, base) = diffed(&below, &DiffOptions::default()).unwrap();
    let upper = TempDir::new().unwrap();
    for (name, target) in [("same", "target"), ("other", "elsewhere"), ("known", "target"), ("new", "target")] {
        symlink(target, upper.path().join(name)).unwrap();
    }
    let set = |path: &std::path::Path, name: &str, value: &str| {
        rustix::fs::setxattr(path, name, value.as_bytes(), rustix::fs::XattrFlags::empty()).unwrap();
    };
    for (name, mark) in
        [("given", "70000:8"), ("nonsense", "x:y"), ("taken", "0:0"), ("foreign", "70000:8"), ("made", "")]
    {
        let path = upper.path().join(name);
        fs::write(&path, "x").unwrap();
        if !mark.is_empty() {
            set(&path, "user.onggi.owner", mark);
        }
    }
    std::os::unix::fs::chown(upper.path().join("foreign"), Some(7), Some(7)).unwrap();
    fs::hard_link(upper.path().join("given"), upper.path().join("linked")).unwrap();
    fs::write(upper.path().join("copied"), "x").unwrap();
    set(&upper.path().join("copied"), "user.overlay.origin", "");
    let expected: [(&str, Option<(u32, u32)>); 11] = [
        ("same", Some((1000, 1000))),
        ("other", None),
        ("known", None),
        ("new", None),
        ("given", Some((70_000, 8))),
        ("linked", Some((70_000, 8))),
        ("nonsense", None),
        ("taken", Some((0, 0))),
        ("foreign", Some((7, 7))),
        ("made", None),
        ("copied", Some((0, 0))),
    ];
    for author in [None, Some((1000, 4))] {
        let owners = Some(crate::Owners { mapped: 10, author });
        let options = DiffOptions { base: Some(&base), user_xattrs: true, owners, ..DiffOptions::default() };
        let (_, tree) = diffed(&upper, &options).unwrap();
        for (name, owner) in expected {
            assert_eq!(own(&tree, name.as_bytes()), owner.or(author).unwrap_or((0, 0)), "{name} by {author:?}");
        }
    }
}
