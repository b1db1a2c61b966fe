//! Flags about a container's network.

use clap::Args;

/// Network, names and addresses.
#[derive(Debug, Args)]
pub(crate) struct NetworkFlags {
    /// Name the container's host
    #[arg(short, long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Choose the network: `bridge`, `none` or `host`
    #[arg(long, visible_alias = "net", value_name = "MODE")]
    pub(crate) network: Option<String>,
}
