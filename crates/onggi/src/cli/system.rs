//! Commands about the program and the machine.

use clap::Args;

/// Show where things are kept and what this machine can do
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Choose the output: `json`, or a Go template
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}

/// Show what this machine lacks, and how to mend it
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Write it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show the version
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// Choose the output: `json`, or a Go template
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}
