//! Asks whether a plan would be found whole, without running, showing or keeping anything.
//!
//! A cache can know steps whose layers it has not got (`mode=min`). They may count only where nothing runs: what runs may need
//! those layers, and by then it is too late to make them.

use std::sync::atomic::AtomicBool;

use crate::Event;
use crate::build::{BuildRequest, BuildTools};
use crate::cache_folder::Caches;
use crate::plan::Plan;
use crate::report::Reporter;
use crate::solve::Solver;
use crate::sources::PlanSources;

/// Whether all steps of a plan have results. Servers are not asked: a plan that takes something from one counts as not found.
pub(crate) fn is_found(
    request: &BuildRequest,
    tools: &BuildTools<'_>,
    plan: &Plan,
    sources: PlanSources<'_>,
    caches: &Caches,
) -> bool {
    // What is wrong with a cache is told once, when it is seen.
    let progress = tools.progress;
    let tell_warnings = |event| {
        if let Event::Warning { message, line } = event {
            progress.warning(message, line);
        }
    };
    let silent = Reporter::new(&tell_warnings);
    let cancelled = AtomicBool::new(false);
    let BuildTools { store, executor, fetch, secrets, clock, .. } = *tools;
    let tools = BuildTools { store, executor, fetch, secrets, progress: &silent, clock, cancelled: &cancelled };
    Solver::new(request, &tools, &silent, plan, sources, None, caches).probe()
}
