//! Which parts of the build cache go, in which order: first what gives much, was cheap to make and was not used for long.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use oci::{DiffId, ImageId};

use super::{CachePruneOptions, is_free, is_plain};
use crate::disk::Kept;
use crate::disk::census::{CacheEntry, CacheKind, Census};
use crate::disk::usage::cache_row;

/// What is to go.
#[derive(Debug, Default)]
pub(in crate::disk) struct Plan {
    /// What goes together, in order: places in the census, each with the bytes that it gives back.
    pub(in crate::disk) going: Vec<Vec<(usize, u64)>>,
    pub(in crate::disk) kept: Vec<Kept>,
}

/// What goes together: all that refers to the same layer, since that alone gives the layer's room.
#[derive(Debug)]
struct Unit {
    entries: Vec<usize>,
    bytes: u64,
    order: Order,
}

/// Smaller goes earlier.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Order {
    /// Garbage, then what builds make again, then what they cannot.
    class: u8,
    /// Seconds of work that a byte holds, less the longer nobody has used it.
    value: f64,
}

/// What is assumed of work whose time is not known.
const UNKNOWN_MS: u64 = 1000;

impl Plan {
    /// `without` are images that go at the same time; `free` is the room that the disk has.
    pub(in crate::disk) fn new(
        census: &Census,
        options: &CachePruneOptions,
        without: &HashSet<ImageId>,
        now: Timestamp,
        free: u64,
    ) -> Self {
        let mut kept = Vec::new();
        let of_images = census.layers_of_images();
        let mut wanted = Vec::new();
        for (index, entry) in census.cache.iter().enumerate() {
            let is_shared = entry.layers.iter().any(|layer| of_images.contains(layer));
            let row = cache_row(entry, entry.own.bytes, is_shared);
            let fits = options.filters.iter().all(|filter| filter.takes(&row, now));
            if !fits || !(options.all || is_plain(entry.kind)) {
                continue;
            }
            match is_free(entry) {
                true => wanted.push(index),
                false => kept.push(Kept {
                    what: format!("{} {}", entry.kind.name(), entry.id.get(..12).unwrap_or(&entry.id)),
                    why: "a process that runs uses it".to_owned(),
                }),
            }
        }
        let mut units = units(census, &wanted, without, now);
        units.sort_by(|one, other| one.order.partial_cmp(&other.order).unwrap_or(std::cmp::Ordering::Equal));
        let goal = goal(census, options, free);
        let mut plan = Self { going: Vec::new(), kept };
        let mut given = 0;
        for unit in units {
            if goal.is_some_and(|goal| given >= goal) {
                break;
            }
            given += unit.bytes;
            plan.take(census, &unit);
        }
        plan
    }

    /// The layer's room is told with the first that refers to it.
    fn take(&mut self, census: &Census, unit: &Unit) {
        let own: u64 = unit.entries.iter().map(|index| census.cache[*index].own.bytes).sum();
        let mut layer = unit.bytes.saturating_sub(own);
        let told = |index: &usize| (*index, census.cache[*index].own.bytes + std::mem::take(&mut layer));
        self.going.push(unit.entries.iter().map(told).collect());
    }
}

/// How much has to go; `None` for all.
fn goal(census: &Census, options: &CachePruneOptions, free: u64) -> Option<u64> {
    let (keep, most, least_free) = (options.keep_storage, options.max_used_space, options.min_free_space);
    if keep.is_none() && most.is_none() && least_free.is_none() {
        return None;
    }
    let total = crate::disk::usage::cache_share(census).bytes;
    let above = total.saturating_sub(keep.unwrap_or(0));
    let by_size = most.map(|most| total.saturating_sub(most));
    let by_room = least_free.map(|least| least.saturating_sub(free));
    match by_size.max(by_room) {
        None => Some(above),
        // What is reserved stays, whatever else was asked for.
        Some(goal) => Some(goal.min(above)),
    }
}

fn units(census: &Census, wanted: &[usize], without: &HashSet<ImageId>, now: Timestamp) -> Vec<Unit> {
    let mut by_layer: BTreeMap<DiffId, Vec<usize>> = BTreeMap::new();
    let mut units = Vec::new();
    for index in wanted {
        match census.cache[*index].layers.as_slice() {
            [layer] => by_layer.entry(*layer).or_default().push(*index),
            _ => units.push(vec![*index]),
        }
    }
    units.extend(by_layer.into_values());
    let going: HashSet<usize> = wanted.iter().copied().collect();
    let needed = census.needed(without, &going);
    // A layer that a failure needs too goes with the last of them; it is told once.
    let mut told: HashSet<DiffId> = HashSet::new();
    let mut made = Vec::new();
    for entries in units {
        let own: u64 = entries.iter().map(|index| census.cache[*index].own.bytes).sum();
        let mut layers = 0;
        for layer in entries.iter().flat_map(|index| &census.cache[*index].layers) {
            if !needed.contains(layer) && told.insert(*layer) {
                layers += census.layer_bytes(*layer);
            }
        }
        let bytes = own + layers;
        let order = order(entries.iter().map(|index| &census.cache[*index]), bytes, now);
        made.push(Unit { entries, bytes, order });
    }
    made
}

fn order<'a>(entries: impl Iterator<Item = &'a CacheEntry>, bytes: u64, now: Timestamp) -> Order {
    let (mut class, mut cost, mut used) = (0, 0, 0);
    for entry in entries {
        let own = match entry.kind {
            CacheKind::Layer | CacheKind::Unfinished => 0,
            CacheKind::Failure | CacheKind::Log => 2,
            _ => 1,
        };
        class = class.max(own);
        cost = cost.max(entry.took_ms.unwrap_or(UNKNOWN_MS));
        used = used.max(entry.own.used);
    }
    let age = now.as_second().saturating_sub(used).max(1);
    #[expect(clippy::cast_precision_loss, reason = "it only orders")]
    let value = (cost + 1) as f64 / (bytes.max(1) as f64) / (age as f64);
    Order { class, value }
}
