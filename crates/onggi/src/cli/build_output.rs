//! Flags of `build` that say what becomes of the result.

use std::path::PathBuf;

use clap::Args;

/// What becomes of the result.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Add an annotation to an archive
    #[arg(long = "annotation", value_name = "[TYPE:]KEY=VALUE")]
    pub(crate) annotations: Vec<String>,
    /// Write the image's ID to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) iidfile: Option<PathBuf>,
    /// Keep the image in the store, also with other outputs
    #[arg(long)]
    pub(crate) load: bool,
    /// Write digests and names of the result to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata_file: Option<PathBuf>,
    /// Write the result to a folder, or as `type` says; may be repeated
    #[arg(short = 'o', long = "output", value_name = "DIR|type=…")]
    pub(crate) outputs: Vec<String>,
    /// Build for this platform (`linux/arm64`, `local`); may be repeated
    #[arg(long = "platform", value_name = "OS/ARCH")]
    pub(crate) platforms: Vec<String>,
    /// Push the image to its registry
    #[arg(long, hide = true)]
    pub(crate) push: bool,
    /// Set all times of the result to `SOURCE_DATE_EPOCH`, or to 1970 without it
    #[arg(long)]
    pub(crate) reproducible: bool,
    /// Make one layer of all that the build adds to its base
    #[arg(long)]
    pub(crate) squash: bool,
}
