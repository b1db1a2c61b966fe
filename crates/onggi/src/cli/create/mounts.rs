//! Flags about what is mounted in a container.

use clap::Args;

/// Volumes and folders of this machine.
#[derive(Debug, Args)]
pub(crate) struct MountFlags {
    /// Show a folder or file of this machine in the container
    #[arg(short, long = "volume", value_name = "SOURCE:TARGET[:ro]")]
    pub(crate) volumes: Vec<String>,
}
