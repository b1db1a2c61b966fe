//! Flags about what is mounted in a container.

mod mount_text;

use clap::Args;

pub(crate) use mount_text::parse as parse_mount;

/// Volumes, folders of this machine and folders in memory.
#[derive(Debug, Args)]
pub(crate) struct MountFlags {
    /// Mount a folder of this machine, a volume, memory or an image
    #[arg(long = "mount", value_name = "type=TYPE,...")]
    pub(crate) mounts: Vec<String>,
    /// Let nothing be written outside of volumes and memory
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Choose the size of `/dev/shm`
    #[arg(long, value_name = "BYTES")]
    pub(crate) shm_size: Option<String>,
    /// Mount a folder in memory
    #[arg(long, value_name = "TARGET[:OPTIONS]")]
    pub(crate) tmpfs: Vec<String>,
    /// Mount a volume, or a folder or file of this machine
    #[arg(short, long = "volume", value_name = "[SOURCE:]TARGET[:ro]")]
    pub(crate) volumes: Vec<String>,
    /// Choose the driver of new volumes: `local`
    #[arg(long, value_name = "NAME", hide = true)]
    pub(crate) volume_driver: Option<String>,
    /// Mount what another container has mounted
    #[arg(long, value_name = "CONTAINER[:ro]")]
    pub(crate) volumes_from: Vec<String>,
}
