//! Flags about what a container writes and reads.

use clap::Args;

/// Who is attached, and what is kept.
#[derive(Debug, Args)]
pub(crate) struct StreamFlags {
    /// Attach only to `stdin`, `stdout` or `stderr`
    #[arg(short, long = "attach", value_name = "STREAM")]
    pub(crate) attach: Vec<String>,
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Keep its output with `json-file`, `local` or `none`
    #[arg(long, value_name = "DRIVER")]
    pub(crate) log_driver: Option<String>,
    /// Set an option of the log driver: `max-size=10m`, `max-file=3`
    #[arg(long = "log-opt", value_name = "NAME=VALUE")]
    pub(crate) log_opts: Vec<String>,
    /// Give the container a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
}
