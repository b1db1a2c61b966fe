//! What can be seen below a root, by the kernel and by [`Tree`], in one form to compare.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use layer::{EntryKind, Identity, Metadata, Node, Timestamp, Tree, Xattr};

/// One name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: EntryKind,
    pub(crate) metadata: Metadata,
    pub(crate) content: Vec<u8>,
    /// First name of the same file, for files with more than one.
    pub(crate) link: Option<Vec<u8>>,
}

pub(crate) type View = BTreeMap<Vec<u8>, Seen>;

/// A path to what a descriptor holds.
pub(crate) fn path_of(folder: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

/// Walks what the kernel shows.
pub(crate) fn kernel_view(root: BorrowedFd<'_>) -> View {
    let mut view = View::new();
    let root = path_of(root).join(".");
    view.insert(Vec::new(), seen_by_kernel(&root, &fs::metadata(&root).unwrap()));
    let mut first_names = BTreeMap::new();
    walk(&root, &[], &mut view, &mut first_names);
    view
}

fn walk(folder: &Path, path: &[u8], view: &mut View, first_names: &mut BTreeMap<(u64, u64), Vec<u8>>) {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_vec()).collect();
    names.sort();
    for name in names {
        let mut inner = path.to_vec();
        if !inner.is_empty() {
            inner.push(b'/');
        }
        inner.extend_from_slice(&name);
        let place = folder.join(OsStr::from_bytes(&name));
        let status = fs::symlink_metadata(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        let mut seen = seen_by_kernel(&place, &status);
        let is_folder = status.is_dir();
        if !is_folder && status.nlink() > 1 {
            seen.link = Some(first_names.entry((status.dev(), status.ino())).or_insert_with(|| inner.clone()).clone());
        }
        view.insert(inner.clone(), seen);
        if is_folder {
            walk(&place, &inner, view, first_names);
        }
    }
}

fn seen_by_kernel(place: &Path, status: &fs::Metadata) -> Seen {
    let file_type = status.file_type();
    let (major, minor) = (rustix::fs::major(status.rdev()), rustix::fs::minor(status.rdev()));
    let kind = if file_type.is_dir() {
        EntryKind::Directory
    } else if file_type.is_symlink() {
        EntryKind::Symlink { target: fs::read_link(place).unwrap().into_os_string().into_vec() }
    } else if file_type.is_char_device() {
        EntryKind::CharDevice { major, minor }
    } else if file_type.is_block_device() {
        EntryKind::BlockDevice { major, minor }
    } else if file_type.is_fifo() {
        EntryKind::Fifo
    } else {
        assert!(file_type.is_file(), "{}", place.display());
        EntryKind::File { size: status.len() }
    };
    let metadata = Metadata {
        mode: mode_of(&kind, status.mode()),
        uid: status.uid(),
        gid: status.gid(),
        mtime: Timestamp { secs: status.mtime(), nanos: 0 },
        xattrs: xattrs(place),
    };
    let content = if file_type.is_file() { fs::read(place).unwrap() } else { Vec::new() };
    Seen { kind, metadata, content, link: None }
}

fn xattrs(place: &Path) -> Vec<Xattr> {
    let mut names = vec![0; 65536];
    let length = rustix::fs::llistxattr(place, &mut names[..]).unwrap();
    let mut xattrs: Vec<Xattr> = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let mut value = vec![0; 65536];
            let length = rustix::fs::lgetxattr(place, name, &mut value[..]).unwrap();
            Xattr { name: name.to_vec(), value: value[..length].to_vec() }
        })
        .collect();
    xattrs.sort();
    xattrs
}

/// No Linux file system but EROFS keeps modes of symbolic links, and nothing looks at them.
fn mode_of(kind: &EntryKind, mode: u32) -> u32 {
    if matches!(kind, EntryKind::Symlink { .. }) { 0o777 } else { mode & 0o7777 }
}

/// Walks what the indexes say.
pub(crate) fn tree_view(tree: &Tree) -> View {
    let mut view = View::new();
    let mut first_names = BTreeMap::new();
    let root = tree.root().unwrap().expect("a stack of at least one layer");
    add(tree, &root, &[], &mut view, &mut first_names);
    view
}

fn add(tree: &Tree, node: &Node, path: &[u8], view: &mut View, first_names: &mut BTreeMap<Identity, Vec<u8>>) {
    let entry = tree.entry(node, path).unwrap();
    let mut content = Vec::new();
    if node.is_file() {
        tree.open(node).unwrap().read_to_end(&mut content).unwrap();
    }
    let mut metadata = entry.metadata;
    metadata.mtime.nanos = 0;
    metadata.mode = mode_of(&entry.kind, metadata.mode);
    let mut link = None;
    if !node.is_directory() && tree.links(node).unwrap() > 1 {
        link = Some(first_names.entry(node.identity()).or_insert_with(|| path.to_vec()).clone());
    }
    view.insert(path.to_vec(), Seen { kind: entry.kind, metadata, content, link });
    if node.is_directory() {
        for (name, child) in tree.read_dir(node).unwrap() {
            let inner = if path.is_empty() { name.clone() } else { [path, b"/", &name].concat() };
            assert_eq!(tree.lookup(&inner).unwrap().as_ref(), Some(&child), "lookup and read_dir agree");
            add(tree, &child, &inner, view, first_names);
        }
    }
}

/// Compares and names the first difference, for whole views do not fit on a screen.
///
/// Not the metadata of the root: it is the upper folder's where a stack is used (`prepare_upper` takes it from the
/// tree), and a read-only stack shows that of its topmost layer, which need not list a root.
pub(crate) fn assert_same(left: &View, right: &View, what: &str) {
    let names: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        let (one, other) = (left.get(name), right.get(name));
        assert!(
            one == other,
            "{what}: `/{}` differs\n left: {}\nright: {}",
            String::from_utf8_lossy(name),
            shown(one),
            shown(other)
        );
    }
}

fn shown(seen: Option<&Seen>) -> String {
    let Some(seen) = seen else { return "not there".to_owned() };
    let start = String::from_utf8_lossy(&seen.content[..seen.content.len().min(40)]);
    format!("{:?} {:?} {:?} content {:?}", seen.kind, seen.metadata, seen.link, start)
}

/// Reads a file of a stack.
pub(crate) fn read(root: BorrowedFd<'_>, path: &str) -> Vec<u8> {
    let mut content = Vec::new();
    File::open(path_of(root).join(path)).unwrap().read_to_end(&mut content).unwrap();
    content
}
