//! `system df`: what takes how much of the disk, and how much of that could go.
//!
//! Sizes are blocks on the disk, so that the parts add up to what `du` says of the store. What images share is counted
//! once, and what they share with the build cache is theirs.

use std::collections::HashSet;

use jiff::Timestamp;
use oci::ImageId;

use super::census::{CacheEntry, CacheKind, CacheState, Census};
use super::parts::{self, Needs, Part};
use crate::{ContainerSize, ContainerSummary, ContainersOptions, Engine, Error, VolumeFilter, containers, volumes};

/// What takes how much.
#[derive(Debug, Clone)]
pub struct DiskUsage {
    /// Images, the newest first.
    pub images: Vec<ImageUsage>,
    /// All images together.
    pub images_share: Share,
    /// Containers, the newest first; their sizes are all that is in their folders.
    pub containers: Vec<ContainerUsage>,
    /// All containers together.
    pub containers_share: Share,
    /// Volumes by name.
    pub volumes: Vec<VolumeUsage>,
    /// All volumes together.
    pub volumes_share: Share,
    /// The build cache, and all else that comes from builds.
    pub cache: Vec<CacheUsage>,
    /// All of that together.
    pub cache_share: Share,
    /// What belongs to nothing of the above: folders, locks, networks, events.
    pub overhead: u64,
    /// The store, as `du` measures it: the sum of all of the above.
    pub total: u64,
}

/// One row of `system df`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// How many there are.
    pub count: usize,
    /// How many of them are in use.
    pub active: usize,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Bytes of those that are not in use.
    pub reclaimable: u64,
}

/// An image on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUsage {
    /// Its ID.
    pub id: ImageId,
    /// Its names, as repository and tag; empty for an image without a name.
    pub names: Vec<(String, Option<String>)>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// All that is there for it: its files, its layers, and the blobs and documents of registries that are kept with them.
    pub bytes: u64,
    /// Of that, what other images need too.
    pub shared: u64,
    /// What removing it would free: what neither another image nor the build cache needs, and parents without a name
    /// that only it needs.
    pub freed: u64,
    /// How many containers are of it.
    pub containers: usize,
    /// No prune removes it.
    pub is_pinned: bool,
}

/// A container on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerUsage {
    /// As in a list.
    pub summary: ContainerSummary,
    /// Its folder: what it has written, its logs and what is known of it.
    pub bytes: u64,
}

/// A volume on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeUsage {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub bytes: u64,
    /// How many containers name it.
    pub links: usize,
    /// How many of these run.
    pub running: usize,
}

/// A part of the build cache on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheUsage {
    /// Digits that name it.
    pub id: String,
    /// What it is.
    pub kind: CacheKind,
    /// In a few words.
    pub description: String,
    /// Its record and its layers.
    pub bytes: u64,
    /// Of that, what is not counted elsewhere.
    pub counted: u64,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When a build last needed it, as far as the file system keeps that.
    pub used: Option<Timestamp>,
    /// How long it took to make, in milliseconds.
    pub took_ms: Option<u64>,
    /// Its layers are counted elsewhere: with an image, or with another part of the cache.
    pub is_shared: bool,
    /// Whether it can go.
    pub state: CacheState,
}

/// Measures the store.
///
/// # Errors
/// When something cannot be read.
pub fn disk_usage(engine: &Engine) -> Result<DiskUsage, Error> {
    let census = Census::take(engine)?;
    let (images, images_share) = images_usage(&census);
    let (containers, containers_share) = containers_usage(engine, &census)?;
    let (volumes, volumes_share) = volumes_usage(engine, &census, &containers)?;
    let (cache, cache_share) = cache_usage(&census);
    let total = census.inventory.total;
    let parts = [images_share, containers_share, volumes_share, cache_share];
    let overhead = total.saturating_sub(parts.iter().map(|part| part.bytes).sum());
    Ok(DiskUsage {
        images,
        images_share,
        containers,
        containers_share,
        volumes,
        volumes_share,
        cache,
        cache_share,
        overhead,
        total,
    })
}

