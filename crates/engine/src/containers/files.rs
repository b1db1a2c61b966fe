//! A container's files from outside: what `cp` reads and writes, whether the container runs or not.
//!
//! Nothing here follows a path of the container: whoever looks gets a descriptor, and lets the kernel resolve below it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use image::{RootfsOptions, Stack, Writable};
use runtime::RootView;
use store::{ProcessIdentity, WorkFolder};

use super::container::{Container, Ownership};
use super::mounts;
use super::run::taken;
use crate::{Engine, Error, ErrorKind};

/// The container's root file system without what is mounted on it (volumes, binds, `/proc`), read-only: a mount that is
/// attached nowhere and ends with its descriptor.
///
/// # Errors
/// When the layers cannot be mounted.
fn mounted_root(engine: &Engine, container: &Container) -> Result<OwnedFd, Error> {
    if let Some(process) = process(container)? {
        let root = runtime::root_of_process(process.pid, || process.is_alive());
        if let Some(root) = root.map_err(|error| failed(container, &error))? {
            return Ok(root);
        }
    }
    if let Some(root) = copied(container)? {
        return Ok(root);
    }
    let stack = stack(engine, container)?;
    let upper = upper(engine, container, &stack)?;
    let options = RootfsOptions { points: Some(upper.as_fd()), with_stubs: true, ..RootfsOptions::default() };
    image::mount_stack(engine.store(), &stack, options).map_err(|error| failed(container, &error))
}

/// What is to be done with a container's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// They are read.
    Read,
    /// They are written: nobody starts the container meanwhile.
    Write,
}

/// A container's files as it sees them, with its volumes and binds.
#[derive(Debug)]
pub(super) struct SeenRoot<'e> {
    root: Root,
    /// Takes what has to be made to mount on, when files are only read.
    _scratch: Option<WorkFolder<'e>>,
    _ownership: Option<Ownership>,
}

#[derive(Debug)]
enum Root {
    Alone(OwnedFd),
    WithMounts(RootView),
}

impl AsFd for SeenRoot<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.root {
            Root::Alone(root) => root.as_fd(),
            Root::WithMounts(view) => view.as_fd(),
        }
    }
}

/// How long to wait for a container that is neither running nor ours: somebody starts, removes or writes to it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a container's files as it sees them: through its mount namespace while it runs, else put together from its layers
/// with its volumes and binds. What is in memory (`--tmpfs`, `/dev`, `/proc`) is only there while it runs.
///
/// # Errors
/// When something cannot be mounted.
pub(super) fn seen_root<'e>(engine: &'e Engine, container: &Container, access: Access) -> Result<SeenRoot<'e>, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(process) = process(container)? {
            let view = RootView::of_process(process.pid, || process.is_alive());
            if let Some(view) = view.map_err(|error| failed(container, &error))? {
                return Ok(SeenRoot { root: Root::WithMounts(view), _scratch: None, _ownership: None });
            }
        }
        if access == Access::Read {
            return readable(engine, container);
        }
        if let Some(ownership) = container.own()? {
            return writable(engine, container, ownership);
        }
        if Instant::now() > deadline {
            return Err(taken(container));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn readable<'e>(engine: &'e Engine, container: &Container) -> Result<SeenRoot<'e>, Error> {
    let binds = mounts::bind_mounts(engine, &container.record.mounts)?;
    if binds.is_empty() {
        let root = Root::Alone(mounted_root(engine, container)?);
        return Ok(SeenRoot { root, _scratch: None, _ownership: None });
    }
    if let Some(rootfs) = copied(container)? {
        // What is missing to mount on is made in the copy, as the next start would.
        let view = RootView::assemble(rootfs, binds, false).map_err(|error| failed(container, &error))?;
        return Ok(SeenRoot { root: Root::WithMounts(view), _scratch: None, _ownership: None });
    }
    let stack = stack(engine, container)?;
    let below = upper(engine, container, &stack)?;
    let scratch = engine.store().work_folder()?;
    let (upper, work) = (scratch.subfolder("upper", 0o700)?, scratch.subfolder("work", 0o700)?);
    image::continue_upper(engine.store(), below.as_fd(), upper.as_fd()).map_err(|error| failed(container, &error))?;
    let changes = Writable { upper: upper.as_fd(), work: work.as_fd(), below: Some(below.as_fd()), volatile: true };
    let rootfs = image::mount_rootfs(engine.store(), &stack, changes).map_err(|error| failed(container, &error))?;
    let view = RootView::assemble(rootfs, binds, false).map_err(|error| failed(container, &error))?;
    Ok(SeenRoot { root: Root::WithMounts(view), _scratch: Some(scratch), _ownership: None })
}

fn writable<'e>(engine: &'e Engine, container: &Container, ownership: Ownership) -> Result<SeenRoot<'e>, Error> {
    let stack = stack(engine, container)?;
    let (upper, work) = (upper(engine, container, &stack)?, container.folder.subfolder("work")?);
    let changes = Writable { upper: upper.as_fd(), work: work.as_fd(), below: None, volatile: false };
    let rootfs = image::mount_rootfs(engine.store(), &stack, changes).map_err(|error| failed(container, &error))?;
    let binds = mounts::bind_mounts(engine, &container.record.mounts)?;
    let is_read_only = container.record.mounts.read_only;
    let view = RootView::assemble(rootfs, binds, is_read_only).map_err(|error| failed(container, &error))?;
    Ok(SeenRoot { root: Root::WithMounts(view), _scratch: None, _ownership: Some(ownership) })
}

/// The folder that the container's changes are in, made like the image's root before the first start.
fn upper(engine: &Engine, container: &Container, stack: &Stack) -> Result<OwnedFd, Error> {
    let upper = container.folder.subfolder("upper")?;
    if container.state()?.started.is_empty() {
        image::prepare_upper(engine.store(), stack, upper.as_fd()).map_err(|error| failed(container, &error))?;
    }
    Ok(upper)
}

/// Its root, if that is a copy of its layers.
fn copied(container: &Container) -> Result<Option<OwnedFd>, Error> {
    let (upper, work) = (container.folder.subfolder("upper")?, container.folder.subfolder("work")?);
    image::mount_copied(upper.as_fd(), work.as_fd()).map_err(|error| failed(container, &error))
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
