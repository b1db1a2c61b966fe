//! `diff` and `export`: what a container has written, as a list, and its whole file system, as a tar.

use std::io::Write;
use std::os::fd::AsFd;

use image::{Changes, Stack};
pub use layer::{Change, ChangeKind};

use super::commit::unread;
use super::container::Container;
use super::events;
use crate::{Engine, Error, ErrorKind};

/// What is not in a container as its image has it, ordered by path; paths are without the first slash.
///
/// # Errors
/// When there is no such container, or its files cannot be read.
pub fn container_changes(engine: &Engine, name: &str) -> Result<Vec<Change>, Error> {
    let container = Container::find(engine, name)?;
    let _reader = container.keep()?;
    let stack = stack(engine, &container)?;
    let (upper, work) = (container.folder.subfolder("upper")?, container.folder.subfolder("work")?);
    let changes = Changes { upper: upper.as_fd(), work: Some(work.as_fd()) };
    image::changes(engine.store(), &stack, changes).map_err(|error| unread(&container.record, error))
}

/// Writes a container's files as one tar, without what is mounted in it (volumes, binds), as Docker does.
///
/// # Errors
/// When there is no such container, its files cannot be read, or the tar cannot be written.
pub fn export_container(engine: &Engine, name: &str, out: &mut dyn Write) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let _reader = container.keep()?;
    let record = &container.record;
    let mut stack = stack(engine, &container)?;
    let (upper, work) = (container.folder.subfolder("upper")?, container.folder.subfolder("work")?);
    let changes = Changes { upper: upper.as_fd(), work: Some(work.as_fd()) };
    // One consistent view of files that may change while a slow reader takes the tar.
    image::capture(engine.store(), &stack, changes, &record.user, None)
        .and_then(|captured| captured.push_onto(&mut stack, engine.store()))
        .map_err(|error| unread(record, error))?;
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Error::new(ErrorKind::Internal, format!("cannot export container {}", record.name)).because(error)
    };
    layer::write_tar(&stack.tree(), b"", out).map_err(|error| failed(&error))?;
    layer::finish_tar(out).map_err(|error| failed(&error))?;
    events::note(engine, &container, "export", &[]);
    Ok(())
}

fn stack(engine: &Engine, container: &Container) -> Result<Stack, Error> {
    let image = engine.store().image(container.record.image)?;
    Ok(Stack::open(engine.store(), &image.rootfs.diff_ids)?)
}
