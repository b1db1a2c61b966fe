//! `pause` and `unpause`.

use clap::Args;

/// Stop all processes of containers for a while
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}

/// Let paused containers go on
#[derive(Debug, Args)]
pub(crate) struct UnpauseArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}
