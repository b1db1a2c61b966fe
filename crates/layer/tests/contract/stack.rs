//! Builds stacks of layers in a scratch folder and mounts them, by either backend.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use layer::{
    Backend, DiffOptions, Entry, EntryKind, ExtractOptions, FinishedLayer, Index, IngestError, Layer, LayerDirectory,
    LayerWriter, Metadata, OverlayOptions, Snapshot, Timestamp, Tree, Upper, diff, extract, ingest, mount_overlay,
    prepare_upper, select,
};
use tempfile::TempDir;

use crate::view::{View, assert_same, kernel_view, tree_view};

/// Layers, the bottom one first.
pub(crate) struct Stack {
    pub(crate) backend: Backend,
    scratch: TempDir,
    layers: Vec<Layer>,
    directories: Vec<LayerDirectory>,
    uppers: usize,
}

/// A stack with something to write to.
pub(crate) struct Writable {
    pub(crate) root: OwnedFd,
    pub(crate) upper: OwnedFd,
}

/// Runs a test over both backends.
pub(crate) fn both(test: impl Fn(Stack)) {
    for backend in [Backend::Erofs, Backend::Extracted] {
        println!("backend {}", backend.name());
        test(Stack::new(backend));
    }
}

pub(crate) fn open_folder(path: impl AsRef<std::path::Path>) -> OwnedFd {
    File::open(path.as_ref()).unwrap().into()
}

impl Stack {
    pub(crate) fn new(backend: Backend) -> Self {
        // Not the system's folder for temporary files, which may be a tmpfs: EROFS cannot be mounted from there.
        let scratch = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { backend, scratch, layers: Vec::new(), directories: Vec::new(), uppers: 0 }
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.scratch.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn new_tar(&self) -> File {
        let path = self.scratch.path().join(format!("{}.tar", self.layers.len()));
        File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap()
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::new(self.layers.clone())
    }

    /// Adds a layer written from entries.
    pub(crate) fn push(&mut self, entries: &[(Entry, Vec<u8>)]) -> FinishedLayer {
        let tar = self.new_tar();
        let mut writer = LayerWriter::new(tar.try_clone().unwrap());
        for (entry, content) in entries {
            writer.append(entry, &mut &content[..]).unwrap();
        }
        let finished = writer.finish_over(Some(&self.tree())).unwrap();
        self.take(tar, &finished);
        finished
    }

    /// Adds a foreign tar.
    pub(crate) fn push_tar(&mut self, bytes: &[u8]) -> Result<FinishedLayer, IngestError> {
        let tar = self.new_tar();
        let finished = ingest(bytes, tar.try_clone().unwrap(), Some(&self.tree()))?;
        self.take(tar, &finished);
        Ok(finished)
    }

    /// Adds what an upper folder holds, and checks that reading the tar again makes the same layer.
    pub(crate) fn push_upper(&mut self, upper: BorrowedFd<'_>, options: &DiffOptions<'_>) -> FinishedLayer {
        let mut tar = self.new_tar();
        let mut writer = LayerWriter::new(tar.try_clone().unwrap());
        let statistics = diff(upper, options, &mut writer).unwrap();
        // The layer does not list the root, which keeps the metadata it has below.
        let finished = writer.finish_over(Some(&self.tree())).unwrap();
        assert_eq!(statistics.bytes, finished.content_size);
        tar.rewind().unwrap();
        let copy = tempfile::tempfile().unwrap();
        let again = ingest(&mut tar, copy, Some(&self.tree())).unwrap();
        assert_eq!(finished, again, "ingest of a diff's tar");
        self.take(tar, &finished);
        finished
    }

    /// Adds what was changed in a copied root.
    pub(crate) fn push_copy(&mut self, root: BorrowedFd<'_>, before: &Snapshot, ceiling: Timestamp) -> FinishedLayer {
        let tar = self.new_tar();
        let mut writer = LayerWriter::new(tar.try_clone().unwrap()).with_ceiling(Some(ceiling));
        let tree = self.tree();
        let selection = select(root, before, &tree).unwrap();
        let options = DiffOptions { base: Some(&tree), selection: Some(&selection), ..DiffOptions::default() };
        diff(root, &options, &mut writer).unwrap();
        let finished = writer.finish_over(Some(&tree)).unwrap();
        self.take(tar, &finished);
        finished
    }

    fn take(&mut self, tar: File, finished: &FinishedLayer) {
        let number = self.layers.len();
        let path = self.scratch.path().join(format!("{number}.erofs"));
        File::create(&path).unwrap().write_all(&finished.index).unwrap();
        let index = File::open(&path).unwrap();
        let layer = Layer {
            index: Arc::new(Index::open(index.try_clone().unwrap()).unwrap()),
            tar: Arc::new(tar.try_clone().unwrap()),
        };
        let directory = match self.backend {
            Backend::Erofs => LayerDirectory::mount(index.as_fd(), tar.as_fd()).unwrap(),
            Backend::Extracted => {
                let folder = open_folder(self.folder(&format!("{number}.extracted")));
                extract(&layer, folder.as_fd(), &ExtractOptions::default()).unwrap();
                LayerDirectory::open(folder.as_fd()).unwrap()
            }
        };
        assert_eq!(directory.backend(), self.backend);
        self.directories.push(directory);
        self.layers.push(layer);
    }

    fn lower(&self) -> Vec<BorrowedFd<'_>> {
        self.directories.iter().rev().map(AsFd::as_fd).collect()
    }

