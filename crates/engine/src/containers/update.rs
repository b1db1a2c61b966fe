//! `update`: other limits for a container, also while it runs.

use super::container::Container;
use super::events;
use super::limits::Limits;
use super::pause::running;
use super::restart_policy::RestartPolicy;
use crate::{Engine, Error, ErrorKind};

/// What is to be otherwise; what is not named stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateOptions {
    /// Limits.
    pub limits: Limits,
    /// When it is started again; a container that runs in front of somebody heeds it from its next start on.
    pub restart: Option<RestartPolicy>,
}

/// Changes the limits of a container; gives warnings.
///
/// # Errors
/// When the limits cannot be, or the kernel refuses.
pub fn update(engine: &Engine, name: &str, options: &UpdateOptions) -> Result<Vec<String>, Error> {
    let mut container = Container::find(engine, name)?;
    let state = container.state()?;
    let limits = container.record.limits.clone().changed_by(&options.limits);
    limits.check()?;
    if let Some(policy) = options.restart {
        if container.record.lifetime.auto_remove && policy.restarts() {
            let message = "restart policy cannot be updated because AutoRemove is enabled for the container";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        container.record.lifetime.restart = policy;
    }
    let mut warnings = Vec::new();
    if let Some(running) = running(&container, &state) {
        let changed = options.limits.cgroup(limits.cgroup_name(&container.record.id));
        let changed = runtime::Cgroup {
            // Two numbers are one setting.
            cpu_quota: changed.cpu_quota.and(limits.cgroup(String::new()).cpu_quota),
            ..changed
        };
        if changed != (runtime::Cgroup { name: changed.name.clone(), ..runtime::Cgroup::default() }) {
            warnings = running.limit(&changed).map_err(|error| {
                let message = format!("cannot update container {}", container.record.id);
                Error::new(ErrorKind::Internal, message).because(&error)
            })?;
        }
    }
    container.record.limits = limits;
    container.write_record()?;
    events::note(engine, &container, "update", &[]);
    Ok(warnings)
}
