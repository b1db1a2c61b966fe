//! `cargo xtask bench`: Onggi and its peers do the same work, in turns, in one run; medians of per-round ratios.
//!
//! The rules are in docs/dev/benchmarks.md: rotating order, wall time and the CPU time of everything that worked for
//! the command including daemons, and no time counts before the result has been read by the independent checker of
//! `testkit` and found equal to that of the others.

mod inputs;
mod meter;
mod options;
mod player;
mod report;
mod rows;
mod tool;
mod verify;

#[cfg(test)]
mod tests;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::{Result, machine, packages, say};
use options::Options;
use testkit::Dockerd;
use tool::Tool;

/// Runs the rows that were asked for on the tools that are here.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    machine::require_root("bench")?;
    say::step("what the benchmarks need from this machine");
    let missing = packages::ensure(&[packages::FOR_DEMO, packages::PEERS])?;
    if packages::names(&missing).contains("busybox") {
        return Err("no static busybox on this machine: install the package `busybox-static`".to_owned());
    }
    let onggi = options.onggi.clone().map_or_else(crate::release::build, Ok)?;
    // Orphans of a command (container monitors, shims) become children of this process, so that their time is counted.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| format!("cannot become a subreaper: {error}"))?;
    let work = Work::new()?;
    say::step("tools");
    let dockerd = if options.wants("classic") || options.wants("buildkit") {
        Dockerd::start(&work.path("docker"))
    } else {
        Ok(None)
    };
    let dockerd = dockerd.unwrap_or_else(|problem| {
        say::line(&format!("    docker is left out: {problem}"));
        None
    });
    let tools = tool::all(&onggi, dockerd.as_ref(), &work, &options)?;
    let result = measure(&options, &tools, &work);
    for tool in &tools {
        tool.clean();
    }
    drop(dockerd);
    let results = result?;
    report::print(&results)?;
    options.json.as_ref().map_or(Ok(()), |path| report::write_json(path, &results))
}

/// A row that breaks is reported and does not take the others with it.
fn measure(options: &Options, tools: &[Tool<'_>], work: &Work) -> Result<Vec<report::RowResult>> {
    let mut results = Vec::new();
    for row in rows::ALL.iter().filter(|row| options.wants_row(row.name)) {
        say::step(&format!("row {}: {}", row.name, row.title));
        let context = rows::Context { options, work };
        match rows::run(row, tools, &context) {
            Ok(result) => {
                report::print_row(&result);
                results.push(result);
            }
            Err(problem) => say::line(&format!("    row {} is left out: {problem}", row.name)),
        }
    }
    if results.is_empty() { Err("no row could be measured".to_owned()) } else { Ok(results) }
}

/// The folder of one call, on the disk of the target folder.
#[derive(Debug)]
pub(crate) struct Work(tempfile::TempDir);

impl Work {
    fn new() -> Result<Self> {
        let target = machine::target_folder();
        let problem = |error| format!("no temporary folder can be made: {error}");
        std::fs::create_dir_all(&target).map_err(problem)?;
        let folder = tempfile::Builder::new().prefix("bench-work-").tempdir_in(target).map_err(problem)?;
        // Tools may be run by other users.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).map_err(problem)?;
        Ok(Self(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Kept from one call to the next: what debootstrap has made.
    fn cache() -> PathBuf {
        machine::target_folder().join("bench-cache")
    }
}
