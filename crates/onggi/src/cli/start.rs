//! `create`, `start`, `restart`, `attach`, `rename`, `container prune`.

use clap::Args;

use super::create::CreateFlags;
use super::prune_flags::PruneFlags;
use super::switches::GoBool;

/// Create a container from an image, without starting it
#[derive(Debug, Args)]
#[command(override_usage = "onggi create [OPTIONS] IMAGE [COMMAND] [ARG...]", disable_help_flag = true)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) create: CreateFlags,
}

/// Start containers that do not run
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Show its output and pass signals on
    #[arg(short, long)]
    pub(crate) attach: bool,
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
    /// Choose the keys that leave it running [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<String>,
    /// Pass on what is typed
    #[arg(short, long)]
    pub(crate) interactive: bool,
}

/// Stop containers and start them again
#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
    /// Ask it to end with this signal
    #[arg(short, long, value_name = "SIGNAL")]
    pub(crate) signal: Option<String>,
    /// Wait so long before it is killed, -1 for ever [default: 10]
    #[arg(short, long, visible_alias = "time", value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) timeout: Option<i64>,
}

/// Attach to a running container
#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
    /// Choose the keys that leave it running [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<String>,
    /// Do not pass on what is typed
    #[arg(long)]
    pub(crate) no_stdin: bool,
    /// Pass on signals [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true",
        hide_default_value = true, value_name = "BOOL", action = clap::ArgAction::Set, value_parser = GoBool)]
    pub(crate) sig_proxy: bool,
}

/// Give a container another name
#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
    /// The new name
    #[arg(value_name = "NEW_NAME")]
    pub(crate) name: String,
}

/// Remove all containers that do not run
#[derive(Debug, Args)]
pub(crate) struct ContainerPruneArgs {
    /// Remove only what fits: `until=24h`, `label=NAME[=VALUE]`
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    #[command(flatten)]
    pub(crate) flags: PruneFlags,
}
