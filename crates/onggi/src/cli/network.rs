//! Commands about networks.

use std::net::Ipv4Addr;

use clap::{Args, Subcommand};

use super::prune_flags::PruneFlags;

/// `onggi network …`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum NetworkCommand {
    Connect(ConnectArgs),
    Create(CreateNetworkArgs),
    Disconnect(DisconnectArgs),
    Inspect(NetworkInspectArgs),
    #[command(visible_alias = "list")]
    Ls(NetworksArgs),
    Prune(PruneArgs),
    #[command(visible_alias = "remove")]
    Rm(RemoveNetworkArgs),
}

/// Connect a container to a network
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Network
    #[arg(value_name = "NETWORK")]
    pub(crate) network: String,
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
    /// Call the container so in this network
    #[arg(long = "alias", value_name = "NAME")]
    pub(crate) aliases: Vec<String>,
    /// Choose the container's address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<Ipv4Addr>,
}

/// Make a network
#[derive(Debug, Args)]
pub(crate) struct CreateNetworkArgs {
    /// Its name
    #[arg(value_name = "NETWORK")]
    pub(crate) name: String,
    /// Let containers be attached by hand, as they always can
    #[arg(long)]
    pub(crate) attachable: bool,
    /// Choose the driver: `bridge`
    #[arg(short, long, value_name = "DRIVER")]
    pub(crate) driver: Option<String>,
    /// Choose the host's address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) gateway: Option<Ipv4Addr>,
    /// Give containers addresses of this part of the subnet
    #[arg(long, value_name = "RANGE")]
    pub(crate) ip_range: Option<String>,
    /// Let nothing out, and nothing in
    #[arg(long)]
    pub(crate) internal: bool,
    /// Use IPv6 too
    #[arg(long)]
    pub(crate) ipv6: bool,
    /// Set a label
    #[arg(long = "label", value_name = "NAME[=VALUE]")]
    pub(crate) labels: Vec<String>,
    /// Set an option of the driver
    #[arg(short, long = "opt", value_name = "NAME=VALUE")]
    pub(crate) options: Vec<String>,
    /// Choose the subnet, such as 172.30.0.0/16
    #[arg(long, value_name = "SUBNET")]
    pub(crate) subnet: Option<String>,
}

/// Take a container off a network
#[derive(Debug, Args)]
pub(crate) struct DisconnectArgs {
    /// Network
    #[arg(value_name = "NETWORK")]
    pub(crate) network: String,
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
    /// Also when the network is not there any more
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Show all there is to know of networks
#[derive(Debug, Args)]
pub(crate) struct NetworkInspectArgs {
    /// Names or IDs
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) names: Vec<String>,
    /// Choose the output: `json`, or a Go template
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Show more; there is no more
    #[arg(short, long, hide = true)]
    pub(crate) verbose: bool,
}

/// List networks
#[derive(Debug, Args)]
pub(crate) struct NetworksArgs {
    /// Show only those that fit: `name=…`, `label=…`, `type=custom`
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    pub(crate) filters: Vec<String>,
    /// Choose the output: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Do not shorten anything
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Print nothing but IDs
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Remove all networks that no container uses
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Only those that fit: `label=…`, `until=24h`
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub(crate) filters: Vec<String>,
    #[command(flatten)]
    pub(crate) flags: PruneFlags,
}

/// Remove networks
#[derive(Debug, Args)]
pub(crate) struct RemoveNetworkArgs {
    /// Names or IDs
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) names: Vec<String>,
    /// Be silent about networks that are not there
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Keep a network without root as long as it is used
// Started by whoever needs it first, never by people.
#[derive(Debug, Args)]
pub(crate) struct HoldNetworkArgs {
    /// Its socket
    #[arg(value_name = "PATH")]
    pub(crate) socket: std::path::PathBuf,
}
