//! `ps`: which containers there are.

mod filter;

use std::os::fd::AsFd;

use image::{Changes, Sizes, Stack};
use store::ContainerFolder;

use super::commit::unread;
use super::container::Container;
use super::record::{ContainerRecord, ContainerState, ContainerStatus};
use crate::network::NetworkState;
use crate::{Engine, Error};

pub use filter::ContainerFilter;
use filter::Selection;

/// What `ps` was asked for.
#[derive(Debug, Clone, Default)]
pub struct ContainersOptions {
    /// Those that do not run, too.
    pub all: bool,
    /// Only so many, the newest; of all.
    pub last: Option<usize>,
    /// Only what fits all of these.
    pub filters: Vec<ContainerFilter>,
    /// Measure what each has written.
    pub with_size: bool,
}

/// One container for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    /// How it was made.
    pub record: ContainerRecord,
    /// How it is doing.
    pub state: ContainerState,
    /// What it does now.
    pub status: ContainerStatus,
    /// How large it is, where that was asked for.
    pub size: Option<ContainerSize>,
    /// Where it is connected, and which ports are published, while it runs.
    pub network: NetworkState,
}

impl ContainerSummary {
    /// Names of the networks that it is in, or will be in.
    pub fn networks(&self) -> Vec<String> {
        let settings = &self.record.network;
        if !self.network.endpoints.is_empty() {
            return self.network.endpoints.iter().map(|endpoint| endpoint.network.clone()).collect();
        }
        match settings.endpoints.is_empty() {
            true => vec![settings.mode.name()],
            false => settings.endpoints.iter().map(|endpoint| endpoint.network.clone()).collect(),
        }
    }
}

/// How large a container is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerSize {
    /// Files that it has written.
    pub written: u64,
    /// The same, and all layers of its image.
    pub whole: u64,
}

/// Containers, newest first; only running ones unless asked for others.
///
/// # Errors
/// When a filter names a container that is not there, or the store cannot be read.
pub fn containers(engine: &Engine, options: &ContainersOptions) -> Result<Vec<ContainerSummary>, Error> {
    let selection = Selection::new(engine, &options.filters)?;
    let all = options.all || options.last.is_some() || selection.wants_all();
    let mut rows = Vec::new();
    for container in Container::all(engine)? {
        if options.last.is_some_and(|last| rows.len() >= last) {
            break;
        }
        let state = container.state()?;
        if !all && !state.is_active() {
            continue;
        }
        let status = state.status();
        let network = NetworkState::of_running(&container)?;
        let mut row = ContainerSummary { record: container.record, state, status, network, size: None };
        if selection.takes(&row) {
            row.size = options.with_size.then(|| container_size(engine, &row.record, &container.folder)).transpose()?;
            rows.push(row);
        }
    }
    Ok(rows)
}

/// What a container has written, and what it is with its image.
pub(super) fn container_size(
    engine: &Engine,
    record: &ContainerRecord,
    folder: &ContainerFolder,
) -> Result<ContainerSize, Error> {
    let image = engine.store().image(record.image)?;
    let stack = Stack::open(engine.store(), &image.rootfs.diff_ids)?;
    let (upper, work) = (folder.subfolder("upper")?, folder.subfolder("work")?);
    let written = Changes { upper: upper.as_fd(), work: Some(work.as_fd()) };
    let changes = image::changes(engine.store(), &stack, written).map_err(|error| unread(record, error))?;
    let written = changes.iter().map(|change| change.size).sum();
    Ok(ContainerSize { written, whole: written + Sizes::new(engine.store()).image(&image)? })
}