    pub(crate) fn mount(&self) -> OwnedFd {
        let lower = self.lower();
        mount_overlay(&OverlayOptions { nodev: false, ..OverlayOptions::new(&lower) }).unwrap()
    }

    pub(crate) fn mount_writable(&mut self) -> Writable {
        self.uppers += 1;
        let upper = open_folder(self.folder(&format!("upper{}", self.uppers)));
        let work = open_folder(self.folder(&format!("work{}", self.uppers)));
        if let Some(root) = self.tree().root().unwrap() {
            prepare_upper(upper.as_fd(), &self.tree().entry(&root, b"").unwrap().metadata).unwrap();
        }
        let lower = self.lower();
        let options = OverlayOptions {
            upper: Some(Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: true }),
            nodev: false,
            ..OverlayOptions::new(&lower)
        };
        let root = mount_overlay(&options).unwrap();
        Writable { root, upper }
    }

    /// What the kernel shows, checked against what the indexes say.
    pub(crate) fn view(&self) -> View {
        let view = kernel_view(self.mount().as_fd());
        assert_same(&view, &tree_view(&self.tree()), &format!("{}: kernel (left) and tree", self.backend.name()));
        view
    }

    /// Writes through an overlay, turns the changes into a layer, and checks that the new stack looks the same.
    pub(crate) fn change(&mut self, options: &DiffOptions<'_>, change: impl FnOnce(BorrowedFd<'_>)) -> FinishedLayer {
        let writable = self.mount_writable();
        change(writable.root.as_fd());
        let mut before = kernel_view(writable.root.as_fd());
        let finished = self.push_upper(writable.upper.as_fd(), options);
        let mut after = self.view();
        // The root is not part of a step's layer, so its time stays as it was.
        for view in [&mut before, &mut after] {
            view.get_mut(&b""[..]).unwrap().metadata.mtime = Timestamp::default();
        }
        assert_same(&before, &after, &format!("{}: before the diff (left) and after", self.backend.name()));
        finished
    }
}

/// An entry with plain metadata.
pub(crate) fn entry(path: impl AsRef<[u8]>, kind: EntryKind) -> (Entry, Vec<u8>) {
    let mode = if kind == EntryKind::Directory { 0o755 } else { 0o644 };
    let mode = if matches!(kind, EntryKind::Symlink { .. }) { 0o777 } else { mode };
    let metadata =
        Metadata { mode, uid: 3, gid: 4, mtime: Timestamp { secs: 1_600_000_000, nanos: 0 }, xattrs: Vec::new() };
    (Entry { path: path.as_ref().to_vec(), kind, metadata }, Vec::new())
}

pub(crate) fn file(path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> (Entry, Vec<u8>) {
    let content = content.as_ref();
    (entry(path, EntryKind::File { size: content.len() as u64 }).0, content.to_vec())
}

pub(crate) fn folder(path: impl AsRef<[u8]>) -> (Entry, Vec<u8>) {
    entry(path, EntryKind::Directory)
}

pub(crate) fn symlink(path: &str, target: &str) -> (Entry, Vec<u8>) {
    entry(path, EntryKind::Symlink { target: target.as_bytes().to_vec() })
}

pub(crate) fn hard_link(path: &str, target: &str) -> (Entry, Vec<u8>) {
    entry(path, EntryKind::HardLink { target: target.as_bytes().to_vec() })
}

pub(crate) fn with(mut entry: (Entry, Vec<u8>), change: impl FnOnce(&mut Metadata)) -> (Entry, Vec<u8>) {
    change(&mut entry.0.metadata);
    entry
}
