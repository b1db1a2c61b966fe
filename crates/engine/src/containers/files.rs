//! A container's files from outside: what `commit`, `diff`, `export` and `cp` look at, whether it runs or not.
//!
//! Nothing here follows a path of the container: whoever looks gets a descriptor, and lets the kernel resolve below it.

use std::os::fd::{AsFd, OwnedFd};

use image::{RootfsOptions, Stack};
use store::ProcessIdentity;

use super::container::Container;
use crate::{Engine, Error, ErrorKind};

/// The container's root file system without what is mounted on it (volumes, binds, `/proc`), read-only: a mount that is
/// attached nowhere and ends with its descriptor.
///
/// # Errors
/// When the layers cannot be mounted.
#[expect(dead_code, reason = "for what reads whole containers")]
pub(crate) fn mounted_root(engine: &Engine, container: &Container) -> Result<OwnedFd, Error> {
    if let Some(process) = process(container)? {
        let root = runtime::root_of_process(process.pid, || process.is_alive());
        if let Some(root) = root.map_err(|error| failed(container, &error))? {
            return Ok(root);
        }
    }
    let stack = stack(engine, container)?;
    let upper = container.folder.subfolder("upper")?;
    if container.state()?.started.is_empty() {
        image::prepare_upper(&stack, upper.as_fd()).map_err(|error| failed(container, &error))?;
    }
    let options = RootfsOptions { writable: None, points: Some(upper.as_fd()), with_stubs: true };
    image::mount_stack(engine.store(), &stack, options).map_err(|error| failed(container, &error))
}

/// Its first process, while it runs.
pub(super) fn process(container: &Container) -> Result<Option<ProcessIdentity>, Error> {
    let process = container.state()?.process.map(|(pid, start)| ProcessIdentity { pid, start });
    Ok(process.filter(|process| process.is_alive()))
}

/// The layers of its image.
pub(super) fn stack(engine: &Engine, container: &Container) -> Result<Stack, Error> {
    let config = engine.store().image(container.record.image)?;
    Ok(Stack::open(engine.store(), &config.rootfs.diff_ids)?)
}

pub(super) fn failed(container: &Container, error: &(dyn std::error::Error + 'static)) -> Error {
    let message = format!("cannot reach the files of container {}", container.record.name);
    Error::new(ErrorKind::Internal, message).because(error)
}
