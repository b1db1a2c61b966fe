//! `image prune`: which images can go, which stay and why, and their removal in one pass.

use std::collections::{HashMap, HashSet};

use oci::{ChainId, DiffId, ImageId};
use store::{Doomed, Removed};

use super::Kept;
use super::census::{CacheKind, CacheState, Census};
use crate::images::{Listed, labels};
use crate::{Engine, Error, PruneFilter, Removal};

/// What `image prune` was asked for.
#[derive(Debug, Clone, Default)]
pub struct ImagePruneOptions {
    /// All that no container uses, not only those without a name.
    pub all: bool,
    /// Only what fits.
    pub filter: PruneFilter,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrunedImages {
    /// In order, each with the bytes that it gives back.
    pub removals: Vec<(Removal, u64)>,
    /// Images that somebody may have expected to go.
    pub kept: Vec<Kept>,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// Removes images that are not used, and layers that nothing refers to.
///
/// # Errors
/// When the store cannot be read, or something cannot be removed.
pub fn prune_images(engine: &Engine, options: &ImagePruneOptions) -> Result<PrunedImages, Error> {
    if !options.dry_run {
        engine.store().sweep_dead()?;
    }
    let census = Census::take(engine)?;
    prune(engine, &census, options)
}

fn prune(engine: &Engine, census: &Census, options: &ImagePruneOptions) -> Result<PrunedImages, Error> {
    let (going, kept) = choose(census, options);
    if options.dry_run {
        return Ok(report(census, &going, kept, None));
    }
    let removed = match going.is_empty() && !census.has_lost() {
        true => Removed::default(),
        false => engine.store().collect(&Doomed { images: doomed(&going), records: Vec::new() })?,
    };
    Ok(report(census, &going, kept, Some(&removed)))
}

/// What is handed to the store for images that go.
pub(super) fn doomed(going: &[&Listed]) -> Vec<(ImageId, Vec<oci::Reference>)> {
    going.iter().map(|image| (image.id, image.names.clone())).collect()
}

/// The images that go, children before parents.
pub(super) fn choose<'a>(census: &'a Census, options: &ImagePruneOptions) -> (Vec<&'a Listed>, Vec<Kept>) {
    let mut children: HashMap<ImageId, usize> = HashMap::new();
    for parent in census.images.iter().filter_map(|image| image.parent) {
        *children.entry(parent).or_default() += 1;
    }
    let by_id: HashMap<ImageId, &Listed> = census.images.iter().map(|image| (image.id, image)).collect();
    let mut wanted: Vec<&Listed> = census.images.iter().filter(|image| is_wanted(image, options)).collect();
    wanted.sort_by(|one, other| other.created.cmp(&one.created).then_with(|| one.id.cmp(&other.id)));
    let obstacle = |image: &Listed, children: &HashMap<ImageId, usize>| obstacle(census, image, children);
    let mut going: Vec<&Listed> = Vec::new();
    let mut gone: HashSet<ImageId> = HashSet::new();
    loop {
        let before = going.len();
        for first in &wanted {
            let mut next = Some(*first);
            while let Some(image) = next.take() {
                if gone.contains(&image.id) || obstacle(image, &children).is_some() {
                    break;
                }
                gone.insert(image.id);
                going.push(image);
                let Some(parent) = image.parent.and_then(|parent| by_id.get(&parent).copied()) else { break };
                children.entry(parent.id).and_modify(|count| *count = count.saturating_sub(1));
                // A parent without a name was only there for its children.
                next = parent.names.is_empty().then_some(parent);
            }
        }
        // What has become free of children in the meantime.
        if going.len() == before {
            break;
        }
    }
    let mut kept = Vec::new();
    for image in wanted.iter().filter(|image| !gone.contains(&image.id)) {
        let name = image.names.first().map_or_else(|| image.id.0.short(), oci::Reference::familiar);
        if let Some(why) = obstacle(image, &children) {
            kept.push(Kept { what: format!("image {name}"), why });
        }
    }
    (going, kept)
}

fn is_wanted(image: &Listed, options: &ImagePruneOptions) -> bool {
    let is_dangling = image.names.is_empty() && !image.has_children;
    let filter = &options.filter;
    let labels = labels(&image.config);
    let has = |(name, wanted): &(String, Option<String>)| {
        labels.iter().any(|(own, value)| own == name && wanted.as_ref().is_none_or(|wanted| wanted == value))
    };
    (options.all || is_dangling)
        && filter.until.is_none_or(|until| image.created.is_some_and(|created| created < until))
        && filter.labels.iter().all(has)
        && !filter.without_labels.iter().any(has)
}

fn obstacle(census: &Census, image: &Listed, children: &HashMap<ImageId, usize>) -> Option<String> {
    if census.pins.contains(&image.id) {
        return Some("it is pinned: `onggi image unpin` lets it go".to_owned());
    }
    if let Some(container) = census.users.get(&image.id).and_then(|users| users.first()) {
        return Some(format!("container {} uses it", container.get(..12).unwrap_or(container)));
    }
    if children.get(&image.id).is_some_and(|count| *count > 0) {
        return Some("images that were made of it stay".to_owned());
    }
    let written = census.inventory.entry("images", &image.id.0.hex()).map_or(0, |found| found.written);
    if image.names.is_empty() && census.busy_since.is_some_and(|since| written >= since) {
        return Some("a process that runs may be about to name it".to_owned());
    }
    None
}

/// Layers that nothing needs when these images are gone, as far as one can say now.
fn predicted(census: &Census, going: &[&Listed]) -> HashSet<DiffId> {
    let ids = going.iter().map(|image| image.id).collect();
    let needed = census.needed(&ids, &HashSet::new());
    let own = going.iter().flat_map(|image| image.config.rootfs.diff_ids.iter().copied());
    own.chain(lost_layers(census)).filter(|layer| !needed.contains(layer)).collect()
}

/// Layers that nothing refers to, and nobody makes.
pub(super) fn lost_layers(census: &Census) -> impl Iterator<Item = DiffId> + '_ {
    let lost = census.cache.iter().filter(|entry| entry.kind == CacheKind::Layer && entry.state == CacheState::Free);
    lost.flat_map(|entry| entry.layers.iter().copied())
}

