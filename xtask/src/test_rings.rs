//! `cargo xtask test`: every ring of tests, from pure data to the real binary beside other tools.
//!
//! The first call of cargo runs what anyone can run anywhere. The second, as root, runs the tests that are marked
//! `#[ignore = "requires …"]` because they mount, start containers or need a Debian package. What did not run is named.

use std::io::{BufRead, BufReader};
use std::time::Instant;

use crate::libtest::{Reader, Shown, Summary};
use crate::{Result, machine, ordinary_user, packages, peers, process, say};

/// Runs all rings; the summary says whether they passed.
pub(crate) fn run() -> Result<Summary> {
    let start = Instant::now();
    say::step("what the tests need from this machine");
    let missing = packages::ensure(&[packages::FOR_TESTS, packages::PEERS])?;
    if missing.is_empty() {
        say::line("    everything is installed");
    } else if machine::is_root() {
        return Err(format!("these packages are missing and could not be installed: {}", packages::names(&missing)));
    }
    peers::ensure(&machine::test_cache());
    let mut summary = Summary::default();
    say::step("rings 1 to 4: data, contracts, graphs, faces (no root needed)");
    cargo_test(&["--workspace"], &[], &[], Reader::default(), &mut summary)?;
    if machine::is_root() {
        say::step("rings 2 to 6 as root: mounts, containers, the real binary, other tools");
        cargo_test(&["--workspace"], &["--ignored"], &[], Reader::default(), &mut summary)?;
        say::step("rings 4 and 6 once more, as a user without root");
        without_root(&mut summary)?;
    } else if summary.skipped() > 0 {
        say::line("    not root: the tests that need it are skipped");
    }
    say::line(&format!("    all rings took {} s", start.elapsed().as_secs()));
    summary.print();
    Ok(summary)
}

/// The tests of the real binary, which is run by an ordinary user.
fn without_root(summary: &mut Summary) -> Result<()> {
    ordinary_user::ensure()?;
    let program = ordinary_user::install(&machine::target_folder().join("debug/onggi"))?;
    let exceptions = ordinary_user::exceptions()?;
    let mut options = vec!["--ignored".to_owned()];
    for ordinary_user::Exception { test, reason } in &exceptions {
        say::line(&format!("    not run: {test} ({reason})"));
        let name = test.split_once("::").map_or(test.as_str(), |(_program, name)| name);
        options.extend(["--skip".to_owned(), name.to_owned()]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let program = program.to_string_lossy();
    let environment = [("ONGGI_TEST_USER", ordinary_user::NAME), ("ONGGI_BIN", &*program)];
    let tests = ["--package", "onggi", "--test", "it", "--test", "notes"];
    cargo_test(&tests, &options, &environment, Reader::of_user(ordinary_user::NAME), summary)
}

/// One call of cargo with all of its output, compiler and tests, through one pipe, so that the order is kept.
fn cargo_test(
    tests: &[&str],
    options: &[&str],
    environment: &[(&str, &str)],
    mut lines: Reader,
    summary: &mut Summary,
) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.arg("test").args(tests).args(["--no-fail-fast", "--", "--show-output"]).args(options);
    cargo
        .current_dir(machine::repository())
        .env("ONGGI_TEST_CACHE", machine::test_cache())
        .env("CARGO_TERM_COLOR", "never")
        .envs(environment.iter().copied());
    say::line(&format!("    $ {}", process::line(&cargo)));
    let (reader, writer) = std::io::pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
    let copy = writer.try_clone().map_err(|error| format!("cannot copy a pipe: {error}"))?;
    cargo.stdin(std::process::Stdio::null()).stdout(copy).stderr(writer);
    let mut child = cargo.spawn().map_err(|error| format!("cannot start cargo: {error}"))?;
    // Our copies of the writing end live in `cargo`; as long as they are open the pipe has no end.
    drop(cargo);
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.map_err(|error| format!("cannot read cargo's output: {error}"))?;
        let line = String::from_utf8_lossy(&line);
        match lines.line(&line, summary) {
            Shown::AsIs => say::line(&line),
            Shown::Finished(text) => say::line(&text),
            Shown::Nothing => {}
        }
    }
    let status = child.wait().map_err(|error| format!("cannot wait for cargo: {error}"))?;
    if status.success() || summary.failed() > 0 {
        return Ok(());
    }
    Err(format!("cargo test ended with {status} before all tests ran"))
}
