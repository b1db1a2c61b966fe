//! What a build used, for those who want it as a cache: the steps with their layers, and when its images were made.

use std::collections::BTreeMap;
use std::sync::Mutex;

use oci::{DiffId, Digest};

use crate::solve::lock;

/// A step that was found or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsedStep {
    /// Digest of its key.
    pub(crate) key: Digest,
    /// Digest of its key by content, where `key` only says which layers it was copied from.
    pub(crate) content: Option<Digest>,
    pub(crate) layer: DiffId,
    /// The layers that it stands on.
    pub(crate) below: Vec<DiffId>,
    pub(crate) created: String,
    /// Its layer is one of the image's.
    pub(crate) is_of_image: bool,
}

/// All of them. Notes nothing where nobody asks.
#[derive(Debug)]
pub(crate) struct Used {
    is_wanted: bool,
    steps: Mutex<Vec<UsedStep>>,
    /// Times by the digests of configs without times.
    images: Mutex<BTreeMap<Digest, String>>,
}

impl Used {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, steps: Mutex::default(), images: Mutex::default() }
    }

    /// Before the plan is run again.
    pub(crate) fn forget(&self) {
        lock(&self.steps).clear();
        lock(&self.images).clear();
    }

    pub(crate) fn note(&self, step: impl FnOnce() -> UsedStep) {
        if self.is_wanted {
            lock(&self.steps).push(step());
        }
    }

    pub(crate) fn note_image(&self, key: Digest, created: &str) {
        if self.is_wanted {
            lock(&self.images).insert(key, created.to_owned());
        }
    }

    pub(crate) fn steps(&self) -> Vec<UsedStep> {
        lock(&self.steps).clone()
    }

    pub(super) fn images(&self) -> BTreeMap<Digest, String> {
        lock(&self.images).clone()
    }
}
