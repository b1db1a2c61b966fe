//! What needs no root: layers whose files belong to the one who extracts. The rest is the contract suite's.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;

use rustix::io::Errno;
use tempfile::TempDir;

use super::{ExtractError, ExtractOptions, ExtractStatistics, extract};
use crate::entry::{Entry, EntryKind, Metadata, Timestamp};
use crate::index::Index;
use crate::tree::Layer;
use crate::writer::LayerWriter;

fn layer(entries: &[(&str, EntryKind, u32, &[u8])]) -> Layer {
    let tar = tempfile::tempfile().unwrap();
    let mut writer = LayerWriter::new(tar.try_clone().unwrap());
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    for (path, kind, mode, mut content) in entries.iter().cloned() {
        let mtime = Timestamp { secs: 1_000_000_000, nanos: 0 };
        let metadata = Metadata { mode, uid, gid, mtime, xattrs: Vec::new() };
        writer.append(&Entry { path: path.as_bytes().to_vec(), kind, metadata }, &mut content).unwrap();
    }
    Layer { index: Arc::new(Index::from_bytes(writer.finish().unwrap().index).unwrap()), tar: Arc::new(tar) }
}

fn extracted(layer: &Layer) -> Result<(TempDir, ExtractStatistics), ExtractError> {
    let folder = TempDir::new().unwrap();
    let statistics = extract(layer, File::open(folder.path()).unwrap().as_fd(), &ExtractOptions::default())?;
    Ok((folder, statistics))
}

const ROOT: (&str, EntryKind, u32, &[u8]) = ("", EntryKind::Directory, 0o750, b"");

/// The root has to belong to the one who runs this too.
fn example() -> Layer {
    layer(&[
        ROOT,
        ("d", EntryKind::Directory, 0o500, b""),
        ("d/f", EntryKind::File { size: 3 }, 0o4711, b"abc"),
        ("d/h", EntryKind::HardLink { target: b"d/f".to_vec() }, 0, b""),
        ("h", EntryKind::HardLink { target: b"d/f".to_vec() }, 0, b""),
        ("l", EntryKind::Symlink { target: b"d/f".to_vec() }, 0o777, b""),
        ("p", EntryKind::Fifo, 0o622, b""),
    ])
}

#[test]
fn files_have_what_the_layer_says() {
    let (folder, statistics) = extracted(&example()).unwrap();
    assert_eq!(statistics, ExtractStatistics { entries: 6, bytes: 3, left_out: 0 });
    let status = |path: &str| fs::symlink_metadata(folder.path().join(path)).unwrap();
    assert_eq!(fs::read(folder.path().join("l")).unwrap(), b"abc");
    for (path, mode) in [("", 0o40750), ("d", 0o40500), ("d/f", 0o104_711), ("p", 0o10622)] {
        assert_eq!(status(path).mode(), mode, "{path}");
    }
    for path in ["", "d", "d/f", "h", "l", "p"] {
        assert_eq!(status(path).mtime(), 1_000_000_000, "{path}");
    }
    assert_eq!((status("d/f").ino(), status("d/f").nlink()), (status("h").ino(), 3));
    fs::set_permissions(folder.path().join("d"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn what_exists_is_never_touched() {
    let folder = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("f"), "outside").unwrap();
    for prepare in [0, 1] {
        if prepare == 0 {
            std::os::unix::fs::symlink(outside.path(), folder.path().join("d")).unwrap();
        } else {
            fs::remove_file(folder.path().join("d")).unwrap();
            fs::create_dir(folder.path().join("d")).unwrap();
        }
        let opened = File::open(folder.path()).unwrap();
        let error = extract(&example(), opened.as_fd(), &ExtractOptions::default()).unwrap_err();
        assert!(matches!(error, ExtractError::Write { source: Errno::EXIST, .. }), "{error:?}");
    }
    assert_eq!(fs::read(outside.path().join("f")).unwrap(), b"outside");
}

#[test]
fn tars_that_are_cut_are_an_error() {
    let layer = example();
    layer.tar.set_len(600).unwrap();
    let error = extracted(&layer).unwrap_err();
    let ExtractError::Copy { path, source } = error else { panic!("{error:?}") };
    assert_eq!((&path[..], source.kind()), (&b"d/f"[..], io::ErrorKind::UnexpectedEof));
}

#[test]
fn damaged_indexes_end_in_an_error_or_a_tree_but_never_outside() {
    let tar = tempfile::tempfile().unwrap();
    let mut writer = LayerWriter::new(tar.try_clone().unwrap());
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    for path in ["", "d", "d/e"] {
        let metadata = Metadata { mode: 0o755, uid, gid, ..Metadata::default() };
        let entry = Entry { path: path.into(), kind: EntryKind::Directory, metadata };
        writer.append(&entry, &mut io::empty()).unwrap();
    }
    let good = writer.finish().unwrap().index;
    let tar = Arc::new(tar);
    // Every byte of the inodes and folders, with a few values each: `..`, `/` and loops among them.
    for at in 1536..good.len() - 64 {
        for value in [0, 1, 0x2e, 0x2f, 0x30, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            let Ok(index) = Index::from_bytes(bytes) else { continue };
            let scratch = TempDir::new().unwrap();
            let inner = scratch.path().join("inner");
            fs::create_dir(&inner).unwrap();
            let layer = Layer { index: Arc::new(index), tar: Arc::clone(&tar) };
            let _either = extract(&layer, File::open(&inner).unwrap().as_fd(), &ExtractOptions::default());
            let names: Vec<_> = fs::read_dir(scratch.path()).unwrap().collect();
            assert_eq!(names.len(), 1, "byte {at} set to {value}");
        }
    }
}
