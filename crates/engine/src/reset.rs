//! `system reset`: the store goes, with the containers that run on it.
//!
//! In the order in which things need one another: containers are stopped by whoever owns them, networks are taken down while it
//! is still known what they are, and files of other users are removed as those users, which takes the store's namespace.

use std::path::Path;

use store::Store;

use crate::containers::container::Container;
use crate::network::all_networks;
use crate::{Engine, Error, ErrorKind, remove_container, remove_network};

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResetStore {
    /// How many containers.
    pub containers: usize,
    /// How many images.
    pub images: usize,
    /// How many volumes.
    pub volumes: usize,
    /// How many networks that users had made.
    pub networks: usize,
    /// What else is in the folder, and stays.
    pub left: Vec<String>,
}

/// Whether there is a store in a folder; none is made.
#[must_use]
pub fn is_store(root: &Path) -> bool {
    Store::is_at(root)
}

/// What `reset` would remove.
///
/// # Errors
/// When the store cannot be read.
pub fn store_contents(engine: &Engine) -> Result<ResetStore, Error> {
    Ok(ResetStore {
        containers: Container::all(engine)?.len(),
        images: engine.store().image_ids()?.len(),
        volumes: engine.store().volume_names()?.len(),
        networks: all_networks(engine)?.len(),
        left: Vec::new(),
    })
}

/// Removes the store.
///
/// # Errors
/// When somebody builds or moves images there, a container does not end, or something cannot be removed. What is gone by then
/// stays so, and the rest can be removed by another call.
pub fn reset(engine: Engine) -> Result<ResetStore, Error> {
    let busy = engine.store().busy_processes()?;
    if let [first, ..] = busy.as_slice() {
        let message = format!("process {first} builds, or brings images in or out of the store");
        return Err(
            Error::new(ErrorKind::Conflict, message).with_hint(format!("wait for it, or end it: `kill {first}`"))
        );
    }
    let contents = store_contents(&engine)?;
    for container in Container::all(&engine)? {
        remove_container(&engine, &container.record.id, true, false)?;
    }
    for network in all_networks(&engine)? {
        remove_network(&engine, &network.name)?;
    }
    let left = engine.store.remove_all()?;
    Ok(ResetStore { left, ..contents })
}
