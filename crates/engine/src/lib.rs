//! The verbs: build, run, images, history, save … Options in, plain data out, progress as events.
//!
//! Reading order: [`build()`] is the picture of the whole program on one screen. Nothing here prints, parses
//! arguments or reads the environment; what the host has to say (time, folders) comes in through [`Engine`].

mod error;
pub mod progress;

use std::path::Path;

use jiff::Timestamp;
use store::Store;

pub use error::{Error, ErrorKind, Problem, SourceText};

/// What every verb works on.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    clock: fn() -> Timestamp,
}

impl Engine {
    /// Opens the store at `root`; `clock` gives the time for what is made.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(root: &Path, clock: fn() -> Timestamp) -> Result<Self, Error> {
        Ok(Self { store: Store::open(root)?, clock })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
