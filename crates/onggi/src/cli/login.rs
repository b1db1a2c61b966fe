//! Commands about registries: who we are there, and the way to them.

use clap::{Args, Subcommand};

/// Log in to a registry
///
/// Docker Hub is meant when no server is given. The registry is asked before anything is kept.
#[derive(Debug, Args)]
#[command(override_usage = "onggi login [OPTIONS] [SERVER]")]
pub(crate) struct LoginArgs {
    /// Host, with or without a port
    #[arg(value_name = "SERVER")]
    pub(crate) server: Option<String>,
    /// Password or access token; `--password-stdin` hides it
    #[arg(short, long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
    /// Read the password or access token from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// User name
    #[arg(short, long, value_name = "NAME")]
    pub(crate) username: Option<String>,
}

/// Log out from a registry
#[derive(Debug, Args)]
#[command(override_usage = "onggi logout [SERVER]")]
pub(crate) struct LogoutArgs {
    /// Host, with or without a port; Docker Hub without one
    #[arg(value_name = "SERVER")]
    pub(crate) server: Option<String>,
}

/// `onggi config …`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ConfigCommand {
    Explain(ExplainArgs),
}

/// Show where an image's registry is, and what says so
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Name of an image; nothing is asked of its registry
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Choose the output: `json`, or a Go template
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Show the way of a push, which knows no mirrors
    #[arg(long)]
    pub(crate) push: bool,
}
