//! IDs other than the user's own: who is about to make or remove files that belong to them asks first.
//!
//! Without root they are those of a user namespace, and getting them costs more than most commands do (see
//! `runtime::user_namespace`). How that is done is not known here.

use std::fmt;

use crate::{Store, StoreError};

/// Gets this process IDs other than the user's own, or says why there are none.
pub struct Identities(Box<Ask>);

type Ask = dyn Fn() -> Result<(), StoreError> + Send + Sync;

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identities")
    }
}

/// Counts the IDs of this process' user namespace.
pub struct MappedIds(Box<dyn Fn() -> u32 + Send + Sync>);

impl fmt::Debug for MappedIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MappedIds")
    }
}

impl Store {
    /// The store with somebody to ask before other IDs are needed.
    #[must_use]
    pub fn with_identities(mut self, ask: impl Fn() -> Result<(), StoreError> + Send + Sync + 'static) -> Self {
        self.identities = Some(Identities(Box::new(ask)));
        self
    }

    /// The store for a process in a user namespace: overlayfs keeps its marks in `user.overlay.*` there.
    #[must_use]
    pub fn with_user_xattrs(mut self, user_xattrs: bool) -> Self {
        self.user_xattrs = user_xattrs;
        self
    }

    /// The store for a process in a user namespace, which knows how many IDs that has once it has been asked for them.
    #[must_use]
    pub fn with_mapped_ids(mut self, count: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        self.mapped_ids = Some(MappedIds(Box::new(count)));
        self
    }

    /// Files can be given to IDs below this number only; `None` where they can be given to all.
    pub fn mapped_ids(&self) -> Option<u32> {
        self.mapped_ids.as_ref().map(|MappedIds(count)| count())
    }

    /// Whether overlayfs' marks are `user.overlay.*` attributes.
    pub fn user_xattrs(&self) -> bool {
        self.user_xattrs
    }

    /// Whether the store's owner is somebody else than root, whatever this process is within its user namespace.
    pub fn is_of_ordinary_user(&self) -> bool {
        self.identities.is_some()
    }

    /// Asks for IDs, before files are made that belong to others, or entered that do.
    ///
    /// # Errors
    /// When there are none.
    pub fn want_identities(&self) -> Result<(), StoreError> {
        self.identities.as_ref().map_or(Ok(()), |Identities(ask)| ask())
    }
}
