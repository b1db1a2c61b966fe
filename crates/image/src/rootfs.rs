//! A stack of layers as a root file system: one overlay mount that belongs to no folder yet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use layer::{MountError, OverlayOptions, Upper};
use oci::DiffId;
use store::{Store, StoreError};

use crate::Stack;

/// Where a container's changes go.
#[derive(Debug, Clone, Copy)]
pub struct Writable<'a> {
    /// Takes the changes.
    pub upper: BorrowedFd<'a>,
    /// For overlayfs itself, on the same file system.
    pub work: BorrowedFd<'a>,
    /// Syncs are ignored: only for what is read back, or thrown away, in the same boot.
    pub volatile: bool,
}

/// Why a root file system cannot be mounted.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// A layer cannot be mounted.
    #[error("cannot mount layer {layer}")]
    Layer {
        /// Which layer.
        layer: DiffId,
        /// Why not.
        source: MountError,
    },
    /// The layers cannot be stacked.
    #[error("cannot stack {count} layers")]
    Overlay {
        /// How many.
        count: usize,
        /// Why not.
        source: MountError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Mounts a stack with a writable folder on top; the mount is attached nowhere and ends with its descriptor.
///
/// # Errors
/// When the kernel refuses a layer or the stack.
pub fn mount_rootfs(store: &Store, stack: &Stack, writable: Writable<'_>) -> Result<OwnedFd, RootfsError> {
    let mut lower = Vec::with_capacity(stack.layers().len() + 1);
    let layers = stack.layers().iter().zip(stack.index_files()).zip(stack.diff_ids());
    for ((layer, index), id) in layers.rev() {
        let mount = layer::mount_erofs(index.as_fd(), layer.tar.as_fd())
            .map_err(|source| RootfsError::Layer { layer: *id, source })?;
        lower.push(mount);
    }
    lower.push(store.stubs()?);
    let lower: Vec<BorrowedFd<'_>> = lower.iter().map(AsFd::as_fd).collect();
    let Writable { upper, work, volatile } = writable;
    let options =
        OverlayOptions { upper: Some(Upper { folder: upper, work, volatile }), ..OverlayOptions::new(&lower) };
    layer::mount_overlay(&options).map_err(|source| RootfsError::Overlay { count: lower.len(), source })
}
