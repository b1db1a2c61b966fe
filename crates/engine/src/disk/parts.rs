//! What images are made of on the disk, and how often each part is needed: what an image shares, and what its removal frees.
//!
//! Parts are layers and kept blobs. A blob is kept with a layer or by an image's documents, and goes when neither is left.

use std::collections::{HashMap, HashSet};

use oci::{DiffId, Digest, ImageId};

use super::census::Census;
use crate::images::Listed;

/// What can be needed by more than one image, and is on the disk once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// A layer with its indexes, and the list of the blobs that it came as or was sent as.
    Layer(DiffId),
    /// A blob: a compressed layer, or a document of a registry.
    Blob(Digest),
}

/// Who needs which part.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    census: &'a Census,
    by_id: HashMap<ImageId, &'a Listed>,
    /// Images that were made of each.
    children: HashMap<ImageId, usize>,
    /// Images that need each part.
    owners: HashMap<Part, usize>,
    /// What stays without any image: the build cache or a process needs it.
    kept: HashSet<Part>,
}

impl<'a> Needs<'a> {
    pub(super) fn of(census: &'a Census) -> Self {
        let all: HashSet<ImageId> = census.images.iter().map(|image| image.id).collect();
        let kept = parts(census, &census.needed(&all, &HashSet::new()), &HashSet::new());
        let (mut owners, mut children) = (HashMap::new(), HashMap::new());
        for image in &census.images {
            parts_of(census, image).into_iter().for_each(|part| *owners.entry(part).or_default() += 1);
            if let Some(parent) = image.parent {
                *children.entry(parent).or_default() += 1;
            }
        }
        let by_id = census.images.iter().map(|image| (image.id, image)).collect();
        Self { census, by_id, children, owners, kept }
    }

    /// Bytes of what other images need too.
    pub(super) fn shared(&self, parts: &HashSet<Part>) -> u64 {
        bytes(self.census, parts.iter().filter(|part| self.owners[part] > 1))
    }

    /// What `rmi` of an image gives back: its own files, and the parts that nothing else needs. Parents without a name go
    /// with it when it is all that they were there for.
    pub(super) fn freed(&self, image: &Listed) -> u64 {
        let mut going = vec![image];
        let mut next = image.parent;
        while let Some(parent) = next.take().and_then(|parent| self.by_id.get(&parent)) {
            let is_needed = !parent.names.is_empty()
                || self.children[&parent.id] > 1
                || self.census.pins.contains(&parent.id)
                || self.census.users.get(&parent.id).is_some_and(|users| !users.is_empty());
            if !is_needed && going.len() <= self.by_id.len() {
                going.push(parent);
                next = parent.parent;
            }
        }
        let own: u64 = going.iter().map(|image| self.census.image_bytes(image)).sum();
        let mut lost: HashMap<Part, usize> = HashMap::new();
        for image in going {
            parts_of(self.census, image).into_iter().for_each(|part| *lost.entry(part).or_default() += 1);
        }
        let goes = |(part, times): &(&Part, &usize)| self.owners[part] == **times && !self.kept.contains(part);
        own + bytes(self.census, lost.iter().filter(goes).map(|(part, _)| part))
    }
}

/// The parts of an image.
pub(super) fn parts_of(census: &Census, image: &Listed) -> HashSet<Part> {
    parts(census, &image.config.rootfs.diff_ids.iter().copied().collect(), &HashSet::from([image.id]))
}

/// Bytes of parts.
pub(super) fn bytes<'a>(census: &Census, parts: impl IntoIterator<Item = &'a Part>) -> u64 {
    parts.into_iter().map(|part| part_bytes(census, *part)).sum()
}

fn parts(census: &Census, layers: &HashSet<DiffId>, images: &HashSet<ImageId>) -> HashSet<Part> {
    let blobs = census.blobs_of(layers, images).into_iter().map(Part::Blob);
    layers.iter().copied().map(Part::Layer).chain(blobs).collect()
}

fn part_bytes(census: &Census, part: Part) -> u64 {
    let of =
        |folder: &str, digest: Digest| census.inventory.entry(folder, &digest.hex()).map_or(0, |found| found.bytes);
    match part {
        Part::Layer(layer) => census.layer_bytes(layer) + of("transports", layer.0),
        Part::Blob(blob) => of("blobs", blob),
    }
}
