//! Flags about a container's network.

use clap::Args;

/// Network, names and addresses.
#[derive(Debug, Args)]
pub(crate) struct NetworkFlags {
    /// Say that the container has a port
    #[arg(long, value_name = "PORT")]
    pub(crate) expose: Vec<String>,
    /// Name the container's host
    #[arg(short, long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Choose the network: `bridge`, `none` or `host`
    #[arg(long, visible_alias = "net", value_name = "MODE")]
    pub(crate) network: Option<String>,
    /// Publish a port: connections to the host's go to the container's
    #[arg(short, long, value_name = "[[ADDRESS:]HOST:]PORT")]
    pub(crate) publish: Vec<String>,
    /// Publish all exposed ports, on any free ports of the host
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,
}
