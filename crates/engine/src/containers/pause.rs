//! `pause`, `unpause`: all processes of a container stop where they are, and go on.
//!
//! Whether a container is paused is known by the kernel alone, and written down nowhere: it is true whoever was killed.
//! `commit` and `cp` hold a container still in the same way, for a moment.

use runtime::{CgroupError, RunningContainer};

use super::container::Container;
use super::events;
use super::record::{ContainerState, ContainerStatus};
use crate::{Engine, Error, ErrorKind};

/// Stops all processes of a container.
///
/// # Errors
/// When it does not run, is paused already, or the machine cannot.
pub fn pause(engine: &Engine, name: &str) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let state = container.state()?;
    if state.status() == ContainerStatus::Paused {
        return Err(conflict(format!("container {} is already paused", container.record.id)));
    }
    let Some(running) = running(&container, &state) else { return Err(not_running(&container)) };
    running.freeze().map_err(|error| failed("pause", &container, &error))?;
    events::note(engine, &container, "pause", &[]);
    Ok(())
}

/// Lets all processes of a paused container go on.
///
/// # Errors
/// When it does not run, or is not paused.
pub fn unpause(engine: &Engine, name: &str) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let state = container.state()?;
    let Some(running) = running(&container, &state) else { return Err(not_running(&container)) };
    if state.status() != ContainerStatus::Paused {
        return Err(conflict(format!("container {} is not paused", container.record.id)));
    }
    running.thaw().map_err(|error| failed("unpause", &container, &error))?;
    events::note(engine, &container, "unpause", &[]);
    Ok(())
}

/// A container that is held still, until this is dropped.
#[derive(Debug)]
pub(crate) struct Stillness {
    /// ID and first process; `None` for one that does not run or was paused before.
    held: Option<(String, u32)>,
}

/// Stops a container for as long as its files are read; does nothing to one that does not run or is paused.
///
/// # Errors
/// When the machine cannot.
pub(crate) fn hold_still(container: &Container) -> Result<Stillness, Error> {
    let state = container.state()?;
    if state.status() != ContainerStatus::Running {
        return Ok(Stillness { held: None });
    }
    let Some(running) = running(container, &state) else { return Ok(Stillness { held: None }) };
    running.freeze().map_err(|error| failed("pause", container, &error))?;
    Ok(Stillness { held: Some((running.id.to_owned(), running.pid)) })
}

impl Drop for Stillness {
    fn drop(&mut self) {
        if let Some((id, pid)) = &self.held {
            // If it cannot, `ps` says so, and `unpause` tells why.
            RunningContainer { id, pid: *pid }.thaw().ok();
        }
    }
}

/// The container's processes, if it has any.
pub(crate) fn running<'a>(container: &'a Container, state: &ContainerState) -> Option<RunningContainer<'a>> {
    state.process.map(|(pid, _)| RunningContainer { id: &container.record.id, pid })
}

pub(crate) fn not_running(container: &Container) -> Error {
    conflict(format!("container {} is not running", container.record.id))
}

fn conflict(message: String) -> Error {
    Error::new(ErrorKind::Conflict, message)
}

fn failed(action: &str, container: &Container, error: &CgroupError) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot {action} container {}", container.record.id)).because(error)
}
