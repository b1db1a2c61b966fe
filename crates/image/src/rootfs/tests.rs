use std::sync::Arc;

use layer::{Entry, EntryKind, Index, Layer, LayerWriter, Metadata, Timestamp};

use super::*;

fn stack_of_two(store: &Store) -> Stack {
    let mut ids = Vec::new();
    for (path, text) in [("etc/one", "1"), ("etc/two", "22")] {
        let sink = store.layer_sink().unwrap();
        let mut writer = LayerWriter::new(sink.file().unwrap());
        let metadata =
            Metadata { mode: 0o755, uid: 0, gid: 0, mtime: Timestamp { secs: 9, nanos: 0 }, xattrs: Vec::new() };
        let entry = |path: &str, kind| Entry { path: path.as_bytes().to_vec(), kind, metadata: metadata.clone() };
        writer.append(&entry("etc", EntryKind::Directory), &mut std::io::empty()).unwrap();
        let size = text.len() as u64;
        writer.append(&entry(path, EntryKind::File { size }), &mut text.as_bytes()).unwrap();
        let finished = writer.finish().unwrap();
        store.add_layer(finished.diff_id, sink, &finished.index, None).unwrap();
        ids.push(finished.diff_id);
    }
    Stack::open(store, &ids).unwrap()
}

fn names(folder: BorrowedFd<'_>) -> Vec<String> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}/etc", folder.as_raw_fd());
    let mut names: Vec<String> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The same stack by both backends; the second one keeps its folders.
#[test]
#[ignore = "requires root"]
fn both_backends_show_the_same_requires_root() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("store")).unwrap();
    let stack = stack_of_two(&store);
    let mounted = mount_layers(&stack).unwrap();
    for _ in 0..2 {
        let extracted = extract_layers(&store, &stack).unwrap();
        let extracted: Vec<_> = extracted.iter().map(|folder| names(folder.as_fd())).collect();
        assert_eq!(mounted.iter().copied().map(names).collect::<Vec<_>>(), extracted);
    }
    assert_eq!(std::fs::read_dir(store.path().join("extracted")).unwrap().count(), 2);
}

#[test]
#[ignore = "requires root"]
fn a_stack_becomes_one_writable_root_requires_root() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("store")).unwrap();
    let stack = stack_of_two(&store);
    let work = store.work_folder().unwrap();
    let (upper, inner) = (work.subfolder("upper", 0o755).unwrap(), work.subfolder("work", 0o700).unwrap());
    let writable = Writable { upper: upper.as_fd(), work: inner.as_fd(), below: None, volatile: true };
    prepare_upper(&store, &stack, upper.as_fd()).unwrap();
    let root = mount_rootfs(&store, &stack, writable).unwrap();
    let open = |name: &str| rustix::fs::openat(&root, name, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
    for name in ["etc/one", "etc/two", "etc/hosts", "proc"] {
        open(name).unwrap_or_else(|errno| panic!("{name}: {errno}"));
    }
    rustix::fs::mkdirat(&root, "made", rustix::fs::Mode::RWXU).unwrap();
    assert!(work.path().join("upper/made").is_dir());
}

#[test]
fn an_index_is_read_once_for_a_stack() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("store")).unwrap();
    let stack = stack_of_two(&store);
    let copy = stack.clone();
    let same = |one: &Layer, other: &Layer| Arc::ptr_eq(&one.index, &other.index);
    assert!(stack.layers().iter().zip(copy.layers()).all(|(one, other)| same(one, other)));
    let sizes: Vec<u64> = stack.layers().iter().map(|layer| Index::content_size(&layer.index)).collect();
    assert_eq!(sizes, [1, 2]);
}
