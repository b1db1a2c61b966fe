//! A stack of layers as a root file system: one overlay mount that belongs to no folder yet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use layer::{LayerDirectory, Metadata, MountError, OverlayOptions, Upper};
use oci::{ChainId, DiffId};
use store::{Store, StoreError};

use crate::{CopyError, Rung, Stack, copied, rung};

/// Where a container's changes go.
#[derive(Debug, Clone, Copy)]
pub struct Writable<'a> {
    /// Takes the changes.
    pub upper: BorrowedFd<'a>,
    /// For overlayfs itself, on the same file system.
    pub work: BorrowedFd<'a>,
    /// The changes of another root on the same layers, which stay as they are: all is on top of them.
    pub below: Option<BorrowedFd<'a>>,
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
    /// A layer cannot be made a folder of files.
    #[error("cannot extract layer {layer}")]
    Extract {
        /// Which layer.
        layer: DiffId,
        /// Why not.
        source: layer::ExtractError,
    },
    /// A layer's folder cannot be opened.
    #[error("cannot open the folder of layer {layer}")]
    Folder {
        /// Which layer.
        layer: DiffId,
        /// Why not.
        source: std::io::Error,
    },
    /// The upper folder cannot be made like the root below it.
    #[error("cannot prepare the writable folder")]
    Upper {
        /// Why not.
        source: MountError,
    },
    /// The layers cannot be read.
    #[error("cannot read the root of the layers below")]
    Tree(#[source] layer::TreeError),
    /// The changes on top of the layers cannot be read.
    #[error("cannot read the changes on top of the layers below")]
    Changes(#[source] layer::DiffError),
    /// The layers cannot be stacked.
    #[error("cannot stack {count} layers")]
    Overlay {
        /// How many.
        count: usize,
        /// Why not.
        source: MountError,
    },
    /// The layers cannot be copied.
    #[error("cannot copy the layers")]
    Copy(#[from] CopyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives a new upper folder the mode, owner and attributes of the stack's root, which it hides.
///
/// # Errors
/// When the layers cannot be read, or something cannot be set.
pub fn prepare_upper(store: &Store, stack: &Stack, upper: BorrowedFd<'_>) -> Result<Metadata, RootfsError> {
    store.want_identities()?;
    let tree = stack.tree();
    let root = match tree.root().map_err(RootfsError::Tree)? {
        Some(root) => tree.entry(&root, b"").map_err(RootfsError::Tree)?.metadata,
        None => Metadata { mode: 0o755, ..Metadata::default() },
    };
    layer::prepare_upper(upper, &root).map_err(|source| RootfsError::Upper { source })?;
    Ok(root)
}

/// Gives a new upper folder what the root of an older one has, which it is to continue.
///
/// # Errors
/// When the older one cannot be read, or something cannot be set.
pub fn continue_upper(store: &Store, older: BorrowedFd<'_>, upper: BorrowedFd<'_>) -> Result<(), RootfsError> {
    store.want_identities()?;
    let root = layer::folder_metadata(older).map_err(RootfsError::Changes)?;
    layer::prepare_upper(upper, &root).map_err(|source| RootfsError::Upper { source })
}

/// How to mount a stack.
#[derive(Debug, Clone, Copy, Default)]
pub struct RootfsOptions<'a> {
    /// Where changes go; without it the mount is read-only.
    pub writable: Option<Writable<'a>>,
    /// A folder that lies over all layers and under the changes: places to mount on, made by [`crate::make_mount_points`].
    pub points: Option<BorrowedFd<'a>>,
    /// The store's places to mount on, under all layers: for a root file system.
    pub with_stubs: bool,
    /// What to make, in place of the best that this machine allows: only [`Rung::Copied`] can be asked for.
    pub rung: Option<Rung>,
}

/// Mounts a stack with a writable folder on top; the mount is attached nowhere and ends with its descriptor.
///
/// # Errors
/// As [`mount_stack`].
pub fn mount_rootfs(store: &Store, stack: &Stack, writable: Writable<'_>) -> Result<OwnedFd, RootfsError> {
    mount_stack(store, stack, RootfsOptions { writable: Some(writable), points: None, with_stubs: true, rung: None })
}

/// Mounts a stack; the mount is attached nowhere and ends with its descriptor.
///
/// Where the kernel cannot mount layers by their index they are extracted to folders first, once for each layer; where it
/// cannot stack them either, the root is a copy: of the writable folder, or in memory.
///
/// # Errors
/// When the kernel refuses a layer or the stack, or something cannot be copied.
pub fn mount_stack(store: &Store, stack: &Stack, options: RootfsOptions<'_>) -> Result<OwnedFd, RootfsError> {
    store.want_identities()?;
    if options.rung == Some(Rung::Copied) || options.writable.is_some_and(|writable| copied::is_copied(writable.work)) {
        return Ok(copied::mount(store, stack, options)?);
    }
    match stack_layers(store, stack, options) {
        // What it says is only a consequence, if overlayfs is to be had here.
        Err(RootfsError::Overlay { .. } | RootfsError::Extract { .. }) if rung::overlay_refusal(store)?.is_some() => {
            Ok(copied::mount(store, stack, options)?)
        }
        other => other,
    }
}

/// A copied root that is there already, for looking at it; `None` for a folder of changes.
///
/// # Errors
/// When it cannot be mounted.
pub fn mount_copied(upper: BorrowedFd<'_>, work: BorrowedFd<'_>) -> Result<Option<OwnedFd>, RootfsError> {
    Ok(copied::is_copied(work).then(|| copied::clone_mount(upper)).transpose()?)
}

/// The first two rungs: the layers stacked by overlayfs.
fn stack_layers(store: &Store, stack: &Stack, options: RootfsOptions<'_>) -> Result<OwnedFd, RootfsError> {
    let folders;
    let layers = match mount_layers(stack) {
        Err(RootfsError::Layer { source, .. }) if needs_extraction(&source) => {
            // Extracting is in vain where the folders cannot be stacked.
            if let Some(source) = rung::overlay_refusal(store)? {
                return Err(RootfsError::Overlay { count: stack.layers().len(), source });
            }
            folders = extract_layers(store, stack)?;
            folders.iter().map(AsFd::as_fd).collect()
        }
        other => other?,
    };
    let stubs = options.with_stubs.then(|| store.stubs()).transpose()?;
    let below = options.writable.and_then(|writable| writable.below);
    let layers = options.points.into_iter().chain(layers.into_iter().rev());
    let lower: Vec<BorrowedFd<'_>> = below.into_iter().chain(layers).chain(stubs.as_ref().map(AsFd::as_fd)).collect();
    let upper = options.writable.map(|Writable { upper, work, volatile, .. }| Upper { folder: upper, work, volatile });
    let options = OverlayOptions { upper, user_xattrs: store.user_xattrs(), ..OverlayOptions::new(&lower) };
    layer::mount_overlay(&options).map_err(|source| RootfsError::Overlay { count: lower.len(), source })
}

/// The first backend: every layer as a mount of its index, bottom first.
fn mount_layers(stack: &Stack) -> Result<Vec<BorrowedFd<'_>>, RootfsError> {
    stack.mounts().map(|(layer, mount)| mount.map_err(|source| RootfsError::Layer { layer, source })).collect()
}

/// Whether the kernel, and not the layer, is the reason.
fn needs_extraction(error: &MountError) -> bool {
    matches!(error, MountError::NoFileSystem { .. } | MountError::NotPermitted { .. } | MountError::NotFileBacked)
}

/// The second backend: every layer as a folder of files, bottom first.
fn extract_layers(store: &Store, stack: &Stack) -> Result<Vec<LayerDirectory>, RootfsError> {
    let mut below: Option<ChainId> = None;
    let mut folders = Vec::new();
    for (layer, id) in stack.layers().iter().zip(stack.diff_ids()) {
        let folder = match store.extracted(*id, below)? {
            Some(folder) => folder,
            None => extract_layer(store, layer, *id, below)?,
        };
        let opened = LayerDirectory::open(folder.as_fd());
        folders.push(opened.map_err(|errno| RootfsError::Folder { layer: *id, source: errno.into() })?);
        below = Some(below.map_or(ChainId(id.0), |chain| chain.then(*id)));
    }
    Ok(folders)
}

fn extract_layer(
    store: &Store,
    layer: &layer::Layer,
    id: DiffId,
    below: Option<ChainId>,
) -> Result<OwnedFd, RootfsError> {
    let work = store.work_folder()?;
    let folder = work.subfolder("layer", 0o755)?;
    layer::extract(layer, folder.as_fd(), &layer::ExtractOptions { user_xattrs: store.user_xattrs() })
        .map_err(|source| RootfsError::Extract { layer: id, source })?;
    store.add_extracted(id, below, &work, "layer")?;
    let missing = || RootfsError::Store(StoreError::LayerMissing(id));
    store.extracted(id, below)?.ok_or_else(missing)
}

#[cfg(test)]
mod tests;
