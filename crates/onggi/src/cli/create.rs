//! What `run` and `create` share: all that a new container can be told.
//!
//! Flags that belong together are a struct in a file of its own.

mod health;
mod labels;
mod life;
mod limits;
mod mounts;
mod network;
mod security;
mod streams;

use clap::Args;

pub(crate) use health::HealthFlags;
pub(crate) use labels::LabelFlags;
pub(crate) use life::LifeFlags;
pub(crate) use limits::{LimitFlags, LiveLimitFlags};
pub(crate) use mounts::{MountFlags, parse_mount};
pub(crate) use network::NetworkFlags;
pub(crate) use security::SecurityFlags;
pub(crate) use streams::StreamFlags;

/// A new container.
#[derive(Debug, Args)]
pub(crate) struct CreateFlags {
    /// Image, and what to run in it instead of its own command
    // Everything behind the image belongs to the container, also what looks like a flag of ours (S054).
    #[arg(value_name = "IMAGE", required = true, trailing_var_arg = true, hide = true)]
    pub(crate) words: Vec<String>,
    /// Replace the image's entrypoint; empty for none
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) entrypoint: Option<String>,
    /// Set a variable; without a value from the environment
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Read variables from a file
    #[arg(long = "env-file", value_name = "FILE")]
    pub(crate) env_files: Vec<std::path::PathBuf>,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Take the image for this platform
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<String>,
    /// Say when to pull the image: `missing`, `always`, `never`
    #[arg(long, value_name = "WHEN")]
    pub(crate) pull: Option<String>,
    /// Do not show how the image is pulled
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Run the container with this program (`crun`, `runc`, a path)
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) runtime: Option<String>,
    /// Choose the user: name or number, and group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Start in this folder
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    #[command(flatten)]
    pub(crate) labels: LabelFlags,
    #[command(flatten)]
    pub(crate) life: LifeFlags,
    #[command(flatten)]
    pub(crate) mounts: MountFlags,
    #[command(flatten)]
    pub(crate) network: NetworkFlags,
    #[command(flatten)]
    pub(crate) streams: StreamFlags,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
    #[command(flatten)]
    pub(crate) security: SecurityFlags,
    #[command(flatten)]
    pub(crate) health: HealthFlags,
}
