//! `logs`.

use clap::Args;

/// Print what a container has written
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
    /// Show labels and variables that are kept with its output
    #[arg(long)]
    pub(crate) details: bool,
    /// Go on until it ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Show what is not older: a time, or `10m` ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Show so many lines at the end [default: all]
    #[arg(short = 'n', long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) tail: Option<String>,
    /// Show when each line was written
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// Show what is not newer: a time, or `10m` ago
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}
