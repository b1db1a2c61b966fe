//! Images from somewhere else into the store, and out of it to somewhere else.
//!
//! Where they come from is a [`Source`], where they go a [`Destination`]: a registry, reached by an adapter of whoever
//! calls this. What a source gives is hostile until its digest is verified, and nothing of it is listed before.
//!
//! [`pull`] fetches what is missing, several layers at a time; [`push`] sends what is missing there. This module speaks
//! no HTTP, and prints nothing: what happens is an event.

mod arrival;
mod destination;
mod documents;
mod error;
mod known;
mod layers;
mod pull;
mod push;

use std::io::Read;

use oci::{Descriptor, Digest, TagOrDigest};

pub use destination::{Content, Destination, Upload};
pub use error::{RemoteError, TransferError};
pub use pull::{LayerState, PullEvent, PullRequest, Pulled, pull};
pub use push::{PushEvent, Pushed, SentState, push};

/// A manifest, or an index of several, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What the sender says that it is.
    pub media_type: String,
    /// The bytes, which have the digest.
    pub bytes: Vec<u8>,
}

/// One repository that images are read from. Used by several threads at once.
pub trait Source: Sync {
    /// What a tag stands for, without its content; `None` where there is no such thing.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn resolve(&self, name: &TagOrDigest) -> Result<Option<Digest>, RemoteError>;

    /// The manifest or index of a tag or digest.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn manifest(&self, name: &TagOrDigest) -> Result<Document, RemoteError>;

    /// The bytes of a blob from an offset on. What is read may be wrong, and may end early.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn blob(&self, blob: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>, RemoteError>;
}
