//! Layers: a verbatim tar by its DiffID, and the index that makes it a file system.
//!
//! The tar is written without a name (`O_TMPFILE`), so a killed process leaves nothing; it is linked into place when
//! its digest is known, and the index, which makes the layer count as present, follows last.
//!
//! A layer is not synced when it appears but when an image that needs it is published, all of an image's layers at
//! once; its files are read-only from then on. What power loss may have torn is thus never listed; a build step's record
//! that names such a layer is trusted in the boot that wrote it, and after that only when the layer was synced or has been
//! hashed again.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use oci::{ChainId, DiffId};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::lock::Lock;
use crate::{Store, StoreError, WorkFolder, file};

/// The two files of a layer, open for reading. They stay readable when the layer is removed meanwhile.
#[derive(Debug)]
pub struct LayerFiles {
    /// The uncompressed tar.
    pub tar: File,
    /// The index into it.
    pub index: File,
    index_name: String,
}

/// A tar being written.
#[derive(Debug)]
pub struct LayerSink {
    file: File,
    /// Set where the file system has no unnamed files.
    temporary: Option<String>,
}

impl LayerSink {
    /// The file to write to.
    ///
    /// # Errors
    /// When no further descriptor can be had.
    pub fn file(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    pub(crate) fn temporary(&self) -> Option<&str> {
        self.temporary.as_deref()
    }
}

impl AsRawFd for LayerSink {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Store {
    /// Opens a layer; `None` where it is not in the store. `below` is the chain of the layers under it.
    ///
    /// # Errors
    /// When a file cannot be opened, or an index has lost its tar.
    pub fn layer(&self, layer: DiffId, below: Option<ChainId>) -> Result<Option<LayerFiles>, StoreError> {
        // The index made for these lower layers, where there is one: the same tar may also be at the bottom elsewhere.
        let mut index_name = index_path(layer, below);
        let mut index = file::open(self, &index_name)?;
        if index.is_none() && below.is_some() {
            index_name = index_path(layer, None);
            index = file::open(self, &index_name)?;
        }
        let Some(index) = index else { return Ok(None) };
        let tar = file::open(self, &tar_path(layer))?.ok_or(StoreError::LayerMissing(layer))?;
        Ok(Some(LayerFiles { tar, index, index_name }))
    }

    /// Whether a layer is there.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn has_layer(&self, layer: DiffId, below: Option<ChainId>) -> Result<bool, StoreError> {
        if file::exists(self, &index_path(layer, None))? {
            return Ok(true);
        }
        below.map_or(Ok(false), |chain| file::exists(self, &index_path(layer, Some(chain))))
    }

    /// Opens only a layer's tar, which may be there without an index for the layers below that are wanted now.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn layer_tar(&self, layer: DiffId) -> Result<Option<File>, StoreError> {
        file::open(self, &tar_path(layer))
    }

    /// Begins a layer.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn layer_sink(&self) -> Result<LayerSink, StoreError> {
        self.admit(0)?;
        let failed = |errno: Errno| StoreError::io("create a file in", file::full(self, "layers"), errno);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        match rustix::fs::openat(&self.root, "layers", flags | OFlags::TMPFILE, mode) {
            Ok(file) => Ok(LayerSink { file: file.into(), temporary: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT) => {
                let name = file::temporary_name()?;
                let flags = flags | OFlags::CREATE | OFlags::EXCL;
                let file = rustix::fs::openat(&self.root, &name, flags, mode).map_err(failed)?;
                Ok(LayerSink { file: file.into(), temporary: Some(name) })
            }
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Ends a layer: makes it present. It becomes durable with the first image that needs it.
    ///
    /// `below` is given when the index depends on the layers under it. A layer that an image has stays as it is.
    ///
    /// # Errors
    /// When a file cannot be linked or written.
    pub fn add_layer(
        &self,
        layer: DiffId,
        sink: LayerSink,
        index: &[u8],
        below: Option<ChainId>,
    ) -> Result<(), StoreError> {
        let written = rustix::fs::fstat(&sink.file).map_or(0, |stat| stat.st_blocks.cast_unsigned() * 512);
        self.admit(written)?;
        self.link(layer, &sink)?;
        self.add_index(layer, index, below)
    }

    /// Adds an index for a tar that is in the store.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_index(&self, layer: DiffId, index: &[u8], below: Option<ChainId>) -> Result<(), StoreError> {
        let name = index_path(layer, below);
        if self.is_durable_file(&name)? {
            return Ok(());
        }
        let staged = file::stage(self, &name, index, false)?;
        self.place_unless_sealed(&staged, &name)
    }

    /// A file that was sealed meanwhile stays: an image counts on it. One that is not may be torn by an earlier end of
    /// the host, and the staged one is whole.
    fn place_unless_sealed(&self, staged: &str, name: &str) -> Result<(), StoreError> {
        let _lock = Lock::exclusive(self, SEAL)?;
        if self.is_durable_file(name)? {
            return file::remove(self, staged).map(|_| ());
        }
        file::place(self, staged, name)
    }

    fn link(&self, layer: DiffId, sink: &LayerSink) -> Result<(), StoreError> {
        let name = tar_path(layer);
        let failed = |errno| StoreError::io("link", file::full(self, &name), errno);
        let linked = match &sink.temporary {
            Some(temporary) => Ok(temporary.clone()),
            None => match self.link_unnamed(sink, &name) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {
                    let temporary = file::temporary_name()?;
                    self.link_unnamed(sink, &temporary).map(|()| temporary)
                }
                Err(errno) => Err(errno),
            },
        };
        self.place_unless_sealed(&linked.map_err(failed)?, &name)
    }

