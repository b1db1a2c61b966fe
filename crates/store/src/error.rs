//! What can go wrong with the store.

use std::path::{Path, PathBuf};

use oci::{DiffId, ImageId};

/// A store operation that did not succeed; the store itself is whole.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The host refused a file operation.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The folder holds a store of another version, or something else.
    #[error("{} is not a store that this version can read", path.display())]
    Version {
        /// The store's folder.
        path: PathBuf,
    },
    /// A file of the store does not hold what its name says.
    #[error("{} is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An image's layer has gone.
    #[error("layer {0} is not in the store")]
    LayerMissing(DiffId),
    /// An image has gone.
    #[error("image {0} is not in the store")]
    ImageMissing(ImageId),
    /// A name too long for a file.
    #[error("the name `{0}` is longer than the 255 bytes that the store can keep")]
    NameTooLong(String),
    /// The limits of the store leave no room, and nothing more can go.
    #[error("no room in the store: {reason}")]
    NoRoom {
        /// Which limit, and by how much.
        reason: String,
    },
    /// The settings of the store say nothing that can be understood, so nobody knows how much may be written.
    #[error("{path} cannot be read: {reason}")]
    Settings {
        /// The file of the settings.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// IDs other than the user's own are needed, and are not to be had.
    #[error("files of other users are needed, and this process cannot act for them: {reason}")]
    NoIdentities {
        /// Why not.
        reason: String,
        /// What mends it.
        remedy: String,
    },
    /// The container name is taken.
    #[error("the container name `{name}` is already in use by container {id}")]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        id: String,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>, source: impl Into<std::io::Error>) -> Self {
        Self::Io { action, path: path.as_ref().to_owned(), source: source.into() }
    }
}
