//! `system prune`: containers, networks, volumes, images, build cache, in this order, since each frees what comes later.

use std::collections::HashSet;

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
    let choice = ImagePruneOptions { all: options.all, filter: options.filter.clone(), dry_run };
    pruned.images = images::prune(engine, &census, &choice)?;
    if let Some(filters) = &options.cache {
        let choice =
            CachePruneOptions { all: options.all, filters: filters.clone(), dry_run, ..CachePruneOptions::default() };
        let gone = if dry_run {
            images::going(&census, &ImagePruneOptions { all: options.all, filter: options.filter.clone(), dry_run })
        } else {
            census = Census::take(engine)?;
            HashSet::new()
        };
        pruned.cache = cache::prune(engine, &census, &choice, &gone)?;
        if dry_run {
            // Layers that nothing refers to are told once, with the images.
            pruned.cache.forget_layers();
        }
    }
    if options.all {
        pruned.events = engine.store().remove_old_events(dry_run)?;
    }
    Ok(pruned)
}
