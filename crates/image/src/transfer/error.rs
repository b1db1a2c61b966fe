//! What can go wrong between the store and somewhere else.

use std::io;

use oci::{Digest, Platform};
use store::StoreError;

use crate::StackError;
use crate::archive::LoadError;

/// What the other side, or the way to it, has to say; of the adapter's own kind.
pub type RemoteError = Box<dyn std::error::Error + Send + Sync>;

/// Why an image cannot be pulled or pushed. Nothing of it is listed then.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The other side refused, or cannot be reached.
    #[error("cannot {action}")]
    Remote {
        /// What was asked of it.
        action: String,
        /// What it said.
        #[source]
        source: RemoteError,
    },
    /// A blob ended early, or the connection did. What came is kept.
    #[error("cannot fetch {digest}: {found} of {size} bytes came")]
    Cut {
        /// The blob.
        digest: Digest,
        /// What was announced.
        size: u64,
        /// What there is.
        found: u64,
        /// What the connection said.
        #[source]
        source: Option<io::Error>,
    },
    /// A document is not what it was asked for by.
    #[error("the source sent something else than {expected}: its digest is {found}")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A blob has more bytes than its manifest says.
    #[error("{digest} has more than the {size} bytes that its manifest says")]
    Longer {
        /// The blob.
        digest: Digest,
        /// What was announced.
        size: u64,
    },
    /// A manifest of before 2016.
    #[error("the image has a manifest of schema 1, which is no longer supported")]
    SchemaOne,
    /// Not an image.
    #[error("it is not an image: {what} is of type `{media_type}`")]
    NotAnImage {
        /// The part that no image has.
        what: &'static str,
        /// What it says of itself.
        media_type: String,
    },
    /// A layer that is to be fetched from elsewhere.
    #[error("layer {digest} is a foreign one (`{media_type}`), which must not be distributed by registries")]
    Foreign {
        /// The layer.
        digest: Digest,
        /// What it says of itself.
        media_type: String,
    },
    /// An index with nothing for the platform.
    #[error("no matching manifest for {wanted} in the manifest list entries")]
    NoPlatform {
        /// What was looked for.
        wanted: Platform,
        /// What there is.
        there: Vec<String>,
    },
    /// A layer that is to be sent cannot be compressed.
    #[error(transparent)]
    Compress(Box<crate::archive::SaveError>),
    /// A blob that was to be sent has been removed, or cannot be mounted.
    #[error("blob {digest} is no longer there")]
    Gone {
        /// The blob.
        digest: Digest,
    },
    /// Another layer has failed.
    #[error("stopped, because another layer has failed")]
    Stopped,
    /// Indexes within indexes.
    #[error("indexes within indexes are too deep")]
    Depth,
    /// The content is wrong.
    #[error(transparent)]
    Content(#[from] LoadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer that is already in the store cannot be opened.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// What the host refuses while bytes come in.
    #[error("cannot keep {digest}")]
    Keep {
        /// The blob.
        digest: Digest,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}
