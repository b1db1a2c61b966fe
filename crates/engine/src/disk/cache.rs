//! `builder prune` and `builder du`: which parts of the build cache can go, in which order, and how much that gives.

mod filter;
mod plan;

use std::collections::HashSet;

use oci::{Digest, ImageId, Reference};
use store::{Doomed, RecordKind, Removed, Store};

pub use filter::CacheFilter;
pub(super) use plan::Plan;

use super::Kept;
use super::census::{CacheEntry, CacheKind, CacheState, Census};
use super::usage::{CacheUsage, cache_row};
use crate::{Engine, Error};

/// What `builder prune` was asked for.
#[derive(Debug, Clone, Default)]
pub struct CachePruneOptions {
    /// Also what cannot be made again: kept failures and logs.
    pub all: bool,
    /// Only what fits all of these.
    pub filters: Vec<CacheFilter>,
    /// Leave so many bytes.
    pub keep_storage: Option<u64>,
    /// Leave no more than so many bytes.
    pub max_used_space: Option<u64>,
    /// Go on until so many bytes of the disk are free.
    pub min_free_space: Option<u64>,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrunedCache {
    /// Each with the bytes that it gives back.
    pub entries: Vec<CacheUsage>,
    /// What somebody may have expected to go.
    pub kept: Vec<Kept>,
    /// Bytes on the disk.
    pub bytes: u64,
}

impl PrunedCache {
    pub(super) fn forget_layers(&mut self) {
        self.entries.retain(|entry| entry.kind != CacheKind::Layer);
        self.add_up();
    }

    /// Leaves out what is not gone.
    pub(super) fn retain(&mut self, gone: &HashSet<String>) {
        self.entries.retain(|entry| gone.contains(&entry.id));
        self.add_up();
    }

    fn add_up(&mut self) {
        self.bytes = self.entries.iter().map(|entry| entry.bytes).sum();
    }
}

/// Removes build cache.
///
/// # Errors
/// When the store cannot be read, or something cannot be removed.
pub fn prune_cache(engine: &Engine, options: &CachePruneOptions) -> Result<PrunedCache, Error> {
    if !options.dry_run {
        engine.store().sweep_dead()?;
    }
    let census = Census::take(engine)?;
    let mut pruned = planned(engine, &census, options, &HashSet::new())?;
    let mut removed = None;
    if !options.dry_run && (!pruned.entries.is_empty() || census.has_lost()) {
        let (gone, all) = remove(engine.store(), &census, &pruned.entries, Vec::new())?;
        pruned.retain(&gone);
        removed = Some(all);
    }
    pruned.bytes += super::images::lost_blobs(&census, removed.as_ref());
    Ok(pruned)
}

/// What would go; `without` are images that go at the same time.
pub(super) fn planned(
    engine: &Engine,
    census: &Census,
    options: &CachePruneOptions,
    without: &HashSet<ImageId>,
) -> Result<PrunedCache, Error> {
    let free = match options.min_free_space {
        Some(_) => super::free_space(engine)?,
        None => 0,
    };
    let plan = Plan::new(census, options, without, engine.now(), free);
    let mut pruned = PrunedCache { kept: plan.kept, ..PrunedCache::default() };
    for (index, bytes) in plan.going.into_iter().flatten() {
        pruned.entries.push(row_of(census, index, bytes));
        pruned.bytes += bytes;
    }
    Ok(pruned)
}

/// Removes entries, and images at the same time; gives the IDs of those entries that are gone. Failures, logs and caches go
/// first: what they need goes with the records.
pub(super) fn remove(
    store: &Store,
    census: &Census,
    entries: &[CacheUsage],
    images: Vec<(ImageId, Vec<Reference>)>,
) -> Result<(HashSet<String>, Removed), Error> {
    let mut gone = HashSet::new();
    let mut doomed = Doomed { images, records: Vec::new() };
    for entry in entries {
        let key = Digest::from_hex(&entry.id).ok();
        let record = match entry.kind {
            CacheKind::Step => Some(RecordKind::Step),
            CacheKind::Remote => Some(RecordKind::Remote),
            CacheKind::Context => Some(RecordKind::Context),
            CacheKind::Keys => Some(RecordKind::Build),
            _ => None,
        };
        let is_gone = match (entry.kind, record, key) {
            (_, Some(kind), Some(key)) => {
                doomed.records.push((kind, key));
                true
            }
            (CacheKind::Failure, ..) => store.remove_failure(&entry.id)?,
            (CacheKind::Log, ..) => store.remove_build_log(&entry.id)?,
            (CacheKind::Mount, _, Some(key)) => store.remove_cache(key)?,
            // Dead working folders are swept already.
            (CacheKind::Unfinished, _, Some(key)) => store.remove_partial_blob(key)?,
            (CacheKind::Unfinished | CacheKind::Layer, ..) => true,
            _ => false,
        };
        if is_gone {
            gone.insert(entry.id.clone());
        }
    }
    let removed = store.collect(&doomed)?;
    // A layer that nothing referred to may have found a use.
    let layers: HashSet<String> = removed.layers.iter().map(|layer| layer.0.hex()).collect();
    let stayed = |entry: &&CacheEntry| entry.kind == CacheKind::Layer && !layers.contains(&entry.id);
    for entry in census.cache.iter().filter(stayed) {
        gone.remove(&entry.id);
    }
    Ok((gone, removed))
}

/// A part that gives back so many bytes.
pub(super) fn row_of(census: &Census, index: usize, bytes: u64) -> CacheUsage {
    cache_row(&census.cache[index], bytes, false)
}

/// What of the build cache there is, as `builder du` lists it.
///
/// # Errors
/// When the store cannot be read.
pub fn build_cache(engine: &Engine, filters: &[CacheFilter]) -> Result<Vec<CacheUsage>, Error> {
    let usage = super::disk_usage(engine)?;
    let now = engine.now();
    Ok(usage.cache.into_iter().filter(|entry| filters.iter().all(|filter| filter.takes(entry, now))).collect())
}

/// Kinds that go without being asked for: what the next build makes again by itself.
fn is_plain(kind: CacheKind) -> bool {
    !matches!(kind, CacheKind::Failure | CacheKind::Log)
}

fn is_free(entry: &CacheEntry) -> bool {
    entry.state == CacheState::Free
}
