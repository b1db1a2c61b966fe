//! `system limits`: how much the store may take, and how much of the disk it leaves free; kept before every write of a
//! layer, not after it.
//!
//! Whoever is about to write a layer asks for room. When there is too little, something goes first: what nothing refers to,
//! then blobs that a registry still has, then build cache, in the order of `builder prune`. What is in use, has a name or is
//! pinned never goes; when that alone is too much, the write fails and says so.

use std::collections::HashSet;
use std::os::fd::AsFd;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

use super::cache::{self, CachePruneOptions, Plan};
use super::census::Census;
use crate::{Engine, Error};

/// What the store keeps to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes that the store may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// What of the disk stays free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_free: Option<MinFree>,
}

/// Free room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MinFree {
    /// In bytes.
    Bytes(u64),
    /// In hundredths of the disk.
    Percent(u8),
}

/// What is to be changed; `Some(None)` takes a limit away.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChangeLimits {
    /// [`Limits::max_size`].
    pub max_size: Option<Option<u64>>,
    /// [`Limits::min_free`].
    pub min_free: Option<Option<MinFree>>,
}

/// The limits of the store, after a change if there is one. A change of both does not look at what was set before, so
/// that it mends settings that cannot be read.
///
/// # Errors
/// When the settings cannot be read or written.
pub fn limits(engine: &Engine, change: ChangeLimits) -> Result<Limits, Error> {
    let store = engine.store();
    let limits = match change {
        ChangeLimits { max_size: Some(max_size), min_free: Some(min_free) } => Limits { max_size, min_free },
        ChangeLimits { max_size, min_free } => {
            let known = read(store)?;
            Limits { max_size: max_size.unwrap_or(known.max_size), min_free: min_free.unwrap_or(known.min_free) }
        }
    };
    if change.max_size.is_some() || change.min_free.is_some() {
        let text = serde_json::to_vec(&limits).expect("limits have text keys only, so they are always JSON");
        store.put_settings(&text)?;
    }
    Ok(limits)
}

fn read(store: &Store) -> Result<Limits, StoreError> {
    let Some(bytes) = store.settings()? else { return Ok(Limits::default()) };
    serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::Settings { path: store.path().join("settings.json"), reason: error.to_string() })
}

/// Makes room for `new` bytes that are about to get a name in the store, as the limits ask for. Settings that cannot be
/// read are an error: they may have held a limit, and nothing is written that it would have refused.
pub(crate) fn admit(store: &Store, now: Timestamp, new: u64) -> Result<(), StoreError> {
    let limits = read(store)?;
    if limits == Limits::default() {
        return Ok(());
    }
    let disk = rustix::fs::fstatvfs(store.as_folder().as_fd()).map_err(|errno| StoreError::Io {
        action: "look at the file system of",
        path: store.path().to_owned(),
        source: errno.into(),
    })?;
    let size = disk.f_blocks.saturating_mul(disk.f_frsize);
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let wanted = match limits.min_free {
        None => 0,
        Some(MinFree::Bytes(bytes)) => bytes,
        Some(MinFree::Percent(percent)) => size / 100 * u64::from(percent),
    };
    let short = wanted.saturating_sub(free);
    // A disk that holds less than the store may take says enough.
    let on_disk = disk.f_blocks.saturating_sub(disk.f_bfree).saturating_mul(disk.f_frsize);
    let may_be_over = limits.max_size.is_some_and(|most| on_disk.saturating_add(new) > most);
    if short == 0 && !may_be_over {
        return Ok(());
    }
    let failed = |error: Error| StoreError::NoRoom { reason: error.message };
    let census = Census::of(store).map_err(failed)?;
    let over = limits.max_size.map_or(0, |most| census.inventory.total.saturating_add(new).saturating_sub(most));
    let needed = over.max(short);
    let given = if needed == 0 { 0 } else { evict(store, &census, now, needed).map_err(failed)? };
    if given >= needed {
        return Ok(());
    }
    let reason = match over > short {
        true => format!(
            "the store may take {} bytes, it takes {}, {new} more are needed, and only {given} can go",
            limits.max_size.unwrap_or(0),
            census.inventory.total
        ),
        false => format!("{wanted} bytes of the disk are to stay free, {free} are, and only {given} can go"),
    };
    Err(StoreError::NoRoom { reason })
}

/// Lets go of so many bytes, if there are as many; gives how many went.
fn evict(store: &Store, census: &Census, now: Timestamp, needed: u64) -> Result<u64, Error> {
    let mut given = 0;
    for (blob, bytes) in census.fetchable_blobs() {
        if given >= needed {
            return Ok(given);
        }
        given += if store.evict_blob(blob)? { bytes } else { 0 };
    }
    if given >= needed {
        return Ok(given);
    }
    let options = CachePruneOptions { all: true, ..CachePruneOptions::default() };
    let plan = Plan::new(census, &options, &HashSet::new(), now, 0);
    let mut going = Vec::new();
    let mut planned = given;
    for unit in plan.going {
        if planned >= needed {
            break;
        }
        planned += unit.iter().map(|(_, bytes)| bytes).sum::<u64>();
        going.extend(unit.into_iter().map(|(index, bytes)| cache::row_of(census, index, bytes)));
    }
    let (gone, _) = cache::remove(store, census, &going, Vec::new())?;
    Ok(given + going.iter().filter(|entry| gone.contains(&entry.id)).map(|entry| entry.bytes).sum::<u64>())
}
