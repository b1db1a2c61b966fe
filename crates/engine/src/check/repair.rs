//! Mends what was found: indexes are made again, what is broken is removed, together with what cannot be without it.

use std::collections::BTreeSet;

use oci::{DiffId, ImageId};
use store::layer_of_record;

use super::{Checker, Remedy, StoreCheck, StoreProblem};
use crate::Error;

impl Checker<'_> {
    pub(super) fn repair(&self, check: &mut StoreCheck) -> Result<(), Error> {
        let mut lost_layers: BTreeSet<DiffId> = BTreeSet::new();
        let mut lost_images: BTreeSet<ImageId> = BTreeSet::new();
        for problem in &check.problems {
            match &problem.remedy {
                Remedy::RemoveLayer(layer) => drop(lost_layers.insert(*layer)),
                Remedy::RemoveImage(id) => drop(lost_images.insert(*id)),
                _ => {}
            }
        }
        let needs_lost = |layers: &[DiffId]| layers.iter().any(|layer| lost_layers.contains(layer));
        let broken = self.images.iter().filter(|(_, config)| needs_lost(&config.rootfs.diff_ids));
        lost_images.extend(broken.map(|(id, _)| *id));
        // What refers goes before what it refers to, as in any removal.
        for id in &lost_images {
            self.remove_image(*id)?;
        }
        self.remove_users(&lost_layers)?;
        for problem in &mut check.problems {
            problem.repaired = self.mend(problem)?;
        }
        Ok(())
    }

    fn mend(&self, problem: &StoreProblem) -> Result<Option<String>, Error> {
        Ok(match &problem.remedy {
            Remedy::Nothing => None,
            Remedy::Remove => {
                self.store.discard(&problem.path)?;
                Some("removed".to_owned())
            }
            Remedy::RemoveImage(_) => Some("removed, with its names".to_owned()),
            Remedy::RemoveLayer(layer) => {
                self.remove_layer(*layer)?;
                Some("removed, with the images and results of builds that need it".to_owned())
            }
            Remedy::Index(layer, below, index) => {
                self.store.replace_index(*layer, index, *below)?;
                Some("made again from the layer's tar".to_owned())
            }
        })
    }

    fn remove_image(&self, id: ImageId) -> Result<(), Error> {
        for name in self.names.get(&id).into_iter().flatten() {
            self.store.remove_reference(name)?;
        }
        for folder in ["images", "parents", "pins"] {
            self.store.discard(&format!("{folder}/{}", id.0.hex()))?;
        }
        Ok(())
    }

    /// Records of steps and servers, and kept failures, that stand on these layers.
    fn remove_users(&self, layers: &BTreeSet<DiffId>) -> Result<(), Error> {
        if layers.is_empty() {
            return Ok(());
        }
        for folder in ["steps", "remotes"] {
            for name in self.store.raw_names(folder)? {
                let path = format!("{folder}/{name}");
                let bytes = self.store.raw_read(&path)?.unwrap_or_default();
                if layer_of_record(&bytes).is_some_and(|layer| layers.contains(&layer)) {
                    self.store.discard(&path)?;
                }
            }
        }
        for (id, needed) in self.store.layers_of_failures()? {
            if needed.iter().any(|layer| layers.contains(layer)) {
                self.store.discard(&format!("failures/{id}"))?;
            }
        }
        Ok(())
    }

    fn remove_layer(&self, layer: DiffId) -> Result<(), Error> {
        let hex = layer.0.hex();
        for folder in ["layers", "extracted"] {
            let mut names = self.store.raw_names(folder)?;
            names.retain(|name| name.starts_with(&hex));
            // The index first: a layer counts as present by it.
            names.sort_by_key(|name| name.ends_with(".tar"));
            for name in names {
                self.store.discard(&format!("{folder}/{name}"))?;
            }
        }
        Ok(())
    }
}
