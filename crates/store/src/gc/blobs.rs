//! Which blobs belong to what: to a layer by the list of its blobs, to an image by the documents that a name with a digest
//! leads to. A blob that belongs to nothing goes with the next removal.

use std::collections::{HashMap, HashSet};

use oci::{DiffId, Digest, ImageId};
use serde_json::Value;

use crate::{RecordKind, Store, StoreError, file};

/// Owners of blobs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct BlobOwners {
    /// Blobs that a layer came as or was sent as.
    pub of_layers: HashMap<DiffId, Vec<Digest>>,
    /// Manifests and indexes of an image, and what these name.
    pub of_images: HashMap<ImageId, Vec<Digest>>,
}

/// Documents that name documents: an index, its manifests, their blobs.
const DEEPEST: usize = 4;

impl Store {
    /// Finds out what each blob belongs to.
    ///
    /// # Errors
    /// When a record or a name cannot be read.
    pub fn blob_owners(&self) -> Result<BlobOwners, StoreError> {
        let mut owners = BlobOwners::default();
        for (layer, record) in self.records(RecordKind::Transport)? {
            let blobs: Vec<Digest> = digests_in(&record);
            owners.of_layers.insert(DiffId(layer), blobs);
        }
        for (reference, image) in self.references()? {
            if let Some(digest) = reference.digest() {
                let mut found = HashSet::new();
                self.follow(digest, DEEPEST, &mut found)?;
                owners.of_images.entry(image).or_default().extend(found);
            }
        }
        Ok(owners)
    }

    fn follow(&self, digest: Digest, depth: usize, found: &mut HashSet<Digest>) -> Result<(), StoreError> {
        if !found.insert(digest) || depth == 0 {
            return Ok(());
        }
        // Layers are blobs too: only what can be a document is read.
        const LARGEST: u64 = 4 << 20;
        let Some(file) = self.blob(digest)? else { return Ok(()) };
        if file.metadata().is_ok_and(|metadata| metadata.len() > LARGEST) {
            return Ok(());
        }
        for inner in digests_in(&self.document(digest)?.unwrap_or_default()) {
            self.follow(inner, depth - 1, found)?;
        }
        Ok(())
    }

    /// Removes blobs that belong to nothing, and lists of blobs of layers that are not here. Those younger than
    /// `busy_since` stay: a process may be about to refer to them.
    pub(super) fn remove_lost_blobs(&self, busy_since: Option<i64>) -> Result<Vec<(&'static str, Digest)>, StoreError> {
        if file::list_if_there(self, "blobs")?.is_empty() && file::list_if_there(self, "transports")?.is_empty() {
            return Ok(Vec::new());
        }
        let mut removed = Vec::new();
        let mut owners = self.blob_owners()?;
        let layers: HashSet<DiffId> = file::list(self, "layers")?
            .iter()
            .filter_map(|name| Digest::from_hex(name.get(..64)?).ok().map(DiffId))
            .collect();
        let is_old = |name: &str| {
            busy_since.is_none_or(|since| self.newest(&[name.to_owned()]).is_some_and(|newest| newest < since))
        };
        let lost: Vec<DiffId> = owners.of_layers.keys().filter(|layer| !layers.contains(layer)).copied().collect();
        for layer in lost {
            if is_old(&format!("transports/{}", layer.0.hex())) {
                self.remove_record(RecordKind::Transport, layer.0)?;
                removed.push((RecordKind::Transport.folder(), layer.0));
                owners.of_layers.remove(&layer);
            }
        }
        let needed: HashSet<Digest> =
            owners.of_layers.into_values().chain(owners.of_images.into_values()).flatten().collect();
        let leased = self.leased()?;
        for name in file::list_if_there(self, "blobs")? {
            let Ok(digest) = Digest::from_hex(&name) else { continue };
            let is_lost = !needed.contains(&digest) && !leased.contains(&digest.to_string());
            if is_lost && is_old(&format!("blobs/{name}")) {
                self.remove_blob(digest)?;
                removed.push(("blobs", digest));
            }
        }
        Ok(removed)
    }
}

/// Everything that a document calls a digest.
fn digests_in(document: &[u8]) -> Vec<Digest> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_slice(document) {
        collect(&value, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut Vec<Digest>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "digest" => found.extend(text.parse::<Digest>().ok()),
                    _ => collect(value, found),
                }
            }
        }
        _ => {}
    }
}
