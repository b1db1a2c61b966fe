//! Files that a bind mount shows, and how they become a mount: layers by their indexes, the context by its own folder.
//!
//! Nothing is copied as long as the folder of the context, with what the ignore rules hide covered, looks as a copy of it
//! would. What is written goes to a folder that is thrown away with the step.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{RootfsError, RootfsOptions, Stack, StackError, Writable};
use layer::{FinishedLayer, LayerWriter, MountError, OverlayOptions, TreeError, Upper};
use oci::DiffId;
use rustix::fs::{FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use store::{Failure, LayerSink, Store, StoreError, WorkFolder};

use crate::context::{Context, ContextError};
use crate::copy::{self, CopyError};
use crate::path::{join, lossy, name, parent};
use crate::source::{Content, Selection};

/// Files of the context, a stage or an image, to be mounted.
#[derive(Debug)]
pub struct BindTree<'a> {
    store: &'a Store,
    work: &'a WorkFolder<'a>,
    /// Tells its folders in `work` from those of other mounts.
    number: usize,
    files: BoundFiles,
    /// What a step that failed had written to them.
    written: Option<&'a Failure>,
}

/// What a mount shows.
#[derive(Debug, Clone)]
pub(crate) struct BoundFiles {
    pub(crate) selection: Arc<Selection>,
    /// Where the files are as they are, if that is in layers: these, and the path in them.
    pub(crate) layers: Option<(Stack, Vec<u8>)>,
}

/// A mount that is attached nowhere, and what of it is wanted.
#[derive(Debug)]
pub struct BoundTree {
    /// The mount.
    pub mount: OwnedFd,
    /// Absolute, from the mount's root; links in it are followed within the mount.
    pub path: PathBuf,
}

