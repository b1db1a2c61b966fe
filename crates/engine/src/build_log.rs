//! The kept logs of builds (N016): which builds there were, how their steps ended, and all that the steps wrote.
//!
//! A build keeps a log from its first step that is not cached. Nothing is clipped; what bounds them all together is
//! in `keep`.

mod keep;
mod record;
mod recorder;

use std::fs::File;

use store::{ProcessIdentity, Store};

use crate::{Engine, Error, ErrorKind};

pub use record::{BuildRecord, BuildResult, RecordedOutcome, RecordedStep};
pub(crate) use recorder::Recorder;

/// All builds whose logs are kept, the newest first.
///
/// # Errors
/// When the store cannot be read. An index that is damaged is left out: what else is kept does not depend on it.
pub fn build_logs(engine: &Engine) -> Result<Vec<BuildRecord>, Error> {
    build_logs_of(engine.store())
}

/// The same of a store.
pub(crate) fn build_logs_of(store: &Store) -> Result<Vec<BuildRecord>, Error> {
    let mut all = Vec::new();
    for id in store.build_log_ids()? {
        all.extend(read(store, &id)?);
    }
    all.sort_by(|one: &BuildRecord, other| other.started.cmp(&one.started).then_with(|| one.id.cmp(&other.id)));
    Ok(all)
}

/// One build: the last, or the one whose ID begins like this.
///
/// # Errors
/// When there is none, or more than one.
pub fn build_log(engine: &Engine, prefix: Option<&str>) -> Result<BuildRecord, Error> {
    let mut all = build_logs(engine)?;
    let Some(prefix) = prefix else {
        let none = || Error::new(ErrorKind::NotFound, "no build has kept a log yet").with_hint(ONLY_WHAT_RAN);
        return if all.is_empty() { Err(none()) } else { Ok(all.swap_remove(0)) };
    };
    all.retain(|build| build.id.starts_with(prefix));
    match all.len() {
        1 => Ok(all.swap_remove(0)),
        0 => Err(Error::new(ErrorKind::NotFound, format!("no log of a build `{prefix}` is kept"))
            .with_hint("`onggi build logs --all` lists the builds whose logs are kept")),
        count => Err(Error::new(ErrorKind::InvalidInput, format!("{count} builds begin with `{prefix}`"))
            .with_hint("give more digits of the ID: `onggi build logs --all` lists them")),
    }
}

const ONLY_WHAT_RAN: &str =
    "a build keeps a log when a step of it runs: `onggi build --no-cache .` runs all of them again";

/// All that a step of a build wrote; `None` when it wrote nothing.
///
/// # Errors
/// When the build has no such step, or the file cannot be opened.
pub fn step_log(engine: &Engine, build: &BuildRecord, number: u32) -> Result<Option<File>, Error> {
    if build.steps.iter().all(|step| step.number != number) {
        let message = format!("build {} has no step {number}", build.id);
        let hint = format!("`onggi build logs {}` lists its steps", build.id);
        return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
    }
    Ok(engine.store().step_log(&build.id, number)?)
}

fn read(store: &Store, id: &str) -> Result<Option<BuildRecord>, Error> {
    // Removed since the folder was read, or not written by us.
    let Some(bytes) = store.build_log_index(id)? else { return Ok(None) };
    let Ok(mut record) = serde_json::from_slice::<BuildRecord>(&bytes) else { return Ok(None) };
    if record.result == BuildResult::Running && !owner(&record).is_alive() {
        record.result = BuildResult::Interrupted;
    }
    Ok(Some(record))
}

fn owner(record: &BuildRecord) -> ProcessIdentity {
    let (pid, start) = record.process;
    ProcessIdentity { pid, start }
}

#[cfg(test)]
mod tests;
