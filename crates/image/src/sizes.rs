//! Sizes of layers and images as Docker counts them: the content of regular files, uncompressed, shared or not.
//!
//! The number stands in each layer's index, so a listing reads two small pages a layer and never a tar.

use std::collections::HashMap;

use layer::Index;
use oci::{ChainId, DiffId, ImageConfig};
use store::Store;

use crate::{Stack, StackError};

/// Sizes of one store's layers; each layer is looked at once.
#[derive(Debug)]
pub struct Sizes<'store> {
    store: &'store Store,
    known: HashMap<DiffId, u64>,
}

impl<'store> Sizes<'store> {
    /// Knows nothing yet.
    pub fn new(store: &'store Store) -> Self {
        Self { store, known: HashMap::new() }
    }

    /// Sizes of a stack's layers, bottom first.
    ///
    /// # Errors
    /// When a layer is missing or its index is damaged.
    pub fn layers(&mut self, diff_ids: &[DiffId]) -> Result<Vec<u64>, StackError> {
        let mut below: Option<ChainId> = None;
        let mut sizes = Vec::with_capacity(diff_ids.len());
        for (number, layer) in diff_ids.iter().enumerate() {
            let size = match self.known.get(layer) {
                Some(size) => *size,
                None => self.layer(*layer, below, &diff_ids[..=number])?,
            };
            self.known.insert(*layer, size);
            sizes.push(size);
            below = Some(below.map_or(ChainId(layer.0), |chain| chain.then(*layer)));
        }
        Ok(sizes)
    }

    /// Size of an image: all its layers, whether others share them or not (S205).
    ///
    /// # Errors
    /// As [`Sizes::layers`].
    pub fn image(&mut self, config: &ImageConfig) -> Result<u64, StackError> {
        Ok(self.layers(&config.rootfs.diff_ids)?.iter().fold(0, |sum, size| sum.saturating_add(*size)))
    }

    fn layer(&self, layer: DiffId, below: Option<ChainId>, stack: &[DiffId]) -> Result<u64, StackError> {
        match self.store.layer(layer, below)? {
            Some(files) => {
                let index = Index::open(files.index).map_err(|source| StackError::Index { layer, source })?;
                Ok(index.content_size())
            }
            // Its index was made for other layers below; opening the stack makes one for these.
            None => {
                let stack = Stack::open(self.store, stack)?;
                Ok(stack.layers().last().map_or(0, |layer| layer.index.content_size()))
            }
        }
    }
}
