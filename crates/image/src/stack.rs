//! The layers of an image, open, bottom first.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use layer::{Index, Layer, MountError, Tree};
use oci::{ChainId, DiffId};
use store::{Store, StoreError};

/// Layers with their indexes. Cheap to copy: the copies share what is open.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    layers: Vec<Layer>,
    /// What layers are mounted by.
    mounts: Vec<Arc<MountOnce>>,
    diff_ids: Vec<DiffId>,
}

/// A layer's index file, and its mount once it was needed.
#[derive(Debug)]
struct MountOnce {
    index: File,
    mounted: OnceLock<OwnedFd>,
}

impl MountOnce {
    fn get(&self, tar: &File) -> Result<BorrowedFd<'_>, MountError> {
        if let Some(mounted) = self.mounted.get() {
            return Ok(mounted.as_fd());
        }
        let mounted = layer::mount_erofs(self.index.as_fd(), tar.as_fd())?;
        // Another thread may have been faster; its mount serves as well.
        Ok(self.mounted.get_or_init(|| mounted).as_fd())
    }
}

/// Why a stack of layers cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The store could not give a layer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer's index cannot be read.
    #[error("the index of layer {layer} cannot be used")]
    Index {
        /// Which layer.
        layer: DiffId,
        /// What is wrong with it.
        source: layer::IndexError,
    },
    /// A layer's tar cannot be indexed on top of these lower layers.
    #[error("layer {layer} cannot be indexed")]
    Ingest {
        /// Which layer.
        layer: DiffId,
        /// What is wrong with it.
        source: layer::IngestError,
    },
}

impl Stack {
    /// Opens layers, the bottom one first.
    ///
    /// # Errors
    /// When a layer is not in the store, or its index is damaged.
    pub fn open(store: &Store, diff_ids: &[DiffId]) -> Result<Self, StackError> {
        let mut stack = Self::default();
        for layer in diff_ids {
            stack.push(store, *layer)?;
        }
        Ok(stack)
    }

    /// Opens one more layer on top.
    ///
    /// A tar whose index was made for other lower layers is indexed anew for these.
    ///
    /// # Errors
    /// As [`Stack::open`].
    pub fn push(&mut self, store: &Store, layer: DiffId) -> Result<(), StackError> {
        let below = self.chain_id();
        let files = match store.layer(layer, below)? {
            Some(files) => files,
            None => self.index_anew(store, layer, below)?,
        };
        self.push_files(store, layer, files.tar, files.index)
    }

    /// Puts a layer on top that is in no store: its tar and its index, open.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn push_files(&mut self, store: &Store, layer: DiffId, tar: File, index: File) -> Result<(), StackError> {
        let unreadable = |source: std::io::Error| {
            StackError::Store(StoreError::Io {
                action: "open the index of a layer in",
                path: store.path().to_owned(),
                source,
            })
        };
        let index_file = index.try_clone().map_err(unreadable)?;
        let index = Index::open(index).map_err(|source| StackError::Index { layer, source })?;
        self.mounts.push(Arc::new(MountOnce { index: index_file, mounted: OnceLock::new() }));
        self.layers.push(Layer { index: Arc::new(index), tar: Arc::new(tar) });
        self.diff_ids.push(layer);
        Ok(())
    }

    fn index_anew(
        &self,
        store: &Store,
        layer: DiffId,
        below: Option<ChainId>,
    ) -> Result<store::LayerFiles, StackError> {
        let missing = || StackError::Store(StoreError::LayerMissing(layer));
        let tar = store.layer_tar(layer)?.ok_or_else(missing)?;
        let sink = store.layer_sink()?;
        let copy = sink.file().map_err(|source| {
            StackError::Store(StoreError::Io { action: "open", path: store.path().to_owned(), source })
        })?;
        let made =
            layer::ingest(tar, copy, Some(&self.tree())).map_err(|source| StackError::Ingest { layer, source })?;
        store.add_index(layer, &made.index, below)?;
        store.layer(layer, below)?.ok_or_else(missing)
    }

    /// The merged view of all layers.
    pub fn tree(&self) -> Tree {
        Tree::new(self.layers.clone())
    }

    /// The layers, bottom first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layers as mounts, bottom first; each is mounted when it is first needed and stays so for as long as a copy
    /// of the stack is there: the steps of a build share them.
    pub(crate) fn mounts(&self) -> impl Iterator<Item = (DiffId, Result<BorrowedFd<'_>, MountError>)> {
        let parts = self.layers.iter().zip(&self.mounts).zip(&self.diff_ids);
        parts.map(|((layer, mount), id)| (*id, mount.get(&layer.tar)))
    }

    /// Their DiffIDs, bottom first.
    pub fn diff_ids(&self) -> &[DiffId] {
        &self.diff_ids
    }

    /// The chain of all layers; `None` without layers.
    pub fn chain_id(&self) -> Option<ChainId> {
        ChainId::of(&self.diff_ids)
    }
}
