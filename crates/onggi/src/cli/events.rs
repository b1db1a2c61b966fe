//! `events`.

use clap::Args;

/// Show what happens to containers, while it happens
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Show only what fits (`event=die`, `container=web`, …)
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    pub(crate) filters: Vec<String>,
    /// Choose the output: `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Begin with what happened since then (`10m`, a date, or seconds since 1970)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// End with what happens until then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}
