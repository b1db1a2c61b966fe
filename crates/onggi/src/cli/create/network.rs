//! Flags about a container's network.

use std::net::{IpAddr, Ipv4Addr};

use clap::Args;

/// Network, names and addresses.
#[derive(Debug, Args)]
pub(crate) struct NetworkFlags {
    /// Add a name to `/etc/hosts`; `host-gateway` is this machine
    #[arg(long = "add-host", value_name = "NAME:ADDRESS")]
    pub(crate) add_hosts: Vec<String>,
    /// Ask this name server
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns: Vec<IpAddr>,
    /// Set an option of the resolver
    #[arg(long = "dns-option", visible_alias = "dns-opt", value_name = "OPTION")]
    pub(crate) dns_options: Vec<String>,
    /// Search names in this domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) dns_search: Vec<String>,
    /// Name the domain of the container's host
    #[arg(long = "domainname", value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Say that the container has a port
    #[arg(long, value_name = "PORT")]
    pub(crate) expose: Vec<String>,
    /// Name the container's host
    #[arg(short, long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Choose the container's address in its network
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<Ipv4Addr>,
    /// Call another container so
    #[arg(long = "link", value_name = "CONTAINER[:NAME]")]
    pub(crate) links: Vec<String>,
    /// Choose the container's hardware address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mac_address: Option<String>,
    /// Choose networks: one of `network ls`, or `container:NAME`
    #[arg(long = "network", visible_alias = "net", value_name = "NETWORK")]
    pub(crate) networks: Vec<String>,
    /// Call the container so in its network
    #[arg(long = "network-alias", visible_alias = "net-alias", value_name = "NAME")]
    pub(crate) aliases: Vec<String>,
    /// Publish a port: connections to the host's go to the container's
    #[arg(short, long, value_name = "[[ADDRESS:]HOST:]PORT")]
    pub(crate) publish: Vec<String>,
    /// Publish all exposed ports, on any free ports of the host
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,
}
