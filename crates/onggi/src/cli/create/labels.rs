//! Flags about how a container is found again.

use std::path::PathBuf;

use clap::Args;

/// Names and labels.
#[derive(Debug, Args)]
pub(crate) struct LabelFlags {
    /// Write the container's ID to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) cidfile: Option<PathBuf>,
    /// Set a label
    #[arg(short, long = "label", value_name = "NAME[=VALUE]")]
    pub(crate) labels: Vec<String>,
    /// Read labels from a file
    #[arg(long = "label-file", value_name = "FILE")]
    pub(crate) label_files: Vec<PathBuf>,
    /// Name the container
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}
