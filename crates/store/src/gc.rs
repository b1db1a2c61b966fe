//! Removal: an image, and every layer that nothing needs any more.
//!
//! Held under the exclusive `gc` lock, which leases and publications take shared for a moment; so what is seen as
//! unneeded stays unneeded until it is gone. A layer is needed by an image, by a record of a build step or of what a
//! server gave, by a step that failed and is kept, or by a lease.

use std::collections::HashSet;

use oci::{DiffId, ImageId};

use crate::lock::Lock;
use crate::{RecordKind, Store, StoreError, file};

/// What was removed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Images, in order of removal.
    pub images: Vec<ImageId>,
    /// Layers whose files are gone.
    pub layers: Vec<DiffId>,
}

impl Store {
    /// Removes an image that has no name, then the layers that were only its own. One that was given a name the moment
    /// before stays, and nothing is removed.
    ///
    /// An image whose file is damaged can be removed; which layers were its own is not known then.
    ///
    /// `step_layers` reads the layers that a step record names; the store does not know what records say.
    ///
    /// # Errors
    /// When the image is not there, or a file cannot be removed.
    pub fn remove_image(&self, id: ImageId, step_layers: &dyn Fn(&[u8]) -> Vec<DiffId>) -> Result<Removed, StoreError> {
        let _exclusive = Lock::exclusive(self, "gc")?;
        let own = match self.image(id) {
            Ok(config) => config.rootfs.diff_ids,
            Err(StoreError::Corrupt { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        if self.references()?.iter().any(|(_, named)| *named == id) {
            return Ok(Removed::default());
        }
        // Everything is read before anything is removed, so that what cannot be read stops it while all is whole.
        let needed = self.needed_layers(id, step_layers)?;
        file::remove(self, &format!("images/{}", id.0.hex()))?;
        file::remove(self, &format!("parents/{}", id.0.hex()))?;
        let mut removed = Removed { images: vec![id], layers: Vec::new() };
        for layer in own.iter().rev() {
            if !needed.contains(layer) && !removed.layers.contains(layer) {
                self.remove_layer(*layer)?;
                removed.layers.push(*layer);
            }
        }
        Ok(removed)
    }

    /// Layers that something other than the image `without` needs.
    fn needed_layers(
        &self,
        without: ImageId,
        step_layers: &dyn Fn(&[u8]) -> Vec<DiffId>,
    ) -> Result<HashSet<DiffId>, StoreError> {
        let mut needed: HashSet<DiffId> = self.leased()?.iter().filter_map(|text| text.parse().ok()).collect();
        for id in self.image_ids()?.into_iter().filter(|id| *id != without) {
            needed.extend(self.image(id)?.rootfs.diff_ids);
        }
        for kind in [RecordKind::Step, RecordKind::Remote] {
            for (_, record) in self.records(kind)? {
                needed.extend(step_layers(&record));
            }
        }
        needed.extend(self.layers_of_failures()?);
        Ok(needed)
    }
}
