//! `container prune`: all that does not run goes.

use jiff::Timestamp;

use super::container::Container;
use super::list::container_size;
use super::remove::remove_container;
use crate::{Engine, Error, ErrorKind};

/// Which containers go, of those that do not run.
#[derive(Debug, Clone, Default)]
pub struct PruneFilter {
    /// Only what was made before.
    pub until: Option<Timestamp>,
    /// Only what has all these labels, with these values.
    pub labels: Vec<(String, Option<String>)>,
    /// Only what has none of these.
    pub without_labels: Vec<(String, Option<String>)>,
}

/// What went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrunedContainers {
    /// IDs, each with what it had written.
    pub items: Vec<(String, u64)>,
    /// What they had written, all together.
    pub bytes: u64,
}

/// Removes containers that do not run, or says which it would.
///
/// # Errors
/// When one of them cannot be removed. One that was started or removed meanwhile is passed over.
pub fn prune_containers(engine: &Engine, filter: &PruneFilter, dry_run: bool) -> Result<PrunedContainers, Error> {
    let mut pruned = PrunedContainers::default();
    for container in Container::all(engine)? {
        let record = &container.record;
        if container.state()?.is_active() || !filter.takes(&container) {
            continue;
        }
        // What cannot be measured can be removed all the same.
        let size = container_size(engine, record, &container.folder).map_or(0, |size| size.written);
        let removed = if dry_run { Ok(()) } else { remove_container(engine, &record.id, false, false) };
        match removed {
            Ok(()) => {
                pruned.items.push((record.id.clone(), size));
                pruned.bytes += size;
            }
            Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pruned)
}

impl PruneFilter {
    fn takes(&self, container: &Container) -> bool {
        let record = &container.record;
        let has = |(name, wanted): &(String, Option<String>)| {
            let value = record.labels.get(name).and_then(|value| value.as_str());
            value.is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value))
        };
        let created = record.created.parse::<Timestamp>().ok();
        self.until.is_none_or(|until| created.is_some_and(|created| created < until))
            && self.labels.iter().all(has)
            && !self.without_labels.iter().any(has)
    }
}
