//! `ps`: which containers there are.

use super::container::Container;
use super::record::{ContainerRecord, ContainerState, ContainerStatus};
use crate::{Engine, Error};

/// One container for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    /// How it was made.
    pub record: ContainerRecord,
    /// How it is doing.
    pub state: ContainerState,
    /// What it does now.
    pub status: ContainerStatus,
}

/// Containers, newest first; only running ones unless `all`.
///
/// # Errors
/// When the store cannot be read.
pub fn containers(engine: &Engine, all: bool) -> Result<Vec<ContainerSummary>, Error> {
    let mut rows = Vec::new();
    for container in Container::all(engine)? {
        let state = container.state()?;
        let status = state.status();
        if all || state.is_running() {
            rows.push(ContainerSummary { record: container.record, state, status });
        }
    }
    Ok(rows)
}