/// Lines as `rmi` has them: names, image, and the layers that went with it, each with the last image that had it. Of what was
/// to go, somebody may have begun to use some meanwhile, which is not in `removed`; without it, nothing was removed yet.
pub(super) fn report(census: &Census, going: &[&Listed], kept: Vec<Kept>, removed: Option<&Removed>) -> PrunedImages {
    let mut pruned = PrunedImages { kept, ..PrunedImages::default() };
    let has_gone = |image: &&&Listed| removed.is_none_or(|removed| removed.images.contains(&image.id));
    let gone: Vec<&Listed> = going.iter().filter(has_gone).copied().collect();
    let mut layers = predicted(census, &gone);
    if let Some(removed) = removed {
        let gone: HashSet<DiffId> = removed.layers.iter().copied().collect();
        layers.retain(|layer| gone.contains(layer));
    }
    let mut last: HashMap<DiffId, usize> = HashMap::new();
    for (number, image) in gone.iter().enumerate() {
        for layer in &image.config.rootfs.diff_ids {
            last.insert(*layer, number);
        }
    }
    let mut told: HashSet<DiffId> = HashSet::new();
    for (number, image) in gone.iter().enumerate() {
        let names = image.names.iter().map(|name| (Removal::Untagged(name.familiar()), 0));
        pruned.removals.extend(names);
        let own = census.image_bytes(image) + census.blob_bytes(&HashSet::new(), &HashSet::from([image.id]));
        pruned.removals.push((Removal::Deleted(image.id.to_string()), own));
        let stack = &image.config.rootfs.diff_ids;
        for height in (1..=stack.len()).rev() {
            let layer = stack[height - 1];
            if last[&layer] == number && layers.contains(&layer) && told.insert(layer) {
                let chain = ChainId::of(&stack[..height]).map_or_else(|| layer.to_string(), |chain| chain.to_string());
                pruned.removals.push((Removal::Deleted(chain), bytes_of(census, layer)));
            }
        }
    }
    let mut rest: Vec<DiffId> = layers.iter().filter(|layer| !told.contains(layer)).copied().collect();
    rest.sort_unstable();
    pruned
        .removals
        .extend(rest.into_iter().map(|layer| (Removal::Deleted(layer.to_string()), bytes_of(census, layer))));
    pruned.bytes = pruned.removals.iter().map(|(_, bytes)| bytes).sum::<u64>() + lost_blobs(census, removed);
    pruned
}

/// Bytes of what belongs to nothing and has no line of its own.
pub(super) fn lost_blobs(census: &Census, removed: Option<&Removed>) -> u64 {
    let has_gone = |folder, name| removed.is_none_or(|removed| removed.blobs.contains(&(folder, name)));
    let lost = census.lost_blobs().into_iter().filter(|(folder, name, _)| has_gone(*folder, *name));
    lost.map(|(_, _, bytes)| bytes).sum()
}

fn bytes_of(census: &Census, layer: DiffId) -> u64 {
    census.layer_bytes(layer) + census.blob_bytes(&HashSet::from([layer]), &HashSet::new())
}