/// Why files cannot be mounted.
#[derive(Debug, thiserror::Error)]
pub enum BindTreeError {
    /// The context cannot give them.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// They cannot be copied, where they have to be.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The layers cannot be mounted.
    #[error(transparent)]
    Rootfs(#[from] RootfsError),
    /// The layers cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The copy cannot be used.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// Files cannot be stacked.
    #[error("cannot mount files of the build context")]
    Mount(#[source] MountError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host refused something.
    #[error("cannot {doing} `{path}`")]
    Host {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl<'a> BindTree<'a> {
    pub(crate) fn new(store: &'a Store, work: &'a WorkFolder<'a>, number: usize, files: BoundFiles) -> Self {
        Self { store, work, number, files, written: None }
    }

    /// Continues what a step that failed had written to the mount of the same number.
    pub(crate) fn on_top_of(self, failure: &'a Failure) -> Self {
        Self { written: Some(failure), ..self }
    }

    /// Names of the folders in `work` that hold what is written to a mount.
    pub(crate) fn written_folders(number: usize) -> [String; 2] {
        ["upper", "file"].map(|what| folder_name(number, what))
    }

    fn written(&self, what: &str) -> Result<Option<OwnedFd>, StoreError> {
        self.written.map_or(Ok(None), |failure| failure.further(&self.folder_name(what)))
    }

    /// Whether it is a folder, or a single file.
    pub fn is_folder(&self) -> bool {
        self.files.selection.is_folder()
    }

    /// Mounts the files. What is written to them, if that `is_writable`, goes with the step.
    ///
    /// # Errors
    /// When the kernel or the host refuses, or files of the context changed since they were hashed.
    pub fn mount(&self, is_writable: bool) -> Result<BoundTree, BindTreeError> {
        let selection = &self.files.selection;
        let mount = match (&self.files.layers, &selection.context) {
            (Some((stack, path)), _) => {
                let mount = self.mount_stack(stack, is_writable)?;
                return Ok(BoundTree { mount, path: Path::new("/").join(OsStr::from_bytes(path)) });
            }
            (None, Some(context)) if selection.is_folder() => self.mount_context(context, is_writable)?,
            (None, Some(context)) => self.mount_file(context, is_writable)?,
            (None, None) => {
                let mount = self.mount_stack(&self.copy()?, is_writable)?;
                let path = if selection.is_folder() { Path::new("/") } else { Path::new(COPIED_FILE) };
                return Ok(BoundTree { mount, path: path.to_owned() });
            }
        };
        Ok(BoundTree { mount, path: PathBuf::from("/") })
    }

    /// Reads a file below the files' root without mounting anything; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, path: &[u8]) -> Result<Option<Vec<u8>>, BindTreeError> {
        let mut content = Vec::new();
        let failed = |source| BindTreeError::Host { doing: "read", path: lossy(path), source };
        let selection = &self.files.selection;
        let Some(entry) = selection.entries.iter().find(|entry| entry.path == path) else { return Ok(None) };
        match (&entry.content, &selection.context) {
            (Content::Tree { tree, node }, _) => {
                std::io::Read::read_to_end(&mut tree.open(node)?, &mut content).map_err(failed)?;
            }
            (Content::Context(_), Some(context)) => {
                let mut file = context.open_file(&join(&selection.root, path))?;
                std::io::Read::read_to_end(&mut file, &mut content).map_err(failed)?;
            }
            _ => return Ok(None),
        }
        Ok(Some(content))
    }

    fn folder_name(&self, what: &str) -> String {
        folder_name(self.number, what)
    }

    /// Folders for what is written.
    fn changes(&self) -> Result<(OwnedFd, OwnedFd), StoreError> {
        self.store.want_identities()?;
        let upper = self.work.subfolder(&self.folder_name("upper"), 0o755)?;
        Ok((upper, self.work.subfolder(&self.folder_name("work"), 0o700)?))
    }

    fn mount_stack(&self, stack: &Stack, is_writable: bool) -> Result<OwnedFd, BindTreeError> {
        if !is_writable {
            return Ok(image::mount_stack(self.store, stack, RootfsOptions::default())?);
        }
        let (upper, work) = self.changes()?;
        let below = self.written("upper")?;
        match &below {
            None => drop(image::prepare_upper(self.store, stack, upper.as_fd())?),
            Some(below) => image::continue_upper(self.store, below.as_fd(), upper.as_fd())?,
        }
        let below = below.as_ref().map(AsFd::as_fd);
        let writable = Some(Writable { upper: upper.as_fd(), work: work.as_fd(), below, volatile: true });
        Ok(image::mount_stack(self.store, stack, RootfsOptions { writable, ..RootfsOptions::default() })?)
    }

    /// A folder of the context: itself, covered where rules hide something, or else a copy.
    fn mount_context(&self, context: &Context, is_writable: bool) -> Result<OwnedFd, BindTreeError> {
        let root = &self.files.selection.root;
        let survey = context.survey(root)?;
        if survey.is_faithful {
            let folder = context.open_folder(root)?;
            if survey.hidden.is_empty() && !is_writable {
                return clone_mount(folder.as_fd()).map_err(|errno| host("mount", root, errno));
            }
            match self.mount_covered(context, root, &folder, &survey.hidden, is_writable) {
                // Overlayfs does not take every file system, nor itself more than once.
                Err(BindTreeError::Mount(_)) => {}
                other => return other,
            }
        }
        self.mount_stack(&self.copy()?, is_writable)
    }

    fn mount_covered(
        &self,
        context: &Context,
        root: &[u8],
        folder: &OwnedFd,
        hidden: &[Vec<u8>],
        is_writable: bool,
    ) -> Result<OwnedFd, BindTreeError> {
        let cover = match hidden {
            [] => None,
            hidden => Some(self.cover(context, root, hidden)?),
        };
        let changes = is_writable.then(|| self.changes()).transpose()?;
        let written = if is_writable { self.written("upper")? } else { None };
        if let Some((upper, _)) = &changes {
            copy_times(written.as_ref().unwrap_or(folder), upper).map_err(|errno| host("mount", root, errno))?;
        }
        let covers = written.iter().chain(&cover).map(AsFd::as_fd);
        let lower: Vec<BorrowedFd<'_>> = covers.chain([folder.as_fd()]).collect();
        let upper =
            changes.as_ref().map(|(upper, work)| Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: true });
        let user_xattrs = self.store.user_xattrs();
        let options = OverlayOptions { upper, user_xattrs, ..OverlayOptions::new(&lower) };
        layer::mount_overlay(&options).map_err(BindTreeError::Mount)
    }

    /// A layer of whiteouts for what the context does not show, below folders that are as they are in the context.
    fn cover(&self, context: &Context, root: &[u8], hidden: &[Vec<u8>]) -> Result<OwnedFd, BindTreeError> {
        let cover = self.work.subfolder(&self.folder_name("cover"), 0o755)?;
        let mut folders: Vec<Vec<u8>> = vec![Vec::new()];
        for path in hidden {
            let failed = |errno| host("hide", path, errno);
            let place = parent(path);
            let ends = place.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
            for end in ends.chain((!place.is_empty()).then_some(place.len())) {
                match rustix::fs::mkdirat(&cover, &place[..end], Mode::RWXU) {
                    Ok(()) => folders.push(place[..end].to_vec()),
                    Err(Errno::EXIST) => {}
                    Err(errno) => return Err(failed(errno)),
                }
            }
            rustix::fs::mknodat(&cover, path.as_slice(), FileType::CharacterDevice, Mode::empty(), 0)
                .map_err(failed)?;
        }
        for path in folders.iter().rev() {
            let failed = |errno| host("hide", path, errno);
            let name: &[u8] = if path.is_empty() { b"." } else { path };
            let made = rustix::fs::openat(&cover, name, FOLDER, Mode::empty()).map_err(failed)?;
            let like = context.open_folder(&join(root, path))?;
            copy_times(&like, &made).map_err(failed)?;
        }
        Ok(cover)
    }

    /// A layer of the selected files that is in no store, as COPY would write it.
    fn copy(&self) -> Result<Stack, BindTreeError> {
        let failed = |source| self.not_copied(source);
        let (sink, finished) = self.write_copy()?;
        let path = self.work.path().join(self.folder_name("index"));
        let mut index = File::options().read(true).write(true).create_new(true).open(path).map_err(failed)?;
        index.write_all(&finished.index).and_then(|()| index.rewind()).map_err(failed)?;
        let mut stack = Stack::default();
        stack.push_files(self.store, finished.diff_id, sink.file().map_err(failed)?, index)?;
        Ok(stack)
    }

    /// Puts such a layer into the store; gives the path of the files in it.
    pub(crate) fn store_copy(&self) -> Result<(DiffId, &'static str), BindTreeError> {
        let (sink, finished) = self.write_copy()?;
        self.store.add_layer(finished.diff_id, sink, &finished.index, None)?;
        let path = if self.files.selection.is_folder() { "" } else { COPIED_FILE.trim_start_matches('/') };
        Ok((finished.diff_id, path))
    }

    fn not_copied(&self, source: std::io::Error) -> BindTreeError {
        BindTreeError::Host { doing: "copy", path: lossy(&self.files.selection.root), source }
    }

    fn write_copy(&self) -> Result<(LayerSink, FinishedLayer), BindTreeError> {
        let selection = &self.files.selection;
        let sink = self.store.layer_sink()?;
        let mut writer = LayerWriter::new(sink.file().map_err(|source| self.not_copied(source))?);
        copy::write_alone(selection, COPIED_FILE.trim_start_matches('/').as_bytes(), &mut writer)?;
        Ok((sink, writer.finish().map_err(CopyError::from)?))
    }

    /// A single file: itself if it is root's and stays as it is, else a copy.
    fn mount_file(&self, context: &Context, is_writable: bool) -> Result<OwnedFd, BindTreeError> {
        let selection = &self.files.selection;
        let root = &selection.root;
        let failed = |errno| host("mount", root, errno);
        let written = if is_writable { self.written("file")? } else { None };
        let (mut file, known) = match &written {
            // Not the context's any more.
            Some(folder) => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = rustix::fs::openat(folder, name(root), flags, Mode::empty()).map_err(failed)?;
                (File::from(file), None)
            }
            None => (context.open_file(root)?, selection.entries.first()),
        };
        let stat = rustix::fs::fstat(&file).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(ContextError::Changed { path: lossy(root) }.into());
        }
        if !is_writable && stat.st_uid == 0 && stat.st_gid == 0 {
            return clone_mount(file.as_fd()).map_err(failed);
        }
        let folder = self.work.subfolder(&self.folder_name("file"), 0o700)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let mut copy = File::from(rustix::fs::openat(&folder, name(root), flags, Mode::RUSR).map_err(failed)?);
        let copied = std::io::copy(&mut file, &mut copy);
        copied.map_err(|source| BindTreeError::Host { doing: "copy", path: lossy(root), source })?;
        if let Some(Content::Context(stamp)) = known.map(|entry| &entry.content) {
            Context::check_unchanged(&file, root, *stamp)?;
        }
        rustix::fs::fchown(&copy, Some(Uid::ROOT), Some(Gid::ROOT)).map_err(failed)?;
        rustix::fs::fchmod(&copy, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(failed)?;
        set_times(&stat, copy.as_fd()).map_err(failed)?;
        // A program that is open for writing cannot be executed.
        drop(copy);
        let path = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let copy = rustix::fs::openat(&folder, name(root), path, Mode::empty()).map_err(failed)?;
        clone_mount(copy.as_fd()).map_err(failed)
    }
}

fn folder_name(number: usize, what: &str) -> String {
    format!("mount-{number}-{what}")
}

/// Where the copy of a single file is.
const COPIED_FILE: &str = "/file";

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Mode and time of one folder for another.
fn copy_times(like: &OwnedFd, folder: &OwnedFd) -> rustix::io::Result<()> {
    let stat = rustix::fs::fstat(like)?;
    rustix::fs::fchmod(folder, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    set_times(&stat, folder.as_fd())
}

fn set_times(stat: &rustix::fs::Stat, file: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or(0) };
    rustix::fs::futimens(file, &Timestamps { last_access: time, last_modification: time })
}

/// A detached copy of the mount at a file or folder, without mounts below it.
fn clone_mount(file: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(file, c"", flags)
}

fn host(doing: &'static str, path: &[u8], errno: Errno) -> BindTreeError {
    BindTreeError::Host { doing, path: lossy(path), source: errno.into() }
}
