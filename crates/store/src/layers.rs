//! Layers: a verbatim tar by its DiffID, and the index that makes it a file system.
//!
//! The tar is written without a name (`O_TMPFILE`), so a killed process leaves nothing; it is linked into place when
//! its digest is known, and the index, which makes the layer count as present, follows last.

use std::fs::File;
use std::os::fd::AsRawFd;

use oci::{ChainId, DiffId};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::{Store, StoreError, file};

/// The two files of a layer, open for reading. They stay readable when the layer is removed meanwhile.
#[derive(Debug)]
pub struct LayerFiles {
    /// The uncompressed tar.
    pub tar: File,
    /// The index into it.
    pub index: File,
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
}

impl Store {
    /// Opens a layer; `None` where it is not in the store. `below` is the chain of the layers under it.
    ///
    /// # Errors
    /// When a file cannot be opened, or an index has lost its tar.
    pub fn layer(&self, layer: DiffId, below: Option<ChainId>) -> Result<Option<LayerFiles>, StoreError> {
        let mut index = file::open(self, &index_path(layer, None))?;
        if let (None, Some(chain)) = (&index, below) {
            index = file::open(self, &index_path(layer, Some(chain)))?;
        }
        let Some(index) = index else { return Ok(None) };
        let tar = file::open(self, &tar_path(layer))?.ok_or(StoreError::LayerMissing(layer))?;
        Ok(Some(LayerFiles { tar, index }))
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

    /// Ends a layer: makes it durable and present. A layer that is there already stays as it is.
    ///
    /// `below` is given when the index depends on the layers under it.
    ///
    /// # Errors
    /// When a file cannot be synced or linked.
    pub fn add_layer(
        &self,
        layer: DiffId,
        sink: LayerSink,
        index: &[u8],
        below: Option<ChainId>,
    ) -> Result<(), StoreError> {
        let tar = tar_path(layer);
        if !file::exists(self, &tar)? {
            sink.file.sync_data().map_err(|error| StoreError::io("sync", file::full(self, &tar), error))?;
            self.link(&sink, &tar)?;
        } else if let Some(name) = &sink.temporary {
            file::remove(self, name)?;
        }
        self.add_index(layer, index, below)
    }

    /// Adds an index for a tar that is in the store.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_index(&self, layer: DiffId, index: &[u8], below: Option<ChainId>) -> Result<(), StoreError> {
        let name = index_path(layer, below);
        if file::exists(self, &name)? { Ok(()) } else { file::replace(self, &name, index) }
    }

    fn link(&self, sink: &LayerSink, name: &str) -> Result<(), StoreError> {
        let linked = match &sink.temporary {
            Some(temporary) => rustix::fs::renameat(&self.root, temporary, &self.root, name),
            None => {
                let own = format!("/proc/self/fd/{}", sink.file.as_raw_fd());
                rustix::fs::linkat(rustix::fs::CWD, own, &self.root, name, AtFlags::SYMLINK_FOLLOW)
            }
        };
        match linked {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(StoreError::io("link", file::full(self, name), errno)),
        }
    }

    pub(crate) fn remove_layer(&self, layer: DiffId) -> Result<(), StoreError> {
        let hex = layer.0.hex();
        for name in file::list(self, "layers")? {
            if name.starts_with(&hex) && name.ends_with(".erofs") {
                file::remove(self, &format!("layers/{name}"))?;
            }
        }
        file::remove(self, &tar_path(layer))?;
        for name in file::list(self, "extracted")? {
            if name.starts_with(&hex) {
                file::remove_tree(self, &format!("extracted/{name}"))?;
            }
        }
        Ok(())
    }
}

fn tar_path(layer: DiffId) -> String {
    format!("layers/{}.tar", layer.0.hex())
}

fn index_path(layer: DiffId, below: Option<ChainId>) -> String {
    match below {
        None => format!("layers/{}.erofs", layer.0.hex()),
        Some(chain) => format!("layers/{}-{}.erofs", layer.0.hex(), chain.0.hex()),
    }
}
