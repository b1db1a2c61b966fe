//! `onggi`: the command line. Only it prints, reads the environment and exits; what the commands do is in `engine`.
//!
//! Reading order: `cli` says what can be typed, `commands` turns it into the engine's options and shows what comes
//! back, `render` and `progress` are how it looks, `ui` the pieces of that, `template` what `--format` understands.

mod cli;
mod commands;
mod docker_config;
mod failure;
mod progress;
mod render;
mod session;
mod template;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use session::Session;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(failure::report_panic));
    let words: Vec<OsString> = std::env::args_os().collect();
    let status = match cli::parse(&words) {
        Ok(cli) => {
            let session = Session::new(&cli.global).with_standing(cli.command.standing());
            session.trace(&format!("{:?}", cli.command));
            let status = commands::run(cli.command, &session).unwrap_or_else(|failure| failure.report(&session));
            session.trace(&format!("ends with {status}"));
            status
        }
        Err(usage) => failure::report_usage(usage),
    };
    ExitCode::from(status)
}
