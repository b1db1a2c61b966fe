//! Commands about what a container has written.

use std::path::PathBuf;

use clap::Args;

/// Make an image of a container
#[derive(Debug, Args)]
pub(crate) struct CommitArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
    /// Name of the image
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub(crate) name: Option<String>,
    /// Say who made it
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) author: Option<String>,
    /// Apply a Dockerfile instruction to the image
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    pub(crate) changes: Vec<String>,
    /// Write a remark into the history
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Pause the container meanwhile [default: true]
    #[arg(
        short,
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        hide_default_value = true,
        action = clap::ArgAction::Set
    )]
    pub(crate) pause: bool,
}

/// List what a container has changed in its file system
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
}

/// Put a container's files into a tar
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
