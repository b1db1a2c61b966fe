//! Flags about the health of a container.

use clap::Args;

/// Probes.
#[derive(Debug, Default, Args)]
pub(crate) struct HealthFlags {
    /// See with this command whether it works
    #[arg(long, value_name = "COMMAND")]
    pub(crate) health_cmd: Option<String>,
    /// Wait so long between two probes [default: 30s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) health_interval: Option<String>,
    /// Call it unhealthy after so many failures [default: 3]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) health_retries: Option<i64>,
    /// Wait so long between two probes in the start period [default: 5s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) health_start_interval: Option<String>,
    /// Do not count failures before
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) health_start_period: Option<String>,
    /// End a probe that takes longer [default: 30s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) health_timeout: Option<String>,
    /// Leave the image's probes out
    #[arg(long)]
    pub(crate) no_healthcheck: bool,
}
