//! Room: who is about to write something large asks first. What the answer depends on is not known here.

use std::fmt;

use crate::{Store, StoreError, file};

/// Makes room for so many bytes that are about to get a name in the store, or says why there is none.
pub struct Admission(Box<Ask>);

type Ask = dyn Fn(&Store, u64) -> Result<(), StoreError> + Send + Sync;

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

const SETTINGS: &str = "settings.json";

impl Store {
    /// The store with somebody to ask before layers and blobs are written. It is asked once before, with no bytes, and once
    /// before they appear, with as many as there are.
    #[must_use]
    pub fn with_admission(
        mut self,
        ask: impl Fn(&Self, u64) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Self {
        self.admission = Some(Admission(Box::new(ask)));
        self
    }

    /// Asks for room.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn admit(&self, bytes: u64) -> Result<(), StoreError> {
        // Most stores have no limits: one system call says so.
        match &self.admission {
            Some(Admission(ask)) if file::exists(self, SETTINGS)? => ask(self, bytes),
            _ => Ok(()),
        }
    }

    /// The settings of the store, where some were made.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn settings(&self) -> Result<Option<Vec<u8>>, StoreError> {
        file::read(self, SETTINGS)
    }

    /// Writes the settings of the store.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn put_settings(&self, content: &[u8]) -> Result<(), StoreError> {
        file::replace(self, SETTINGS, content)
    }
}