    fn link_unnamed(&self, sink: &LayerSink, name: &str) -> rustix::io::Result<()> {
        let own = format!("/proc/self/fd/{}", sink.file.as_raw_fd());
        rustix::fs::linkat(rustix::fs::CWD, own, &self.root, name, AtFlags::SYMLINK_FOLLOW)
    }

    /// Whether a layer's tar has been synced: its file is read-only from then on.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn is_durable(&self, layer: DiffId) -> Result<bool, StoreError> {
        self.is_durable_file(&tar_path(layer))
    }

    fn is_durable_file(&self, name: &str) -> Result<bool, StoreError> {
        match rustix::fs::statat(&self.root, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(is_sealed(&stat)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(StoreError::io("look for", file::full(self, name), errno)),
        }
    }

    /// Whether a layer that was written in an earlier boot is whole: it was synced, or its tar has the right digest.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn survived(&self, layer: DiffId) -> Result<bool, StoreError> {
        if self.is_durable(layer)? {
            return Ok(true);
        }
        let Some(mut tar) = self.layer_tar(layer)? else { return Ok(false) };
        let mut hasher = oci::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = std::io::Read::read(&mut tar, &mut buffer)
                .map_err(|error| StoreError::io("read", file::full(self, &tar_path(layer)), error))?;
            if count == 0 {
                return Ok(DiffId(hasher.finish()) == layer);
            }
            hasher.update(&buffer[..count]);
        }
    }

    /// Makes layers durable: content first, then the names; what has been synced is marked by being read-only, so that
    /// it is not synced again. `below` is the chain under each of them.
    pub(crate) fn sync_layers(&self, layers: &[(DiffId, Option<ChainId>)]) -> Result<(), StoreError> {
        loop {
            let mut synced = Vec::new();
            for (layer, below) in layers {
                self.sync_layer(*layer, *below, &mut synced)?;
            }
            if synced.is_empty() {
                return Ok(());
            }
            file::sync_folder_of(self, "layers/")?;
            // Another process may have put its own file, which is not synced, in the place of one of these.
            if self.seal(&synced)? {
                return Ok(());
            }
        }
    }

    fn sync_layer(
        &self,
        layer: DiffId,
        below: Option<ChainId>,
        synced: &mut Vec<(String, File)>,
    ) -> Result<(), StoreError> {
        let files = self.layer(layer, below)?.ok_or(StoreError::LayerMissing(layer))?;
        for (name, file) in [(tar_path(layer), files.tar), (files.index_name, files.index)] {
            let failed = |error: std::io::Error| StoreError::io("sync", file::full(self, &name), error);
            let stat = rustix::fs::fstat(&file).map_err(|errno| failed(errno.into()))?;
            if !is_sealed(&stat) {
                file.sync_data().map_err(failed)?;
                synced.push((name, file));
            }
        }
        Ok(())
    }

    /// Marks files as synced; whether all of them still have their names.
    fn seal(&self, files: &[(String, File)]) -> Result<bool, StoreError> {
        let _lock = Lock::exclusive(self, SEAL)?;
        let mut all = true;
        for (name, file) in files {
            let failed = |errno| StoreError::io("seal", file::full(self, name), errno);
            let own = rustix::fs::fstat(file).map_err(failed)?;
            match rustix::fs::statat(&self.root, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(named) if named.st_ino == own.st_ino => rustix::fs::fchmod(file, Mode::RUSR).map_err(failed)?,
                Ok(_) | Err(Errno::NOENT) => all = false,
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(all)
    }

    /// A layer as a folder of files, where one was made; `below` is the chain of the layers under it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn extracted(&self, layer: DiffId, below: Option<ChainId>) -> Result<Option<OwnedFd>, StoreError> {
        let name = extracted_path(layer, below);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.root, &name, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(StoreError::io("open", file::full(self, &name), errno)),
        }
    }

    /// Takes over a subfolder of a working folder as a layer's folder of files. One that is there already stays.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn add_extracted(
        &self,
        layer: DiffId,
        below: Option<ChainId>,
        folder: &WorkFolder<'_>,
        subfolder: &str,
    ) -> Result<(), StoreError> {
        let name = extracted_path(layer, below);
        match rustix::fs::renameat(folder.as_fd(), subfolder, &self.root, &name) {
            Ok(()) | Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(()),
            Err(errno) => Err(StoreError::io("rename", file::full(self, &name), errno)),
        }
    }
}

/// Lock for looking whether a layer's file is sealed together with acting on the answer.
const SEAL: &str = "seal";

/// Synced files are read-only.
fn is_sealed(stat: &rustix::fs::Stat) -> bool {
    Mode::from_raw_mode(stat.st_mode) & Mode::WUSR == Mode::empty()
}

fn tar_path(layer: DiffId) -> String {
    format!("layers/{}.tar", layer.0.hex())
}

fn extracted_path(layer: DiffId, below: Option<ChainId>) -> String {
    let below = below.map_or_else(|| "base".to_owned(), |chain| chain.0.hex());
    format!("extracted/{}-{below}", layer.0.hex())
}

pub(crate) fn index_path(layer: DiffId, below: Option<ChainId>) -> String {
    match below {
        None => format!("layers/{}.erofs", layer.0.hex()),
        Some(chain) => format!("layers/{}-{}.erofs", layer.0.hex(), chain.0.hex()),
    }
}
