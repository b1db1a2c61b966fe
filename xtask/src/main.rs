//! `cargo xtask …`: everything that is done to this repository, as programs and not as instructions.
//!
//! One file per command. Each says what it does while it does it, and ends with one line that begins with `error:`
//! when something is missing. Nothing here is part of the tool that is shipped.

mod bench;
mod ci;
mod corpus;
mod demo;
mod fuzz;
mod libtest;
mod machine;
mod ordinary_user;
mod packages;
mod peers;
mod process;
mod reference;
mod release;
mod say;
mod test_rings;
mod tidy;

use std::process::ExitCode;

/// One line for the person who ran the command.
pub(crate) type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy     check the dependency table, names, sizes and the other rules of this repository
  test     install what the tests need (as root) and run every ring of them
  peers    fetch a newer docker than Debian 12's for the tests that compare with it, which `test` does too
  ci       formatting, clippy, tidy, test and demo: what has to pass before a change goes in
  demo     build the release binary, make a base image, build and run examples/hello, change it, build again
  build    build the static release binary and put it at target/onggi
  fuzz     look for texts that the parser and the ignore matcher cannot cope with  [TARGET] [--seconds N]
  docs     write the pages of docs/reference that are made from the code
  bench    compare with docker, buildah and podman  [--rows 1,2,3] [--rounds N] [--files N] [--json FILE] [--sync]
           [--tools onggi,buildkit] [--onggi PATH]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let result = match arguments.first().map(String::as_str) {
        Some("tidy") => tidy::run(),
        Some("test") => test_rings::run().and_then(|summary| summary.verdict()),
        Some("peers") => {
            peers::ensure(&machine::test_cache());
            Ok(())
        }
        Some("ci") => ci::run(),
        Some("demo") => demo::run(rest),
        Some("build") => release::build().map(|path| say::line(&path.display().to_string())),
        Some("fuzz") => fuzz::run(rest),
        Some("docs") => reference::run(),
        Some("bench") => bench::run(rest),
        Some("help" | "--help" | "-h") => {
            say::line(USAGE);
            Ok(())
        }
        Some(other) => Err(format!("`{other}` is not a command\n{USAGE}")),
        None => Err(format!("a command is missing\n{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say::error(&message);
            ExitCode::FAILURE
        }
    }
}
