//! What needs no root: all belongs to the one who writes. Owners and devices are the tests' of `build`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::flatten::tests::fixture;
use crate::tar::forge::{Forged, Tarball};
use crate::tree::tests::Fixture;

const PLAIN: PopulateOptions = PopulateOptions { keeps_owners: false, removes_others: false, leaves_out: false };

fn fill(tree: &Tree, folder: &Path, options: PopulateOptions) -> Result<Populated, PopulateError> {
    populate(tree, File::open(folder).unwrap().as_fd(), options)
}

/// Path to what is there, in a word.
fn found(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let what = if kind.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else if kind.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if kind.is_fifo() {
                "pipe".to_owned()
            } else {
                fs::read_to_string(&path).unwrap()
            };
            all.insert(path.strip_prefix(folder).unwrap().display().to_string(), what);
        }
    }
    all
}

const RESULT: [(&str, &str); 8] = [
    ("a", "folder"),
    ("a/kept", "kept"),
    ("a/link", "-> ../top"),
    ("a/second", "kept"),
    ("b", "folder"),
    ("b/new", "new"),
    ("pipe", "pipe"),
    ("top", "replaced"),
];

#[track_caller]
fn assert_is(folder: &Path, expected: &[(&str, &str)]) {
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(path, what)| ((*path).to_owned(), (*what).to_owned())).collect();
    assert_eq!(found(folder), expected);
}

#[test]
fn b056_a_folder_gets_the_merged_tree() {
    let folder = TempDir::new().unwrap();
    let populated = fill(&fixture().tree, folder.path(), PLAIN).unwrap();
    assert_eq!(populated, Populated { entries: 8, bytes: 15, left_out: 0 });
    assert_is(folder.path(), &RESULT);
    let stat = |path: &str| fs::metadata(folder.path().join(path)).unwrap();
    assert_eq!(stat("a/kept").ino(), stat("a/second").ino());
}

#[test]
fn b056_modes_and_times_are_those_of_the_layers() {
    let tar = Tarball::new()
        .header(&Forged::new(b"d/", b'5', 0).set(100, b"0000555\0").set(136, b"00000001000\0"))
        .header(&Forged::new(b"d/f", b'0', 1).set(100, b"0004711\0").set(136, b"00000002000\0"))
        .data(b"x")
        .end();
    let folder = TempDir::new().unwrap();
    let tree = Fixture::new(&[&tar]).tree;
    // Twice, so that a folder is entered that its owner may not write to.
    for _ in 0..2 {
        fill(&tree, folder.path(), PLAIN).unwrap();
        let stat = |path: &str| fs::metadata(folder.path().join(path)).unwrap();
        assert_eq!((stat("d").mode(), stat("d").mtime()), (0o40555, 0o1000));
        assert_eq!((stat("d/f").mode(), stat("d/f").mtime()), (0o104_711, 0o2000));
    }
    fs::set_permissions(folder.path().join("d"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn b056_what_is_there_stays_or_goes_as_asked() {
    let folder = TempDir::new().unwrap();
    let write = |path: &str| {
        fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        fs::write(folder.path().join(path), "mine").unwrap();
    };
    for path in ["a/mine", "mine", "top", "deep/er/mine", "b/new"] {
        write(path);
    }
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    fill(&fixture().tree, folder.path(), PLAIN).unwrap();
    let mut both = RESULT.to_vec();
    both.extend([("a/mine", "mine"), ("mine", "mine"), ("deep", "folder"), ("deep/er", "folder")]);
    both.extend([("deep/er/mine", "mine"), ("dangling", "-> nowhere")]);
    assert_is(folder.path(), &both);
    fill(&fixture().tree, folder.path(), PopulateOptions { removes_others: true, ..PLAIN }).unwrap();
    assert_is(folder.path(), &RESULT);
}

/// Links in the folder are replaced, never followed; what they lead to is not touched.
#[test]
fn b056_links_in_the_folder_lead_nowhere() {
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("new"), "precious").unwrap();
    fs::write(outside.path().join("file"), "precious").unwrap();
    for options in [PLAIN, PopulateOptions { removes_others: true, ..PLAIN }] {
        let folder = TempDir::new().unwrap();
        symlink(outside.path(), folder.path().join("b")).unwrap();
        symlink(outside.path(), folder.path().join("pipe")).unwrap();
        symlink(outside.path(), folder.path().join("other")).unwrap();
        symlink(outside.path().join("file"), folder.path().join("top")).unwrap();
        fs::hard_link(outside.path().join("file"), folder.path().join("kept")).unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::hard_link(outside.path().join("file"), folder.path().join("a/kept")).unwrap();
        fill(&fixture().tree, folder.path(), options).unwrap();
        assert_is(outside.path(), &[("file", "precious"), ("new", "precious")]);
        let mut all = found(folder.path());
        all.retain(|path, _| RESULT.iter().any(|(known, _)| known == path));
        assert_eq!(all.len(), RESULT.len());
        assert_eq!(all["b"], "folder");
    }
}

/// Links of the tree are made as they are and never followed, whatever they say.
#[test]
fn b056_links_of_the_tree_lead_nowhere_while_it_is_written() {
    let outside = TempDir::new().unwrap();
    let target = outside.path().to_str().unwrap().as_bytes();
    let bottom = Tarball::new().symlink(b"out", target).symlink(b"up", b"../..").end();
    let upper = Tarball::new().directory(b"out/").file(b"out/file", b"x").file(b"up", b"y").end();
    let folder = TempDir::new().unwrap();
    let lower = Fixture::new(&[&bottom]).tree;
    fill(&lower, folder.path(), PLAIN).unwrap();
    fill(&Fixture::new(&[&bottom, &upper]).tree, folder.path(), PLAIN).unwrap();
    assert_is(folder.path(), &[("out", "folder"), ("out/file", "x"), ("up", "y")]);
    assert_is(outside.path(), &[]);
}

#[test]
fn b056_a_folder_in_the_way_of_a_file_is_an_error() {
    for name in ["top", "a/link", "pipe", "a/second"] {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join(name).join("precious")).unwrap();
        let error = fill(&fixture().tree, folder.path(), PLAIN).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write `{name}`: a folder is in its place"));
        assert!(folder.path().join(name).join("precious").is_dir());
    }
}
