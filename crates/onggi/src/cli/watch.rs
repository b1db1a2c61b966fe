//! `top`, `stats` and `update`: what containers do and use.

use clap::Args;

use super::create::LiveLimitFlags;

/// List the processes of a container
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
    /// Options of `ps`
    #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) options: Vec<String>,
}

/// Show what containers use
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Names or IDs; all that run if there are none
    #[arg(value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
    /// Show those that do not run too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Choose the output: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Show it once
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Do not shorten anything
    #[arg(long)]
    pub(crate) no_trunc: bool,
}

/// Give containers other limits
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
    #[command(flatten)]
    pub(crate) limits: LiveLimitFlags,
    /// Start it again when it ends: `no`, `on-failure[:N]`, `always`
    #[arg(long, value_name = "POLICY")]
    pub(crate) restart: Option<String>,
}
