//! Commands about volumes.

use clap::{Args, Subcommand};

use super::prune_flags::PruneFlags;

/// `onggi volume …`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum VolumeCommand {
    Create(VolumeCreateArgs),
    Inspect(VolumeInspectArgs),
    #[command(visible_alias = "list")]
    Ls(VolumeLsArgs),
    Prune(VolumePruneArgs),
    #[command(visible_alias = "remove")]
    Rm(VolumeRmArgs),
}

/// Create a volume
#[derive(Debug, Args)]
pub(crate) struct VolumeCreateArgs {
    /// Name; 64 random digits otherwise
    #[arg(value_name = "VOLUME")]
    pub(crate) name: Option<String>,
    /// Choose the driver: `local`
    #[arg(short, long, value_name = "NAME", default_value = "local", hide_default_value = true)]
    pub(crate) driver: String,
    /// Label the volume
    #[arg(long = "label", value_name = "NAME[=VALUE]")]
    pub(crate) labels: Vec<String>,
    /// Tell the driver: `type=tmpfs`, or `type=none`, `o=bind`, `device=DIR`
    #[arg(short, long = "opt", value_name = "NAME=VALUE")]
    pub(crate) options: Vec<String>,
}

/// Show all there is to know of volumes
#[derive(Debug, Args)]
pub(crate) struct VolumeInspectArgs {
    /// Names
    #[arg(value_name = "VOLUME", required = true)]
    pub(crate) names: Vec<String>,
    /// Choose the output: `json`, or a Go template
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}

/// List volumes
#[derive(Debug, Args)]
pub(crate) struct VolumeLsArgs {
    /// Show only what fits: dangling, driver, label, name
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    pub(crate) filters: Vec<String>,
    /// Choose the output: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Print nothing but names
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Remove volumes that no container uses
#[derive(Debug, Args)]
pub(crate) struct VolumePruneArgs {
    /// Remove also those that have been given a name
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Remove only what fits: label
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub(crate) filters: Vec<String>,
    #[command(flatten)]
    pub(crate) flags: PruneFlags,
}

/// Remove volumes
#[derive(Debug, Args)]
pub(crate) struct VolumeRmArgs {
    /// Names
    #[arg(value_name = "VOLUME", required = true)]
    pub(crate) names: Vec<String>,
    /// Do not mind volumes that are not there
    #[arg(short, long)]
    pub(crate) force: bool,
}
