//! How this machine lets a root be made of layers: the best way first, and why not a better one.

use std::os::fd::AsFd;

use layer::{MountError, OverlayOptions, Upper};
use store::{Store, StoreError};

/// Ways to make a root of layers, the best one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The kernel mounts the layers' tars, and overlayfs stacks them.
    Erofs,
    /// Layers are extracted to folders once, and overlayfs stacks those.
    Extracted,
    /// Each root is a copy of all its layers.
    Copied,
}

/// What this process can do with the store where it is, and why not the rung above. Mounts something to see.
///
/// # Errors
/// When nothing can be written to the store.
pub fn rung(store: &Store) -> Result<(Rung, Option<MountError>), StoreError> {
    if let Some(refusal) = overlay_refusal(store)? {
        return Ok((Rung::Copied, Some(refusal)));
    }
    Ok(match layer::erofs_supported(store.as_folder().as_fd()) {
        Ok(()) => (Rung::Erofs, None),
        Err(refusal) => (Rung::Extracted, Some(refusal)),
    })
}

/// Why overlayfs cannot write to the store; `None` if it can.
pub(crate) fn overlay_refusal(store: &Store) -> Result<Option<MountError>, StoreError> {
    let folder = store.work_folder()?;
    let (upper, work) = (folder.subfolder("upper", 0o700)?, folder.subfolder("work", 0o700)?);
    let upper = Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: false };
    let options = OverlayOptions { upper: Some(upper), user_xattrs: store.user_xattrs(), ..OverlayOptions::new(&[]) };
    Ok(layer::mount_overlay(&options).err())
}
