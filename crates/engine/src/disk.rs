//! The disk: what takes how much of it (`system df`), what can go (`prune`), what must stay (`image pin`).
//!
//! Everything here begins with one pass over the store, the [`census`]: sizes from the file system, and from small records
//! who needs what. What is shown, what a dry run names and what a real run removes come from the same pass.

mod cache;
pub(crate) mod census;
mod images;
mod limits;
mod parts;
mod pin;
mod system;
mod usage;

use std::os::fd::AsFd;

use crate::{Engine, Error, ErrorKind};

pub use cache::{CacheFilter, CachePruneOptions, PrunedCache, build_cache, prune_cache};
pub use census::{CacheKind, CacheState};
pub use images::{ImagePruneOptions, PrunedImages, prune_images};
pub(crate) use limits::admit;
pub use limits::{ChangeLimits, Limits as StoreLimits, MinFree, limits};
pub use pin::{pin_image, unpin_image};
pub use system::{PrunedSystem, SystemPruneOptions, prune_system};
pub use usage::{CacheUsage, ContainerUsage, DiskUsage, ImageUsage, Share, VolumeUsage, disk_usage};

/// Something that somebody may have expected to go, and that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub what: String,
    /// Why it stays.
    pub why: String,
}

/// Bytes that the store's disk has left for us.
fn free_space(engine: &Engine) -> Result<u64, Error> {
    let folder = engine.store().as_folder();
    let found = rustix::fs::fstatvfs(folder.as_fd()).map_err(|errno| {
        let message = format!("cannot look at the file system of {}", engine.store().path().display());
        Error::new(ErrorKind::Internal, message).because(&errno)
    })?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}
