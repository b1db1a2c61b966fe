//! What an image is: a config, a stack of layers, a manifest; and how it enters and leaves the store.
//!
//! [`Stack`] opens an image's layers and makes them a root file system, [`users`] reads who is who in it,
//! `archive` writes and reads the files of `save`, `load` and `import`, [`transfer`] pulls and pushes. This crate starts no process and speaks no
//! HTTP.

pub mod archive;
mod capture;
mod copied;
mod import;
mod manifest;
mod mount_points;
mod rootfs;
mod rung;
mod sizes;
mod stack;
pub mod transfer;
pub mod users;

pub use capture::{CaptureError, Captured, Changes, capture, changes, root_metadata};
pub use copied::{CopyError, copy_root, is_copied, renew_copy};
pub use import::{ImportError, ImportOptions, import};
pub use manifest::{ManifestError, StoredImage, find, manifest, repository_digest};
pub use mount_points::{MountPoint, MountPointError, make_mount_points};
pub use rootfs::{
    RootfsError, RootfsOptions, Writable, continue_upper, mount_copied, mount_rootfs, mount_stack, prepare_upper,
};
pub use rung::{Rung, rung};
pub use sizes::Sizes;
pub use stack::{Stack, StackError};
