//! `stats`: what containers use.

use std::time::Instant;

use runtime::Usage;

use super::container::Container;
use super::pause::running;
use crate::{Engine, Error};

/// A container and what it uses now.
#[derive(Debug, Clone)]
pub struct Sample {
    /// ID of the container.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Nothing is used by one that does not run.
    pub usage: Usage,
    /// When this was so.
    pub taken: Instant,
}

/// What the named containers use, or all running ones, or all.
///
/// # Errors
/// When one of them is not there.
pub fn usage(engine: &Engine, names: &[String], all: bool) -> Result<Vec<Sample>, Error> {
    let containers = match names {
        [] => Container::all(engine)?,
        names => names.iter().map(|name| Container::find(engine, name)).collect::<Result<_, _>>()?,
    };
    let mut samples = Vec::new();
    for container in containers {
        let state = container.state()?;
        let running = running(&container, &state);
        if running.is_none() && names.is_empty() && !all {
            continue;
        }
        let usage = running.map(|running| running.usage()).unwrap_or_default();
        let (id, name) = (container.record.id.clone(), container.record.name.clone());
        samples.push(Sample { id, name, usage, taken: Instant::now() });
    }
    Ok(samples)
}

/// What a container without a limit may use: all there is.
pub fn memory_of_this_machine() -> u64 {
    let system = rustix::system::sysinfo();
    system.totalram.saturating_mul(u64::from(system.mem_unit))
}
