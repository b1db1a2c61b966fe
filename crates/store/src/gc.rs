//! Removal: images, records, and every layer that nothing needs any more.
//!
//! Held under the exclusive `gc` lock, which leases and publications take shared for a moment; so what is seen as
//! unneeded stays unneeded until it is gone. A layer is needed by an image, by a record of a build step or of what a
//! server gave, by a step that failed and is kept, or by a lease. One that nothing names, and that is younger than a
//! process which holds a lease, may be on its way into an image, and stays.

mod blobs;

use std::collections::{BTreeMap, HashMap, HashSet};

use oci::{DiffId, Digest, ImageId, Reference};

use crate::lock::Lock;
use crate::{RecordKind, Store, StoreError, file};

pub use blobs::BlobOwners;

/// What was removed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Images, in order of removal.
    pub images: Vec<ImageId>,
    /// Layers whose files are gone.
    pub layers: Vec<DiffId>,
    /// Blobs, and lists of a layer's blobs (by its DiffID): their folder and name.
    pub blobs: Vec<(&'static str, Digest)>,
}

/// What is to be removed, as somebody has seen it.
#[derive(Debug, Default, Clone)]
pub struct Doomed {
    /// Images, children before parents, with the names that go with them. One that has another name by now, or is used
    /// by a container or pinned, stays with all its names.
    pub images: Vec<(ImageId, Vec<Reference>)>,
    /// Records.
    pub records: Vec<(RecordKind, Digest)>,
}

impl Store {
    /// Removes an image that has no name, then the layers that were only its own. One that was given a name the moment
    /// before stays, and nothing is removed.
    ///
    /// An image whose file is damaged can be removed; which layers were its own is not known then.
    ///
    /// # Errors
    /// When the image is not there, or a file cannot be removed.
    pub fn remove_image(&self, id: ImageId) -> Result<Removed, StoreError> {
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
        let needed = self.needed_layers(&HashSet::from([id]), &HashSet::new())?;
        self.remove_image_files(id)?;
        let own: HashSet<DiffId> = own.into_iter().filter(|layer| !needed.contains(layer)).collect();
        let layers = self.remove_layers(|layer| own.contains(&layer), None)?;
        let blobs = self.remove_lost_blobs(self.busy_since()?)?;
        Ok(Removed { images: vec![id], layers, blobs })
    }

    /// Removes all this, and every layer that nothing needs then, in one pass over the store. Nothing is written.
    ///
    /// # Errors
    /// When something cannot be read, before anything is removed, or when a file cannot be removed.
    pub fn collect(&self, doomed: &Doomed) -> Result<Removed, StoreError> {
        let _exclusive = Lock::exclusive(self, "gc")?;
        let images = self.still_unused(&doomed.images)?;
        let records: HashSet<(RecordKind, Digest)> = doomed.records.iter().copied().collect();
        let gone = images.iter().map(|(id, _)| *id).collect();
        let needed = self.needed_layers(&gone, &records)?;
        let busy_since = self.busy_since()?;
        let mut removed = Removed::default();
        for (id, names) in images {
            for name in names {
                self.remove_reference(name)?;
            }
            self.remove_image_files(id)?;
            removed.images.push(id);
        }
        for (kind, key) in records {
            self.remove_record(kind, key)?;
        }
        removed.layers = self.remove_layers(|layer| !needed.contains(&layer), busy_since)?;
        removed.blobs = self.remove_lost_blobs(busy_since)?;
        self.remove_lost_notes()?;
        Ok(removed)
    }

    /// What is noted of images that are not there: somebody was killed between the two.
    fn remove_lost_notes(&self) -> Result<(), StoreError> {
        for folder in ["parents", "pins"] {
            for name in file::list_if_there(self, folder)? {
                let image = Digest::from_hex(&name).ok().map(ImageId);
                if let Some(image) = image
                    && !self.has_image(image)?
                {
                    file::remove(self, &format!("{folder}/{name}"))?;
                }
            }
        }
        Ok(())
    }