fn images_usage(census: &Census) -> (Vec<ImageUsage>, Share) {
    let needs = Needs::of(census);
    let mut rows = Vec::new();
    let mut used: HashSet<Part> = HashSet::new();
    let mut share = Share { bytes: census.bytes_of(&census.layers_of_images()), ..Share::default() };
    share.bytes += census.images_overhead();
    let mut used_bytes = 0;
    for image in &census.images {
        let parts = parts::parts_of(census, image);
        let own = census.image_bytes(image);
        let containers = census.users.get(&image.id).map_or(0, Vec::len);
        if containers > 0 || census.pins.contains(&image.id) {
            used_bytes += own;
            used.extend(&parts);
        }
        if image.names.is_empty() && image.has_children {
            continue;
        }
        share.count += 1;
        share.active += usize::from(containers > 0);
        rows.push(ImageUsage {
            id: image.id,
            names: image.names.iter().map(|name| (name.familiar_name(), name.tag().map(str::to_owned))).collect(),
            created: image.created,
            bytes: own + parts::bytes(census, &parts),
            shared: needs.shared(&parts),
            freed: needs.freed(image),
            containers,
            is_pinned: census.pins.contains(&image.id),
        });
    }
    share.reclaimable = share.bytes.saturating_sub(used_bytes + parts::bytes(census, &used));
    rows.sort_by(|one, other| other.created.cmp(&one.created).then_with(|| one.names.cmp(&other.names)));
    (rows, share)
}

fn containers_usage(engine: &Engine, census: &Census) -> Result<(Vec<ContainerUsage>, Share), Error> {
    let mut share =
        Share { bytes: census.inventory.sum("containers") + census.inventory.sum("names"), ..Share::default() };
    let mut rows = Vec::new();
    let mut running = 0;
    for mut summary in containers(engine, &ContainersOptions { all: true, ..ContainersOptions::default() })? {
        let of = |folder: &str, name: &str| census.inventory.entry(folder, name).map_or(0, |found| found.bytes);
        let bytes = of("containers", &summary.record.id) + of("names", &summary.record.name);
        summary.size = Some(ContainerSize { written: bytes, whole: 0 });
        share.count += 1;
        if summary.state.is_active() {
            share.active += 1;
            running += bytes;
        }
        rows.push(ContainerUsage { summary, bytes });
    }
    share.reclaimable = share.bytes.saturating_sub(running);
    Ok((rows, share))
}

fn volumes_usage(
    engine: &Engine,
    census: &Census,
    containers: &[ContainerUsage],
) -> Result<(Vec<VolumeUsage>, Share), Error> {
    let users = engine.store().users_of_volumes()?;
    let is_running = |id: &String| {
        containers.iter().any(|container| container.summary.record.id == *id && container.summary.state.is_active())
    };
    let mut share = Share { bytes: census.inventory.sum("volumes"), ..Share::default() };
    let mut rows = Vec::new();
    for volume in volumes(engine, &VolumeFilter::default())? {
        let bytes = census.inventory.entry("volumes", &volume.name).map_or(0, |found| found.bytes);
        let users = users.get(&volume.name).map_or(&[][..], Vec::as_slice);
        share.count += 1;
        share.active += usize::from(!users.is_empty());
        share.reclaimable += if users.is_empty() { bytes } else { 0 };
        let running = users.iter().filter(|id| is_running(id)).count();
        rows.push(VolumeUsage { name: volume.name, bytes, links: users.len(), running });
    }
    Ok((rows, share))
}

/// Each layer is counted with the first that has it.
fn cache_usage(census: &Census) -> (Vec<CacheUsage>, Share) {
    let of_images = census.layers_of_images();
    let mut counted = of_images.clone();
    let mut share = Share::default();
    let mut rows = Vec::new();
    for entry in &census.cache {
        let all: u64 = entry.layers.iter().map(|layer| census.layer_bytes(*layer)).sum();
        let new: u64 = entry
            .layers
            .iter()
            .copied()
            .filter(|layer| counted.insert(*layer))
            .map(|layer| census.layer_bytes(layer))
            .sum();
        let bytes = entry.own.bytes + new;
        share.count += 1;
        share.bytes += bytes;
        match entry.state {
            CacheState::InUse => share.active += 1,
            CacheState::Free => share.reclaimable += bytes,
        }
        let is_shared = new == 0 && all > 0;
        let shown = if is_shared { entry.own.bytes + all } else { bytes };
        rows.push(CacheUsage { counted: bytes, ..cache_row(entry, shown, is_shared) });
    }
    rows.sort_by(|one, other| other.used.cmp(&one.used).then_with(|| one.id.cmp(&other.id)));
    (rows, share)
}

/// Sums alone.
pub(super) fn cache_share(census: &Census) -> Share {
    cache_usage(census).1
}

pub(super) fn cache_row(entry: &CacheEntry, bytes: u64, is_shared: bool) -> CacheUsage {
    CacheUsage {
        id: entry.id.clone(),
        kind: entry.kind,
        description: entry.description.clone(),
        bytes,
        counted: bytes,
        created: entry.created,
        used: Timestamp::from_second(entry.own.used).ok(),
        took_ms: entry.took_ms,
        is_shared,
        state: entry.state,
    }
}
