//! The disk: what takes how much of it (`system df`), what can go (`prune`), what must stay (`image pin`).
//!
//! Everything here begins with one pass over the store, the [`census`]: sizes from the file system, and from small records
//! who needs what. What is shown, what a dry run names and what a real run removes come from the same pass.

pub(crate) mod census;
mod pin;
mod usage;

pub use census::{CacheKind, CacheState};
pub use pin::{pin_image, unpin_image};
pub use usage::{CacheUsage, ContainerUsage, DiskUsage, ImageUsage, Share, VolumeUsage, disk_usage};
