//! Which logs stay: those of the latest builds, within a size. The last one always stays whole.

use super::{BuildResult, build_logs};
use crate::{Engine, Error};

/// So many builds.
const MOST_BUILDS: usize = 100;
/// So many bytes, those of the last build not counted.
const MOST_BYTES: u64 = 1 << 30;

/// Removes the logs of older builds than may be kept; never that of `newest`, or of a build that goes on.
pub(super) fn remove_old(engine: &Engine, newest: &str) -> Result<(), Error> {
    remove(engine, newest, MOST_BUILDS, MOST_BYTES)
}

pub(super) fn remove(engine: &Engine, newest: &str, most_builds: usize, most_bytes: u64) -> Result<(), Error> {
    let store = engine.store();
    let mut builds = 1;
    let mut bytes = 0;
    for build in build_logs(engine)?.iter().filter(|build| build.id != newest) {
        builds += 1;
        bytes += store.build_log_size(&build.id).unwrap_or(0);
        if (builds > most_builds || bytes > most_bytes) && build.result != BuildResult::Running {
            store.remove_build_log(&build.id)?;
        }
    }
    Ok(())
}
