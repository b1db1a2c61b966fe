//! `cargo xtask ci`: what has to pass before a change goes in, in the order in which it fails soonest.

use std::time::Instant;

use crate::{Result, demo, machine, process, say, test_rings, tidy};

/// Runs every check to the first that fails.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    say::step("formatting");
    process::show(process::cargo().args(["fmt", "--all", "--check"]))?;
    say::step("tidy: the rules of this repository");
    tidy::run()?;
    say::step("clippy: every warning is an error");
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    process::show(process::cargo().args(clippy))?;
    let summary = test_rings::run()?;
    if machine::is_root() && summary.failed() == 0 {
        say::step("demo: the commands of the README");
        demo::run(&[])?;
    }
    say::line("");
    summary.print();
    say::line(&format!("ci took {} s", start.elapsed().as_secs()));
    summary.verdict()
}
