//! Flags about the life of a container: how it ends, and what comes then.

use clap::Args;

/// Its end.
#[derive(Debug, Args)]
pub(crate) struct LifeFlags {
    /// Start it again when it ends: `no`, `on-failure[:N]`, `always`
    #[arg(long, value_name = "POLICY")]
    pub(crate) restart: Option<String>,
    /// Remove the container when it has ended
    #[arg(long)]
    pub(crate) rm: bool,
    /// Ask it to end with this signal
    #[arg(long, value_name = "SIGNAL")]
    pub(crate) stop_signal: Option<String>,
    /// Wait so long before it is killed, -1 for ever [default: 10]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) stop_timeout: Option<i64>,
}
