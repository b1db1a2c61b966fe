//! The seam between the two ways to make a layer visible: as a mount of its index, or as a folder of its files.
//!
//! Both give a descriptor that [`crate::mount_overlay`] takes as a layer, and both show the same: one suite of tests
//! runs over both (tests/contract.rs).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::mount::{MountError, erofs_supported, mount_erofs};

/// How layers are made visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The kernel mounts index and tar; no file is made.
    Erofs,
    /// [`crate::extract`] makes a folder of files, once for each layer.
    Extracted,
}

impl Backend {
    /// Finds the backend for layers kept below a folder: EROFS where the kernel can; otherwise also why it cannot.
    pub fn detect(folder: BorrowedFd<'_>) -> (Self, Option<MountError>) {
        match erofs_supported(folder) {
            Ok(()) => (Self::Erofs, None),
            Err(reason) => (Self::Extracted, Some(reason)),
        }
    }

    /// Its name, as `info` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Extracted => "extracted",
        }
    }
}

/// A layer as a folder that overlayfs can use.
#[derive(Debug)]
pub enum LayerDirectory {
    /// The root of a mount attached nowhere.
    Erofs(OwnedFd),
    /// A folder with the layer's files.
    Extracted(OwnedFd),
}

impl LayerDirectory {
    /// Mounts a layer's index with its tar.
    ///
    /// # Errors
    /// As [`mount_erofs`].
    pub fn mount(index: BorrowedFd<'_>, tar: BorrowedFd<'_>) -> Result<Self, MountError> {
        mount_erofs(index, tar).map(Self::Erofs)
    }

    /// Takes a folder that [`crate::extract`] filled.
    ///
    /// # Errors
    /// When it is no folder.
    pub fn open(folder: BorrowedFd<'_>) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(folder, c".", flags, Mode::empty()).map(Self::Extracted)
    }

    /// Which backend it comes from.
    pub fn backend(&self) -> Backend {
        match self {
            Self::Erofs(_) => Backend::Erofs,
            Self::Extracted(_) => Backend::Extracted,
        }
    }
}

impl AsFd for LayerDirectory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Erofs(descriptor) | Self::Extracted(descriptor) => descriptor.as_fd(),
        }
    }
}
