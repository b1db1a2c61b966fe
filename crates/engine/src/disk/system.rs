//! `system prune`: containers, networks, volumes, images, build cache, in this order, since each frees what comes later.

use std::collections::HashSet;

use oci::ImageId;

use super::Kept;
use super::cache::{self, CacheFilter, CachePruneOptions, PrunedCache};
use super::census::Census;
use super::images::{self, ImagePruneOptions, PrunedImages};
use crate::{
    Engine, Error, NetworkFilters, PruneFilter, PrunedContainers, PrunedVolumes, VolumeFilter, prune_containers,
    prune_networks, prune_volumes,
};

/// What `system prune` was asked for.
#[derive(Debug, Clone, Default)]
pub struct SystemPruneOptions {
    /// All images that no container uses, and all build cache with kept failures and logs, and old events.
    pub all: bool,
    /// Anonymous volumes too.
    pub volumes: bool,
    /// Only what fits.
    pub filter: PruneFilter,
    /// The same for networks.
    pub networks: NetworkFilters,
    /// The same for the build cache; `None` when the filter is about what it has not.
    pub cache: Option<Vec<CacheFilter>>,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Clone, Default)]
pub struct PrunedSystem {
    /// Containers.
    pub containers: PrunedContainers,
    /// Networks.
    pub networks: Vec<String>,
    /// Volumes.
    pub volumes: PrunedVolumes,
    /// Images.
    pub images: PrunedImages,
    /// Build cache.
    pub cache: PrunedCache,
    /// Bytes of old events.
    pub events: u64,
}

impl PrunedSystem {
    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.containers.bytes + self.volumes.bytes + self.images.bytes + self.cache.bytes + self.events
    }

    /// What somebody may have expected to go.
    pub fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.images.kept.iter().chain(&self.cache.kept)
    }
}

/// Removes all that is not used.
///
/// # Errors
/// When the store cannot be read, or something cannot be removed; what is gone by then stays so.
pub fn prune_system(engine: &Engine, options: &SystemPruneOptions) -> Result<PrunedSystem, Error> {
    let dry_run = options.dry_run;
    let mut pruned = PrunedSystem::default();
    if !dry_run {
        engine.store().sweep_dead()?;
    }
    pruned.containers = prune_containers(engine, &options.filter, dry_run)?;
    pruned.networks = prune_networks(engine, &options.networks, dry_run)?;
    if options.volumes {
        let labels = (options.filter.labels.clone(), options.filter.without_labels.clone());
        let filter = VolumeFilter { labels: labels.0, without_labels: labels.1, ..VolumeFilter::default() };
        let gone: HashSet<&str> = pruned.containers.items.iter().map(|(id, _)| id.as_str()).collect();
        pruned.volumes = prune_volumes(engine, false, &filter, dry_run.then_some(&gone))?;
    }
    let mut census = Census::take(engine)?;
    if dry_run {
        census.forget_containers(pruned.containers.items.iter().map(|(id, _)| id.as_str()));
    }
    prune_content(engine, &census, options, &mut pruned)?;
    if options.all {
        pruned.events = engine.store().remove_old_events(dry_run)?;
    }
    Ok(pruned)
}

/// Images and build cache, which have layers in common and go together.
fn prune_content(
    engine: &Engine,
    census: &Census,
    options: &SystemPruneOptions,
    pruned: &mut PrunedSystem,
) -> Result<(), Error> {
    let (all, dry_run) = (options.all, options.dry_run);
    let choice = ImagePruneOptions { all, filter: options.filter.clone(), dry_run };
    let (going, kept) = images::choose(census, &choice);
    let plan = |images: HashSet<ImageId>| match &options.cache {
        None => Ok(PrunedCache::default()),
        Some(filters) => {
            let choice = CachePruneOptions { all, filters: filters.clone(), dry_run, ..CachePruneOptions::default() };
            cache::planned(engine, census, &choice, &images)
        }
    };
    pruned.cache = plan(going.iter().map(|image| image.id).collect())?;
    let is_nothing = going.is_empty() && pruned.cache.entries.is_empty() && !census.has_lost();
    let mut removed = None;
    if !dry_run && !is_nothing {
        let images = images::doomed(&going);
        let (gone, all) = cache::remove(engine.store(), census, &pruned.cache.entries, images)?;
        if all.images.len() < going.len() {
            // What somebody has begun to use meanwhile keeps its layers.
            pruned.cache = plan(all.images.iter().copied().collect())?;
        }
        pruned.cache.retain(&gone);
        removed = Some(all);
    }
    pruned.images = images::report(census, &going, kept, removed.as_ref());
    // Layers that nothing refers to are told once, with the images.
    pruned.cache.forget_layers();
    Ok(())
}
