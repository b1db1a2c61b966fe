//! `run`.

use clap::Args;

use super::create::CreateFlags;
use super::switches::GoBool;

/// Create a container from an image and run it
#[derive(Debug, Args)]
#[command(override_usage = "onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]", disable_help_flag = true)]
pub(crate) struct RunArgs {
    /// Run in the background and print the container's ID
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Choose the keys that leave it running [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<String>,
    /// Pass on signals [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true",
        hide_default_value = true, value_name = "BOOL", action = clap::ArgAction::Set, value_parser = GoBool)]
    pub(crate) sig_proxy: bool,
    #[command(flatten)]
    pub(crate) create: CreateFlags,
}
