//! `run`.

use clap::Args;

use super::create::CreateFlags;

/// Create a container from an image and run it
#[derive(Debug, Args)]
#[command(override_usage = "onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]", disable_help_flag = true)]
pub(crate) struct RunArgs {
    /// Run in the background and print the container's ID
    #[arg(short, long)]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) create: CreateFlags,
}
