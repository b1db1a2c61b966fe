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
