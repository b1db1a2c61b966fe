//! `doctor`: what this machine lets the caller do, tried out, and the one command that mends what is missing.
//!
//! ```text
//!  machine, disk, trial, surroundings  ->  Facts   what is there: plain data, gathered in a few milliseconds
//!  points                              ->  Report  what it means: a pure function of the facts
//!  remedies                            ->  a line  what to do about one thing that is missing
//! ```
//!
//! The remedies are also what a command says that fails for want of the same thing: it asks [`machine::Machine`], which is cheap,
//! and not the trial. Nothing here changes the machine, opens a store that is not there, or prints.

mod disk;
pub(crate) mod machine;
mod points;
pub(crate) mod remedies;
pub(crate) mod surroundings;

use std::ffi::OsString;
use std::path::PathBuf;

use runtime::ControlGroups;

use self::disk::Disk;
use self::machine::Machine;
pub use self::remedies::Remedy;
use self::surroundings::{Limits, Network};

/// Who asks, about what.
#[derive(Debug, Clone)]
pub struct DoctorOptions {
    /// The store's folder; it need not exist.
    pub root: PathBuf,
    /// Where programs are looked for (`PATH`).
    pub path: OsString,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether containers can run.
    pub can_run: bool,
    /// One after the other, what others need first.
    pub points: Vec<Point>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// A stable name: `user-namespaces`.
    pub name: &'static str,
    /// How it is.
    pub state: PointState,
    /// Nothing runs without it.
    pub is_required: bool,
    /// What was found, in a few words.
    pub found: String,
    /// What it is good for.
    pub needed_for: &'static str,
    /// What to do about it.
    pub remedy: Option<Remedy>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointState {
    /// As it should be.
    Ok,
    /// There, and good for less.
    Limited,
    /// Not there.
    Missing,
}

impl PointState {
    /// `ok`, `limited` or `missing`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

impl Report {
    /// What to do first: about what keeps containers from running, else about what is missing, else about what is limited.
    #[must_use]
    pub fn first_remedy(&self) -> Option<&Remedy> {
        let is_blocking = |point: &&Point| point.is_required && point.state == PointState::Missing;
        let is_missing = |point: &&Point| point.state == PointState::Missing;
        let is_limited = |point: &&Point| point.state == PointState::Limited;
        let mut blocking = self.points.iter().filter(is_blocking).peekable();
        if blocking.peek().is_some() {
            return blocking.find_map(|point| point.remedy.as_ref());
        }
        let rest = self.points.iter().filter(is_missing).chain(self.points.iter().filter(is_limited));
        rest.filter_map(|point| point.remedy.as_ref()).next()
    }
}

/// What was found, before anybody says what it means.
#[derive(Debug)]
struct Facts {
    machine: Machine,
    /// `None` where no process could be made to try.
    trial: Option<Trial>,
    disk: Disk,
    control_groups: ControlGroups,
    network: Network,
    limits: Limits,
}

/// What the kernel let us do, as plain data.
#[derive(Debug)]
struct Trial {
    namespace: Result<(), machine::Refusal>,
    identities: Option<Result<u32, String>>,
    proc: Option<Result<(), String>>,
}

/// Looks at everything. This process must have one thread.
#[must_use]
pub fn doctor(options: &DoctorOptions) -> Report {
    let machine = Machine::look(rustix::process::getuid().as_raw(), &options.path);
    let (disk, trial) = disk::look_and_try(&options.root);
    let trial = trial.map(|trial| Trial {
        namespace: trial.namespace.map_err(|error| machine::Refusal::from(&error)),
        identities: trial.identities,
        proc: trial.proc.map(|proc| proc.map_err(|error| error.to_string())),
    });
    let network = Network::look(&machine, &options.path);
    let facts = Facts {
        machine,
        trial,
        disk,
        control_groups: ControlGroups::of_this_process(),
        network,
        limits: Limits::of_this_process(),
    };
    points::report(&facts)
}

#[cfg(test)]
mod tests;