    /// Of these images, those that nobody has begun to use.
    fn still_unused<'a>(
        &self,
        images: &'a [(ImageId, Vec<Reference>)],
    ) -> Result<Vec<(ImageId, &'a [Reference])>, StoreError> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let mut names: HashMap<ImageId, Vec<Reference>> = HashMap::new();
        for (name, id) in self.references()? {
            names.entry(id).or_default().push(name);
        }
        let busy_since = self.busy_since()?;
        // One that has no name yet may be given it by the process that has just made it.
        let is_young = |id: &ImageId| {
            let file = format!("images/{}", id.0.hex());
            busy_since.is_some_and(|since| self.newest(&[file]).is_none_or(|newest| newest >= since))
        };
        let used: HashSet<ImageId> = self.images_of_containers()?.into_iter().map(|(_, image)| image).collect();
        let mut unused = Vec::new();
        for (id, known) in images {
            let is_renamed = names.get(id).is_some_and(|names| names.iter().any(|name| !known.contains(name)));
            let is_arriving = known.is_empty() && is_young(id);
            if !is_renamed && !is_arriving && !used.contains(id) && !self.is_pinned(*id)? && self.has_image(*id)? {
                unused.push((*id, known.as_slice()));
            }
        }
        Ok(unused)
    }

    fn remove_image_files(&self, id: ImageId) -> Result<(), StoreError> {
        file::remove(self, &format!("images/{}", id.0.hex()))?;
        file::remove(self, &format!("parents/{}", id.0.hex()))?;
        self.unpin(id).map(|_| ())
    }

    /// Layers that something needs when these images and records are gone.
    fn needed_layers(
        &self,
        images: &HashSet<ImageId>,
        records: &HashSet<(RecordKind, Digest)>,
    ) -> Result<HashSet<DiffId>, StoreError> {
        let mut needed = self.leased_layers()?;
        for id in self.image_ids()?.into_iter().filter(|id| !images.contains(id)) {
            needed.extend(self.image(id)?.rootfs.diff_ids);
        }
        for kind in [RecordKind::Step, RecordKind::Remote] {
            for (key, record) in self.records(kind)? {
                if !records.contains(&(kind, key)) {
                    needed.extend(layer_of_record(&record));
                }
            }
        }
        needed.extend(self.layers_of_failures()?.into_values().flatten());
        Ok(needed)
    }

    /// Layers that processes which live have said they use.
    ///
    /// # Errors
    /// When a lease cannot be read.
    pub fn leased_layers(&self) -> Result<HashSet<DiffId>, StoreError> {
        Ok(self.leased()?.iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// Removes what a dead process had said it used, where nothing else needs it.
    pub(crate) fn remove_lost(&self, candidates: &HashSet<DiffId>) -> Result<(), StoreError> {
        let _exclusive = Lock::exclusive(self, "gc")?;
        let mut needed = self.needed_layers(&HashSet::new(), &HashSet::new())?;
        // What has come from a registry is not fetched twice by a pull that is started again.
        let fetched = file::list_if_there(self, RecordKind::Transport.folder())?;
        needed.extend(fetched.iter().filter_map(|name| Digest::from_hex(name).ok().map(DiffId)));
        let busy_since = self.busy_since()?;
        self.remove_layers(|layer| candidates.contains(&layer) && !needed.contains(&layer), busy_since).map(drop)
    }

    /// Removes the layers that `goes` says yes to, unless they are younger than `busy_since`: index first, so that none
    /// is ever present without its tar. One listing for all of them.
    fn remove_layers(&self, goes: impl Fn(DiffId) -> bool, busy_since: Option<i64>) -> Result<Vec<DiffId>, StoreError> {
        let mut files: BTreeMap<DiffId, Vec<String>> = BTreeMap::new();
        for folder in ["layers", "extracted"] {
            for name in file::list(self, folder)? {
                let digits = name.get(..64).and_then(|digits| Digest::from_hex(digits).ok());
                if let Some(layer) = digits.map(DiffId) {
                    files.entry(layer).or_default().push(format!("{folder}/{name}"));
                }
            }
        }
        let mut removed = Vec::new();
        for (layer, mut files) in files {
            if !goes(layer) || busy_since.is_some_and(|since| self.newest(&files).is_none_or(|newest| newest >= since))
            {
                continue;
            }
            files.sort_by_key(|name| name.ends_with(".tar"));
            for name in files {
                match name.starts_with("extracted/") {
                    true => file::remove_hidden(self, &name)?,
                    false => file::remove(self, &name)?,
                };
            }
            removed.push(layer);
        }
        Ok(removed)
    }

    /// When the youngest of these was written, in seconds since 1970; `None` when one cannot be looked at.
    fn newest(&self, files: &[String]) -> Option<i64> {
        let written = |name: &String| {
            let stat = rustix::fs::statat(&self.root, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
            stat.ok().map(|stat| stat.st_ctime)
        };
        files.iter().map(written).collect::<Option<Vec<i64>>>()?.into_iter().max()
    }
}

/// The layer that a record of a step, or of what a server gave, keeps: every such record names it in its field `layer`.
pub fn layer_of_record(record: &[u8]) -> Option<DiffId> {
    #[derive(serde::Deserialize)]
    struct Named {
        layer: DiffId,
    }
    serde_json::from_slice::<Named>(record).ok().map(|named| named.layer)
}
